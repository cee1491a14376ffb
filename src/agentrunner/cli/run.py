"""`agentrunner run`: give work to an agent, watch it, exit as it did."""

import os
import sys
from pathlib import Path
from typing import Any

import click

from agentrunner.cli import failures
from agentrunner.cli.session import Session, server_options

MOST_GOAL_CHARACTERS = 1_000_000


class RunCommand(click.Command):
    """Remembers whether `--` was written, which click takes away."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse, with a hint for the options of a command that was not put behind `--`."""
        ctx.meta["is_marked"] = "--" in args
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if "--" in args or error.possibilities:
                raise
            text = f"{error.format_message()} What is for the command goes behind `--`: agentrunner run -- COMMAND …"
            raise click.UsageError(text, ctx) from error


@click.command(cls=RunCommand, short_help="Give work to an agent and watch it.")
@click.argument("words", nargs=-1, metavar='[--] COMMAND… | "GOAL"')
@click.option("--backend", metavar="NAME", help="Who does it: command (default), claude, script, …")
@click.option("--script", "scenario", metavar="FILE", type=click.Path(), help="A scenario (YAML) for backend script.")
@click.option("--replay", type=int, metavar="ID", help="Write the recorded output of a run again, as a run of its own.")
@click.option("--speed", metavar="N", help="With --replay: N times as fast as it was, or `max`; 1 by default.")
@click.option("--title", help="How the run is called; else the first line of its goal.")
@click.option("--project", metavar="NAME", help="The project it works in; else the one called default.")
@click.option("--agent", metavar="NAME", help="The agent that its figures are kept for.")
@click.option("--cwd", metavar="DIR", help="The directory it works in; else the project's, or an empty one of its own.")
@click.option("--model", metavar="NAME", help="The model that the agent uses.")
@click.option("--permission-mode", type=click.Choice(["ask", "bypass"]), help="What the agent may do without asking.")
@click.option("--env", metavar="NAME=VALUE", multiple=True, help="A variable for the agent.")
@click.option("--secret", "secrets", metavar="NAME", multiple=True, help="A secret variable: its value is taken from "
              "your environment, or asked for; it is never stored with the run nor shown.")  # fmt: skip
@click.option("--option", "options", metavar="NAME=VALUE", multiple=True, help="Any other option of the backend.")
@click.option("--limit", "limits", metavar="NAME=NUMBER", multiple=True, help="wall_s, idle_s, start_s, memory_mb, "
              "cpu, pids or output_mb; paused time does not count.")  # fmt: skip
@click.option("--label", "labels", metavar="NAME=VALUE", multiple=True, help="A label to find it by.")
@click.option("--priority", type=int, default=0, help="Higher ones start first; 0 by default.")
@click.option("--retry", "tries", type=int, metavar="N", help="Try at most N times in all where trying again may help.")
@click.option("--retry-backoff", "backoff_s", type=float, metavar="S", help="Wait S seconds before the second try, "
              "twice that before the third.")  # fmt: skip
@click.option("--on-lost", type=click.Choice(["wait", "fail", "retry"]), default="wait", help="See above.")
@click.option("--detach", "-d", is_flag=True, help="Do not watch: print the run's id and return.")
@click.option("--raw", is_flag=True, help="Print the program's own lines only: its stdout to stdout, stderr to stderr.")
@server_options
@click.pass_context
def run(context: click.Context, /, detach: bool, raw: bool, **given: Any) -> int:
    """Give work to an agent, watch it, and exit as it did.

    \b
      agentrunner run -- make test
      agentrunner run --backend claude "Fix the failing test"
      agentrunner run --backend claude - < goal.md
      agentrunner run --script scenario.yaml
      agentrunner run --replay 12 --speed 10

    Watching is only watching: the run goes on whatever happens to this command. Ctrl-C asks whether to detach, to
    stop the run or to go on watching; where nobody can be asked it detaches.

    \b
    Exit code: 0 (or the program's own) where the run completed; where it failed
    the program's exit code, 128 + the signal that killed it, or 1; 130 where
    it was stopped or Ctrl-C detached unasked; 0 where you chose to detach;
    2 to 5 as for every command (`agentrunner --help`).

    \b
    --on-lost says what happens when the worker that runs it is not heard of:
      wait   nothing: the agent goes on, and is found again when the worker or
             the server is back, however late (default)
      fail   after a lease (15 s) its processes are killed and it is FAILED
      retry  the same, but it is queued for a new attempt
    With fail and retry that also happens when the SERVER is away for a lease:
    the worker cannot tell the difference, so the run ends although all is well
    with it. Choose them only where two copies at once would be worse.
    """
    from agentrunner.cli.request import Asked, build
    from agentrunner.client import runs

    session = context.find_object(Session)
    assert session is not None
    scenario = given.pop("scenario")
    asked = Asked(
        **given,
        scenario=None if scenario is None else _read(scenario),
        is_marked=context.meta["is_marked"],
        here=Path.cwd(),
    )
    created = runs.create(session.http, build(asked, _secret, _read_goal))
    if detach:
        _say_created(session, created)
        return failures.OK
    return _watch(session, created, raw)


def _say_created(session: Session, created: Any) -> None:
    if session.out.as_json:
        session.out.json(created)
    elif session.out.is_terminal:
        session.out.line(f"Run {created.id} is created. `agentrunner logs -f {created.id}` shows it.")
    else:
        session.out.line(str(created.id))


def _watch(session: Session, created: Any, raw: bool) -> int:
    from agentrunner.cli import watch
    from agentrunner.cli.results import exit_code

    try:
        ended = watch.watch(session, created, watch.printer(session.out, created, is_raw=raw))
    except watch.Detached as detached:
        session.out.note(watch.how_to_go_on(created))
        return failures.OK if detached.is_chosen else failures.INTERRUPTED
    watch.finish(session, ended)
    return exit_code(ended)


def _secret(name: str) -> str:
    if name in os.environ:
        return os.environ[name]
    if not sys.stdin.isatty():
        raise click.UsageError(f"--secret {name}: there is no variable {name} in the environment")
    return str(click.prompt(name, hide_input=True, err=True))


def _read_goal() -> str:
    if sys.stdin.isatty():
        click.echo("The goal, then Ctrl-D:", err=True)
    text = sys.stdin.read(MOST_GOAL_CHARACTERS + 1)
    if len(text) > MOST_GOAL_CHARACTERS:
        raise click.UsageError(f"the goal has more than {MOST_GOAL_CHARACTERS} characters")
    return text


def _read(name: str) -> str:
    try:
        return Path(name).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"{name} cannot be read: {error}") from error
