"""The console's built files, read once: what a request may have is what is in this table, whatever its path says."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Literal

Coding = Literal["br", "gzip", "identity"]
CODINGS: Mapping[Coding, str] = {"br": ".br", "gzip": ".gz", "identity": ""}
"""The best first, with what their files end in."""
INDEX = "index.html"
ASSETS = "assets/"
_KINDS = {
    "css": b"text/css; charset=utf-8",
    "html": b"text/html; charset=utf-8",
    "ico": b"image/x-icon",
    "js": b"text/javascript; charset=utf-8",
    "json": b"application/json",
    "map": b"application/json",
    "png": b"image/png",
    "svg": b"image/svg+xml",
    "txt": b"text/plain; charset=utf-8",
    "webmanifest": b"application/manifest+json",
    "webp": b"image/webp",
    "woff2": b"font/woff2",
}


@dataclass(frozen=True, slots=True)
class Content:
    """The bytes of a file in one coding; every coding has a strong tag of its own."""

    data: bytes
    etag: bytes


@dataclass(frozen=True, slots=True)
class File:
    """A file by its name below `/console/`; `identity` is always among its codings."""

    name: str
    kind: bytes
    codings: Mapping[Coding, Content]

    @property
    def is_asset(self) -> bool:
        """True where its name says what is in it, so that it may be kept for ever."""
        return self.name.startswith(ASSETS)

    def best(self, accepted: str | None) -> tuple[Coding, Content]:
        """The coding to send to a client with this `accept-encoding`."""
        refused = _refused(accepted)
        for coding, content in self.codings.items():
            if refused.get(coding, coding != "identity") is False:
                return coding, content
        return "identity", self.codings["identity"]


def _refused(accepted: str | None) -> dict[str, bool]:
    """The codings that a header names, and whether it refuses them (`q=0`)."""
    found: dict[str, bool] = {}
    for part in (accepted or "").lower().split(","):
        name, _, parameters = part.partition(";")
        weight = parameters.replace(" ", "")
        found[name.strip()] = weight.startswith("q=0") and not weight[3:].strip(".0")  # 0, 0.0, 0.000
    return found


def load(directory: Traversable | None = None) -> dict[str, File]:
    """The files by name, those of the package unless told otherwise; empty where the console is not built."""
    root = resources.files("agentrunner").joinpath("_console") if directory is None else directory
    if not root.joinpath(INDEX).is_file():
        return {}
    found = dict(_walk(root, ""))
    return {name: _file(name, found) for name in found if not name.endswith((".br", ".gz"))}


def _walk(directory: Traversable, prefix: str) -> Iterator[tuple[str, bytes]]:
    """Every file but hidden ones: the build keeps notes of its own in those."""
    for entry in directory.iterdir():
        if entry.name.startswith("."):
            continue
        name = prefix + entry.name
        if entry.is_dir():
            yield from _walk(entry, f"{name}/")
        else:
            yield name, entry.read_bytes()


def _file(name: str, found: Mapping[str, bytes]) -> File:
    digest = hashlib.sha256(found[name]).hexdigest()[:32]
    codings: dict[Coding, Content] = {
        coding: Content(found[name + ending], f'"{digest}-{coding}"'.encode())
        for coding, ending in CODINGS.items()
        if name + ending in found
    }
    return File(name, _KINDS.get(name.rpartition(".")[2], b"application/octet-stream"), codings)
