"""Backend `claude`: what it executes, and the real Claude Code doing it against a scripted model."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agentrunner.agents.base import Command, Ending, Verdict
from agentrunner.agents.claude import ClaudeBackend
from agentrunner.domain.errors import BackendMissing, BadOptions
from agentrunner.domain.run import Usage
from agentrunner.testing import Fault, ScriptedModel, ToolCall, Turn
from agents.given import assignment, lines_of, payload

BACKEND = ClaudeBackend()
PROGRAM = Path(__file__).parent.parent / "programs" / "node_modules" / ".bin" / "claude"
HOST = {"PATH": os.environ["PATH"]}
SESSION = "11111111-2222-4333-8444-555555555555"


def bash(command: str) -> ToolCall:
    """A call of Claude Code's shell tool."""
    return ToolCall(name="Bash", input={"command": command, "description": "a scripted step"})


WRITE = [Turn(text="I write it.", tools=(bash("echo tea > note.txt && cat note.txt"),)), Turn(text="It is written.")]


@pytest.fixture
def present(tmp_path: Path) -> dict[str, str]:
    """An environment in whose PATH there is a program called claude."""
    (tmp_path / "claude").write_text("#!/bin/sh\necho '2.0.1 (Claude Code)'\n")
    (tmp_path / "claude").chmod(0o755)
    return {"PATH": f"{tmp_path}:{os.environ['PATH']}"}


def test_the_prompt_goes_in_by_stdin(present: dict[str, str], tmp_path: Path) -> None:
    """Nothing of the goal is on the command line; the output goes to a file."""
    command = BACKEND.command(assignment("claude", "make tea"), present, tmp_path)
    assert command.argv == (
        str(tmp_path / "claude"),
        "-p",
        "--output-format=stream-json",
        "--verbose",
        "--permission-mode=default",
    )
    assert (command.stdio, command.stdin, command.prompt) == ("file", "prompt", "make tea")


def test_options_become_flags(present: dict[str, str], tmp_path: Path) -> None:
    """Each joined to its value, so that a value cannot pass for a flag."""
    options: dict[str, Any] = {
        "model": "--opus",
        "permission_mode": "bypass",
        "allowed_tools": ["Bash(git *)", "Edit"],
        "append_system_prompt": "Be brief.",
        "max_turns": 3,
        "resume": SESSION,
        "add_dirs": ["/srv"],
    }
    command = BACKEND.command(assignment("claude", "go", **options), present, tmp_path)
    assert command.argv[4:] == (
        "--dangerously-skip-permissions",
        "--model=--opus",
        "--append-system-prompt=Be brief.",
        "--max-turns=3",
        f"--resume={SESSION}",
        "--allowed-tools=Bash(git *)",
        "--allowed-tools=Edit",
        "--add-dir=/srv",
    )


