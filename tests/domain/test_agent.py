"""Agents: which version a run belongs to."""

from agentrunner.domain.agent import agent_of, version_of


def test_same_settings_same_version() -> None:
    """The order of options and what concerns one run only make no other version; the model does."""
    first = version_of("claude", {"model": "m", "allowed_tools": ["Edit"], "cwd": "a", "env": {"A": "1"}})
    second = version_of("claude", {"env": {"B": "2"}, "allowed_tools": ["Edit"], "model": "m"})
    assert first == second
    assert first.models == ("m",)
    assert first.tools == ("Edit",)
    assert version_of("claude", {"model": "other", "allowed_tools": ["Edit"]}).version != first.version
    assert version_of("codex", {"model": "m", "allowed_tools": ["Edit"]}).version != first.version


def test_agent_of() -> None:
    """A run names its agent; an agent program is one by itself, a plain command is none."""
    assert agent_of("reviewer", "command") == "reviewer"
    assert agent_of(None, "claude") == "claude"
    assert agent_of(None, "command") is None
    assert agent_of(None, "external") is None
