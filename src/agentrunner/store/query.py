"""The SQL of the query grammar: conditions on a run `r`, the same for both drivers."""

from collections.abc import Callable, Sequence
from typing import Any, cast

from agentrunner.domain.query import Ago, At, Bound, Field, Kind, Query, Term, Value

Condition = tuple[str, list[Any]]

# A phase is only in active runs and a hold only in queued ones: said so, the index of the status finds them.
_ACTIVE = "r.status IN ('RUNNING', 'PAUSED')"
_KINDS = {
    Kind.ACTIVE: _ACTIVE,
    Kind.TERMINAL: "r.status IN ('COMPLETED', 'FAILED', 'STOPPED')",
    Kind.HELD: "(r.status = 'QUEUED' AND r.hold IS NOT NULL)",
    Kind.UNREACHABLE: f"({_ACTIVE} AND r.phase = 'unreachable')",
}


def conditions(query: Query, now: int) -> tuple[list[str], list[Any]]:
    """Conditions that a run has to meet all, and their arguments in order; `now` is what `since:24h` counts from."""
    where: list[str] = []
    args: list[Any] = []
    for term in query.terms:
        sql, given = _condition(term, now)
        # Not plain NOT: of a run without a price or an agent it would neither be true.
        where.append(f"({sql}) IS NOT TRUE" if term.is_negated else sql)
        args.extend(given)
    return where, args


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
            return f"({' OR '.join(_KINDS[Kind(str(value))] for value in values)})", []
        case Field.TEXT:
            return contains(str(values[0]))
        case Field.LABEL:
            return _any(values, _label)
        case _:
            return _one_of(term.field, values)


def _one_of(field: Field, values: Sequence[Value]) -> Condition:
    marks = ", ".join("?" * len(values))
    match field:
        case Field.PROJECT:
            return f"r.project_id IN (SELECT id FROM projects WHERE name IN ({marks}))", list(values)
        case Field.WORKER:
            given = ", ".join(["(?)"] * len(values))
            ids = f"SELECT id FROM workers WHERE name IN ({marks}) UNION ALL VALUES {given}"
            return f"r.worker_id IN ({ids})", [*values, *values]
        case Field.PHASE:
            return f"({_ACTIVE} AND r.phase IN ({marks}))", list(values)
        case Field.HOLD:
            return f"(r.status = 'QUEUED' AND r.hold IN ({marks}))", list(values)
    return f"r.{field} IN ({marks})", list(values)


def _any(values: Sequence[Value], condition: Callable[[str], Condition]) -> Condition:
    found = [condition(str(value)) for value in values]
    return f"({' OR '.join(sql for sql, _ in found)})", [arg for _, args in found for arg in args]


def _label(text: str) -> Condition:
    name, separator, value = text.partition("=")
    if not separator:
        return "r.id IN (SELECT run_id FROM labels WHERE name = ?)", [name]
    return "r.id IN (SELECT run_id FROM labels WHERE name = ? AND value = ?)", [name, value]


def _instant(value: Value, now: int) -> int:
    return value.ms if isinstance(value, At) else now - cast(Ago, value).ms


def contains(text: str) -> Condition:
    """That title or goal contain a text, in any case as far as the database knows cases."""
    pattern = "%" + text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    sql = "(lower(r.title) LIKE lower(?) ESCAPE '\\' OR lower(r.goal) LIKE lower(?) ESCAPE '\\')"
    return sql, [pattern, pattern]
