"""The real Claude Code through the whole product, against a model that plays a script."""

import os
import shutil
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from agentrunner.testing import Fault, ScriptedModel, ToolCall, Turn
from e2e.processes import agents, look
from e2e.product import Product
from waiting import until

pytestmark = [pytest.mark.claude, pytest.mark.timeout(120)]

PINNED = Path(__file__).parents[1] / "programs/node_modules/.bin/claude"
WITHIN_S = 60


@pytest.fixture
def program() -> str:
    """The pinned program, else the one that is installed."""
    found = str(PINNED) if PINNED.exists() else shutil.which("claude")
    assert found is not None, "Claude Code is missing: run `make programs`"
    return found


def create(server: Product, program: str, environment: dict[str, str], **more: Any) -> int:
    """A run of Claude Code with a home of its own."""
    home = server.data_dir / "home"
    home.mkdir(exist_ok=True)
    options = {
        "program": program,
        "permission_mode": "bypass",
        "env": {**environment, "HOME": str(home), "CLAUDE_CODE_MAX_RETRIES": "1"},
    }
    return server.create("claude", goal="Write the poem.", options=options, **more)


def writes(path: str) -> ToolCall:
    """A call that writes a file."""
    return ToolCall(name="Write", input={"file_path": path, "content": "roses\n"})


def usage(model: ScriptedModel) -> dict[str, int]:
    """What the endpoint has counted."""
    fields = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens")
    return {name: getattr(model.usage, name) for name in fields}


def payloads(server: Product, run_id: int, type: str) -> list[dict[str, Any]]:
    """The payloads of one type of event."""
    return [event["payload"] for event in server.events(run_id) if event["type"] == type]


def ends(server: Product, run_id: int, reason: str, within_s: float = WITHIN_S) -> dict[str, Any]:
    """Wait for FAILED with a reason and advice that is the reason's own."""
    run = server.wait(run_id, "FAILED", timeout=within_s)
    assert run["reason"] == reason, (run, server.events(run_id)[-3:])
    advice = server.explain(run_id)["what_to_do"]
    assert advice
    assert advice == payloads(server, run_id, "run.failed")[0]["what_to_do"]
    assert agents(server.data_dir) == []
    return run


def test_success(running: Product, program: str) -> None:
    """The file is there, the timeline tells it, and the usage is what the endpoint counted, cached tokens apart."""
    poem = running.data_dir / "poem.txt"
    turns = [Turn(thinking="A poem.", text="I shall write.", tools=(writes(str(poem)),)), Turn(text="Written.")]
    with ScriptedModel(turns) as model:
        run_id = create(running, program, model.environment())
        run = running.wait(run_id, "COMPLETED", timeout=WITHIN_S)
        counted = usage(model)
    assert poem.read_text() == "roses\n"
    assert run["usage"] == counted
    assert counted["cache_read_tokens"] > 0
    assert run["exit_code"] == 0
    assert run["cost_usd"] is not None
    types = running.types(run_id)
    wanted = ["session.started", "message", "tool.called", "tool.result", "message", "usage", "run.completed"]
    places = iter(types)
    assert all(type in places for type in wanted), types
    assert payloads(running, run_id, "tool.called")[0]["name"] == "Write"
    assert "raw" not in types
    assert running.explain(run_id)["what_to_do"] is None


def test_a_tool_that_fails(running: Product, program: str) -> None:
    """The model goes on, so the run is COMPLETED; the failure of the tool is in the timeline."""
    turns = [
        Turn(tools=(ToolCall(name="Bash", input={"command": "echo broken >&2; exit 3"}),)),
        Turn(text="It failed."),
    ]
    with ScriptedModel(turns) as model:
        run_id = create(running, program, model.environment())
        running.wait(run_id, "COMPLETED", timeout=WITHIN_S)
    (result,) = payloads(running, run_id, "tool.result")
    assert result["ok"] is False
    assert result["exit_code"] == 3
    assert "broken" in str(result)


def test_a_key_that_is_refused(running: Product, program: str) -> None:
    """401: the reason is auth."""
    with ScriptedModel([Turn(text="Never.")], fault=Fault(status=401)) as model:
        run_id = create(running, program, model.environment())
        ends(running, run_id, "auth")


def test_a_provider_that_fails_for_ever(running: Product, program: str) -> None:
    """500 after every retry: the provider's fault, and each retry is in the timeline."""
    with ScriptedModel([Turn(text="Never.")], fault=Fault(status=500)) as model:
        run_id = create(running, program, model.environment())
        ends(running, run_id, "provider_error")
    assert payloads(running, run_id, "retry")


def test_nobody_at_the_address(running: Product, program: str) -> None:
    """A refused connection is a matter of the network."""
    with socket.socket() as taken:
        # Bound and not listening: connections to it are refused, and nobody else can get the port meanwhile.
        taken.bind(("127.0.0.1", 0))
        environment = {
            "ANTHROPIC_BASE_URL": f"http://127.0.0.1:{taken.getsockname()[1]}",
            "ANTHROPIC_API_KEY": "scripted-key",
            "NO_PROXY": "127.0.0.1",
        }
        run_id = create(running, program, environment)
        ends(running, run_id, "network")


@contextmanager
def held(running: Product, program: str, poem: Path) -> Iterator[tuple[ScriptedModel, int]]:
    """A run whose model waits in the middle of its second answer."""
    turns = [Turn(text="First.", tools=(writes(str(poem)),)), Turn(text="Now and then.", gate="middle")]
    with ScriptedModel(turns) as model:
        run_id = create(running, program, model.environment())
        assert model.reached("middle", WITHIN_S), running.log()
        yield model, run_id


def test_kill_9_of_the_agent(running: Product, program: str) -> None:
    """Killed from outside: FAILED signal, with what it had done so far, and its tree is gone."""
    poem = running.data_dir / "poem.txt"
    with held(running, program, poem) as (_, run_id):
        until(lambda: payloads(running, run_id, "tool.result"), 20, 0.1)
        started = payloads(running, run_id, "run.started")[0]
        os.kill(started["pid"], signal.SIGKILL)
        run = ends(running, run_id, "signal")
    assert run["signal"] == signal.SIGKILL
    assert poem.read_text() == "roses\n"


def test_kill_9_of_server_and_worker(running: Product, program: str) -> None:
    """The agent goes on meanwhile; once both are back, nothing is missing and nothing is there twice."""
    poem = running.data_dir / "poem.txt"
    with held(running, program, poem) as (model, run_id):
        before = payloads(running, run_id, "run.started")[0]
        for kind in ("server", "worker"):
            part = running.part(kind)
            assert part is not None
            assert part.kill()
        model.open("middle")
        agent = look(before["pid"])
        assert agent is None or agent.started == before["start_time"]
        running.start("server")
        running.start("worker")
        run = running.wait(run_id, "COMPLETED", timeout=WITHIN_S)
        counted = usage(model)
    assert run["usage"] == counted
    assert run["attempt"] == 1
    texts = [str(payload.get("text", "")) for payload in payloads(running, run_id, "message")]
    assert [text for text in texts if text in {"First.", "Now and then."}] == ["First.", "Now and then."]
    assert len(payloads(running, run_id, "run.started")) == 1
