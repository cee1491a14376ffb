"""What commands print: coloured tables for a person at a terminal, plain ones for a pipe, JSON for a program."""

import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TextIO

import click

from agentrunner.cli import terminal

_GAP = "  "
_NARROWEST = 12
_UNSAFE_IN_JSON = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]")


class ReaderGone(Exception):
    """Whoever read standard output has gone, as `head` does; not a BrokenPipeError, which click takes for its own."""


class Cell(NamedTuple):
    """Text with the colour it has on a terminal."""

    text: str
    colour: str | None = None


class Column(NamedTuple):
    """A column of a table. A flexible one gives way where the terminal is too narrow."""

    name: str
    is_number: bool = False
    is_flexible: bool = False


class Output:
    """Standard output and standard error of one command. `as_json` is what `--json` said."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self.as_json = False
        self.is_terminal = sys.stdout.isatty()
        self.errors_to_terminal = sys.stderr.isatty()
        self._no_colour = bool(environment.get("NO_COLOR")) or environment.get("TERM") == "dumb"

    @property
    def has_colour(self) -> bool:
        """Whether standard output takes colours."""
        return self.is_terminal and not self._no_colour

    def paint(self, text: str, colour: str | None = None, *, bold: bool = False, dim: bool = False) -> str:
        """`text` in a colour, where standard output takes one."""
        if not self.has_colour:
            return text
        return click.style(text, fg=colour, bold=bold or None, dim=dim or None)

    def safe(self, text: str) -> str:
        """One line of an agent's text, made safe for where it goes; behind a pipe it stays as it is."""
        if not self.is_terminal:
            return text
        return terminal.plain(text) if self._no_colour else terminal.coloured(text)

    def write(self, text: str) -> None:
        """Print text that is complete and safe, and see that it leaves at once."""
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
        except BrokenPipeError as error:
            raise ReaderGone from error

    def line(self, text: str = "") -> None:
        """Print one line of our own."""
        self.write(text + "\n")

    def note(self, text: str) -> None:
        """Say something beside the result, on standard error."""
        shown = terminal.visible(text)
        dimmed = self.errors_to_terminal and not self._no_colour
        print(click.style(shown, dim=True) if dimmed else shown, file=sys.stderr, flush=True)

    def json(self, value: Any, *, is_line: bool = False) -> None:
        """Print a document; on a terminal indented, as one of many always on one line."""
        import msgspec

        data = msgspec.json.encode(value)
        if self.is_terminal and not is_line:
            data = msgspec.json.format(data, indent=2)
        text = data.decode()
        if self.is_terminal:
            text = _UNSAFE_IN_JSON.sub(lambda match: f"\\u{ord(match.group()):04x}", text)
        self.line(text)

    def table(self, columns: Sequence[Column], rows: Sequence[Sequence[Cell | str]]) -> None:
        """Print a table: cropped to the terminal's width, or as wide as it is."""
        space = shutil.get_terminal_size().columns if self.is_terminal else None
        self.write("".join(f"{line}\n" for line in self.table_lines(columns, rows, space)))

    def table_lines(
        self, columns: Sequence[Column], rows: Sequence[Sequence[Cell | str]], space: int | None
    ) -> list[str]:
        """The lines of a table in so many columns (None: as many as it takes)."""
        cells = [[_cell(cell) for cell in row] for row in rows]
        widths = [
            max([terminal.width(column.name), *(terminal.width(row[index].text) for row in cells)])
            for index, column in enumerate(columns)
        ]
        if space is not None:
            _shrink(columns, widths, space)
        head = self.paint(_row([Cell(column.name) for column in columns], columns, widths, None), bold=True)
        return [head, *(_row(row, columns, widths, self) for row in cells)]


def _cell(cell: Cell | str) -> Cell:
    text, colour = (cell, None) if isinstance(cell, str) else cell
    return Cell(terminal.one_line(text), colour)


def _shrink(columns: Sequence[Column], widths: list[int], space: int) -> None:
    over = sum(widths) + len(_GAP) * (len(widths) - 1) - space
    for index, column in enumerate(columns):
        if column.is_flexible and over > 0:
            narrower = max(_NARROWEST, widths[index] - over)
            over -= widths[index] - narrower
            widths[index] = narrower


def _row(cells: Sequence[Cell], columns: Sequence[Column], widths: Sequence[int], output: Output | None) -> str:
    parts = []
    for cell, column, columns_wide in zip(cells, columns, widths, strict=True):
        text = terminal.cropped(cell.text, columns_wide)
        padding = " " * (columns_wide - terminal.width(text))
        shown = text if output is None else output.paint(text, cell.colour) if cell.colour else text
        parts.append(padding + shown if column.is_number else shown + padding)
    return _GAP.join(parts).rstrip()


def prepare(*streams: TextIO) -> None:
    """Let streams take any text, whatever encoding the locale says."""
    for stream in streams:
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
