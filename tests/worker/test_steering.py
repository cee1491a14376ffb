"""What a shim is told, and when."""

import itertools
from pathlib import Path
from typing import Any

from agentrunner.domain.control import Offsets
from agentrunner.domain.state import Desired, OnLost
from agentrunner.worker.steering import Steering
from waiting import eventually
from worker.ctl import Ctl, shim
from worker.given import Spools, assignment


async def told(ctl: Ctl, count: int) -> list[str]:
    """The names of the commands once there are that many."""

    async def there() -> bool:
        return len(ctl.commands) >= count

    await eventually(there, 5)
    return ctl.names


async def test_a_wish_from_before_the_shim_reaches_it(tmp_path: Path) -> None:
    """What is wished while the agent is being started is told once it is there, with the attempt's epoch."""
    steering = Steering(assignment(), 1 << 20)
    steering.wish(Desired.PAUSE, 1)
    async with shim(tmp_path) as ctl, steering.following(tmp_path):
        await told(ctl, 1)
    assert ctl.commands == [{"cmd": "pause", "rev": 1, "epoch": 3}]


async def test_nothing_is_told_where_nothing_is_wished(tmp_path: Path) -> None:
    """Revision 0 is no wish; a run that waits for its worker has no deadline: its shim is not even woken."""
    steering = Steering(assignment(), 1 << 20)
    async with shim(tmp_path) as ctl, steering.following(tmp_path):
        steering.move_deadline(1e9)
        steering.recorded(Offsets(out=10))
        steering.wish(Desired.STOP, 1)
        await told(ctl, 1)
    assert ctl.names == ["stop"]


async def test_the_newest_wish_wins(tmp_path: Path) -> None:
    """An older one that comes late changes nothing."""
    steering = Steering(assignment(desired=Desired.PAUSE, revision=4), 1 << 20)
    steering.wish(Desired.RUN, 3)
    assert (steering.desired, steering.revision) == (Desired.PAUSE, 4)
    async with shim(tmp_path) as ctl, steering.following(tmp_path):
        await told(ctl, 1)
        steering.wish(Desired.STOP, 5)
        await told(ctl, 2)
    assert [(c["cmd"], c["rev"]) for c in ctl.commands] == [("pause", 4), ("stop", 5)]


async def test_a_fact_is_not_asked_for_again(tmp_path: Path) -> None:
    """The worker before told it and the journal has it: the next worker does not make it a fact twice."""
    Spools(tmp_path).note("paused", rev=4)
    steering = Steering(assignment(desired=Desired.PAUSE, revision=4, on_lost=OnLost.FAIL), 1 << 20)
    steering.move_deadline(50.0)
    async with shim(tmp_path) as ctl, steering.following(tmp_path):
        await told(ctl, 1)
        steering.move_deadline(60.0)
        await told(ctl, 2)
        steering.wish(Desired.RUN, 5)
        await told(ctl, 3)
    assert [(c["cmd"], c.get("rev")) for c in ctl.commands] == [("deadline", None), ("deadline", None), ("resume", 5)]


async def test_a_broken_connection_is_tried_again(tmp_path: Path) -> None:
    """Until the shim has taken it."""
    broken = itertools.count()
    steering = Steering(assignment(), 1 << 20)
    steering.wish(Desired.STOP, 1)
    async with (
        shim(tmp_path, lambda _: None if next(broken) < 2 else {"ok": True}) as ctl,
        steering.following(tmp_path),
    ):
        await told(ctl, 3)
    assert ctl.names == ["stop"] * 3


async def test_a_refusal_is_not_repeated(tmp_path: Path) -> None:
    """Another epoch has spoken: what comes later is still told, this is not told again."""
    steering = Steering(assignment(), 1 << 20)
    steering.wish(Desired.PAUSE, 1)
    async with (
        shim(tmp_path, lambda _: {"error": "stale_epoch", "epoch": 9}) as ctl,
        steering.following(tmp_path),
    ):
        await told(ctl, 1)
        steering.wish(Desired.STOP, 2)
        await told(ctl, 2)
    assert ctl.names == ["pause", "stop"]


