"""Whatever an agent writes, nothing of it commands the terminal."""

import re
import unicodedata

from hypothesis import example, given
from hypothesis import strategies as st

from agentrunner.cli import terminal

NASTY = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from("\x1b[]0123456789;:mHJK\x07\x08\r\n\t\x7f\x80\x9b\u202e\u2066\u2028abc"),
    ),
    max_size=60,
)
COLOUR = re.compile(r"\x1b\[[0-9;:]{0,40}m")
BIDI = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def commands(text: str) -> list[str]:
    """Every character that a terminal would not just show; a tab is fine."""
    return [c for c in text if c != "\t" and (unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} or c in BIDI)]


@given(NASTY)
@example("\x1b]0;owned\x07")
@example("\x1b[2J\x1b[H")
@example("\x9b2J")
@example("safe\rEVIL")
@example("\ud800")
def test_visible_text_commands_nothing(text: str) -> None:
    """Not one control character is left."""
    assert commands(terminal.visible(text)) == []
    assert commands(terminal.one_line(text)) == []
    assert commands(terminal.plain(text)) == []


@given(NASTY)
@example("\x1b[31mred")
@example("\x1b\x1b[31mm[2J")
@example("\x1b[\x1b[1m31m")
def test_only_colours_stay_and_they_end(text: str) -> None:
    """What remains after taking the colours away commands nothing, and the last colour is the reset."""
    shown = terminal.coloured(text)
    assert commands(COLOUR.sub("", shown)) == []
    found = COLOUR.findall(shown)
    assert not found or (found[-1] == terminal.RESET and shown.endswith(terminal.RESET))


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), max_size=60))
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    """In every script."""
    assert terminal.visible(text) == terminal.coloured(text) == terminal.plain(text) == text


def test_control_characters_are_written_out() -> None:
    """So that a person sees that they were there."""
    assert terminal.visible("a\x1b[2Jb\rc\x9bd\u202ee") == r"a\x1b[2Jb\rc\x9bd\u202ee"
    assert terminal.coloured("\x1b[1;31mx\x1b[K") == "\x1b[1;31mx\\x1b[K\x1b[0m"
    assert terminal.plain("\x1b[1;31mx\x1b[0m") == "x"
    assert terminal.one_line(" a\n\tb  c ") == "a b c"


@given(NASTY, st.integers(0, 40))
def test_cropped_text_fits(text: str, columns: int) -> None:
    """In columns, not characters; what fits is not touched."""
    shown = terminal.one_line(text)
    cropped = terminal.cropped(shown, columns)
    assert terminal.width(cropped) <= columns
    assert cropped == shown or cropped == "" or cropped.endswith("…")


def test_wide_characters_take_two_columns() -> None:
    """And combining ones none."""
    assert [terminal.width(text) for text in ("abc", "日本", "e\u0301", "")] == [3, 4, 1, 0]
