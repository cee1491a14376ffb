"""The children of `up`: `python -m agentrunner.app server|worker`; their settings come by environment."""

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from agentrunner.app.log_line import line
from agentrunner.app.parent import REFUSED
from agentrunner.config import BadSetting, load
from agentrunner.domain.errors import AgentRunnerError, ConfigurationError

_FOR_TERMINALS = ("rich", "httpx._main")
"""What structlog and httpx load to draw with, where it can be loaded; neither child draws."""


def main(argv: list[str]) -> int:
    """Run one part until it is told to end; REFUSED is answered where starting it again would change nothing."""
    try:
        settings = load(os.environ)
        if argv[0] == "server":
            with _loading():
                from agentrunner.app.serve import serve

            serve(settings, tcp="--no-tcp" not in argv)
        else:
            with _loading():
                from agentrunner.app.work import work

            work(settings, succeed=True)
    except (AgentRunnerError, BadSetting) as error:
        text = f"agentrunner {argv[0]}: {error}"
        print(text if sys.stderr.isatty() else line(argv[0], text, "critical"), file=sys.stderr)
        return REFUSED if isinstance(error, ConfigurationError | BadSetting) else 1
    return 0


@contextmanager
def _loading() -> Iterator[None]:
    """Load in half the time, for nothing is served meanwhile.

    What is loaded stays: to look for garbage in it, now and ever after, only makes the start and later pauses longer.
    """
    modules = cast(dict[str, Any], sys.modules)
    gc.disable()
    # As if they were not installed: they would be a third of what a worker loads.
    hidden = [name for name in _FOR_TERMINALS if modules.setdefault(name, None) is None]
    try:
        yield
    finally:
        for name in hidden:
            del modules[name]
        gc.freeze()
        gc.enable()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