async def test_inputs_go_in_order_and_once(tmp_path: Path) -> None:
    """A full shim is asked again later; what it took is kept in mind until its delivery is recorded."""
    full = itertools.count()

    def answer(command: dict[str, Any]) -> dict[str, Any]:
        return {"ok": True, "refused": "full"} if command["id"] == 2 and next(full) == 0 else {"ok": True}

    steering = Steering(assignment(), 1 << 20)
    async with shim(tmp_path, answer) as ctl, steering.following(tmp_path):
        for number in (1, 2, 3, 2):
            steering.send(number, f"text {number}")
        await told(ctl, 4)

        async def passed() -> bool:
            return not steering._inputs

        await eventually(passed)
        steering.send(1, "again")
        assert steering.inputs == {1, 2, 3}
        steering.delivered(1)
        assert steering.inputs == {2, 3}
    assert [(c["id"], c["text"]) for c in ctl.commands] == [
        (1, "text 1"),
        (2, "text 2"),
        (2, "text 2"),
        (3, "text 3"),
    ]


async def test_deadlines_move_forward_only(tmp_path: Path) -> None:
    """For runs that do not wait for a lost worker; before anything else."""
    steering = Steering(assignment(on_lost=OnLost.FAIL, desired=Desired.PAUSE, revision=1), 1 << 20)
    steering.move_deadline(50.0)
    steering.move_deadline(40.0)
    async with shim(tmp_path) as ctl, steering.following(tmp_path):
        assert await told(ctl, 2) == ["deadline", "pause"]
    assert ctl.commands[0]["boottime"] == 50.0


async def test_recorded_bytes_are_told_now_and_then(tmp_path: Path) -> None:
    """Each eighth of the cap, not each call."""
    steering = Steering(assignment(), 800)
    async with shim(tmp_path) as ctl, steering.following(tmp_path):
        for size in (50, 99, 120, 190):
            steering.recorded(Offsets(out=size))
        await told(ctl, 1)
        steering.recorded(Offsets(out=210, err=90))
        await told(ctl, 2)
    assert [(c["out"], c["err"]) for c in ctl.commands] == [(190, 0), (210, 90)]


async def test_an_attempt_that_is_over_is_ended_at_once(tmp_path: Path) -> None:
    """Without any grace."""
    steering = Steering(assignment(), 1 << 20)
    steering.end()
    async with shim(tmp_path) as ctl, steering.following(tmp_path):
        await told(ctl, 1)
    assert ctl.commands == [{"cmd": "stop", "rev": 0, "grace_s": 0, "epoch": 3}]


async def test_much_growth_is_told_once_until_it_is_recorded(tmp_path: Path) -> None:
    """An agent that writes files by itself near its cap: its shim is told to look, not each time that it grows."""
    steering = Steering(assignment(), 16 << 20)
    async with shim(tmp_path) as ctl, steering.following(tmp_path):
        steering.grown(8 << 20)
        for size in range(9, 12):
            steering.grown(size << 20)
        await told(ctl, 1)
        steering.recorded(Offsets(out=4 << 20))
        await told(ctl, 2)
        steering.grown(11 << 20)
        steering.grown(13 << 20)
        await told(ctl, 3)
    assert [command["cmd"] for command in ctl.commands] == ["cap", "recorded", "cap"]
    assert ctl.commands[0] == {"cmd": "cap", "on": True, "epoch": 3}


async def test_behind_a_full_disk_little_is_told_at_once(tmp_path: Path) -> None:
    """What can be given back is what makes room then."""
    steering = Steering(assignment(), 256 << 20)
    async with shim(tmp_path) as ctl, steering.following(tmp_path):
        steering.recorded(Offsets(out=1 << 20))
        assert not steering._has_news()
        steering.hurry()
        steering.recorded(Offsets(out=2 << 20))
        await told(ctl, 1)
    assert ctl.commands == [{"cmd": "recorded", "out": 2 << 20, "err": 0, "epoch": 3}]
