"""A call: a request together with how its answer is read; pure, so that every kind of client makes the same ones."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from agentrunner.client.request import Request

if TYPE_CHECKING:
    from agentrunner.client.answer import Answer

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """What to send, and what its answer means."""

    request: Request
    read: "Callable[[Answer], T]"


def of(request: Request, kind: type[T]) -> Call[T]:
    """A call whose answer's body is a `kind`."""
    return Call(request, lambda answer: answer.decoded(kind))
