"""`agentrunner report`: a reporting client as an example and a trial, and the delivery of what reporters have left."""

import time
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from agentrunner.cli import failures
from agentrunner.cli.session import Session, pass_session, server_options

if TYPE_CHECKING:
    from agentrunner.cli.walk import Walk

_TOOLS = ("ReadFile", "WriteFile", "RunTests", "Search")


@click.command(short_help="Report a sample run; or send what reports have left.")
@click.option("--title", default="Agent Test Run", show_default=True, help="How the run is called.")
@click.option("--steps", type=click.IntRange(0, 100_000), default=10, show_default=True, help="How many steps it has.")
@click.option("--interval", type=click.IntRange(0, 3_600_000), default=500, show_default=True, metavar="MS",
              help="Milliseconds between steps.")  # fmt: skip
@click.option("--apiKey", "--api-key", "api_key", metavar="KEY", help="The key to send as x-api-key.")
@click.option("--failAt", "--fail-at", "fail_at", type=int, metavar="STEP", help="Fail at this step.")
@click.option("--flush", is_flag=True, help="Report nothing: send what reports could not send before.")
@server_options
@pass_session
def report(session: Session, /, title: str, steps: int, interval: int, flush: bool, **given: Any) -> int:
    """Report a run of some steps to the Agent Ops surface, as any program can: begin, tell, amend, end.

    \b
      agentrunner report --title "My Custom Run" --steps 20 --interval 300
      agentrunner report --failAt 5
      agentrunner report --flush

    Exit code: 0 where the run completed, 1 where it failed or could not be reported. With --flush: 0 where all is
    sent, 3 where some is kept.
    """
    if flush:
        return _flush(session)
    from agentrunner.cli.terminal import one_line
    from agentrunner.cli.walk import Walk
    from agentrunner.domain.errors import AgentRunnerError

    walk = Walk(session, given["api_key"], lambda: time.sleep(interval / 1000))
    _greet(session, walk, title, steps, interval, given["fail_at"])
    try:
        return _tell(session, walk, title, lambda: _steps(session, walk, steps, given["fail_at"]))
    except AgentRunnerError as error:
        session.out.line(f"\n❌ Error: {one_line(error.detail)}")
        return failures.FAILURE


def _greet(session: Session, walk: "Walk", *said: Any) -> None:
    title, steps, interval, fail_at = said
    say = session.out.line
    say("🤖 Agent Runner Starting...")
    say(f"   Server: {walk.server}")
    say(f"   Title: {title}")
    say(f"   Steps: {steps}")
    say(f"   Interval: {interval}ms")
    if fail_at is not None:
        say(f"   ⚠️  Will fail at step: {fail_at}")


def _tell(session: Session, walk: "Walk", title: str, work: Callable[[], None]) -> int:
    say = session.out.line
    say("\n📝 Creating run...")
    run_id = walk.create(title)
    say(f"✅ Run created: {run_id}\n\n🚀 Posting run.started event...")
    walk.tell("run.started", {"message": "Agent run started", "title": title})
    say("✅ Run started\n\n📊 Updating metadata...")
    walk.amend({"metadata": {"costEstimate": 0.05, "tags": ["cli", "sample"], "client": "agentrunner report"}})
    say("✅ Metadata updated\n")
    code = failures.OK
    try:
        work()
        say("✅ All steps completed\n\n🎉 Posting run.completed event...")
        walk.tell("run.completed", {"message": "Agent run completed"})
        say("✅ Run completed successfully")
    except SimulatedFailure as error:
        say(f"\n❌ Error occurred: {error}\n\n📝 Posting run.error event...")
        stack = "".join(traceback.format_exception(error))
        walk.tell("run.error", {"message": str(error), "stack": stack}, "error")
        walk.amend({"status": "error", "errorMessage": str(error)})
        say("✅ Error recorded")
        code = failures.FAILURE
    say(f"\n📊 View in dashboard: {walk.console}\n   Run ID: {run_id}")
    return code


class SimulatedFailure(Exception):
    """The step at which the run was to fail."""


def _steps(session: Session, walk: "Walk", steps: int, fail_at: int | None) -> None:
    session.out.line(f"🔄 Executing {steps} steps...")
    for step in range(1, steps + 1):
        session.out.line(f"   Step {step}/{steps}")
        if step == fail_at:
            raise SimulatedFailure(f"Simulated failure at step {step}")
        _step(walk, step, steps)
        walk.pause()


def _step(walk: "Walk", step: int, steps: int) -> None:
    """Every kind of event that a reporting program may send, one after the other."""
    task, began = f"task-{step}", time.monotonic()
    progress = round(100 * step / steps)
    walk.tell("task.progress", {"message": f"Step {step} of {steps}", "progress": progress}, task=task)
    kind = step % 4
    if kind == 1:
        call, name = f"call-{step}", _TOOLS[step // 4 % len(_TOOLS)]
        walk.tell("tool.called", {"toolCallId": call, "toolName": name, "args": {"step": step}}, task=task)
        walk.tell("tool.result", {"toolCallId": call, "toolName": name, "result": "ok"}, task=task)
    elif kind == 2:
        latency = round((time.monotonic() - began) * 1000, 3)
        walk.tell("metric", {"name": "latency", "value": latency, "unit": "ms"}, task=task)
    elif kind == 3:
        walk.tell("agent.task", {"name": f"Task {step}", "status": "running"}, task=task)
        walk.tell("agent.task", {"name": f"Task {step}", "status": "done"}, task=task)


def _flush(session: Session) -> int:
    from agentrunner.cli.terminal import one_line
    from agentrunner.client.leftovers import deliver_all

    settings = session.settings
    done = deliver_all(settings.server_url or None, settings.token or None, settings.data_dir)
    for run_id in done.runs:
        session.out.line(f"Reports of run {run_id} are delivered.")
    for path, error in done.kept:
        session.out.note(f"{path.name} is kept: {one_line(str(error))}")
    if not done.runs and not done.kept:
        session.out.note("No report waits.")
    return failures.UNREACHABLE if done.kept else failures.OK
