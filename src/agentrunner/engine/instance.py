"""What becomes of a database that was restored: another instance, whose runs nobody supervises."""

from collections.abc import Awaitable, Callable, Iterable
from typing import NamedTuple

from agentrunner.domain.state import ACTIVE, Cause, Desired, Hold, Reason, Status
from agentrunner.engine.change import Change, ending_event
from agentrunner.engine.runs import ended, locked
from agentrunner.engine.workers import INSTANCE
from agentrunner.store import attempts, meta, runs, sessions
from agentrunner.store.base import Tx

_PAGE = 500
_MESSAGE = "The database was restored from a backup; what became of this attempt after the backup is not in it."


class Renewed(NamedTuple):
    """How many active runs were ended, and how many queued ones are held from now on."""

    ended: int
    held: int


async def renew(tx: Tx, instance_id: str, now: int) -> Renewed:
    """Be `instance_id` from now on, so that run directories of the instance before are never touched.

    Active runs end FAILED `worker_lost`: to take an attempt up in other directories would execute it twice. Queued ones
    are held until a person resumes them, for they may have been executed after the backup. Sessions end: one that was
    revoked after the backup would open again.
    """
    await meta.put(tx, INSTANCE, instance_id)
    await sessions.delete_all(tx)
    lost = await _each(tx, ACTIVE, now, _lose)
    return Renewed(lost, await _each(tx, [Status.QUEUED], now, _hold))


async def _each(
    tx: Tx, statuses: Iterable[Status], now: int, change_one: Callable[[Tx, Change], Awaitable[None]]
) -> int:
    after = count = 0
    wanted = list(statuses)
    while page := await runs.ids_with_status(tx, wanted, after, _PAGE):
        for run_id in page:
            change = Change(await locked(tx, run_id), now)
            await change_one(tx, change)
            await change.save(tx)
        after, count = page[-1], count + len(page)
    return count


async def _lose(tx: Tx, change: Change) -> None:
    run = change.run
    await attempts.end(tx, run.id, run.attempt, change.now, (Status.FAILED, Reason.WORKER_LOST, None))
    event = ending_event(Cause.FAILED, Reason.WORKER_LOST, attempt=run.attempt, message=_MESSAGE)
    fields = ended(change.now, Reason.WORKER_LOST, _MESSAGE)
    change.move(Cause.FAILED, event, epoch=run.epoch + 1, answered=run.revision, **fields)


async def _hold(tx: Tx, change: Change) -> None:
    revision = change.run.revision + (change.run.desired is not Desired.PAUSE)
    change.set(desired=Desired.PAUSE, revision=revision, answered=revision, hold=Hold.OPERATOR)
