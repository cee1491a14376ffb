"""Which run records belong to, before anybody has looked what runs there are."""

from typing import Any

from agentrunner.domain.telemetry import LogRecord
from agentrunner.domain.telemetry_joining import Group, agent_of, external_id_of, goal_of, group, title_of

A, B = "a" * 32, "b" * 32


def log(trace: str = "", resource: dict[str, Any] | None = None, name: str = "x", **attributes: Any) -> LogRecord:
    """A log record."""
    return LogRecord(
        resource=resource or {},
        scope="",
        name=name,
        nanos=10**18,
        attributes={each.replace("__", "."): value for each, value in attributes.items()},
        trace_id=trace,
        span_id="",
    )


def only(*records: LogRecord) -> Group:
    """Their only group."""
    (found,), rejected = group(records)
    assert rejected == 0
    return found


def test_a_trace_goes_with_the_conversation_that_it_names() -> None:
    """As a whole, wherever in it that is said; other traces and conversations are apart, nothing at all is nowhere."""
    records = [log(A), log(A, session__id="s"), log(B), log(session__id="t"), log()]
    groups, rejected = group(records)
    assert [(each.session, each.trace_ids, len(each.records)) for each in groups] == [
        ("s", (A,), 2),
        ("", (B,), 1),
        ("t", (), 1),
    ]
    assert rejected == 1


def test_names_and_ids() -> None:
    """A name is an id of its own; a number may be another server's."""
    named = only(log(A, {"run.id": "r7"}, session__id="s"))
    assert (external_id_of(named), named.names) == ("r7", ("run:r7", "session:s", f"trace:{A}"))
    numbered = only(log(A, {"run.id": "7"}, session__id="s"))
    assert (external_id_of(numbered), numbered.has_name) == ("s", False)
    assert external_id_of(only(log(A))) == f"trace:{A}"
    assert external_id_of(only(log(resource={"run.id": "7"}))) == "7"


def test_titles_agents_and_goals() -> None:
    """From the agent's own name, else the program's, else the service's."""
    claude = {"service.name": "claude-code", "service.version": "2.1"}
    of_claude = only(log(resource=claude, session__id="0123456789"))
    assert (title_of(of_claude), agent_of(of_claude)) == ("claude-code session 01234567", ("claude", "2.1"))
    of_shop = only(log(A, {"service.name": "shop"}, gen_ai__agent__name="buyer"))
    assert (title_of(of_shop), agent_of(of_shop)) == ("buyer trace aaaaaaaa", ("buyer", None))
    assert title_of(only(log(resource={"run.id": "r7"}))) == "OpenTelemetry run r7"
    assert agent_of(only(log(A))) == (None, None)
    assert goal_of(only(log(A, user_prompt="Write.\x00"))) == "Write."
    assert goal_of(only(log(A, name="codex.user_prompt", prompt="<REDACTED>"), log(A, prompt="not one"))) == ""
