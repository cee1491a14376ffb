"""A client that sends what it is told and believes nothing: raw sockets, bounded waits, answers taken apart by hand."""

import select
import socket
import struct
import time
from dataclasses import dataclass

from fuzz.shot import Shot, World

WAIT_S = 5.0
STREAM_WAIT_S = 0.05
LASTING_WAIT_S = 0.2
MOST_BYTES = 64 * 1024 * 1024
_FINAL = 200


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of the server; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came back; `timed_out`: the server had neither answered nor closed when time was up."""

    answers: tuple[Answer, ...]
    garbage: bytes = b""
    timed_out: bool = False


def fire(shot: Shot, world: World) -> Outcome:
    """Send a shot and take what comes back."""
    with connect(shot, world) as sock:
        sock.setblocking(False)
        deadline = time.monotonic() + WAIT_S
        received = send(sock, shot, deadline)
        if shot.ending == "reset":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if shot.ending in ("reset", "close"):
            return Outcome(())
        if shot.ending == "half":
            try:
                sock.shutdown(socket.SHUT_WR)
            except OSError:
                pass
        if shot.lasting:
            deadline = min(deadline, time.monotonic() + LASTING_WAIT_S)
        return collect(sock, bytearray(received), shot, deadline)


def connect(shot: Shot, world: World) -> socket.socket:
    """A connection to the server's address or its Unix socket."""
    if not shot.local:
        return socket.create_connection((world.host, world.port), WAIT_S)
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.settimeout(WAIT_S)
        sock.connect(world.socket_path)
    except BaseException:
        sock.close()
        raise
    return sock


def send(sock: socket.socket, shot: Shot, deadline: float) -> bytes:
    """Send all pieces, taking what comes meanwhile: a server may answer before it has everything, and close."""
    received = bytearray()
    try:
        for piece in shot.pieces:
            left = memoryview(piece)
            while left and time.monotonic() < deadline:
                readable, writable, _ = select.select([sock], [sock], [], 0.5)
                if readable:
                    if not (data := sock.recv(65536)):
                        return bytes(received)
                    received += data
                if writable:
                    left = left[sock.send(left) :]
            if shot.pause_s:
                select.select([], [], [], shot.pause_s)
    except (BrokenPipeError, ConnectionResetError):
        pass
    return bytes(received)


def collect(sock: socket.socket, received: bytearray, shot: Shot, deadline: float) -> Outcome:
    """Read until the server closes, everything expected is there, a stream has begun, or time is up."""
    ended = False
    while not ended and time.monotonic() < deadline and len(received) < MOST_BYTES:
        answers, rest, streaming = take_apart(bytes(received), False)
        if shot.ending == "read" and any(a.status >= _FINAL for a in answers) and not rest:
            break
        readable, _, _ = select.select([sock], [], [], STREAM_WAIT_S if streaming else LASTING_WAIT_S)
        if not readable:
            if streaming:
                break
            continue
        try:
            data = sock.recv(262144)
        except ConnectionResetError:
            data = b""
        received += data
        ended = not data
    answers, rest, streaming = take_apart(bytes(received), ended)
    done = ended or streaming or bool(answers)
    return Outcome(tuple(answers), b"" if streaming else rest, not done)


def take_apart(data: bytes, ended: bool) -> tuple[list[Answer], bytes, bool]:
    """The answers in it, what is left, and whether what is left is a stream that has begun."""
    answers: list[Answer] = []
    while data:
        top, found, rest = data.partition(b"\r\n\r\n")
        if not found or not top.startswith(b"HTTP/1.1 "):
            return answers, data, False
        line, *fields = top.decode("latin-1").split("\r\n")
        headers = {name.lower(): text.strip() for name, _, text in (field.partition(":") for field in fields)}
        status = int(line.split(" ")[1])
        streaming = headers.get("content-type", "").startswith("text/event-stream")
        body, left = split_body(rest, headers, status)
        if left is None:
            if streaming or ended:
                answers.append(Answer(status, headers, rest, whole=False))
            return answers, b"" if streaming or ended else data, streaming
        answers.append(Answer(status, headers, body))
        data = left
    return answers, b"", False


def split_body(data: bytes, headers: dict[str, str], status: int) -> tuple[bytes, bytes | None]:
    """The body of an answer and what is behind it; None behind it where it is not all there."""
    if status < _FINAL or status in (204, 304):
        return b"", data
    if "content-length" in headers:
        size = int(headers["content-length"])
        # The answer to HEAD says how long a body would be and has none.
        if not data or data.startswith(b"HTTP/1.1 "):
            return b"", data
        return data[:size], data[size:] if len(data) >= size else None
    body = b""
    while True:
        line, found, rest = data.partition(b"\r\n")
        if not found:
            return body, None
        size = int(line, 16)
        if len(rest) < size + 2:
            return body, None
        body, data = body + rest[:size], rest[size + 2 :]
        if size == 0:
            return body, data
