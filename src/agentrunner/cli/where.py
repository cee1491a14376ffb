"""`--where QUERY`: one verb for every run that a query finds, confirmed at a terminal, reported a line a run."""

from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

import click

from agentrunner.cli import failures
from agentrunner.cli.session import Session

if TYPE_CHECKING:
    from agentrunner.domain.bulk import BulkItem

F = TypeVar("F", bound=Callable[..., Any])

AT_A_TIME = 200
"""Runs in one request: few enough for lines to come soon."""
_MOST_COUNTED = 1000
_COLOURS = {"done": "green", "pending": "yellow", "refused": "red"}


def where_options(command: F) -> F:
    """`--where` and `--yes`."""
    where = click.option("--where", metavar="QUERY", help="Every run that matches, as `agentrunner ps QUERY` lists.")
    yes = click.option("--yes", "-y", is_flag=True, help="With --where: do not ask first.")
    return where(yes(command))


def act(session: Session, verb: str, query: str, *, is_agreed: bool) -> int:
    """Do it to every run that matches and can still be acted on; answers the exit code, 5 where a run refused."""
    from agentrunner.client.runs import bulk
    from agentrunner.domain.bulk import Action, BulkRequest, Result

    wanted = _narrowed(verb, query)
    if not is_agreed and session.out.is_terminal and not _confirmed(session, verb, wanted):
        return failures.OK
    seen = dict.fromkeys(Result, 0)
    cursor: str | None = None
    while True:
        request = BulkRequest(action=Action(verb), q=wanted, limit=AT_A_TIME, cursor=cursor)
        page = bulk(session.http, request)
        for item in page.items:
            seen[item.result] += 1
            _say(session, item)
        if (cursor := page.next_cursor) is None:
            break
    if not any(seen.values()):
        session.out.note("No run matches.")
    if seen[Result.PENDING]:
        session.out.note(f"{seen[Result.PENDING]} wished, not confirmed yet; `agentrunner ps` shows when they are.")
    return failures.CONFLICT if seen[Result.REFUSED] else failures.OK


def _narrowed(verb: str, query: str) -> str:
    """The query without runs that the verb can never do anything to, so that old ones are not all refused one by one.

    Raises InvalidField, UsageError.
    """
    from agentrunner.domain.query import parse

    if not parse(query).terms:
        raise click.UsageError("--where takes a query, such as `--where 'status:failed since:24h'`")
    return f"{query} {'is:terminal' if verb == 'retry' else '-is:terminal'}"


def _confirmed(session: Session, verb: str, query: str) -> bool:
    from agentrunner.client.runs import Filter, every

    count = sum(1 for _ in islice(every(session.http, Filter(text=query)), _MOST_COUNTED + 1))
    if count == 0:
        session.out.note("No run matches.")
        return False
    number = f"more than {_MOST_COUNTED:,}" if count > _MOST_COUNTED else f"{count:,}"
    if click.confirm(f"{verb.capitalize()} {number} run{'' if count == 1 else 's'}?", err=True):
        return True
    session.out.note("Nothing is done.")
    return False


def _say(session: Session, item: "BulkItem") -> None:
    out = session.out
    if out.as_json:
        out.json(item, is_line=True)
        return
    from agentrunner.cli.terminal import one_line

    new = f"  as run {item.new_id}" if item.new_id is not None else ""
    why = f"  {one_line(item.detail)}" if item.detail else ""
    out.line(f"{item.id:>6}  {out.paint(item.result, _COLOURS[item.result])}{new}{why}")
