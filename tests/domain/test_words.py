"""Words: what one is, what a phrase finds, and what text a payload has."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrunner.domain.words import MAX_WORD, MAX_WORDS, Phrase, body, phrase, texts, words


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("Login fix: src/app.py", ["login", "fix", "src", "app", "py"]),
        ("foo_bar-baz 100% C++", ["foo", "bar", "baz", "100", "c"]),
        ("Été STRASSE straße ΣΊΣΥΦΟΣ", ["ete", "strasse", "strasse", "σισυφοσ"]),
        ("数据库abc", ["数", "据", "库", "abc"]),
        ("a\x00b\u202ec", ["a", "b", "c"]),
        ("% !? --", []),
        ("x" * 100, ["x" * MAX_WORD]),
    ],
)
def test_words(text: str, found: list[str]) -> None:
    """Letters and digits without case and accents."""
    assert words(text) == found


def test_a_text_has_a_bound() -> None:
    """However long it is, reading its words takes linear time."""
    began = time.process_time()
    assert len(words("a " * 1_000_000)) == MAX_WORDS
    assert words("x" * 5_000_000) == ["x" * MAX_WORD]
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    ("text", "sought"),
    [
        ("login", Phrase(("login",))),
        ("src/app.py", Phrase(("src", "app", "py"))),
        ("log*", Phrase(("log",), is_prefix=True)),
        ("two wor*", Phrase(("two", "wor"), is_prefix=True)),
        ("*", Phrase(())),
        ("a.*", Phrase(("a",))),
        ('"', Phrase(())),
    ],
)
def test_phrases(text: str, sought: Phrase) -> None:
    """A star is one only right behind a word."""
    assert phrase(text) == sought


def test_what_a_phrase_is_in() -> None:
    """Its words stand one behind the other; only the last may be a beginning."""
    text = words("fix the login page of src/app.py")
    assert all(phrase(each).is_in(text) for each in ("login page", "log*", "the log*", "py", "SRC/APP", "fix"))
    assert not any(phrase(each).is_in(text) for each in ("log", "page login", "lo* page", "py x", "%", "fixes", ""))


@given(st.text())
def test_every_text_finds_itself(text: str) -> None:
    """Unless there is no word in it; nothing that a database reads as more than text is in a word."""
    found = words(text)
    assert phrase(text.rstrip("*")).is_in(found) == bool(found)
    assert not any(set(word) & set(" '\"\\:*&|!()<>\x00") for word in found)
    assert words(" ".join(found)) == found


def test_texts_of_payloads() -> None:
    """The strings under the names for what people read, at any depth but no endless one."""
    deep: object = "deep"
    for _ in range(50):
        deep = {"content": deep}
    payload = {"role": "user", "text": "a", "content": [{"type": "text", "text": "b"}, "c", 7], "x": {"message": "d"}}
    assert list(texts(payload)) == ["a", "b", "c", "d"]
    assert list(texts("plain")) == ["plain"]
    assert [list(texts(each)) for each in (deep, 7, None, ["a"], {"text": {"id": "a"}})] == [[], [], [], [], []]
    assert body(["Two words", "and one"]) == ["two", "words", "and", "one"]
