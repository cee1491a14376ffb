"""Commands for a shim, one at a time and answered: what the worker's own connection does without blocking."""

import json
import os
import socket
from pathlib import Path
from typing import Any

import msgspec


class ShimLink:
    """A connection to a shim's `ctl`; each command is answered or has failed within its time-out."""

    def __init__(self, directory: Path, timeout_s: float = 5.0) -> None:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(timeout_s)
        try:
            # A socket's path may have 107 bytes; through the descriptor it is always short.
            self._socket.connect(f"/proc/self/fd/{descriptor}/ctl")
        except OSError:
            self._socket.close()
            raise
        finally:
            os.close(descriptor)
        self._file = self._socket.makefile("rb")

    def send(self, command: dict[str, Any]) -> dict[str, Any]:
        """Send one command and return its answer. Raises OSError where the shim is gone."""
        self._socket.sendall(json.dumps(command).encode() + b"\n")
        line = self._file.readline()
        if not line:
            raise ConnectionResetError("the shim has ended")
        return msgspec.json.decode(line, type=dict[str, Any])

    def close(self) -> None:
        """Close the connection."""
        self._file.close()
        self._socket.close()
