"""Server-sent events as the HTML standard has them: bytes in, frames out; pure, any chunking gives the same frames."""

from collections.abc import Iterator
from dataclasses import dataclass

MAX_FRAME_BYTES = 16 * 1024 * 1024
"""More without an end of frame is no event of ours (a line is 1 MiB at most) and would only fill the memory."""
_BOM = b"\xef\xbb\xbf"


class FrameTooLarge(ValueError):
    """A frame does not end within its bound."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One event: its name (`message` where none was said), its data, and the last id that was said so far."""

    event: str
    data: str
    id: str


class Parser:
    """Cuts a stream of bytes into frames; what is not complete yet is kept for the next call."""

    def __init__(self, max_frame_bytes: int = MAX_FRAME_BYTES) -> None:
        self._max = max_frame_bytes
        self._rest: list[bytes] = []
        self._pending = 0
        self._size = 0
        self._after_cr = False
        self._is_first = True
        self._id = ""
        self._event = ""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> list[Frame]:
        """The frames that `chunk` completes. Raises FrameTooLarge."""
        found = [frame for line in self._lines(chunk) if (frame := self._take(line)) is not None]
        if self._size + self._pending > self._max:
            raise FrameTooLarge(f"a frame has more than {self._max} bytes")
        return found

    def _lines(self, chunk: bytes) -> Iterator[bytes]:
        """The complete lines, ended by CR LF, LF or CR; a CR ends its line at once, an LF that follows is dropped."""
        if self._after_cr and chunk:
            chunk = chunk.removeprefix(b"\n")
            self._after_cr = False
        self._after_cr = chunk.endswith(b"\r") or (self._after_cr and not chunk)
        parts = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        for part in parts[:-1]:
            self._rest.append(part)
            line = b"".join(self._rest)
            self._rest.clear()
            self._pending = 0
            yield line
        if parts[-1]:
            self._rest.append(parts[-1])
            self._pending += len(parts[-1])

    def _take(self, line: bytes) -> Frame | None:
        if self._is_first:
            self._is_first = False
            line = line.removeprefix(_BOM)
        if not line:
            return self._dispatch()
        self._size += len(line)
        name, _, value = line.decode("utf-8", "replace").partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._event = value
        elif name == "id" and "\0" not in value:
            self._id = value
        return None

    def _dispatch(self) -> Frame | None:
        data, event = self._data, self._event
        self._data, self._event, self._size = [], "", 0
        return Frame(event or "message", "\n".join(data), self._id) if data else None
