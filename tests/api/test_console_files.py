"""The table of the console's files: what is in it, and which coding a browser is given."""

import gzip
from pathlib import Path

import pytest

from agentrunner.api.console_files import Coding, load


def built(directory: Path) -> Path:
    """A small console as its build leaves it."""
    files = {
        "index.html": b"<!doctype html>" + b"page " * 200,
        "assets/app-abc123.js": b"let one = 1;" * 200,
        "icon.svg": b"<svg/>",
        ".vite/manifest.json": b"{}",
    }
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        if len(content) > 100:
            path.with_name(path.name + ".gz").write_bytes(gzip.compress(content, mtime=0))
    script = directory / "assets" / "app-abc123.js.br"
    script.write_bytes(b"as brotli has it")
    return directory


def test_what_is_in_it(tmp_path: Path) -> None:
    """Every file by its name, without what the build notes for itself and without the compressed ones as files."""
    files = load(built(tmp_path))
    assert sorted(files) == ["assets/app-abc123.js", "icon.svg", "index.html"]
    assert sorted(files["assets/app-abc123.js"].codings) == ["br", "gzip", "identity"]
    assert sorted(files["icon.svg"].codings) == ["identity"]
    assert files["icon.svg"].kind == b"image/svg+xml"
    assert [name for name in files if files[name].is_asset] == ["assets/app-abc123.js"]


def test_no_build(tmp_path: Path) -> None:
    """Without an index there is no console, whatever else lies there."""
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "left.js").write_text("x")
    assert load(tmp_path) == {}
    assert load(tmp_path / "nowhere") == {}


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        (None, "identity"),
        ("", "identity"),
        ("gzip, deflate, br, zstd", "br"),
        ("gzip", "gzip"),
        ("GZIP;q=0.8, BR;q=0.1", "br"),
        ("br;q=0, gzip;q=1.0", "gzip"),
        ("br; q=0.000 , gzip ; q=0", "identity"),
        ("deflate", "identity"),
    ],
)
def test_the_best_coding(tmp_path: Path, accepted: str | None, coding: Coding) -> None:
    """Brotli before gzip before nothing, as far as the client takes it; each with a tag of its own."""
    file = load(built(tmp_path))["assets/app-abc123.js"]
    assert file.best(accepted) == (coding, file.codings[coding])
    assert len({content.etag for content in file.codings.values()}) == 3
