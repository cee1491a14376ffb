"""The children of `up`: `python -m agentrunner.app server|worker`; their settings come by environment."""

import os
import sys

from agentrunner.app.parent import REFUSED
from agentrunner.config import BadSetting, load
from agentrunner.domain.errors import AgentRunnerError, ConfigurationError


def main(argv: list[str]) -> int:
    """Run one part until it is told to end; REFUSED is answered where starting it again would change nothing."""
    try:
        settings = load(os.environ)
        if argv[0] == "server":
            from agentrunner.app.serve import serve

            serve(settings, tcp="--no-tcp" not in argv)
        else:
            from agentrunner.app.work import work

            work(settings, succeed=True)
    except (AgentRunnerError, BadSetting) as error:
        print(f"agentrunner {argv[0]}: {error}", file=sys.stderr)
        return REFUSED if isinstance(error, ConfigurationError | BadSetting) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
