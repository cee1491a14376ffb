"""Secrets through the whole product: a program prints them in every form, byte by byte, and nothing keeps them."""

import json
import random
import string
import sys
from pathlib import Path

from ahocorasick_rs import BytesAhoCorasick

from agentrunner.process.redaction import MASK
from e2e.processes import everything
from e2e.product import Product
from process.encodings import Case, cases, telling
from waiting import until

WRITER = """
import os, sys, time
for number, line in enumerate(open(sys.argv[1], "rb").read().splitlines(keepends=True)):
    for at in range(len(line)):
        os.write(1 + number % 2, line[at : at + 1])
os.write(1, b"all of it is written\\n")
while not os.path.exists(sys.argv[2]):
    time.sleep(0.05)
"""
WRITTEN = "all of it is written"


def drawn(seed: int) -> list[Case]:
    """Every secret in every form; another seed, other secrets."""
    rng = random.Random(seed)
    return list(cases(lambda: "".join(rng.choices(string.ascii_letters + string.digits, k=24))))


def test_no_form_of_a_secret_is_kept(fresh: Product, tmp_path: Path) -> None:
    """Neither in the database and its log, nor in logs, command lines, answers and what the command line prints.

    Raw spools hold what was printed, for as long as their retention says; they and the secrets' own files are left out.
    """
    fresh.up()
    fresh.wait_ready()
    mine, others = drawn(1), drawn(2)
    assert len(mine) >= 200
    printed, go = tmp_path / "printed", tmp_path / "go"
    printed.write_bytes(b"".join(case.printed + b"\n" for case in mine))
    run_id = fresh.create(
        "command",
        options={"argv": [sys.executable, "-c", WRITER, str(printed), str(go)]},
        secrets={f"SECRET_{number}": text for number, text in enumerate(sorted({case.secret for case in mine}))},
    )
    until(lambda: WRITTEN in fresh.lines(run_id), 60, 0.1)
    commands = b"\n".join(_command_line(process.pid) for process in everything())
    go.touch()
    fresh.wait(run_id, "COMPLETED")
    told = {
        "answers": json.dumps([fresh.run(run_id), fresh.events(run_id), fresh.explain(run_id)]).encode(),
        "commands": commands,
        "log": fresh.log().encode(),
        "logs": fresh.command("logs", str(run_id)).stdout.encode(),
        "show": fresh.command("show", str(run_id), "--json").stdout.encode(),
    }
    kept = told | _files(fresh.data_dir)
    assert {"agentrunner.db", "agentrunner.db-wal"} <= kept.keys()
    search = BytesAhoCorasick(sorted(set().union(*map(telling, mine, others))))
    assert all(search.find_matches_as_indexes(case.printed) for case in mine)
    assert {name: found for name, text in kept.items() if (found := _found(search, text))} == {}
    # The same search finds what is kept: the masked lines, and the argument that was no secret.
    assert MASK in told["answers"]
    assert b"attempt ended" in told["log"]
    assert str(printed).encode() in commands
    assert any(WRITTEN.encode() in text for name, text in kept.items() if name.startswith("agentrunner.db"))


def _found(search: BytesAhoCorasick, text: bytes) -> list[bytes]:
    return [text[start:end] for _, start, end in search.find_matches_as_indexes(text)][:5]


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _files(data_dir: Path) -> dict[str, bytes]:
    """Every file of the data directory but those that are there to hold secrets or raw output."""
    found = {str(path.relative_to(data_dir)): path for path in data_dir.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if not name.startswith(("secrets/", "runs/"))}
