"""Raw lines as `log` events."""

from hypothesis import given
from hypothesis import strategies as st

from agentrunner.agents.base import Line
from agentrunner.agents.log import TOGETHER_MS, log_events
from agents.given import lines_of, payload

ANY_LINES = st.lists(st.binary(max_size=200).map(lambda data: data.replace(b"\n", b"")), max_size=50)


def test_neighbours_are_joined_and_stay_lines() -> None:
    """Three lines that arrive together are one event that knows where it starts."""
    (event,) = log_events("err", lines_of(b"one\n\nthree\n", ts=7))
    assert payload(event) == {"stream": "stderr", "offset": 0, "lines": ["one", "", "three"]}
    assert (event.type, event.ts) == ("log", 7)


def test_an_event_holds_64_kib() -> None:
    """The line that would pass the bound starts the next event."""
    lines = lines_of((b"x" * 1023 + b"\n") * 65)
    sizes = [len(payload(event)["lines"]) for event in log_events("out", lines)]
    assert sizes == [64, 1]


def test_a_longer_line_is_alone() -> None:
    """It is neither split nor joined."""
    lines = lines_of(b"a\n" + b"y" * 100_000 + b"\nb\n")
    assert [[len(line) for line in payload(e)["lines"]] for e in log_events("out", lines)] == [[1], [100_000], [1]]


def test_a_cut_line_is_followed_by_what_is_missing() -> None:
    """The count stands directly behind the event whose last line was cut."""
    events = log_events("out", [Line(b"a", 0, 1), Line(b"b" * 9, 2, 1, cut=5), Line(b"c", 17, 1)])
    assert [str(event.type) for event in events] == ["log", "output.truncated", "log"]
    assert payload(events[1]) == {"stream": "stdout", "offset": 2, "kept_bytes": 9, "cut_bytes": 5}
    assert payload(events[2])["offset"] == 17


def test_lines_apart_in_time_are_apart() -> None:
    """Lines read late keep the times at which they were written."""
    events = log_events("out", [Line(b"a", 0, 1000), Line(b"b", 2, 1000 + TOGETHER_MS), Line(b"c", 4, 9000)])
    assert [(event.ts, payload(event)["lines"]) for event in events] == [(1000, ["a", "b"]), (9000, ["c"])]


def test_no_lines_no_events() -> None:
    """Nothing is made of nothing."""
    assert log_events("out", []) == []


@given(ANY_LINES)
def test_every_byte_is_in_the_events(raw: list[bytes]) -> None:
    """Whatever a line holds, it comes out as a line, invalid UTF-8 escaped as by itself."""
    lines = lines_of(b"".join(line + b"\n" for line in raw))
    texts = [text for event in log_events("out", lines) for text in payload(event)["lines"]]
    assert texts == [line.decode("utf-8", "backslashreplace") for line in raw]


def test_what_only_counts_a_cut_is_no_line() -> None:
    """A line that was given before its end was known is followed by the count of what it lost."""
    events = log_events("out", [Line(b"before", 0, 1), Line(b"", 7, 1, cut=99), Line(b"after", 107, 1)])
    said = [(event.type, payload(event)) for event in events]
    assert said == [
        ("log", {"stream": "stdout", "offset": 0, "lines": ["before"]}),
        ("output.truncated", {"stream": "stdout", "offset": 7, "cut_bytes": 99}),
        ("log", {"stream": "stdout", "offset": 107, "lines": ["after"]}),
    ]
