"""The tree of errors of the process library."""

import re

from agentrunner.domain import errors as product
from agentrunner.local_runner import errors
from agentrunner.local_runner.errors import AgentError

NAMES = {
    "CommunicationError", "ExecutionError", "InvalidContext", "IoError", "NotFound", "ProviderError", "SpawnFailed",
    "Timeout", "UnsupportedOperation",
}  # fmt: skip


def test_the_documents_names_are_errors_of_the_product() -> None:
    """All nine, each with a code and a status of its own, and one root."""
    found = {error.__name__: error for error in AgentError.__subclasses__()}
    assert found.keys() == NAMES
    codes = [error.code for error in found.values()]
    assert len(set(codes) | {product.NotFound.code}) == len(NAMES) + 1
    assert all(issubclass(error, product.AgentRunnerError) and 400 <= error.status < 600 for error in found.values())
    assert all(str(error()) == (error.__doc__ or "").strip() for error in found.values())


def test_they_are_what_their_names_say() -> None:
    """To whoever catches the product's or Python's own."""
    assert issubclass(errors.NotFound, product.NotFound)
    assert issubclass(errors.Timeout, TimeoutError)


def test_the_drawing_is_the_tree() -> None:
    """The module's docstring names every class with its code and status."""
    drawn = re.findall(r"^ {2}(\w+) +(\w+) (\d+)", errors.__doc__ or "", re.MULTILINE)
    assert {(name, code, int(status)) for name, code, status in drawn} == {
        (error.__name__, error.code, error.status) for error in AgentError.__subclasses__()
    }
