"""The query grammar: what is understood, what is refused and where, and that its text reads back the same."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentrunner.domain.errors import InvalidField
from agentrunner.domain.instant import MAX_INSTANT
from agentrunner.domain.query import (
    MAX_LENGTH,
    MAX_TERMS,
    Ago,
    At,
    Bound,
    Field,
    Kind,
    Query,
    Term,
    Value,
    parse,
    quoted,
)
from agentrunner.domain.state import Hold, Phase, Reason, Status

DAY = 86_400_000
NOV_20 = 1_795_132_800_000


def term(field: Field, *values: Value, is_negated: bool = False) -> Term:
    """A term in short."""
    return Term(field=field, values=values, is_negated=is_negated)


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("", []),
        ("  \n\t ", []),
        ("login fix", [term(Field.TEXT, "login"), term(Field.TEXT, "fix")]),
        ('"two words"', [term(Field.TEXT, "two words")]),
        (r'"say \"hi\" \\"', [term(Field.TEXT, 'say "hi" \\')]),
        ('a"b,c\\', [term(Field.TEXT, 'a"b,c\\')]),
        ('-word -"a b"', [term(Field.TEXT, "word", is_negated=True), term(Field.TEXT, "a b", is_negated=True)]),
        ('"status:failed" "-x"', [term(Field.TEXT, "status:failed"), term(Field.TEXT, "-x")]),
        ("status:failed,STOPPED,failed", [term(Field.STATUS, "FAILED", "STOPPED")]),
        ("STATUS:failed", [term(Field.STATUS, "FAILED")]),
        ("-status:completed", [term(Field.STATUS, "COMPLETED", is_negated=True)]),
        ('agent:"a, b",c', [term(Field.AGENT, "a, b", "c")]),
        ("backend:claude project:web", [term(Field.BACKEND, "claude"), term(Field.PROJECT, "web")]),
        ("label:team=web,x label:a:b=c=d", [term(Field.LABEL, "team=web", "x"), term(Field.LABEL, "a:b=c=d")]),
        ("worker:w1 reason:oom_killed", [term(Field.WORKER, "w1"), term(Field.REASON, "oom_killed")]),
        ("id:12,0013", [term(Field.ID, 12, 13)]),
        ("phase:working hold:operator", [term(Field.PHASE, "working"), term(Field.HOLD, "operator")]),
        ("is:active,held", [term(Field.IS, "active", "held")]),
        ("since:24h until:1.5h", [term(Field.SINCE, Ago(DAY)), term(Field.UNTIL, Ago(5_400_000))]),
        ("since:2026-11-20", [term(Field.SINCE, At(NOV_20))]),
        ("until:2026-11-20", [term(Field.UNTIL, At(NOV_20 + DAY))]),
        ("since:2026-11-20T02:00:00+02:00", [term(Field.SINCE, At(NOV_20))]),
        ("until:9999-12-31", [term(Field.UNTIL, At(MAX_INSTANT + 1))]),
        ("cost:>1.5 cost:<=$2", [term(Field.COST, Bound(">", 1.5)), term(Field.COST, Bound("<=", 2))]),
        ("took:>=10m took:<0.25s", [term(Field.TOOK, Bound(">=", 600_000)), term(Field.TOOK, Bound("<", 250))]),
    ],
)
def test_what_is_understood(text: str, terms: list[Term]) -> None:
    """Fields in any case, alternatives once each, text as it is."""
    assert parse(text) == Query(tuple(terms))


@pytest.mark.parametrize(
    ("text", "position", "says"),
    [
        ("ok stauts:failed", 4, "did you mean `status`?"),
        ("zzzzzz:1", 1, "there are status, agent,"),
        ("text:a", 1, "no field `text`"),
        ("http://x", 1, "quotes"),
        ("1:2", 1, "quotes"),
        ("status:completed,faild", 18, "did you mean `failed`?"),
        ("reason:oom", 8, "did you mean `oom_killed`?"),
        ("phase:", 7, "needs a value, one of preparing"),
        ("status:failed,", 15, "needs a value"),
        ("label:", 7, "`label:team=web`"),
        ("label:=x", 7, "`name=value`"),
        ("is:running", 4, "there are active, terminal, held, unreachable"),
        ("id:0", 4, "whole numbers"),
        ("id:1,x", 6, "whole numbers"),
        ("id:99999999999999999999", 4, "whole numbers"),
        ("id:٣", 4, "whole numbers"),
        ("since:yesterday", 7, "`since:24h`"),
        ("since:2026-13-40", 7, "no time"),
        ("since:1969-12-31", 7, "no time"),
        ("since:0001-01-01T00:00:00+14:00", 7, "no time"),
        ("since:1h,2h", 7, "no time"),
        ('since:"1h",2h', 11, "takes one value"),
        ("since:9999999999w", 7, "century"),
        ("cost:1.5", 6, "needs a comparison, such as `cost:>1.5`"),
        ("cost:>much", 7, "no price"),
        ("cost:>1e400", 7, "no price"),
        ("took:>=10", 8, "`took:>10m`"),
        ("-", 2, "missing behind `-`"),
        ("a - b", 4, "missing behind `-`"),
        ("--x", 2, "in quotes"),
        ('a "b', 3, "not closed"),
        ('"a\\"', 1, "not closed"),
        ('""', 1, "nothing in these quotes"),
        ('agent:""', 7, "nothing in these quotes"),
        ('"a"b', 4, "blank is missing"),
        ('"a",b', 4, "blank is missing"),
        ("a\x00b", 2, "NUL"),
        (" ".join(["a"] * (MAX_TERMS + 1)), 61, "30 terms"),
    ],
)
def test_what_is_refused(text: str, position: int, says: str) -> None:
    """The place is named, and what could be meant."""
    with pytest.raises(InvalidField) as caught:
        parse(text)
    assert says in caught.value.detail
    assert caught.value.extra == {"position": position}
    assert caught.value.detail.startswith(f"`q`, character {position}: ")


def test_length_is_bounded() -> None:
    """As typed, and as written out."""
    assert parse("a" * MAX_LENGTH)
    with pytest.raises(InvalidField, match="500 are the most"):
        parse("a" * (MAX_LENGTH + 1))
    with pytest.raises(InvalidField, match="written out"):
        parse(" ".join(["since:2026-11-20T08Z"] * 20))


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("  STATUS:Failed   x ", "status:failed x"),
        ("since:48h", "since:2d"),
        ("until:1.5h", "until:90m"),
        ("until:2026-11-20", "until:2026-11-20"),
        ("until:2026-11-21T00:00:00Z", "until:2026-11-20"),
        ("since:2026-11-20T08:00:00.5Z", "since:2026-11-20T08:00:00.500Z"),
        ("cost:>$1.50", "cost:>1.5"),
        ("took:<0.25s", "took:<0.250s"),
        ('"plain" "a:b"', 'plain "a:b"'),
    ],
)
def test_the_canonical_text(text: str, canonical: str) -> None:
    """One text for queries that are the same."""
    assert str(parse(text)) == canonical


PIECES = [
    *(f"{field}:" for field in Field), *(status.lower() for status in Status), *Reason, *Phase, *Hold, *Kind,
    "-", '"', "\\", ",", ":", "=", " ", " ", " ", ">", "<=", "1.5", "24h", "10m", "0.001w", "2026-11-20",
    "2026-11-20T08:00:00+01:00", "12", "team=web", "two words", "\n", "ä", "\u2028", "$",
]  # fmt: skip
TERMS = [
    "status:failed,stopped", "-is:held", "since:24h", "until:2026-11-20", "took:>=0.001w", "cost:<0.000001",
    'agent:"a, b",c', 'label:x="', "id:7", '"two \\"words"', "word", "-phase:stalled", "hold:budget,capacity",
]  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(
    st.one_of(
        st.lists(st.sampled_from(TERMS), max_size=20).map(" ".join),
        st.lists(st.sampled_from(PIECES), max_size=15).map("".join),
        st.text(max_size=40),
    )
)
def test_canonical_text_reads_back_the_same(text: str) -> None:
    """Whatever is understood; and nothing is refused but with InvalidField."""
    try:
        query = parse(text)
    except InvalidField:
        return
    assert parse(str(query)) == query
    assert str(parse(str(query))) == str(query)


@settings(max_examples=300, deadline=None)
@given(st.text(min_size=1, max_size=100).filter(lambda text: "\x00" not in text))
def test_any_text_can_be_looked_for(text: str) -> None:
    """Once it is quoted."""
    assert parse(quoted(text)) == Query((term(Field.TEXT, text),))


def test_the_worst_texts_are_read_at_once() -> None:
    """Every length-limited text of one repeated piece, in far less than a millisecond a character."""
    began = time.process_time()
    for piece in ('"', '"a\\', "\\", "a:", "-", ",", "status:", 'id:"1",', "since:1", "1" * 20):
        for front in ("", '"', "status:", "took:>", "since:", "id:"):
            text = (front + piece * MAX_LENGTH)[:MAX_LENGTH]
            try:
                parse(text)
            except InvalidField as refused:
                assert len(refused.detail) < 500  # noqa: PT017
    assert time.process_time() - began < 5
