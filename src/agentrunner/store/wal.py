"""What is left of SQLite's write-ahead log, looked at before SQLite opens it.

SQLite recovers a log up to its last sound commit and says nothing about what comes behind. A power cut leaves at most
one commit there, which nobody was told of; more than one means that acknowledged changes are damaged. The format is
that of https://www.sqlite.org/walformat.html.
"""

import shlex
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

_HEADER = 32
_FRAME_HEADER = 24
_MAGIC = {0x377F0682: "<", 0x377F0683: ">"}
_PAGE_SIZES = frozenset(1 << bits for bits in range(9, 17))
_INDEX = struct.Struct("=IIIBBHIIII8sII")


class _Log(NamedTuple):
    """The log's header: how sums are computed, the page size, the salts, the sum so far."""

    order: str
    page_size: int
    salts: bytes
    sums: tuple[int, int]


class _Frame(NamedTuple):
    """A frame: whether it continues the one before, whether it is of this generation, whether it ends a commit."""

    is_sound: bool
    is_ours: bool
    is_commit: bool


@dataclass(frozen=True, slots=True)
class WalState:
    """`sound` frames up to the last sound commit; behind them `dropped` frames and `dropped_commits` ends of commits.

    `indexed` is how many committed frames the index beside it knew of, 0 where it does not say. `size` is that of the
    sound part in bytes; `is_broken`: the header itself cannot be right.
    """

    sound: int = 0
    dropped: int = 0
    dropped_commits: int = 0
    indexed: int = 0
    size: int = 0
    is_broken: bool = False

    @property
    def is_damaged(self) -> bool:
        """Whether changes that were acknowledged are lost, where every commit was synced."""
        return self.is_broken or self.indexed > self.sound or self.dropped_commits > 1


def examine(database: Path) -> WalState:
    """The state of a database's log, while nobody has it open. Raises OSError."""
    try:
        with database.with_name(database.name + "-wal").open("rb") as file:
            return _examine(file, _index(database.with_name(database.name + "-shm")))
    except FileNotFoundError:
        return WalState()


def is_read(database: Path) -> bool:
    """False where a database's header is not that of one with a log: SQLite would then pass over the log."""
    try:
        with database.open("rb") as file:
            return file.read(20)[18:] == b"\2\2"
    except FileNotFoundError:
        return False


def advice(log: Path, state: WalState) -> str:
    """What a person can do about a damaged log."""
    index = log.with_name(log.name.removesuffix("-wal") + "-shm")
    quoted, copy = shlex.quote(str(log)), shlex.quote(f"{log}.damaged")
    cut = f"cp -p {quoted} {copy} && truncate -s {state.size} {quoted}" if state.size else f"mv {quoted} {copy}"
    return (
        "Acknowledged changes in it are lost. Restore a backup (`agentrunner db restore FILE`), or go on with what was "
        f"written before the damage: `{cut} && rm -f {shlex.quote(str(index))}`, then `agentrunner db check`."
    )


def _examine(file: BinaryIO, index: tuple[bytes, int] | None) -> WalState:
    start = file.read(_HEADER)
    # All zeros: the cut came before the header was synced, so nobody was told of anything in this log.
    if not start.strip(b"\0"):
        return WalState()
    if (log := _header(start)) is None:
        return WalState(is_broken=True)
    sound = count = commits = 0
    is_whole = True
    for number, frame in enumerate(_frames(file, log), start=1):
        is_whole = is_whole and frame.is_sound
        if is_whole:
            sound = number if frame.is_commit else sound
        elif frame.is_ours:
            count = number
            commits += frame.is_commit
    indexed = index[1] if index is not None and index[0] == log.salts else 0
    size = _HEADER + sound * (_FRAME_HEADER + log.page_size) if sound else 0
    return WalState(sound, max(0, count - sound), commits, indexed, size)


def _header(data: bytes) -> _Log | None:
    if len(data) < _HEADER:
        return None
    magic, version, page_size = struct.unpack(">III", data[:12])
    if magic not in _MAGIC or version != 3_007_000 or page_size not in _PAGE_SIZES:
        return None
    sums = _sum(_MAGIC[magic], data[:24], (0, 0))
    return _Log(_MAGIC[magic], page_size, data[16:24], sums) if sums == struct.unpack(">II", data[24:]) else None


def _frames(file: BinaryIO, log: _Log) -> Iterator[_Frame]:
    """Each frame is summed up from the stored sum of the one before, so that one that is damaged hides no others."""
    before = log.sums
    while len(head := file.read(_FRAME_HEADER)) == _FRAME_HEADER:
        page = file.read(log.page_size)
        stored = struct.unpack(">II", head[16:])
        is_ours = head[8:16] == log.salts
        # What SQLite wrote before it began this log anew; to sum it up would cost the more, the less there is to see.
        is_sound = is_ours and len(page) == log.page_size
        is_sound = is_sound and _sum(log.order, page, _sum(log.order, head[:8], before)) == stored
        yield _Frame(is_sound, is_ours, head[4:8] != b"\0\0\0\0")
        before = stored


def _sum(order: str, data: bytes, sums: tuple[int, int]) -> tuple[int, int]:
    """SQLite's sum: two numbers that depend on each other, over pairs of words."""
    first, second = sums
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    pairs = iter(words)
    for one, two in zip(pairs, pairs, strict=True):
        first = (first + one + second) & 0xFFFFFFFF
        second = (second + two + first) & 0xFFFFFFFF
    return first, second


def _index(path: Path) -> tuple[bytes, int] | None:
    """The salts and the committed frames that the index of the last process knew, where it is whole."""
    try:
        with path.open("rb") as file:
            data = file.read(2 * _INDEX.size)
    except FileNotFoundError:
        return None
    if len(data) < 2 * _INDEX.size or data[: _INDEX.size] != data[_INDEX.size :]:
        return None
    fields = _INDEX.unpack_from(data)
    is_whole = fields[3] == 1 and _sum("=", data[: _INDEX.size - 8], (0, 0)) == fields[-2:]
    return (fields[10], fields[6]) if is_whole else None
