"""The console's copy of the server's words and query grammar is the server's."""

import json
import runpy

from console.wheel import ROOT


def test_the_grammar_of_the_console_is_the_servers() -> None:
    """`python console/scripts/vectors.py` would write what is there; the console's own tests compare with that."""
    made = runpy.run_path(str(ROOT / "console/scripts/vectors.py"))["vectors"]()
    there = json.loads((ROOT / "console/src/lib/vectors/grammar.json").read_text())
    assert there == json.loads(json.dumps(made)), "run: .venv/bin/python console/scripts/vectors.py"
