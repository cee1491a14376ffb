"""Which backends there are."""

from agentrunner.agents.claude import ClaudeBackend
from agentrunner.agents.command import CommandBackend
from agentrunner.agents.demo import DemoBackend
from agentrunner.agents.registry import Registry, load
from agentrunner.agents.replay import ReplayBackend
from agentrunner.agents.script import ScriptBackend


def backends() -> Registry:
    """Every built-in backend and those of installed packages."""
    return load([CommandBackend(), ScriptBackend(), ReplayBackend(), ClaudeBackend(), DemoBackend()])
