"""Commands that pages show to people, taken out of the page and run as they stand, with real curl and a real shell.

`curls(page)` gives every curl of a page in its order, `Door.run` runs one with host, port and ids put in, and
`play(page, …)` runs a whole page of ours: its ```bash and ```python blocks in order.
"""

import json
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from e2e.product import BIN, Product

MOST_S = 40.0
"""A page that takes longer is no example any more."""
_FENCE = re.compile(r"^([ \t]*)```(\w*)[ \t]*\n(.*?)^[ \t]*```[ \t]*$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"(?<!`)`(curl [^`\n]+)`(?!`)")
_HOST = re.compile(r"(?<![\w.])(?:localhost|127\.0\.0\.1):\d+")
_CURL = 'curl() { command curl -sS --max-time 20 -D "$EXAMPLE_HEAD" "$@"; }\n'


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: the word behind the fence, the text without the page's indentation, its line in the page."""

    kind: str
    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What a curl of a page got: status 0 where nothing was answered; header names in lower case; what it printed."""

    command: str
    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.text)


@dataclass(frozen=True, slots=True)
class Door:
    """A server on a loopback port, to be asked as a page says. `product` has its data directory and Unix socket."""

    product: Product
    host: str
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`."""
        return f"http://{self.host}"

    @property
    def port(self) -> int:
        """The TCP port."""
        return int(self.host.rpartition(":")[2])

    @property
    def token(self) -> str:
        """The admin token of its data directory."""
        return (self.product.data_dir / "token").read_text().strip()

    def run(self, command: str, ids: Mapping[str, object] | None = None) -> Answer:
        """Run one curl command as a shell reads it; `ids` as in `fill`. Fails where curl itself fails."""
        filled = fill(command, self.host, ids)
        with tempfile.NamedTemporaryFile("r", prefix="ar-head-") as head:
            environment = {**self.product.environment, **self.environment, "EXAMPLE_HEAD": head.name}
            done = subprocess.run(
                ["bash", "-o", "pipefail", "-c", _CURL + filled],
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=MOST_S,
            )
            status, headers = read_head(head.read())
        assert done.returncode == 0, f"{filled}\n{done.stderr}\n{done.stdout}\n{self.product.log()[-3000:]}"
        return Answer(filled, status, headers, done.stdout)


def blocks(page: str, *kinds: str) -> list[Block]:
    """The fenced blocks of a page (of some kinds, e.g. "bash"; all where none is said) in order."""
    found = []
    for match in _FENCE.finditer(page):
        indent, kind, text = match.groups()
        lines = [line.removeprefix(indent) for line in text.splitlines()]
        if not kinds or kind in kinds:
            found.append(Block(kind, "\n".join(lines) + "\n", page.count("\n", 0, match.start()) + 1))
    return found


def curls(page: str) -> list[str]:
    """Every curl command of a page in its order: in ```bash and ```sh blocks, in `code` within the text, and what
    `watch` would repeat. Commands over several lines stay as they are; comments and other commands are left out.
    """
    found: list[tuple[int, str]] = []
    for match in _FENCE.finditer(page):
        if match[2] in ("bash", "sh"):
            found += [(match.start(), each) for each in map(_curl_of, commands(match[3])) if each]
    outside = _FENCE.sub(lambda match: " " * len(match[0]), page)
    found += [(match.start(), match[1]) for match in _INLINE.finditer(outside)]
    return [command for _, command in sorted(found, key=lambda each: each[0])]


def commands(script: str) -> Iterator[str]:
    """The commands of a shell script, each with its continuation lines and what its quotes enclose."""
    pending = ""
    for line in script.splitlines():
        if not pending and (not line.strip() or line.lstrip().startswith("#")):
            continue
        pending += line.lstrip() if not pending else f"\n{line}"
        if not pending.endswith("\\") and _is_whole(pending):
            yield pending
            pending = ""
    assert not pending, f"a command does not end: {pending}"


def _is_whole(command: str) -> bool:
    try:
        shlex.split(command)
    except ValueError:  # a quote is open
        return False
    return True


def _curl_of(command: str) -> str:
    words = shlex.split(command, comments=True)
    if words and words[0] == "watch" and words[-1].startswith("curl "):
        return words[-1]
    return command if words and words[0] == "curl" else ""


def fill(text: str, host: str, ids: Mapping[str, object] | None = None) -> str:
    """A page's text for one server: each `localhost:PORT` becomes `host`, and for every id that is given `{name}`,
    `<name>` and `:name` (as a part of a path) become its value. Other braces, JSON's among them, stay.
    """
    text = _HOST.sub(host, text)
    for name, value in (ids or {}).items():
        quoted = re.escape(name)
        text = re.sub(rf"\{{{quoted}\}}|<{quoted}>|(?<=/):{quoted}\b", str(value), text)
    return text


def read_head(text: str) -> tuple[int, dict[str, str]]:
    """Status and headers of the last answer that `curl -D` has noted."""
    last = [each for each in text.replace("\r\n", "\n").split("\n\n") if each.strip()]
    if not last:
        return 0, {}
    line, *fields = last[-1].strip().split("\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (each.partition(":") for each in fields)}
    return int(line.split()[1]), headers


def up_command(page: str) -> tuple[dict[str, str], list[str]]:
    """How a page starts its server: variables and flags of the first line with `agentrunner up`; none where it has
    no such line. The port is left out: a test takes a free one.
    """
    for block in blocks(page, "sh", "bash"):
        for line in commands(block.text):
            words = shlex.split(line, comments=True)
            variables = dict(word.split("=", 1) for word in words if re.match(r"[A-Z_]+=", word))
            words = words[len(variables) :]
            if words[1:2] == ["up"] and words[0].endswith("agentrunner"):
                return variables, without_port(words[2:])
    return {}, []


def without_port(flags: list[str]) -> list[str]:
    """Flags of `up` without `--port N`."""
    if "--port" in flags:
        at = flags.index("--port")
        return flags[:at] + flags[at + 2 :]
    return flags


def play(page: str, product: Product, host: str, home: Path) -> list[str]:
    """Run the ```bash and ```python blocks of a page in order in one shell, in `home`, against the running product;
    answers what each block has printed. Stops at the first command that fails, and says at which line of the page.

    Commands find the server as a person's would: by `$HOME`. Lines with `agentrunner up` are left out: it runs.
    """
    script = home / "page.sh"
    marks = [f"<<<{number}>>>" for number in range(len(list(blocks(page, "bash", "python"))))]
    script.write_text(_shell_script(page, host, home, marks))
    done = subprocess.run(
        ["bash", str(script)],
        cwd=home,
        env=_surroundings(product, home),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=MOST_S,
    )
    shown = f"{done.stdout}\n{done.stderr}\n{product.log()[-3000:]}"
    printed = re.split(r"<<<\d+>>>\n", done.stdout)[1:]
    where = [block.line for block in blocks(page, "bash", "python")]
    assert done.returncode == 0, f"the block at line {where[len(printed) - 1]} fails:\n{shown}"
    assert len(printed) == len(marks), f"the page's shell ended early:\n{shown}"
    return printed


def _shell_script(page: str, host: str, home: Path, marks: list[str]) -> str:
    lines = ["set -e -o pipefail"]
    for number, block in enumerate(blocks(page, "bash", "python")):
        lines.append(f"echo; echo '{marks[number]}'")
        if block.kind == "python":
            source = home / f"example{number}.py"
            source.write_text(fill(block.text, host))
            lines.append(f"python {source}")
        else:
            lines += [fill(each, host) for each in commands(block.text) if not re.search(r"\bagentrunner up\b", each)]
    return "\n".join(lines) + "\n"


def _surroundings(product: Product, home: Path) -> dict[str, str]:
    kept = {name: value for name, value in product.environment.items() if not name.startswith(("AGENTRUNNER_", "XDG_"))}
    if "AGENTRUNNER_TEST_SESSION" in product.environment:
        kept["AGENTRUNNER_TEST_SESSION"] = product.environment["AGENTRUNNER_TEST_SESSION"]
    path = f"{BIN}:{Path(sys.executable).parent}:{kept.get('PATH', '')}"
    return {**kept, "HOME": str(home), "PATH": path, "PYTHONWARNINGS": "error"}
