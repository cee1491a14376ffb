"""The query grammar that API, command line and console share: `status:failed,stopped agent:claude "two words"`.

A query is terms with blanks between them; a run has to match them all. A term is `field:value`, or text (in quotes
where it holds blanks or a colon): its words are looked for, one behind the other, in title, goal, messages, errors
and how the run ended; `log*` finds the words that begin so. `-` in front of a term negates it. Several values of one
field (`status:failed,stopped`) are alternatives. What is not known, unlike what is looked for, does not match:
`cost:<1` leaves out runs without a price, `-cost:<1` lets them in. `since` and `until` ask when a run was created;
dates are UTC, and `until` a date means until its end.

`str()` of a query is its canonical text and parses back to the same query. Reading takes linear time.
"""

import difflib
import re
from collections.abc import Collection
from enum import StrEnum
from typing import Literal, NoReturn, cast

import msgspec

from agentrunner.domain.errors import InvalidField
from agentrunner.domain.instant import MAX_INSTANT, parse_rfc3339, rfc3339
from agentrunner.domain.state import Hold, Phase, Reason, Status

MAX_LENGTH = 500
MAX_TERMS = 30
_MAX_ID = 2**63 - 1
_DAY = 86_400_000
_LONGEST = 36_525 * _DAY
_UNITS = {"w": 7 * _DAY, "d": _DAY, "h": 3_600_000, "m": 60_000, "s": 1000}
_DURATION = re.compile(r"([0-9]{1,10}(?:\.[0-9]{1,3})?)([wdhms])")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_COMPARISON = re.compile(r"(>=|<=|>|<)(.*)", re.DOTALL)
_PRICE = re.compile(r"\$?([0-9]{1,9}(?:\.[0-9]{1,6})?)")
_NAME = re.compile(r"[A-Za-z_]+")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)

Operator = Literal[">", ">=", "<", "<="]


class Field(StrEnum):
    """What a term is about."""

    STATUS = "status"
    AGENT = "agent"
    BACKEND = "backend"
    PROJECT = "project"
    LABEL = "label"
    WORKER = "worker"
    REASON = "reason"
    ID = "id"
    SINCE = "since"
    UNTIL = "until"
    COST = "cost"
    TOOK = "took"
    PHASE = "phase"
    HOLD = "hold"
    IS = "is"
    TEXT = "text"


class Kind(StrEnum):
    """What `is:` takes: running or paused, ended, held in the queue, on a worker that is not heard of."""

    ACTIVE = "active"
    TERMINAL = "terminal"
    HELD = "held"
    UNREACHABLE = "unreachable"


class Ago(msgspec.Struct, frozen=True):
    """A time before now, in milliseconds."""

    ms: int


class At(msgspec.Struct, frozen=True):
    """An instant."""

    ms: int


class Bound(msgspec.Struct, frozen=True):
    """A comparison, with dollars for `cost` and milliseconds for `took`."""

    operator: Operator
    amount: float


Value = str | int | Ago | At | Bound
_CHOICES: dict[Field, dict[str, str]] = {
    Field.STATUS: {status.lower(): status.value for status in Status},
    Field.REASON: {reason.value: reason.value for reason in Reason},
    Field.PHASE: {phase.value: phase.value for phase in Phase},
    Field.HOLD: {hold.value: hold.value for hold in Hold},
    Field.IS: {kind.value: kind.value for kind in Kind},
}
_SINGLE = {Field.SINCE, Field.UNTIL, Field.COST, Field.TOOK, Field.TEXT}


class Term(msgspec.Struct, frozen=True, kw_only=True):
    """One condition: any of `values`, or none of them where it is negated."""

    field: Field
    values: tuple[Value, ...]
    is_negated: bool = False

    def __str__(self) -> str:
        sign = "-" if self.is_negated else ""
        if self.field is Field.TEXT:
            return sign + quoted(str(self.values[0]))
        return f"{sign}{self.field}:{','.join(_written(self.field, value) for value in self.values)}"


class Query(msgspec.Struct, frozen=True):
    """Conditions that a run has to meet all; without any, every run does."""

    terms: tuple[Term, ...] = ()

    def __str__(self) -> str:
        return " ".join(map(str, self.terms))


