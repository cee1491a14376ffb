"""`agentrunner` and `python -m agentrunner`."""

import sys

from agentrunner.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
