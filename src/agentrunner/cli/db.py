"""`agentrunner db`: the SQLite database as files."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agentrunner.cli import failures
from agentrunner.cli.group import Nouns
from agentrunner.cli.session import Session, data_dir_option, json_option, pass_session

if TYPE_CHECKING:
    from agentrunner.app.db import Restored
    from agentrunner.app.prune import Gone

_SHOWN = 20
_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group(cls=Nouns, short_help="Check, back up, restore and prune the database.")
def db() -> None:
    """Check, back up and restore the SQLite database, and prune any.

    A database on PostgreSQL is backed up by `pg_dump` and restored by `pg_restore`.
    """


@db.command(short_help="Check that it is sound, while it is used.")
@click.option("--full", is_flag=True, help="Read every timeline, not only a sample.")
@json_option
@data_dir_option
@pass_session
def check(session: Session, full: bool) -> int:
    """Check pages, references, schema, counters, timelines and log; nothing is changed and no server disturbed.

    Exit code 1 where something is wrong, with what to do.
    """
    from agentrunner.app import db as files
    from agentrunner.cli.doctor import show

    with _progress(session) as tell:
        found = list(files.check(session.settings, full, tell))
    show(session, found)
    return failures.FAILURE if any(each.status == "fail" for each in found) else failures.OK


@db.command(short_help="Copy it to FILE, while it is used.")
@click.argument("target", metavar="FILE", type=_FILE)
@json_option
@data_dir_option
@pass_session
def backup(session: Session, target: Path) -> None:
    """Copy the database to FILE, which must not be there yet: one moment of it, checked and synced, mode 0600.

    Secrets of runs are not in the database and not in the copy, nor is raw output that is not recorded yet.
    """
    from agentrunner.app import db as files

    with _progress(session) as tell:
        files.backup(session.settings, target, tell)
    if session.out.as_json:
        session.out.json({"file": str(target), "bytes": target.stat().st_size})
        return
    session.out.line(f"{target}: {target.stat().st_size} bytes, checked.")
    session.out.note("Not in it: the secrets of runs (`secrets` in the data directory), tokens' text, and raw output.")


@db.command(short_help="Put a backup in its place.")
@click.argument("source", metavar="FILE", type=_FILE)
@json_option
@data_dir_option
@pass_session
def restore(session: Session, source: Path) -> None:
    """Put the backup FILE in the place of the database, which is kept beside it. No server may run meanwhile.

    The restored database is a new instance: it never touches agents of the replaced one. Runs that were active when the
    backup was made end FAILED, and queued ones wait until they are resumed, for both may have run since.
    """
    from agentrunner.app import db as files

    with _progress(session) as tell:
        done = files.restore(session.settings, source, tell)
    if session.out.as_json:
        session.out.json(_document(done))
        return
    session.out.line(f"{done.path} is restored from {source}, as instance {done.instance_id}.")
    for line in _meaning(done):
        session.out.note(line)


@db.command(short_help="Delete what is past its retention, now.")
@click.option("--dry-run", is_flag=True, help="Only show what would go.")
@json_option
@data_dir_option
@pass_session
def prune(session: Session, dry_run: bool) -> None:
    """Delete what is past its retention: raw output, secrets, timelines and runs, as the settings `retention.…` say.

    Server and worker do the same by themselves, in small pieces. Runs that have not ended are never touched. Without a
    server this command does it alone.
    """
    from agentrunner.app import prune as app

    with _progress(session) as tell:
        gone = app.prune(
            session.settings, dry_run, lambda sum: tell(f"Deleting: {sum.runs} runs, {sum.events} events so far")
        )
    if session.out.as_json:
        session.out.json(_amounts(gone))
        return
    for line in _gone(gone, "would go" if dry_run else "deleted"):
        session.out.line(line)
    if gone.is_left and not dry_run and gone.spools:
        session.out.note("The worker here deletes raw output by itself, within a minute.")


def _amounts(gone: "Gone") -> dict[str, object]:
    size = sum(kept.size for kept in gone.spools)
    record = {"runs": gone.record.runs, "events": gone.record.events, "secrets": gone.record.secrets}
    return {**record, "spools": {"directories": len(gone.spools), "bytes": size, "left_to_worker": gone.is_left}}


def _gone(gone: "Gone", word: str) -> Iterator[str]:
    size = sum(kept.size for kept in gone.spools)
    left = "left to the worker" if gone.is_left and word == "deleted" else word
    yield f"raw output: {len(gone.spools)} run directories, {size / (1 << 20):.1f} MiB, {left}"
    yield f"secrets: of {gone.record.secrets} runs {word}"
    yield f"timelines: {gone.record.events} events {word}"
    yield f"runs: {gone.record.runs} {word}"


def _document(done: "Restored") -> dict[str, object]:
    return {
        "file": str(done.path),
        "instance_id": done.instance_id,
        "replaced": None if done.replaced is None else str(done.replaced),
        "replaced_secrets": None if done.replaced_secrets is None else str(done.replaced_secrets),
        "ended": done.ended,
        "held": done.held,
        "live": [str(path) for path in done.live],
    }


def _meaning(done: "Restored") -> Iterator[str]:
    if done.replaced is not None:
        yield f"The database it replaces is {done.replaced}."
    if done.replaced_secrets is not None:
        yield f"The secrets of its runs are {done.replaced_secrets}; runs of the backup have none here."
    if done.ended:
        yield f"Active when the backup was made, FAILED `worker_lost` now: {done.ended}. `agentrunner ps --all` lists."
    if done.held:
        yield f"Queued then, paused now, for they may have run since: {done.held}. `agentrunner resume` lets them run."
    if done.live:
        yield f"Agents of the replaced database that still run, and that nothing records any more: {len(done.live)}."
        yield from (f"  {path}" for path in done.live[:_SHOWN])
        yield "To stop them, put the replaced database back and `agentrunner stop --all` before you restore again."


@contextmanager
def _progress(session: Session) -> Iterator[Callable[[str], None]]:
    from agentrunner.cli.busy import Busy

    busy = Busy(session.out)
    try:
        with busy.waiting("Opening the database"):
            yield busy.say
    finally:
        busy.close()
