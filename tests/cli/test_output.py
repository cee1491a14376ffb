"""Tables: aligned, cropped where there is no room, one row a line whatever is in the cells."""

from hypothesis import given
from hypothesis import strategies as st

from agentrunner.cli.output import Column, Output
from agentrunner.cli.terminal import width

COLUMNS = [Column("ID", is_number=True), Column("NAME"), Column("TITLE", is_flexible=True)]
OUT = Output({"NO_COLOR": "1"})


def test_numbers_stand_right_and_texts_left() -> None:
    """Under their names, without spaces at the end."""
    assert OUT.table_lines(COLUMNS, [["1", "a", "first"], ["20", "bcdef", "x"]], None) == [
        "ID  NAME   TITLE",
        " 1  a      first",
        "20  bcdef  x",
    ]


@given(st.lists(st.tuples(st.text(max_size=6), st.text(max_size=6), st.text(max_size=80)), max_size=5))
def test_every_row_is_one_line_that_fits(rows: list[tuple[str, str, str]]) -> None:
    """The flexible column gives way, and no cell breaks the row."""
    lines = OUT.table_lines(COLUMNS, rows, 60)
    assert len(lines) == len(rows) + 1
    assert all(width(line) <= 60 and "\n" not in line and "\x1b" not in line for line in lines)


def test_behind_a_pipe_nothing_is_cropped() -> None:
    """A program may want all of it."""
    assert OUT.table_lines(COLUMNS, [["1", "a", "x" * 500]], None)[1].endswith("x" * 500)
