"""Write `src/lib/vectors/grammar.json`: the server's words and its own test tables of the query grammar.

Run from anywhere with the package installed: `python console/scripts/vectors.py`.
"""

import importlib.util
import json
from pathlib import Path

from agentrunner.domain.errors import InvalidField
from agentrunner.domain.query import Field, Kind, parse
from agentrunner.domain.state import REASONS, TRANSITIONS, Hold, Phase, Status

CONSOLE = Path(__file__).resolve().parents[1]


def _tables() -> dict[str, list[tuple]]:
    spec = importlib.util.spec_from_file_location("query_tables", CONSOLE.parent / "tests/domain/test_query.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    tests = {name: test for name, test in vars(module).items() if hasattr(test, "pytestmark")}
    return {
        name: mark.args[1] for name, test in tests.items() for mark in test.pytestmark if mark.name == "parametrize"
    }


def _refusal(text: str) -> str:
    try:
        parse(text)
    except InvalidField as refused:
        return refused.detail
    raise SystemExit(f"not refused: {text!r}")


def _understood(text: str) -> dict:
    query = parse(text)
    terms = [{"field": t.field.value, "negated": t.is_negated, "values": len(t.values)} for t in query.terms]
    return {"text": text, "canonical": str(query), "terms": terms}


def vectors() -> dict:
    """Everything the console's tests compare with."""
    tables = _tables()
    return {
        "fields": [field.value for field in Field if field is not Field.TEXT],
        "kinds": [kind.value for kind in Kind],
        "statuses": [status.value for status in Status],
        "phases": [phase.value for phase in Phase],
        "holds": [hold.value for hold in Hold],
        "reasons": {reason.value: rule._asdict() for reason, rule in REASONS.items()},
        "transitions": [
            [before and before.value, cause.value, after.value] for (before, cause), after in TRANSITIONS.items()
        ],
        "understood": [_understood(text) for text, _ in tables["test_what_is_understood"]],
        "refused": [
            {"text": text, "position": position, "detail": _refusal(text)}
            for text, position, _ in tables["test_what_is_refused"]
        ],
        "canonical": [{"text": text, "canonical": written} for text, written in tables["test_the_canonical_text"]],
    }


if __name__ == "__main__":
    (CONSOLE / "src/lib/vectors/grammar.json").write_text(json.dumps(vectors(), indent=1) + "\n")
