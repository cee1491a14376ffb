"""From filters and the query grammar to a plan: which sorted lists of run ids have to meet, and what is asked of each.

Whatever an index keeps in the order of ids becomes a list; the rest are conditions on a run `r`. Both drivers alike.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

from agentrunner.domain.query import Ago, At, Bound, Field, Kind, Query, Term, Value
from agentrunner.domain.state import Status
from agentrunner.domain.words import Phrase, phrase
from agentrunner.store.columns import encode

Condition = tuple[str, list[Any]]

# A phase is only in active runs and a hold only in queued ones: said so, the index of the status finds them.
_ACTIVE = ("RUNNING", "PAUSED")
_TERMINAL = tuple(status.value for status in Status if status.is_terminal)
_COLUMNS = {"status": "status", "backend": "backend", "agent": "agent", "worker_id": "worker_id"}


class Source(NamedTuple):
    """Ids in the order of an index: `SELECT id FROM table WHERE where`."""

    where: str
    args: list[Any]
    table: str = "runs r"
    id: str = "r.id"


class Span(NamedTuple):
    """A condition on a time or a price: `few` is a statement for the ids, quick where there are not many."""

    few: str
    few_args: list[Any]
    where: str
    args: list[Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run has to meet all: be in one source of each list, in each span, hold each phrase, not those without."""

    lists: list[list[Source]] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    workers: list[list[str]] = field(default_factory=list)
    phrases: list[Phrase] = field(default_factory=list)
    without: list[Phrase] = field(default_factory=list)
    where: list[str] = field(default_factory=list)
    args: list[Any] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether every run meets it."""
        return not (self.lists or self.spans or self.workers or self.phrases or self.without or self.where)

    @property
    def is_quick(self) -> bool:
        """Whether one look into an index answers it, however many runs there are."""
        return len(self.lists) <= 1 and not (self.spans or self.workers or self.phrases or self.without or self.where)


def plan_of(filters: Mapping[str, Any]) -> Plan:
    """The plan of `filters`: column values, `labels` pairs, `text` to find, and a `query` that counts from `now`."""
    plan = Plan()
    for name, column in _COLUMNS.items():
        if values := filters.get(name):
            plan.lists.append(_equal(column, [encode(value) for value in values]))
    if projects := filters.get("project"):
        plan.lists.append(_in_project(projects))
    plan.lists.extend([_labelled(name, value)] for name, value in filters.get("labels", ()))
    plan.phrases.extend(map(phrase, filters.get("text", ())))
    query: Query | None = filters.get("query")
    for term in query.terms if query is not None else ():
        if term.is_negated:
            _exclude(plan, term, filters["now"])
        else:
            _include(plan, term, filters["now"])
    return plan


def _include(plan: Plan, term: Term, now: int) -> None:
    values = [str(value) for value in term.values]
    match term.field:
        case Field.TEXT:
            plan.phrases.append(phrase(values[0]))
        case Field.SINCE | Field.UNTIL | Field.COST | Field.TOOK:
            plan.spans.append(_span(term, now))
        case Field.WORKER:
            plan.workers.append(values)
        case Field.PROJECT:
            plan.lists.append(_in_project(values))
        case Field.LABEL:
            pairs = [value.partition("=") for value in values]
            plan.lists.append([_labelled(name, value if equals else None) for name, equals, value in pairs])
        case Field.IS:
            plan.lists.append([source for value in values for source in _kind(Kind(value))])
        case Field.PHASE:
            plan.lists.append([source for value in values for source in _active("r.phase = ?", value)])
        case Field.HOLD:
            plan.lists.append([Source("r.status = 'QUEUED' AND r.hold = ?", [value]) for value in values])
        case Field.ID:
            plan.lists.append([Source(f"r.id IN ({_marks(values)})", list(term.values))])
        case _:
            plan.lists.append(_equal(term.field.value, list(term.values)))


def _exclude(plan: Plan, term: Term, now: int) -> None:
    if term.field is Field.TEXT:
        plan.without.append(phrase(str(term.values[0])))
    elif term.field is Field.STATUS:
        plan.lists.append(_equal("status", [status.value for status in Status if status.value not in term.values]))
    else:
        sql, args = _condition(term, now)
        # Not plain NOT: of a run without a price or an agent it would neither be true.
        plan.where.append(f"({sql}) IS NOT TRUE")
        plan.args.extend(args)


def _equal(column: str, values: Sequence[Any]) -> list[Source]:
    return [Source(f"r.{column} = ?", [value]) for value in dict.fromkeys(values)]


def _in_project(names: Sequence[str]) -> list[Source]:
    return [Source("r.project_id = (SELECT id FROM projects WHERE name = ?)", [name]) for name in names]


def _labelled(name: str, value: str | None) -> Source:
    if value is None:
        return Source("l.name = ?", [name], "labels l", "l.run_id")
    return Source("l.name = ? AND l.value = ?", [name, value], "labels l", "l.run_id")


def _active(condition: str, *args: Any) -> list[Source]:
    return [Source(f"r.status = '{status}' AND {condition}", list(args)) for status in _ACTIVE]


def _kind(kind: Kind) -> list[Source]:
    match kind:
        case Kind.ACTIVE:
            return _equal("status", _ACTIVE)
        case Kind.TERMINAL:
            return _equal("status", _TERMINAL)
        case Kind.HELD:
            return [Source("r.status = 'QUEUED' AND r.hold IS NOT NULL", [])]
        case Kind.UNREACHABLE:
            return _active("r.phase = 'unreachable'")


def _span(term: Term, now: int) -> Span:
    sql, args = _condition(term, now)
    # IS TRUE keeps the condition from an index, whose order is not that of the ids.
    if term.field is not Field.TOOK:
        return Span(f"SELECT r.id FROM runs r WHERE {sql}", args, f"({sql}) IS TRUE", args)
    bound = cast(Bound, term.values[0])
    ended = f"SELECT r.id FROM runs r WHERE r.ended_at IS NOT NULL AND r.ended_at - r.started_at {bound.operator} ?"
    active = f"SELECT r.id FROM runs r WHERE r.status = ? AND ? - r.started_at {bound.operator} ?"
    ms = round(bound.amount)
    few = f"{ended} UNION ALL {' UNION ALL '.join([active] * 3)}"
    waiting = [arg for status in ("QUEUED", *_ACTIVE) for arg in (status, now, ms)]
    return Span(few, [ms, *waiting], f"({sql}) IS TRUE", args)


def _condition(term: Term, now: int) -> Condition:
    values = term.values
    match term.field:
        case Field.SINCE | Field.UNTIL:
            operator = ">=" if term.field is Field.SINCE else "<"
            return f"r.created_at {operator} ?", [_instant(values[0], now)]
        case Field.COST:
            bound = cast(Bound, values[0])
            return f"r.cost_usd {bound.operator} ?", [float(bound.amount)]
        case Field.TOOK:
            bound = cast(Bound, values[0])
            return f"coalesce(r.ended_at, ?) - r.started_at {bound.operator} ?", [now, round(bound.amount)]
        case Field.IS:
            found = [f"({source.where})" for value in values for source in _kind(Kind(str(value)))]
            args = [arg for value in values for source in _kind(Kind(str(value))) for arg in source.args]
            return " OR ".join(found), args
        case Field.LABEL:
            return _any_label(values)
        case _:
            return _one_of(term.field, values)


def _one_of(field: Field, values: Sequence[Value]) -> Condition:
    marks = _marks(values)
    match field:
        case Field.PROJECT:
            return f"r.project_id IN (SELECT id FROM projects WHERE name IN ({marks}))", list(values)
        case Field.WORKER:
            given = ", ".join(["(?)"] * len(values))
            ids = f"SELECT id FROM workers WHERE name IN ({marks}) UNION ALL VALUES {given}"
            return f"r.worker_id IN ({ids})", [*values, *values]
        case Field.PHASE:
            return f"r.status IN ('RUNNING', 'PAUSED') AND r.phase IN ({marks})", list(values)
        case Field.HOLD:
            return f"r.status = 'QUEUED' AND r.hold IN ({marks})", list(values)
    return f"r.{field} IN ({marks})", list(values)


def _any_label(values: Sequence[Value]) -> Condition:
    where: list[str] = []
    args: list[Any] = []
    for name, equals, value in (str(each).partition("=") for each in values):
        source = _labelled(name, value if equals else None)
        where.append(f"EXISTS (SELECT 1 FROM labels l WHERE {source.where} AND l.run_id = r.id)")
        args.extend(source.args)
    return " OR ".join(where), args


def _instant(value: Value, now: int) -> int:
    return value.ms if isinstance(value, At) else now - cast(Ago, value).ms


def _marks(values: Sequence[Any]) -> str:
    return ", ".join("?" * len(values))