def test_the_environment_keeps_it_quiet_unless_the_run_says_otherwise(present: dict[str, str], tmp_path: Path) -> None:
    """What the agent gets already is not overridden."""
    given = assignment("claude", "go", permission_mode="bypass")
    quiet = {"DISABLE_AUTOUPDATER": "1", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"}
    root = {"IS_SANDBOX": "1"} if os.geteuid() == 0 else {}
    assert BACKEND.command(given, present, tmp_path).env == {**quiet, **root}
    del quiet["DISABLE_AUTOUPDATER"]
    assert BACKEND.command(given, {**present, "DISABLE_AUTOUPDATER": ""}, tmp_path).env == {**quiet, **root}
    assert "IS_SANDBOX" not in BACKEND.command(assignment("claude", "go"), present, tmp_path).env


@pytest.mark.parametrize(
    ("goal", "options", "said"),
    [
        (" \n", {}, "`goal` is empty"),
        ("x", {"max_turns": 0}, "`options.max_turns` must be a whole number from 1"),
        ("x", {"resume": "last"}, "`options.resume` must be the `native_session_id`"),
        ("x", {"allowed_tools": "Bash"}, "`options.allowed_tools` must be a list of tool rules"),
        ("x", {"program": "bin/claude"}, "`options.program` must be the absolute path of a program, or a name"),
        ("x", {"permision_mode": "ask"}, "did you mean 'permission_mode'?"),
    ],
)
def test_what_can_never_start_is_refused(goal: str, options: dict[str, Any], said: str) -> None:
    """At create."""
    with pytest.raises(BadOptions) as caught:
        BACKEND.check(goal, options)
    assert said in caught.value.detail


def test_a_missing_program_is_named_with_what_to_do(tmp_path: Path) -> None:
    """For the run and for `doctor`."""
    nowhere = {"PATH": str(tmp_path), "AGENTRUNNER_CLAUDE": "clod"}
    with pytest.raises(BackendMissing) as caught:
        BACKEND.command(assignment("claude", "go"), nowhere, tmp_path)
    found = BACKEND.find(nowhere)
    assert not found.available
    for said in (caught.value.detail, found.advice or ""):
        assert said.startswith("There is no program 'clod'. Install Claude Code on the worker")


def test_the_program_is_the_runs_then_the_workers_choice(present: dict[str, str], tmp_path: Path) -> None:
    """An option beats the variable, the variable beats PATH."""
    chosen = {**present, "AGENTRUNNER_CLAUDE": "cat"}
    assert BACKEND.command(assignment("claude", "go"), chosen, tmp_path).argv[0].endswith("/cat")
    assert BACKEND.command(assignment("claude", "go", program="sh"), chosen, tmp_path).argv[0].endswith("/sh")


def test_find_asks_for_the_version(present: dict[str, str], tmp_path: Path) -> None:
    """And says so where the program is there but does not start."""
    found = BACKEND.find(present)
    assert (found.available, found.version) == (True, "2.0.1")
    (tmp_path / "claude").write_text("#!/bin/sh\necho 'Error: claude native binary not installed.'; exit 1\n")
    broken = BACKEND.find(present)
    assert not broken.available
    assert "--version failed: Error: claude native binary not installed." in (broken.advice or "")


@pytest.fixture(scope="module")
def claude() -> str:
    """The pinned program."""
    found = BACKEND.find({**HOST, "AGENTRUNNER_CLAUDE": str(PROGRAM)})
    if not found.available:
        pytest.fail(f"The pinned Claude Code is not installed: run `make programs`. ({found.advice})")
    return str(PROGRAM)


@dataclass(frozen=True, slots=True)
class Played:
    """What came of a run of the real program."""

    events: list[tuple[str, Any]]
    verdict: Verdict
    ending: Ending

    def of(self, type: str) -> list[Any]:
        """The payloads of one type."""
        return [body for found, body in self.events if found == type]


@contextmanager
def started(command: Command, environment: dict[str, str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The command as a shim would start it: stdin, stdout and stderr are files."""
    (folder / "prompt").write_text(command.prompt or "")
    with (folder / "prompt").open() as prompt, (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
        process = subprocess.Popen(
            command.argv,
            env={**environment, **command.env},
            stdin=prompt,
            stdout=out,
            stderr=err,
            cwd=folder / "project",
            start_new_session=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait(10)


Play = Callable[..., Played]


@pytest.fixture
def play(claude: str, tmp_path: Path) -> Play:
    """Run the program against a model and judge what it did."""

    def run(model: ScriptedModel, goal: str = "Write the note.", kill_at: str | None = None, **options: Any) -> Played:
        (tmp_path / "project").mkdir(exist_ok=True)
        extra = options.pop("env", {})
        environment = {**HOST, "HOME": str(tmp_path / "home"), **model.environment(), **extra}
        options = {"permission_mode": "bypass", "program": claude, **options}
        command = BACKEND.command(assignment("claude", goal, **options), environment, tmp_path / "project")
        with started(command, environment, tmp_path) as process:
            if kill_at is not None:
                assert model.reached(kill_at, 20)
                process.kill()
            code = process.wait(30)
        return judge(tmp_path, code)

    return run


def judge(folder: Path, code: int) -> Played:
    """Events and verdict of what is in the files `out` and `err`."""
    parser = BACKEND.parser(None, None)
    data = {"out": lines_of((folder / "out").read_bytes()), "err": lines_of((folder / "err").read_bytes())}
    events = [event for line in data["out"] for event in parser.feed("out", [line])]
    events += parser.feed("err", data["err"])
    ending = Ending(None, -code) if code < 0 else Ending(code, None)
    return Played([(str(event.type), payload(event)) for event in events], parser.verdict(ending), ending)


def counted(played: Played) -> Usage:
    """The usage that the events add up to."""
    names = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens")
    return Usage(**{name: sum(used[name] for used in played.of("usage")) for name in names})


@pytest.mark.claude
def test_a_real_run_writes_its_file_and_counts_as_the_model_does(play: Play, tmp_path: Path) -> None:
    """The tool ran, every message was understood, and the tokens are those the endpoint reported, cached ones apart."""
    with ScriptedModel(WRITE) as model:
        played = play(model)
        assert played.verdict == Verdict("COMPLETED")
        assert (tmp_path / "project" / "note.txt").read_text() == "tea\n"
        assert counted(played) == model.usage
        assert model.usage.cache_read_tokens == 400
    assert [body["text"] for body in played.of("message")] == ["I write it.", "It is written."]
    assert played.of("tool.result") == [{"call_id": "toolu_0000_0", "ok": True, "output": "tea"}]
    assert played.of("session.started")[0]["version"] == "2.1.197"
    assert played.of("raw") == []
    assert "Write the note." not in (tmp_path / "out").read_text()


@pytest.mark.claude
def test_a_resumed_session_goes_on_and_counts_only_its_own(play: Play) -> None:
    """The conversation is the old one, the tokens are the new ones."""
    with ScriptedModel([*WRITE, Turn(text="Once more.")]) as model:
        first = play(model)
        before = model.usage
        session = first.of("session.started")[0]["native_session_id"]
        second = play(model, "And again.", resume=session)
        assert second.of("session.started")[0]["native_session_id"] == session
        assert second.of("message") == [{"role": "assistant", "text": "Once more."}]
        assert before.plus(counted(second)) == model.usage


@pytest.mark.claude
def test_tokens_of_sub_agents_and_repeated_requests_are_counted(play: Play) -> None:
    """Both are missing in the program's own sum."""
    task = {"description": "count", "prompt": "COUNT the cups", "subagent_type": "general-purpose"}
    turns = [Turn(tools=(ToolCall(name="Task", input=task),), fault=Fault(kind="cut", times=1)), Turn(text="Four.")]
    inner = [Turn(tools=(bash("echo 4"),)), Turn(text="Four cups.")]
    with ScriptedModel(turns, scripts={"COUNT": inner}) as model:
        played = play(model)
        assert counted(played) == model.usage
    assert played.verdict.status == "COMPLETED"
    assert played.of("raw") == []
    assert [body["name"] for body in played.of("tool.called") if "parent_call_id" in body] == ["Bash"]


@pytest.mark.claude
def test_a_failing_tool_is_a_result_and_no_failure(play: Play) -> None:
    """The model goes on from it."""
    with ScriptedModel([Turn(tools=(bash("echo bad >&2; exit 7"),)), Turn(text="It failed.")]) as model:
        played = play(model)
    (body,) = played.of("tool.result")
    assert (body["ok"], body["exit_code"], body["output"]) == (False, 7, "Exit code 7\nbad")
    assert played.verdict.status == "COMPLETED"


@pytest.mark.claude
def test_ask_refuses_and_says_so(play: Play, tmp_path: Path) -> None:
    """Nothing is written, the refusal is a decision."""
    with ScriptedModel(WRITE) as model:
        played = play(model, permission_mode="ask")
    (decision,) = played.of("decision.resolved")
    assert (decision["decision"], decision["tool"]) == ("denied", "Bash")
    assert not (tmp_path / "project" / "note.txt").exists()
    assert "refused its agent these tools: Bash (1)" in (played.verdict.message or "")


FAULTS = [
    (Fault(status=401, message="no such key"), "auth", 401),
    (Fault(status=404, message="no such model"), "model_unavailable", 404),
    (Fault(status=400, message="prompt is too long: 300000 tokens > 200000 maximum"), "context_overflow", 400),
    (Fault(status=429, message="slow down"), "rate_limited", 429),
    (Fault(status=500, message="out of order"), "provider_error", 500),
]


@pytest.mark.claude
@pytest.mark.parametrize(("fault", "reason", "status"), FAULTS, ids=[str(fault.status) for fault, _, _ in FAULTS])
def test_a_provider_that_fails_for_ever(play: Play, fault: Fault, reason: str, status: int) -> None:
    """The program says "success"; the run fails with the reason."""
    with ScriptedModel(WRITE, fault=fault) as model:
        played = play(model)
    assert (played.verdict.status, played.verdict.reason) == ("FAILED", reason)
    assert played.verdict.message
    (error,) = played.of("error")
    assert error["kind"] == reason
    assert error["http_status"] in (status, None)
    assert played.of("usage") == []


@pytest.mark.claude
def test_a_provider_that_fails_once_is_tried_again(play: Play) -> None:
    """The retry is an event, the run completes."""
    with ScriptedModel(WRITE, fault=Fault(status=500, times=1)) as model:
        played = play(model)
        assert counted(played) == model.usage
    assert [(retry["attempt"], retry["http_status"]) for retry in played.of("retry")] == [(1, 500)]
    assert played.verdict.status == "COMPLETED"


@pytest.mark.claude
def test_nobody_listens(play: Play) -> None:
    """A refused connection is a matter of the network."""
    with ScriptedModel(WRITE) as model:
        played = play(model, env={"ANTHROPIC_BASE_URL": "http://127.0.0.1:9", "CLAUDE_CODE_MAX_RETRIES": "1"})
    assert (played.verdict.status, played.verdict.reason) == ("FAILED", "network")


@pytest.mark.claude
def test_killed_in_the_middle_of_a_word(play: Play, tmp_path: Path) -> None:
    """No result, a signal; what was said before is whole."""
    with ScriptedModel([WRITE[0], Turn(text="It is being written", gate="middle")]) as model:
        played = play(model, kill_at="middle")
    assert (played.verdict.status, played.verdict.reason) == ("FAILED", "signal")
    assert played.verdict.message == "The program was killed by SIGKILL before its result."
    assert played.of("tool.result")[0]["output"] == "tea"
    assert (tmp_path / "out").read_bytes().endswith(b"\n")


@pytest.mark.claude
def test_an_unknown_session_is_the_options_fault(play: Play) -> None:
    """Nothing was sent to the model."""
    with ScriptedModel(WRITE) as model:
        played = play(model, resume=SESSION)
        assert [request for request in model.requests if request.method == "POST"] == []
    assert (played.verdict.reason, played.of("error")[0]["retryable"]) == ("bad_config", False)


@pytest.mark.claude
def test_find_sees_the_pinned_program(claude: str) -> None:
    """With its version."""
    found = BACKEND.find({**HOST, "AGENTRUNNER_CLAUDE": claude})
    assert (found.available, found.program, found.version) == (True, claude, "2.1.197")
