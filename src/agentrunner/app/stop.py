"""Server and worker for as long as a block lasts, without the TCP port: for commands that need them on their own."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from agentrunner.app.up import Parent
from agentrunner.config import Settings
from agentrunner.domain.errors import ServerUnreachable

_READY_WITHIN_S = 30.0


@contextmanager
def serving(settings: Settings) -> Iterator[None]:
    """Start both, wait until the server answers, keep them, and end them with the block.

    Raises ServerUnreachable, and ConfigurationError where an `agentrunner up` runs here whose server does not answer.
    """
    parent = Parent(settings, lambda _line: None, tcp=False)
    keeper: threading.Thread | None = None
    try:
        parent.start()
        if not parent.wait_ready(_READY_WITHIN_S):
            raise ServerUnreachable(
                f"The server does not start; `agentrunner up --data-dir {settings.data_path}` says why."
            )
        keeper = threading.Thread(target=parent.run, name="parent", daemon=True)
        keeper.start()
        yield
    finally:
        parent.tell()
        if keeper is not None:
            keeper.join()
        parent.close()
