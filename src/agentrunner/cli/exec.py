"""`agentrunner exec`: a command run here, by us, and reported as a run there."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agentrunner.cli import failures
from agentrunner.cli.session import Session, server_options

if TYPE_CHECKING:
    from agentrunner.client.reporter import Reporter

NOT_FOUND, NOT_EXECUTABLE = 127, 126
_SIGNALLED = 128


@click.command("exec", short_help="Run a command here and report it as a run.")
@click.argument("argv", nargs=-1, required=True, type=click.UNPROCESSED, metavar="[--] COMMAND…")
@click.option("--title", help="How the run is called; else the command.")
@click.option("--project", metavar="NAME", help="The project it belongs to; else the one called default.")
@click.option("--agent", metavar="NAME", help="The agent that its figures are kept for.")
@click.option("--label", "labels", metavar="NAME=VALUE", multiple=True, help="A label to find it by.")
@server_options
@click.pass_context
def execute(context: click.Context, /, argv: tuple[str, ...], labels: tuple[str, ...], **given: Any) -> int:
    """Run a command here, as if it were not for us, and report it: its lines, how long it took, how it ended.

    \b
      agentrunner exec -- make test
      agentrunner exec --title "Nightly import" --agent importer -- ./import.sh

    It reads this terminal's input and writes to it; its output goes through a pipe. Signals are passed on to all it
    has started, and what it leaves running is ended with it. Exit code: the command's own, 128 + the signal that
    killed it, 127 or 126 where it cannot be started.

    It never waits for the server: what the server does not get is kept, for the next report or for
    `agentrunner report --flush`. Values of variables named like a KEY, TOKEN, SECRET or PASSWORD are masked;
    arguments are reported as they are, so give secrets by such a variable.
    """
    from agentrunner.cli.child import Child
    from agentrunner.cli.request import pairs

    session = context.find_object(Session)
    assert session is not None
    fields = {name: value for name, value in given.items() if value is not None}
    fields |= {"labels": pairs("--label", labels), "metadata": {"argv": list(argv), "cwd": str(Path.cwd())}}
    fields.setdefault("title", " ".join(argv)[:200])
    settings = session.settings
    try:
        # Before the reporter: it has a thread, and what is forked beside threads may not run Python.
        child = Child(argv)
    except OSError as error:
        with _reporter(settings, fields) as reporter:
            reporter.fail(f"{argv[0]} cannot be started: {error.strerror}")
        click.echo(f"agentrunner: {argv[0]} cannot be started: {error.strerror}", err=True)
        return NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE
    reporter = _reporter(settings, fields)
    code = child.watch(
        lambda stream, offset, lines: reporter.event("log", {"stream": stream, "offset": offset, "lines": lines})
    )
    _end(reporter, code)
    if not reporter.close():
        session.out.note("The server has not got all of it yet: `agentrunner report --flush` sends it later.")
    elif session.out.errors_to_terminal:
        session.out.note(f"Reported as run {reporter.run_id}.")
    return code if code >= 0 else _SIGNALLED - code


def _reporter(settings: Any, fields: dict[str, Any]) -> "Reporter":
    from agentrunner.client.reporter import Reporter, ReporterOptions

    options = ReporterOptions(data_dir=settings.data_dir)
    return Reporter(server=settings.server_url or None, token=settings.token or None, options=options, **fields)


def _end(reporter: "Reporter", code: int) -> None:
    if code == failures.OK:
        reporter.complete(exit_code=code)
    elif code > 0:
        reporter.fail(f"The command exited with {code}.", exit_code=code)
    else:
        reporter.fail(f"The command was killed by signal {-code}.", signal=-code)
