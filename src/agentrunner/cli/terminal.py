"""Text from agents on its way to a terminal: whatever could move the cursor, rename the window or hide a line is made
visible instead; colours may stay. Pure.
"""

import re
import unicodedata

RESET = "\x1b[0m"
_COLOUR = re.compile(r"\x1b\[[0-9;:]{0,40}m")
# C0 without tab, DEL, C1, and the characters that reorder what stands beside them. Line ends are dealt with before.
_FORBIDDEN = "\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff"
_CONTROL = re.compile(f"[{_FORBIDDEN}]")
_COLOUR_OR_CONTROL = re.compile(rf"(?P<colour>\x1b\[[0-9;:]{{0,40}}m)|[{_FORBIDDEN}]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def visible(text: str) -> str:
    r"""`text` with every control character written out: `\x1b`, `\r`, `\u202e`; a tab stays."""
    return _SURROGATE.sub(_written, _CONTROL.sub(_written, text))


def coloured(text: str) -> str:
    """The same, but colours stay and end with the text."""
    if "\x1b" not in text:
        return visible(text)
    result = _SURROGATE.sub(_written, _COLOUR_OR_CONTROL.sub(lambda m: m["colour"] or _written(m), text))
    return result + RESET if _COLOUR.search(result) else result


def plain(text: str) -> str:
    """`text` without colours and with every other control character written out."""
    return visible(_COLOUR.sub("", text)) if "\x1b" in text else visible(text)


def one_line(text: str) -> str:
    """The same as `plain`, line ends and tabs as spaces: for a cell of a table."""
    return plain(re.sub(r"\s+", " ", text).strip())


def _written(match: re.Match[str]) -> str:
    number = ord(match.group())
    if match.group() in "\n\r":
        return "\\n" if match.group() == "\n" else "\\r"
    return f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}"


def width(text: str) -> int:
    """Columns that printable text takes."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide - sum(map(bool, map(unicodedata.combining, text)))


def cropped(text: str, columns: int) -> str:
    """`text` in at most so many columns, with an ellipsis where something is left out."""
    if width(text) <= columns:
        return text
    kept = text[: max(columns - 1, 0)]
    while width(kept) > columns - 1 and kept:
        kept = kept[:-1]
    return kept + "…" if columns > 0 else ""
