"""The test base of adapters: captured bytes as a recorded run, replayed through a real worker, compared by digest.

An adapter's test needs no program of that adapter: `await capture(here, "claude", out=BYTES, stdio="file")` is a run as
one that had written these bytes, `await replay(here, run_id)` runs it again, `await digest_of(here, run_id)` compares.
"""

from itertools import pairwise
from typing import Any

import msgspec

from agentrunner.agents.base import Backend, Line
from agentrunner.api.events import EventPage
from agentrunner.domain.digest import digest
from agentrunner.domain.event import EventView, NewEvent
from agentrunner.process.spool import Framer
from agentrunner.store.base import Tx
from worker.world import World


async def capture(
    here: World, backend: str, out: bytes, err: bytes = b"", *, stdio: str = "pipe", end: str = "exit 0"
) -> int:
    """An ended run whose spools hold these bytes and whose output `backend` reads; answers its id."""
    source = here.data_dir / "captured"
    source.mkdir(exist_ok=True)
    (source / "out").write_bytes(out)
    (source / "err").write_bytes(err)
    script = f"cat {source}/out; cat {source}/err >&2; {end}"
    run_id = await here.create(script, options={"stdio": stdio})
    await here.wait(run_id)

    async def rename(tx: Tx) -> None:
        await tx.run("UPDATE runs SET backend = ? WHERE id = ?", backend, run_id)

    await here.services.db.write(rename)
    return run_id


async def replay(here: World, run_id: int, speed: float | str = "max", **fields: Any) -> dict[str, Any]:
    """Replay a run to its end; answers the replay."""
    options = {"run": run_id, "speed": speed, **fields.pop("options", {})}
    made = await here.ask("POST", "/v1/runs", json={"backend": "replay", "options": options, **fields})
    return await here.wait(int(made["id"]), timeout=30)


async def timeline(here: World, run_id: int) -> list[EventView]:
    """Every event of a run."""
    found: list[EventView] = []
    after: int | None = 0
    while after is not None:
        answer = await here.client.get(f"/v1/runs/{run_id}/events", params={"limit": 1000, "after": after})
        page = msgspec.json.decode(answer.content, type=EventPage)
        found += page.items
        after = page.next_cursor
    return found


async def digest_of(here: World, run_id: int) -> str:
    """The digest of a run's timeline."""
    return digest(await timeline(here, run_id))


def parsed(backend: Backend, out: bytes, err: bytes = b"", cuts: tuple[int, ...] = ()) -> list[NewEvent]:
    """The events of captured bytes, cut into chunks at `cuts`; at each one state goes out and in again, as stored."""
    events: list[NewEvent] = []
    parser = backend.parser(None, None)
    for stream, data in (("out", out), ("err", err)):
        framer = Framer(0, None, lambda _, at: at)
        bounds = sorted({0, *(cut for cut in cuts if cut < len(data)), len(data)})
        for number, (start, end) in enumerate(pairwise(bounds)):
            found = framer.feed(data[start:end]) + (framer.finish() if end == len(data) else [])
            lines = [Line(raw.data, raw.offset, 1000 * number, raw.cut) for raw in found]
            events += parser.feed(stream, lines)  # type: ignore[arg-type]
            states = [msgspec.json.decode(msgspec.json.encode(parser.state(name))) for name in ("out", "err")]  # type: ignore[arg-type]
            parser = backend.parser(*states)
    return events
