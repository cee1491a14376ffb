"""The command `agentrunner`: finds the verb and loads only its file, so that help and refusals come at once."""

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

import click

from agentrunner import __version__
from agentrunner.cli import failures
from agentrunner.cli.group import unknown
from agentrunner.cli.output import ReaderGone, prepare
from agentrunner.cli.session import Session


class Verb(NamedTuple):
    """Where a verb is implemented and what the list of verbs says about it."""

    section: str
    place: str
    summary: str


VERBS: dict[str, Verb] = {
    "up": Verb("Start", "up:up", "Run server and worker here, in the foreground."),
    "login": Verb("Start", "login:login", "Print a link that signs a browser in to the console."),
    "worker": Verb("Start", "worker:worker", "Run a worker here for a server elsewhere."),
    "run": Verb("Runs", "run:run", "Give work to an agent and watch it."),
    "exec": Verb("Runs", "exec:execute", "Run a command here and report it as a run."),
    "report": Verb("Runs", "report:report", "Report a sample run; or send what reports have left."),
    "ps": Verb("Runs", "ps:ps", "List runs: what is queued and active."),
    "show": Verb("Runs", "show:show", "One run: its fields, last events, and what to do."),
    "logs": Verb("Runs", "logs:logs", "The timeline of a run, whole or as it grows."),
    "explain": Verb("Runs", "explain:explain", "Why a run is where it is."),
    "pause": Verb("Runs", "wishes:pause", "Freeze runs with every process of theirs."),
    "resume": Verb("Runs", "wishes:resume", "Let paused runs go on."),
    "stop": Verb("Runs", "wishes:stop", "End runs and every process of theirs."),
    "retry": Verb("Runs", "retry:retry", "Run a finished run again, as a new one."),
    "send": Verb("Runs", "send:send", "Send text to a run's agent."),
    "agents": Verb("Figures", "agents:agents", "List agents, or the versions of one."),
    "stats": Verb("Figures", "stats:stats", "Outcomes, durations, waits and cost over time."),
    "project": Verb("Server", "project:project", "Create and list projects."),
    "token": Verb("Server", "token:token", "Create, list and revoke tokens."),
    "workers": Verb("Server", "workers:workers", "List workers."),
    "doctor": Verb("Server", "doctor:doctor", "Check what this host can do."),
    "db": Verb("Server", "db:db", "Check, back up, restore and prune the database."),
    "config": Verb("Server", "config:config", "Every setting, its value, and where that comes from."),
}
_EXIT_CODES = """\b
Exit codes: 0 done, 1 failed, 2 used wrongly, 3 no server answers, 4 not found,
5 not possible now. `run` exits as the run did: see `agentrunner run --help`.
"""


class Verbs(click.Group):
    """The verbs, each loaded when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every verb, in the order of the help."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb, its file loaded now."""
        if cmd_name not in VERBS:
            return None
        module, _, attribute = VERBS[cmd_name].place.partition(":")
        command = getattr(importlib.import_module(f"agentrunner.cli.{module}"), attribute)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The verb asked for. Raises UsageError naming the nearest one."""
        if args[0] in VERBS or args[0].startswith("-"):
            return super().resolve_command(ctx, args)
        raise click.UsageError(unknown(args[0], list(VERBS)), ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The verbs by section, without loading any."""
        for section in dict.fromkeys(verb.section for verb in VERBS.values()):
            with formatter.section(section):
                formatter.write_dl([(name, verb.summary) for name, verb in VERBS.items() if verb.section == section])


@click.group(
    cls=Verbs,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=_EXIT_CODES,
)
@click.version_option(__version__, message="%(prog)s %(version)s")
@click.pass_context
def root(context: click.Context) -> None:
    """Runs AI agents as supervised processes and tells the truth about them, whatever is killed.

    `agentrunner up` starts it; then, in another terminal, `agentrunner run -- COMMAND`.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; answers its exit code, prints at most one line about an error and never a traceback."""
    prepare(sys.stdout, sys.stderr)
    given = None if arguments is None else list(arguments)
    try:
        result: Any = root.main(given, prog_name="agentrunner", standalone_mode=False, obj=Session())
    except ReaderGone:
        # Nothing is left to say, and the interpreter must not try to at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return failures.BROKEN_PIPE
    except (Exception, KeyboardInterrupt) as error:
        return failures.report(error)
    return result if isinstance(result, int) else failures.OK
