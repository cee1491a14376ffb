"""Build hook: wheel and sdist carry the built console, so that who installs one needs no Node.

`AGENTRUNNER_SKIP_CONSOLE=1` takes what is there, or goes without. An sdist has the console in it and builds nothing.
"""

import os
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ConsoleHook(BuildHookInterface[Any]):
    """Calls `tools/console.sh`, which does nothing when nothing has changed."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make `agentrunner/_console` ready; an editable install is made ready by `make` instead."""
        root = Path(self.root)
        is_sdist = (root / "PKG-INFO").exists()
        if version == "editable" or is_sdist or os.environ.get("AGENTRUNNER_SKIP_CONSOLE") == "1":
            return
        built = subprocess.run([root / "tools/console.sh", "--quiet"], capture_output=True, text=True)
        if built.returncode != 0:
            advice = "AGENTRUNNER_SKIP_CONSOLE=1 builds a package without it."
            raise SystemExit(f"{built.stdout}{built.stderr}console: {advice}")
        self.app.display_info(built.stdout.strip() or "console: ready")
