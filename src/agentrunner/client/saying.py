"""What a reporter says, as the lines in which it is stored and sent; pure. Whatever a program hands over is sayable."""

import time
import traceback
from typing import Any, Literal, get_args

import msgspec

from agentrunner.domain.run import Usage

Level = Literal["debug", "info", "warning", "error"]

MOST_PAYLOAD_BYTES = 1024 * 1024
_MOST_TYPE = 100
_MOST_TEXT = 10_000
_MOST_TRACEBACK = 32_000
_KEPT = 64 * 1024
_LEVELS = frozenset(get_args(Level))
_TYPE_SIGNS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:/-")
_encoder = msgspec.json.Encoder(enc_hook=repr)


def encode(type: str, payload: bytes, level: str, name: tuple[str, int, int]) -> bytes:
    """An event as one line of JSON; `name` is its producer, `client_seq` and time (ms). It never raises."""
    producer, seq, ts = name
    event = {
        "type": _type(type),
        "payload": msgspec.Raw(payload),
        "level": level if level in _LEVELS else "info",
        "ts": ts,
        "producer": producer,
        "client_seq": seq,
    }
    return msgspec.json.encode(event)


def _type(text: str) -> str:
    """A type that a server takes."""
    kept = "".join(sign if sign in _TYPE_SIGNS else "_" for sign in str(text))[:_MOST_TYPE]
    return kept if kept[:1].isascii() and kept[:1].isalpha() else f"event.{kept}"[:_MOST_TYPE]


def payload_of(value: Any) -> bytes:
    """JSON of a value; what JSON cannot hold is described, what is too large is cut and says so."""
    try:
        found = _encoder.encode(value)
    except Exception:
        found = _described(value)
    if len(found) <= MOST_PAYLOAD_BYTES:
        return found
    head = found[:_KEPT].decode("utf-8", "ignore")
    return msgspec.json.encode({"truncated": True, "bytes": len(found), "head": head})


def _described(value: Any) -> bytes:
    """A value that is no JSON: text with half characters, a circle, an object that cannot even describe itself."""
    try:
        text = repr(value)
    except Exception as error:
        text = f"<{type(value).__name__}, whose repr raises {type(error).__name__}>"
    return msgspec.json.encode({"repr": text[:_KEPT].encode("utf-8", "backslashreplace").decode()})


def without_none(**fields: Any) -> dict[str, Any]:
    """The fields that have a value."""
    return {name: value for name, value in fields.items() if value is not None}


def check_tokens(tokens: dict[str, int]) -> None:
    """Raise TypeError for a kind of tokens that there is not, or a count that is none."""
    for name, count in tokens.items():
        if name not in Usage.__struct_fields__:
            raise TypeError(f"there is no count {name!r}; there are {', '.join(Usage.__struct_fields__)}")
        if type(count) is not int or count < 0:
            raise TypeError(f"{name} is a whole number from 0, not {count!r}")


def is_good_end(error: BaseException) -> bool:
    """Whether an exception that leaves the program means success, as `sys.exit()` and `sys.exit(0)` do."""
    return isinstance(error, GeneratorExit) or (isinstance(error, SystemExit) and error.code in (None, 0, False))


def failure(error: BaseException | str) -> dict[str, Any]:
    """What is said of an error: its message, and of an exception its type and traceback (the end of a long one)."""
    if isinstance(error, str):
        return {"message": error[:_MOST_TEXT]}
    told = "".join(traceback.format_exception(error))
    name = type(error).__name__
    message = f"{name}: {_text(error)}" if _text(error) else name
    return {"message": message[:_MOST_TEXT], "type": name, "traceback": told[-_MOST_TRACEBACK:]}


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return "(its text cannot be had)"


class Tool:
    """A use of a tool while it lasts. `set` says what it gave."""

    def __init__(self, call_id: str, name: str) -> None:
        self.call_id = call_id
        self.name = name
        self._began = time.monotonic()
        self._output: Any = None

    def set(self, output: Any) -> None:
        """What the tool has given; it goes with `tool.result`."""
        self._output = output

    def called(self, given: dict[str, Any]) -> dict[str, Any]:
        """The payload of `tool.called`."""
        return {"call_id": self.call_id, "name": self.name, "input": given}

    def returned(self) -> dict[str, Any]:
        """The payload of `tool.result`."""
        return {**self._result(), "ok": True, "output": self._output}

    def failed(self, error: BaseException) -> dict[str, Any]:
        """The payload of `tool.result` where it raised."""
        return {**self._result(), "ok": False, "output": failure(error)["message"]}

    def _result(self) -> dict[str, Any]:
        duration = round((time.monotonic() - self._began) * 1000)
        return {"call_id": self.call_id, "name": self.name, "duration_ms": duration}
