"""The parser of server-sent events, against the standard's rules and under any chunking."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrunner.client.sse import Frame, FrameTooLarge, Parser

LINES = st.one_of(
    st.sampled_from([b"", b"", b"data", b"data:", b"data: ", b":", b": beat", b"id", b"event: end", b"retry: 1000"]),
    st.builds(
        lambda name, colon, value: name + colon + value,
        st.sampled_from([b"data", b"event", b"id", b"retry", b"other", b"\xef\xbb\xbfdata"]),
        st.sampled_from([b":", b": ", b":  "]),
        st.binary(max_size=12).map(lambda value: value.replace(b"\n", b"").replace(b"\r", b"")),
    ),
)
STREAMS = st.lists(st.tuples(LINES, st.sampled_from([b"\n", b"\r\n", b"\r"])), max_size=30).map(
    lambda lines: b"".join(line + end for line, end in lines)
)


def parsed(chunks: list[bytes]) -> list[Frame]:
    """The frames of a stream that arrives in these chunks."""
    parser = Parser()
    return [frame for chunk in chunks for frame in parser.feed(chunk)]


def reference(stream: bytes) -> list[Frame]:
    """The standard's rules, word for word, over a whole stream."""
    text = stream.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    frames, event, data, last_id = [], "", "", ""
    *lines, _ = text.split(b"\n")
    for line in (raw.decode("utf-8", "replace") for raw in lines):
        if line == "":
            if data:
                frames.append(Frame(event or "message", data[:-1], last_id))
            event, data = "", ""
            continue
        name, _, value = line.partition(":")
        value = value[1:] if value.startswith(" ") else value
        if name == "event":
            event = value
        elif name == "data":
            data += value + "\n"
        elif name == "id" and "\0" not in value:
            last_id = value
    return frames


@given(STREAMS)
def test_it_follows_the_standard(stream: bytes) -> None:
    """Every line end, comments, fields without a value, several data lines, ids that stay."""
    assert parsed([stream]) == reference(stream)


@given(STREAMS, st.lists(st.integers(0, 400), max_size=12))
def test_any_chunking_gives_the_same_frames(stream: bytes, cuts: list[int]) -> None:
    """A cut may fall anywhere: between CR and LF, inside a character, inside the mark at the beginning."""
    places = sorted({0, *(cut for cut in cuts if cut < len(stream)), len(stream)})
    chunks = [stream[start:end] for start, end in pairwise(places)]
    assert parsed(chunks) == reference(stream)


@given(STREAMS)
def test_byte_by_byte_gives_the_same_frames(stream: bytes) -> None:
    """The finest chunking there is."""
    assert parsed([bytes([byte]) for byte in stream]) == reference(stream)


@given(st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=20), max_size=3), max_size=10))
def test_what_our_server_sends_comes_back(payloads: list[dict[str, str]]) -> None:
    """Frames as the server writes them, with any text in their JSON."""
    stream = b"".join(
        b"id: %d\nevent: log\ndata: %b\n\n" % (seq, json.dumps(payload).encode())
        for seq, payload in enumerate(payloads, 1)
    )
    assert [(frame.id, json.loads(frame.data)) for frame in parsed([stream])] == [
        (str(seq), payload) for seq, payload in enumerate(payloads, 1)
    ]


@pytest.mark.parametrize("chunks", [[b"data: " + b"x" * 200], [b"data: 1\n"] * 60], ids=["one line", "many lines"])
def test_a_frame_without_end_is_refused(chunks: list[bytes]) -> None:
    """A stream that is not ours cannot fill the memory."""
    parser = Parser(max_frame_bytes=128)
    with pytest.raises(FrameTooLarge):
        [parser.feed(chunk) for chunk in chunks]


def test_a_long_stream_of_short_frames_is_not_too_large() -> None:
    """The bound is for one frame."""
    parser = Parser(max_frame_bytes=128)
    assert sum(len(parser.feed(b"data: " + b"x" * 50 + b"\n\n")) for _ in range(100)) == 100
