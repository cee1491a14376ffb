"""The real Claude Code sends its telemetry: beside our own supervision of it, and with nobody else who tells of it."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from agentrunner.app.address import read_address
from agentrunner.testing import Fault, ScriptedModel, ToolCall, Turn
from e2e.product import Product
from e2e.test_claude import WITHIN_S, create, payloads, program, usage
from waiting import until

pytestmark = [pytest.mark.claude, pytest.mark.timeout(120)]
__all__ = ["program"]


def turns(home: Path) -> list[Turn]:
    """Two tools, one of which fails, then an answer."""
    write = ToolCall(name="Write", input={"file_path": str(home / "poem.txt"), "content": "roses\n"})
    fail = ToolCall(name="Bash", input={"command": "exit 3"})
    return [Turn(text="I shall write.", tools=(write, fail)), Turn(text="Written.")]


def telemetry(product: Product, **attributes: str) -> dict[str, str]:
    """The variables that turn telemetry on, but for the header with the token."""
    return {
        "CLAUDE_CODE_ENABLE_TELEMETRY": "1",
        "CLAUDE_CODE_ENHANCED_TELEMETRY_BETA": "1",
        **{f"OTEL_{signal}_EXPORTER": "otlp" for signal in ("LOGS", "METRICS", "TRACES")},
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"{until(lambda: read_address(product.data_dir), 20)}/v1/otlp",
        "OTEL_LOG_USER_PROMPTS": "1",
        "OTEL_RESOURCE_ATTRIBUTES": ",".join(
            f"{name.replace('__', '.')}={value}" for name, value in attributes.items()
        ),
    }


def token(product: Product) -> str:
    """A token that may only report."""
    answer = product.ask("POST", "/v1/tokens", json={"name": "otlp", "scope": "report"})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["token"])


def alone(product: Product, program: str, environment: dict[str, str], header: str) -> int:
    """Run Claude Code as anybody does; answers its exit code."""
    home = product.data_dir / "alone"
    home.mkdir()
    quiet = dict.fromkeys(("IS_SANDBOX", "DISABLE_AUTOUPDATER", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC"), "1")
    given = {"PATH": os.environ["PATH"], "HOME": str(home), **quiet}
    command = [program, "-p", "--output-format=stream-json", "--verbose", "--dangerously-skip-permissions"]
    done = subprocess.run(
        command,
        input=b"Write the poem.",
        env={**given, **environment, "OTEL_EXPORTER_OTLP_HEADERS": header},
        cwd=home,
        capture_output=True,
        timeout=WITHIN_S,
    )
    return done.returncode


def the_run(product: Product, session: str) -> dict[str, Any]:
    """The only run there is, which telemetry has begun."""
    (run,) = product.get("/v1/runs")["items"]
    assert run["backend"] == "external"
    assert run["external_id"] == session or not session
    return dict(run)


def test_a_supervised_run_is_joined_and_counted_once(running: Product, program: str) -> None:
    """By `run.id`: its usage is what its own output said, telemetry stands beside it, and there is no other run."""
    secrets = {"OTEL_EXPORTER_OTLP_HEADERS": f"x-api-key={token(running)}"}
    with ScriptedModel(turns(running.data_dir)) as model:
        environment = {**model.environment(), **telemetry(running)}
        run_id = create(running, program, environment, secrets=secrets)
        run = running.wait(run_id, "COMPLETED", timeout=WITHIN_S)
        counted = usage(model)
    assert run["usage"] == counted
    until(lambda: payloads(running, run_id, "telemetry.span"), 20, 0.1)
    names = {payload["name"] for type in ("span", "log") for payload in payloads(running, run_id, f"telemetry.{type}")}
    assert {"claude_code.interaction", "claude_code.llm_request"} <= names
    assert len(payloads(running, run_id, "usage")) == 1
    assert running.run(run_id)["usage"] == counted
    assert len(running.get("/v1/runs")["items"]) == 1
    assert secrets["OTEL_EXPORTER_OTLP_HEADERS"].partition("=")[2] not in str(running.events(run_id))


@pytest.mark.parametrize("header", ["x-api-key={}", "Authorization=Bearer {}"])
def test_a_session_that_nobody_supervises(running: Product, program: str, header: str) -> None:
    """It is a run with the tokens that the model has counted, its tools, its messages and its version."""
    with ScriptedModel(turns(running.data_dir / "alone")) as model:
        environment = {**model.environment(), **telemetry(running)}
        assert alone(running, program, environment, header.format(token(running))) == 0
        counted = usage(model)
    run = the_run(running, "")
    assert run["usage"] == counted
    assert (run["agent"], run["goal"], run["status"]) == ("claude", "Write the poem.", "RUNNING")
    assert run["cost_usd"] > 0
    results = payloads(running, run["id"], "tool.result")
    assert [(result["name"], result["ok"]) for result in results] == [("Write", True), ("Bash", False)]
    roles = [payload["role"] for payload in payloads(running, run["id"], "message")]
    assert roles == ["user", "assistant", "assistant"]


def test_a_session_whose_provider_refuses(running: Product, program: str) -> None:
    """What went wrong is an error of the timeline, from which its end will be read."""
    with ScriptedModel([Turn(text="Never.")], fault=Fault(status=401)) as model:
        environment = {**model.environment(), **telemetry(running)}
        assert alone(running, program, environment, f"x-api-key={token(running)}") == 1
    error = payloads(running, the_run(running, "")["id"], "error")[-1]
    assert error["http_status"] == 401
