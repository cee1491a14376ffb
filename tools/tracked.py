"""Fails when a file of this repository names a path of somebody's machine, a package registry or a download address.

Looks at what git tracks or would add. Such names break for everyone else, and a lock file that records addresses
installs from them whatever the installing machine is set up to use.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# Written so that no pattern matches its own source. A path counts at the start of a word: "src/work/x" is no machine's,
# and neither is the home of somebody made up for an example.
PATTERNS = {
    "a path of a machine": re.compile(
        r"(?<![\w.~})>*/-])/(?:root|work|tmp/brief|Users/\w+|home/(?!(?:a|ada|alice|bob|me|user|you)\b)\w+)/[\w.]"
    ),
    "a package registry": re.compile(
        r"pypi\.org|pythonhosted\.org|registry\.(?:npmjs\.org|yarnpkg\.com)|deb\.debian\.org|static\.crates\.io"
        r"|index\.crates\.io|proxy\.golang\.org|repo1?\.maven\b"
    ),
}
LOCK_PATTERNS = {
    "a download address": re.compile(r'"resolved"\s*:'),
    "an index or link option": re.compile(r"^\s*(?:-i|-f|--(?:extra-)?index-url|--find-links)\b"),
}
LOCKS = re.compile(r"(?:package-lock\.json|npm-shrinkwrap\.json|requirements/[\w.-]+\.txt)$")


def files() -> list[Path]:
    """Every file that is tracked or would be added, links and deleted files left out."""
    # A checkout owned by another user is refused by default, and listing names is harmless.
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    found = (ROOT / name for name in listed.stdout.split("\0") if name)
    return sorted(path for path in found if path.is_file() and not path.is_symlink())


def findings(path: Path, patterns: dict[str, re.Pattern[str]]) -> Iterator[str]:
    """One line for each match in one text file."""
    content = path.read_bytes()
    if b"\0" in content[:8192]:
        return
    for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), 1):
        for what, pattern in patterns.items():
            if match := pattern.search(line):
                yield f"{path.relative_to(ROOT)}:{number} names {what}: {line[match.start() :][:80]}"


def main() -> int:
    """Print every finding and a summary; the exit code says whether there was one."""
    paths = files()
    found = [
        line
        for path in paths
        for line in findings(path, PATTERNS | LOCK_PATTERNS if LOCKS.search(path.as_posix()) else PATTERNS)
    ]
    print(*found, sep="\n", end="\n" if found else "")
    print(f"{len(paths)} files, {len(found)} name a machine, a registry or a download address")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
