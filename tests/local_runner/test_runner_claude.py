"""The real Claude Code as a library's agent, against a model that plays a script."""

import shutil
from pathlib import Path

import pytest

from agentrunner.local_runner import AgentConfig, LocalProcessRunner
from agentrunner.testing import ScriptedModel, ToolCall, Turn
from local_runner.given import configured

pytestmark = [pytest.mark.claude, pytest.mark.timeout(120)]

PINNED = Path(__file__).parents[1] / "programs/node_modules/.bin"


async def test_claude_does_its_task(tmp_path: Path) -> None:
    """Its task comes by stdin, its messages are JSON, its tool is allowed by the level, and its file is there."""
    poem = tmp_path / "poem.txt"
    call = ToolCall(name="Write", input={"file_path": str(poem), "content": "roses\n"})
    folder = PINNED if PINNED.exists() else Path(shutil.which("claude") or "/nowhere").parent
    with ScriptedModel([Turn(tools=[call]), Turn(text="Done.")]) as model:
        environment = {**model.environment(), "HOME": str(tmp_path), "PATH": f"{folder}:/usr/bin:/bin"}
        config = AgentConfig(
            name="poet", model_backend="claude", task="Write the poem.", tool_level="minimal",
            system_prompt="Be brief", environment=environment,
        )  # fmt: skip
        async with LocalProcessRunner(configured(working_dir=tmp_path)) as runner:
            handle = await runner.spawn(config)
            messages = [message async for message in handle.messages()]
            ended = await handle.wait(timeout=60)
    assert ended.success, (messages, [line async for line in handle.subscribe_stderr()])
    assert (messages[-1]["type"], messages[-1]["result"]) == ("result", "Done.")
    assert poem.read_text() == "roses\n"
