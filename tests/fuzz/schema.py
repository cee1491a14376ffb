"""Every promise of the OpenAPI document, tried by schemathesis against a real server: all its checks, no exceptions.

A document says which values may be, not how several of them go together. Where a rule is of that kind, a request that
fits the document may be refused all the same; those routes are named here with the rule.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e2e.product import Product
from fuzz.subject import address

HERE = Path(__file__).parent
RULES = {
    "^/v1/runs$": "options have to fit the backend; the query grammar and its cursors",
    "^/v1/runs/bulk$": "the query grammar; an empty query needs `all`; cursors",
    "^/v1/runs/{run_id}/events$": "`producer` and `client_seq` go together; `ts` is RFC 3339 from 1970 on",
    "^/v1/runs/{run_id}/stream$": "a cursor is not behind the end of the run",
    "^/v1/(projects|views)$": "the query grammar; cursors are those that were given out",
    "^/api/runs": "times are RFC 3339 or milliseconds; cursors; names; runs executed here stay as they are",
    "^/v1/agents": "cursors are those that were given out; no text has a NUL",
    "^/v1/(stats|usage)$": "times are ages or dates, `until` is behind `since`; no text has a NUL",
    "GET ^/api/v1/agents/{agent_id}/(versions/{version}/)?runs$": "cursors are those that were given out",
    "^/(projects|runs)$": "cursors; fields are in the query or the body, the needed ones in one; options",
    "^/v1/runs/{run_id}/": "schemathesis guesses that the names of `/api/runs` lead here, where ids are numbers",
    "^/runs/{run_id}": "schemathesis guesses that the names of `/api/runs` lead here, where ids are numbers",
    "^/v1/control/": "state is at most 64 KiB; offsets and events go together",
}
"""By path, `GET` of some alone: why a request that fits the document may be refused with 400 or 422."""
_ACCEPTED = ["2xx", 401, 403, 404, 409]
_REFUSED = [400, 401, 403, 404, 409, 413, 415, 422, 431]


@dataclass(frozen=True, slots=True)
class Found:
    """What schemathesis found: `failures` are its own words, one for each distinct failure."""

    operations: int
    cases: int
    failures: list[str]
    output: str

    @property
    def ok(self) -> bool:
        """Whether every operation was tried and every check held."""
        return not self.failures and self.operations > 0 and self.cases > 0


def configuration(admin: str, worker: str) -> str:
    """The file that tells schemathesis which token opens what, and which rules the document cannot say."""
    text = [
        *_table("[checks.positive_data_acceptance]", "expected-statuses", _ACCEPTED),
        *_table("[checks.negative_data_rejection]", "expected-statuses", _REFUSED),
        *_operations("^/(?!v1/control/)", [f'headers = {{ Authorization = "Bearer {admin}" }}']),
    ]
    for rule in RULES:
        method, _, path = rule.rpartition(" ")
        # Several words that include are joined by "or", so the method is excluded. The last matching table
        # wins as a whole, so what the one before said is said again.
        token = worker if "control" in path else admin
        text += _operations(
            path,
            [
                f'headers = {{ Authorization = "Bearer {token}" }}',
                f"checks.positive_data_acceptance.expected-statuses = {json.dumps([*_ACCEPTED, 400, 422])}",
                *(['exclude-method = "POST"'] if method else ()),
            ],
        )
    return "\n".join(text) + "\n"


def _table(head: str, name: str, value: list[Any]) -> Iterator[str]:
    yield from (head, f"{name} = {json.dumps(value)}")


def _operations(path: str, lines: list[str]) -> Iterator[str]:
    yield from ("[[operations]]", f"include-path-regex = {json.dumps(path)}", *lines)


@dataclass(frozen=True, slots=True)
class Trial:
    """How to try: so many examples an operation; `only` one path; `alter` makes the document lie."""

    examples: int
    seed: int
    only: str = ""
    alter: Callable[[dict[str, Any]], None] = lambda _: None
    seconds: float = 1200.0


def run(product: Product, trial: Trial) -> Found:
    """Try every operation; the product's server takes workers from the network."""
    with tempfile.TemporaryDirectory(dir=product.data_dir) as directory:
        return _run(product, trial, Path(directory))


def _run(product: Product, trial: Trial, where: Path) -> Found:
    admin, worker = ((product.data_dir / name).read_text().strip() for name in ("token", "worker-token"))
    (where / "schemathesis.toml").write_text(configuration(admin, worker))
    document = product.get("/openapi.json")
    trial.alter(document)
    (where / "openapi.json").write_text(json.dumps(document))
    command = [
        *(str(Path(sys.executable).parent / "schemathesis"), "run", str(where / "openapi.json")),
        *("--url", address(product), "--max-examples", str(trial.examples), "--seed", str(trial.seed)),
        *("--checks", "all", "--continue-on-failure", "--warnings", "off", "--request-timeout", "20"),
        *("--output-truncate", "true", "--suppress-health-check", "all"),
        *(("--include-path", trial.only) if trial.only else ()),
    ]
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": "fuzz.hooks", "PYTHONPATH": str(HERE.parent)}
    done = subprocess.run(command, cwd=where, env=environment, capture_output=True, text=True, timeout=trial.seconds)
    return judge(done.stdout + done.stderr, done.returncode)


def judge(output: str, code: int) -> Found:
    """What the output of schemathesis says; a run that did not come to its end is a failure."""
    tested, cases = re.search(r"Tested: (\d+)", output), re.search(r"(\d+) generated", output)
    failures = re.findall(r"^- (ST\d+ .*)$", output, re.MULTILINE)
    if code != 0 and not failures:
        failures = [f"schemathesis ended with exit code {code}"]
    return Found(int(tested[1]) if tested else 0, int(cases[1]) if cases else 0, failures, output)