def quoted(text: str) -> str:
    """`text` as one term that is looked for as it is, in quotes where it needs them."""
    is_plain = ":" not in text and not any(map(str.isspace, text))
    return text if is_plain and text[:1] not in ("", "-", '"') else _in_quotes(text)


def parse(text: str) -> Query:
    """The query that a text asks for. Raises InvalidField that names the place (`position`) and the nearest word."""
    if len(text) > MAX_LENGTH:
        raise InvalidField(f"`q` has {len(text)} characters; {MAX_LENGTH} are the most.")
    query = Query(tuple(_Reader(text).terms()))
    if len(str(query)) > MAX_LENGTH:  # a time may be longer written out, and the canonical text has to be readable too
        raise InvalidField(f"`q` is longer than {MAX_LENGTH} characters once it is written out.")
    return query


class _Reader:
    """Goes through a text once, from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def terms(self) -> list[Term]:
        """Every term."""
        if (nul := self._text.find("\x00")) >= 0:
            _refuse(nul, "a NUL character; leave it out")
        found: list[Term] = []
        while self._skip_blanks():
            if len(found) == MAX_TERMS:
                _refuse(self._at, f"this is more than {MAX_TERMS} terms")
            found.append(self._term())
        return found

    def _skip_blanks(self) -> bool:
        while self._peek().isspace():
            self._at += 1
        return self._at < len(self._text)

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _term(self) -> Term:
        negated = self._peek() == "-"
        if negated:
            self._at += 1
        if self._peek() in ("", "-") or self._peek().isspace():
            _refuse(self._at, "a word is missing behind `-`; put text that begins with `-` in quotes")
        start = self._at
        if self._peek() == '"':
            return Term(field=Field.TEXT, values=(self._quoted(is_text=True),), is_negated=negated)
        name = _NAME.match(self._text, start)
        if name is not None and self._text[name.end() : name.end() + 1] == ":":
            field = _field(name[0], start)
            self._at = name.end() + 1
            return Term(field=field, values=self._values(field), is_negated=negated)
        word = self._bare(until_comma=False)
        if ":" in word:
            _refuse(start, f"{word[:50]!r} is no field; put text with a colon in quotes")
        return Term(field=Field.TEXT, values=(word,), is_negated=negated)

    def _values(self, field: Field) -> tuple[Value, ...]:
        found: dict[Value, None] = {}
        while True:
            start = self._at
            text = self._quoted() if self._peek() == '"' else self._bare(until_comma=field not in _SINGLE)
            if not text:
                _refuse(start, f"`{field}:` needs a value{_examples(field)}")
            found[_value(field, text, start)] = None
            if self._peek() != ",":
                return tuple(found)
            if field in _SINGLE:
                _refuse(self._at, f"`{field}:` takes one value")
            self._at += 1

    def _bare(self, *, until_comma: bool) -> str:
        start = self._at
        while (character := self._peek()) and not character.isspace() and not (until_comma and character == ","):
            self._at += 1
        return self._text[start : self._at]

    def _quoted(self, *, is_text: bool = False) -> str:
        start = self._at
        match = _QUOTED.match(self._text, start)
        if match is None:
            _refuse(start, "these quotes are not closed")
        self._at = match.end()
        behind = self._peek()
        if behind and not behind.isspace() and (is_text or behind != ","):
            _refuse(self._at, "a blank is missing behind the quotes")
        if not match[1]:
            _refuse(start, "there is nothing in these quotes")
        return _ESCAPE.sub(r"\1", match[1])


def _field(name: str, at: int) -> Field:
    known = [field.value for field in Field if field is not Field.TEXT]
    if name.lower() in known:
        return Field(name.lower())
    _refuse(at, f"there is no field `{name[:50]}` (text with a colon goes in quotes){_nearest(name.lower(), known)}")


def _value(field: Field, text: str, at: int) -> Value:
    if field in _CHOICES:
        choices = _CHOICES[field]
        if text.lower() not in choices:
            _refuse(at, f"there is no {field} `{text[:50]}`{_nearest(text.lower(), choices)}")
        return choices[text.lower()]
    if field is Field.ID:
        return _id(text, at)
    if field in (Field.SINCE, Field.UNTIL):
        return _time(field, text, at)
    if field in (Field.COST, Field.TOOK):
        return _bound(field, text, at)
    if field is Field.LABEL and text.startswith("="):
        _refuse(at, "a label is `name=value`, or its name alone")
    return text


def _id(text: str, at: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 19 and 1 <= int(text) <= _MAX_ID):
        _refuse(at, f"{text[:50]!r} is not the id of a run; ids are whole numbers from 1 on")
    return int(text)


def _time(field: Field, text: str, at: int) -> Ago | At:
    if match := _DURATION.fullmatch(text):
        return Ago(_milliseconds(match, at))
    is_date = bool(_DATE.fullmatch(text))
    try:
        ms = parse_rfc3339(text) if is_date or "T" in text.upper()[:11] else -1
    except (ValueError, OverflowError):
        ms = -1
    if not 0 <= ms <= MAX_INSTANT:
        _refuse(at, f"{text[:50]!r} is no time{_examples(field)}")
    # `until` a day means until its end; the canonical text of midnight is the day, so both read the same again.
    return At(ms + _DAY if is_date and field is Field.UNTIL else ms)


def _bound(field: Field, text: str, at: int) -> Bound:
    match = _COMPARISON.fullmatch(text)
    if match is None:
        _refuse(at, f"`{field}:` needs a comparison{_examples(field)}")
    operator, rest = cast(tuple[Operator, str], match.groups())
    behind = at + len(operator)
    if field is Field.TOOK:
        if duration := _DURATION.fullmatch(rest):
            return Bound(operator, _milliseconds(duration, behind))
        _refuse(behind, f"{rest[:50]!r} is no time{_examples(field)}")
    if price := _PRICE.fullmatch(rest):
        return Bound(operator, float(price[1]))
    _refuse(behind, f"{rest[:50]!r} is no price{_examples(field)}")


def _milliseconds(duration: re.Match[str], at: int) -> int:
    found = round(float(duration[1]) * _UNITS[duration[2]])
    if found > _LONGEST:
        _refuse(at, "that is longer than a century")
    return found


def _examples(field: Field) -> str:
    examples = {
        Field.SINCE: "`since:24h` or `since:2026-11-20` or `since:2026-11-20T08:00:00Z`",
        Field.UNTIL: "`until:24h` or `until:2026-11-20` or `until:2026-11-20T08:00:00Z`",
        Field.COST: "`cost:>1.5` or `cost:<=0.2`",
        Field.TOOK: "`took:>10m` or `took:<=30s`",
        Field.LABEL: "`label:team=web`",
    }
    if field in _CHOICES:
        return f", one of {', '.join(_CHOICES[field])}"
    return f", such as {examples[field]}" if field in examples else ""


def _nearest(word: str, known: Collection[str]) -> str:
    begun = [each for each in known if len(word) > 1 and each.startswith(word)]
    if found := begun or difflib.get_close_matches(word[:50], known, n=1, cutoff=0.5):
        return f"; did you mean `{found[0]}`?"
    return f"; there are {', '.join(known)}"


def _refuse(at: int, what: str) -> NoReturn:
    ending = "" if what.endswith("?") else "."
    raise InvalidField(f"`q`, character {at + 1}: {what}{ending}", position=at + 1)


def _written(field: Field, value: Value) -> str:
    if isinstance(value, Ago):
        return _duration(value.ms)
    if isinstance(value, At):
        return _instant(field, value.ms)
    if isinstance(value, Bound):
        amount = (
            _duration(round(value.amount)) if field is Field.TOOK else f"{value.amount:.6f}".rstrip("0").rstrip(".")
        )
        return value.operator + amount
    text = str(value).lower() if field is Field.STATUS else str(value)
    needs_quotes = text.startswith('"') or any(character.isspace() or character == "," for character in text)
    return _in_quotes(text) if needs_quotes else text


def _in_quotes(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _duration(ms: int) -> str:
    for name, unit in _UNITS.items():
        if ms and ms % unit == 0:
            return f"{ms // unit}{name}"
    return f"{ms // 1000}.{ms % 1000:03d}s" if ms else "0s"


def _instant(field: Field, ms: int) -> str:
    day, rest = divmod(ms, _DAY)
    if rest == 0 and field is Field.SINCE:
        return rfc3339(day * _DAY)[:10]
    if rest == 0 and day > 0:
        return rfc3339((day - 1) * _DAY)[:10]
    return rfc3339(ms)
