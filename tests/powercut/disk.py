"""A disk in memory whose power may be cut at any operation: of what was not synced, any part may be there then."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import apsw

SECTOR = 512
_POWERSAFE_OVERWRITE = 0x1000
"""SQLITE_IOCAP_POWERSAFE_OVERWRITE, as SQLite's own VFS says by default: a write damages nothing beside it."""


class PowerCut(Exception):
    """The power went; the operation that was on its way is undone, done, or done in part."""


@dataclass
class _Content:
    """What programs read, what survives, and the writes that lie between: an offset with bytes, or a new length."""

    seen: bytearray = field(default_factory=bytearray)
    durable: bytearray = field(default_factory=bytearray)
    unsynced: list[tuple[int, bytes | None]] = field(default_factory=list)


class Disk:
    """Files by name. The power is cut before operation number `cut_at`, counted from 1; None: never."""

    def __init__(self, image: Mapping[str, bytes], seed: int, cut_at: int | None = None) -> None:
        self.files = {name: _Content(bytearray(data), bytearray(data)) for name, data in image.items()}
        self.operations = 0
        self.image: dict[str, bytes] | None = None
        self._random = random.Random(seed)
        self._cut_at = cut_at

    def count(self) -> None:
        """One more operation. Raises PowerCut where it is the last; afterwards nothing reaches the disk."""
        self.operations += 1
        if self.operations == self._cut_at:
            self.cut()
            raise PowerCut

    def cut(self) -> None:
        """Fix what is there when the power comes back: what was synced, and each unsynced sector or not."""
        if self.image is None:
            self.image = {name: self._survives(content) for name, content in self.files.items()}

    def _survives(self, content: _Content) -> bytes:
        data = bytearray(content.durable)
        for offset, written in content.unsynced:
            if written is None:
                if self._random.random() < 0.5:
                    del data[offset:]
                continue
            for start, piece in _sectors(offset, written):
                if self._random.random() < 0.5:
                    _put(data, start, piece)
        return bytes(data)

    def write(self, name: str, offset: int, data: bytes) -> None:
        """Into the cache."""
        content = self.files[name]
        content.unsynced.append((offset, data))
        self.count()
        _put(content.seen, offset, data)

    def truncate(self, name: str, size: int) -> None:
        """In the cache."""
        content = self.files[name]
        content.unsynced.append((size, None))
        self.count()
        del content.seen[size:]

    def sync(self, name: str) -> None:
        """From the cache to the disk."""
        content = self.files[name]
        self.count()
        for offset, written in content.unsynced:
            if written is None:
                del content.durable[offset:]
            else:
                _put(content.durable, offset, written)
        content.unsynced.clear()


def _sectors(offset: int, data: bytes) -> list[tuple[int, bytes]]:
    borders = [offset, *range(offset - offset % SECTOR + SECTOR, offset + len(data), SECTOR), offset + len(data)]
    return [(a, data[a - offset : b - offset]) for a, b in pairwise(borders)]


def _put(target: bytearray, offset: int, data: bytes) -> None:
    if len(target) < offset:
        target.extend(bytes(offset - len(target)))
    target[offset : offset + len(data)] = data


class _File:
    """An open file, in the words of SQLite."""

    def __init__(self, disk: Disk, name: str) -> None:
        self._disk = disk
        self._name = name
        self._content = disk.files.setdefault(name, _Content())

    def xRead(self, amount: int, offset: int) -> bytes:
        return bytes(self._content.seen[offset : offset + amount])

    def xWrite(self, data: bytes, offset: int) -> None:
        self._disk.write(self._name, offset, bytes(data))

    def xTruncate(self, size: int) -> None:
        self._disk.truncate(self._name, size)

    def xSync(self, flags: int) -> None:
        self._disk.sync(self._name)

    def xFileSize(self) -> int:
        return len(self._content.seen)

    def xClose(self) -> None:
        pass

    def xLock(self, level: int) -> None:
        pass

    def xUnlock(self, level: int) -> None:
        pass

    def xCheckReservedLock(self) -> bool:
        return False

    def xFileControl(self, operation: int, pointer: int) -> bool:
        return False

    def xSectorSize(self) -> int:
        return SECTOR

    def xDeviceCharacteristics(self) -> int:
        return _POWERSAFE_OVERWRITE


class DiskVFS(apsw.VFS):
    """SQLite's view of a disk."""

    def __init__(self, name: str, disk: Disk) -> None:
        self._disk = disk
        super().__init__(name, base="")

    def xOpen(self, name: "apsw.URIFilename | str | None", flags: list[int]) -> _File:
        flags[1] = flags[0]
        opened = name.filename() if isinstance(name, apsw.URIFilename) else name
        return _File(self._disk, opened or f"temporary-{len(self._disk.files)}")

    def xDelete(self, name: str, sync: bool) -> None:
        self._disk.files.pop(name, None)

    def xAccess(self, name: str, flags: int) -> bool:
        return name in self._disk.files

    def xFullPathname(self, name: str) -> str:
        return name
