"""The words of a text, as full text knows them: the same rule for what is indexed and for what is looked for.

A word is a run of letters and digits, without case and accents; everything between is a gap. Characters of scripts
that put no blanks between words are a word each, so that any part of such a text is found as a phrase.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

MAX_WORD = 64
"""A longer word is cut here, on both sides alike."""
MAX_WORDS = 16_000
"""How many words of one text are indexed."""
MAX_TEXT = 65_536
"""How many characters of one text are indexed."""
_SINGLE = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003fa1f"
_WORD = re.compile(rf"[{_SINGLE}]|[^\W_{_SINGLE}]+")
_TEXTS = {"text", "message", "content", "error", "detail"}
_DEPTH = 8


def words(text: str) -> list[str]:
    """The words of a text in order, at most `MAX_WORDS`."""
    if text.isascii():
        folded = text.lower()
    else:
        apart = unicodedata.normalize("NFKD", text)
        folded = "".join(each for each in apart if not unicodedata.combining(each)).casefold()
    found: list[str] = []
    for match in _WORD.finditer(folded):
        found.append(match[0][:MAX_WORD])
        if len(found) == MAX_WORDS:
            break
    return found


class Phrase(msgspec.Struct, frozen=True):
    """Words that stand one behind the other; with `is_prefix` the last one only begins a word. Without words: none."""

    words: tuple[str, ...]
    is_prefix: bool = False

    def is_in(self, text: Sequence[str]) -> bool:
        """Whether the words of a text hold the phrase."""
        *first, last = self.words or ("",)
        size = len(self.words)
        return bool(self.words) and any(
            list(text[at : at + size - 1]) == first and self._ends(text[at + size - 1], last)
            for at in range(len(text) - size + 1)
        )

    def _ends(self, word: str, last: str) -> bool:
        return word.startswith(last) if self.is_prefix else word == last


def phrase(text: str) -> Phrase:
    """What a term of a query looks for: `src/app.py` is a phrase of three words, `log*` every word that begins so."""
    found = tuple(words(text))
    return Phrase(found, is_prefix=len(text) > 1 and text.endswith("*") and _WORD.match(text[-2]) is not None)


def texts(payload: Any) -> Iterator[str]:
    """What people read in the payload of a `message` or an `error`: its strings under the names for that."""
    return _under(payload, _DEPTH, is_named=isinstance(payload, str))


def _under(value: Any, depth: int, *, is_named: bool) -> Iterator[str]:
    if isinstance(value, str):
        if is_named:
            yield value
    elif depth and isinstance(value, dict):
        for name, inner in value.items():
            yield from _under(inner, depth - 1, is_named=name in _TEXTS)
    elif depth and isinstance(value, list):
        for inner in value:
            yield from _under(inner, depth - 1, is_named=is_named)


def body(parts: Iterable[str]) -> list[str]:
    """The words of several texts that are one document."""
    return words("\n".join(parts)[:MAX_TEXT])
