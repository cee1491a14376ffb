"""Types, lint, tests and sizes of the console; skipped where nothing of it has changed since they last passed.

Part of `make check`. Without Node it says so and passes: whoever has none cannot have changed what it checks.
"""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONSOLE = ROOT / "console"
STAMP = ROOT / ".cache/console/checked"
NOT_OURS = {"node_modules", "dist", "openapi.json"}
BIN = CONSOLE / "node_modules/.bin"
STEPS: dict[str, list[str | Path]] = {
    "types": [BIN / "tsc", "--noEmit"],
    "lint": [BIN / "eslint", ".", "--max-warnings", "0"],
    "tests": [BIN / "vitest", "run", "--reporter=dot"],
    "build": [ROOT / "tools/console.sh", "--quiet"],
    "sizes": ["node", "scripts/size.mjs", "../src/agentrunner/_console/"],
}


def sources() -> Iterator[Path]:
    """Every file of the console that is ours, and what builds it."""
    yield ROOT / "tools/console.sh"
    for path in sorted(CONSOLE.rglob("*")):
        if not NOT_OURS & set(path.relative_to(CONSOLE).parts) and path.suffix != ".py" and path.is_file():
            yield path


def digest() -> str:
    """What decides whether the checks would say something new."""
    whole = hashlib.sha256(Path(__file__).read_bytes())
    for path in sources():
        whole.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return whole.hexdigest()


def passes(name: str, command: list[str | Path]) -> bool:
    """Run one step; its output is shown only where it fails."""
    done = subprocess.run(command, cwd=CONSOLE, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        print(f"console {name}:\n{done.stdout.rstrip()}")
    return done.returncode == 0


def main() -> int:
    """Run all steps and say how many failed."""
    found = digest()
    if STAMP.exists() and STAMP.read_text() == found:
        print("nothing of the console has changed since its checks passed")
        return 0
    if shutil.which("npm") is None:
        print("not looked at: the console's checks need Node 20.19 or newer with npm")
        return 0
    if not passes("packages", [ROOT / "tools/console.sh", "--packages"]):
        return 1
    failed = [name for name, command in STEPS.items() if not passes(name, command)]
    if not failed:
        STAMP.parent.mkdir(parents=True, exist_ok=True)
        STAMP.write_text(found)
    said = ", ".join(failed) + " failed" if failed else "all passed"
    print(f"{len(list(sources()))} files of the console; {', '.join(STEPS)}: {said}")
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())
