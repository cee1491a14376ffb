"""Size report over src, tools and tests: prints the worst ten and fails over a hard bound.

Hard: a file has at most 450 lines, a function at most 60 lines and 6 parameters (`self` and `cls` not counted).
Reported only: files over 400 lines, nesting deeper than 3. There is no list of exemptions.
"""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TREES = ("src", "tools", "tests")
FILE_LINES, FILE_AIM, FUNCTION_LINES, PARAMETERS, NESTING = 450, 400, 60, 6, 3
WORST = 10

Function = ast.FunctionDef | ast.AsyncFunctionDef
BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.TryStar, ast.Match)


@dataclass(frozen=True, slots=True)
class Finding:
    """One measured thing, with what it measures against its bound."""

    where: str
    what: str
    value: int
    bound: int
    hard: bool

    @property
    def share(self) -> float:
        """How much of its bound it uses; over 1 is over the bound."""
        return self.value / self.bound

    def __str__(self) -> str:
        mark = "" if self.share <= 1 else "  OVER" if self.hard else "  over the aim"
        return f"{self.value:5} of {self.bound:3} {self.what:11} {self.where}{mark}"


def nesting(node: ast.AST) -> int:
    """The deepest chain of blocks inside `node`; an `elif` counts as its `if`, a nested function starts anew."""
    deepest = 0
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            continue
        is_elif = isinstance(node, ast.If) and isinstance(child, ast.If) and node.orelse == [child]
        deepest = max(deepest, nesting(child) + (isinstance(child, BLOCKS) and not is_elif))
    return deepest


def parameters(function: Function) -> int:
    """How many arguments a caller can name or place."""
    names = [a.arg for a in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)]
    return len(names) - (names[:1] in (["self"], ["cls"]))


def measure(path: Path) -> Iterator[Finding]:
    """Every measured thing in one file."""
    text = path.read_text(encoding="utf-8")
    name = str(path.relative_to(ROOT))
    lines = text.count("\n")
    yield Finding(name, "lines", lines, FILE_LINES if lines > FILE_LINES else FILE_AIM, hard=lines > FILE_LINES)
    for node in ast.walk(ast.parse(text, name)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        where = f"{name}:{node.lineno} {node.name}"
        yield Finding(where, "lines", (node.end_lineno or 0) - node.lineno + 1, FUNCTION_LINES, hard=True)
        yield Finding(where, "parameters", parameters(node), PARAMETERS, hard=True)
        yield Finding(where, "nesting", nesting(node), NESTING, hard=False)


def sources() -> list[Path]:
    """Every Python file of ours, installed programs left out."""
    found = (path for tree in TREES for path in (ROOT / tree).rglob("*.py"))
    return sorted(path for path in found if "node_modules" not in path.parts)


def main() -> int:
    """Print the worst findings and a summary; the exit code says whether a hard bound is broken."""
    files = sources()
    findings = [finding for path in files for finding in measure(path)]
    over = [f for f in findings if f.hard and f.share > 1]
    # Six parameters of six say nothing, so what is no size shows only once it is over.
    shown = sorted((f for f in findings if f.what == "lines" or f.share > 1), key=lambda f: f.share, reverse=True)
    for finding in over + [f for f in shown if f not in over][: max(WORST - len(over), 0)]:
        print(finding)
    functions = sorted(f.value for f in findings if f.what == "lines" and " " in f.where)
    median = functions[len(functions) // 2] if functions else 0
    deep = sum(f.what == "nesting" and f.share > 1 for f in findings)
    sizes = f"{len(files)} files, {len(functions)} functions of {median} lines at the median"
    print(f"{sizes}, {len(over)} over a bound, {deep} nested deeper than {NESTING}")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
