"""Use cases of inputs: text that a person sends to a run's agent."""

from agentrunner.domain.decision import Input, NewInput
from agentrunner.domain.errors import BackendUnsupported, InvalidField, InvalidTransition, TooManyRequests
from agentrunner.domain.event import Event, EventType, new_event
from agentrunner.domain.state import Desired
from agentrunner.engine import repeats
from agentrunner.engine.change import Change
from agentrunner.engine.runs import EXTERNAL, locked
from agentrunner.engine.services import Services
from agentrunner.engine.wakeups import worker_topic
from agentrunner.store import events, inputs
from agentrunner.store.base import Tx

MAX_WAITING = 100


async def send(s: Services, run_id: int, new: NewInput, key: str | None = None) -> Input:
    """Store an input, to be delivered once; the same `key` with the same text answers the same input.

    Raises RunNotFound, InvalidField, InvalidTransition, BackendUnsupported, IdempotencyMismatch, TooManyRequests.
    """
    _check(new)
    return await s.db.write(_send, run_id, new, key, s.clock())


async def direct(s: Services, run_id: int, new: NewInput) -> Event:
    """Send an input and answer its event in the timeline. Raises what `send` does."""
    _check(new)
    return await s.db.write(_direct, run_id, new, s.clock())


def _check(new: NewInput) -> None:
    if "\x00" in new.text:
        raise InvalidField("`text` contains a NUL character; leave it out.")


async def _direct(tx: Tx, run_id: int, new: NewInput, now: int) -> Event:
    await _send(tx, run_id, new, None, now)
    # The run is locked, so the last event is the one just written.
    (event,) = await events.last(tx, run_id, 1)
    return event


async def _send(tx: Tx, run_id: int, new: NewInput, key: str | None, now: int) -> Input:
    before = await repeats.known(tx, key, ("input", run_id, new.text), now)
    if before and (sent := await inputs.get(tx, before[0])) is not None:
        return sent
    run = await locked(tx, run_id)
    if run.status.is_terminal or run.desired is Desired.STOP:
        raise InvalidTransition(f"Run {run.id} is {run.status} and takes no input any more.", current=run.status)
    if run.backend == EXTERNAL or run.options.get("stdin") != "pipe":
        raise BackendUnsupported(f"Run {run.id} reads no input; a `command` or `demo` with `stdin: pipe` does.")
    if await inputs.count_waiting(tx, run_id) >= MAX_WAITING:
        raise TooManyRequests(f"{MAX_WAITING} inputs of run {run.id} wait to be delivered already.")
    item = await inputs.insert(tx, run_id, new.text, now)
    change = Change(run, now)
    change.emit(new_event(EventType.INPUT_RECEIVED, {"id": item.id, "text": new.text}))
    run = await change.save(tx)
    await repeats.remember(tx, key, [item.id])
    if run.worker_id is not None:
        tx.after_commit(worker_topic(run.worker_id))
    return item
