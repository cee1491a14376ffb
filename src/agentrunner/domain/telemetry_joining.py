"""Which run telemetry belongs to: the one that `run.id` names, else its conversation's, else its trace's."""

from collections.abc import Iterator, Sequence

import msgspec

from agentrunner.domain.telemetry import LogRecord, SpanRecord
from agentrunner.domain.telemetry_reading import is_of_an_agent, program_of, session_of

RUN, SESSION, TRACE = "run:", "session:", "trace:"
_MAX_GOAL = 10_000


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Records of one request that belong together. `run_name` is what `run.id` says; each is empty without one."""

    run_name: str
    session: str
    trace_ids: tuple[str, ...]
    records: tuple[LogRecord | SpanRecord, ...]

    @property
    def has_name(self) -> bool:
        """True where `run.id` is a name. A number that is no run's here may be another's: then it says nothing."""
        return bool(self.run_name) and not self.run_name.isdigit()

    @property
    def session_name(self) -> str:
        """What the conversation is remembered by; empty without one."""
        return SESSION + self.session if self.session else ""

    @property
    def trace_names(self) -> tuple[str, ...]:
        """What the traces are remembered by."""
        return tuple(TRACE + trace_id for trace_id in self.trace_ids)

    @property
    def names(self) -> tuple[str, ...]:
        """Everything that these records are remembered by; the first is the one that ends a run."""
        named = RUN + self.run_name if self.run_name else ""
        return tuple(name for name in (named, self.session_name, *self.trace_names) if name)

    def pieces(self, size: int) -> Iterator["Group"]:
        """The same in groups of at most `size` records."""
        for start in range(0, len(self.records), size):
            yield msgspec.structs.replace(self, records=self.records[start : start + size])

    @property
    def is_of_an_agent(self) -> bool:
        """True where a run may be begun for these records."""
        return bool(self.run_name) or any(map(is_of_an_agent, self.records))

    @property
    def origin(self) -> dict[str, str]:
        """Where these records come from."""
        first = self.records[0]
        found = {
            "service": first.text("service.name"),
            "version": first.text("service.version"),
            "session": self.session,
            "trace": "" if self.session else next(iter(self.trace_ids), ""),
        }
        return {name: value for name, value in found.items() if value}


def group(records: Sequence[LogRecord | SpanRecord]) -> tuple[list[Group], int]:
    """Records by the run that they belong to, in their order, and how many belong to none.

    A trace belongs as a whole to the conversation that any of its records names.
    """
    named = {record.trace_id: session for record in records if record.trace_id and (session := session_of(record))}
    found: dict[tuple[str, str, str], list[LogRecord | SpanRecord]] = {}
    rejected = 0
    for record in records:
        session = session_of(record) or named.get(record.trace_id, "")
        key = (record.text("run.id"), session, "" if session else record.trace_id)
        if any(key):
            found.setdefault(key, []).append(record)
        else:
            rejected += 1
    return [_group(key, mine) for key, mine in found.items()], rejected


def _group(key: tuple[str, str, str], records: Sequence[LogRecord | SpanRecord]) -> Group:
    traces = dict.fromkeys(record.trace_id for record in records if record.trace_id)
    return Group(run_name=key[0], session=key[1], trace_ids=tuple(traces), records=tuple(records))


def external_id_of(found: Group) -> str:
    """The id that a run begun for these records has."""
    if found.has_name:
        return found.run_name
    return found.session or next(iter(found.trace_names), "") or found.run_name


def agent_of(found: Group) -> tuple[str | None, str | None]:
    """Agent and version that a run begun for these records counts for."""
    for record in found.records:
        if name := record.text("gen_ai.agent.name"):
            return name, record.text("gen_ai.agent.version", "service.version") or None
    first = found.records[0]
    name = program_of(first) or first.text("service.name")
    return name or None, first.text("app.version", "service.version") or None


def title_of(found: Group) -> str:
    """Names the program and its conversation or trace."""
    first = found.records[0]
    service = first.text("gen_ai.agent.name", "service.name") or program_of(first) or "OpenTelemetry"
    kind, value = ("session", found.session) if found.session else ("trace", next(iter(found.trace_ids), ""))
    if found.has_name or not value:
        kind, value = "run", found.run_name
    return f"{service} {kind} {value if kind == 'run' else value[:8]}"[:200]


def goal_of(found: Group) -> str:
    """The first prompt, where the program was told to send it."""
    for record in found.records:
        text = record.attributes.get("prompt") if record.name.endswith(".user_prompt") else None
        text = text or record.attributes.get("user_prompt")
        if isinstance(text, str) and text != "<REDACTED>":
            return text.replace("\x00", "")[:_MAX_GOAL]
    return ""
