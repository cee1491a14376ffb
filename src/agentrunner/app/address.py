"""Where the server of a data directory listens."""

from pathlib import Path

SOCKET_NAME = "agentrunner.sock"
_ADDRESS_FILE = "address"


def write_address(data_dir: Path, host: str, port: int) -> None:
    """Tell this host's commands and people the address; with port 0 nobody could guess it."""
    shown = f"[{host}]" if ":" in host else host
    temporary = data_dir / f"{_ADDRESS_FILE}.tmp"
    temporary.write_text(f"http://{shown}:{port}\n")
    temporary.rename(data_dir / _ADDRESS_FILE)


def read_address(data_dir: Path) -> str | None:
    """The address of the server that was started last; None where it serves no TCP."""
    try:
        return (data_dir / _ADDRESS_FILE).read_text().strip() or None
    except FileNotFoundError:
        return None


def forget_address(data_dir: Path) -> None:
    """No server listens on TCP any more."""
    (data_dir / _ADDRESS_FILE).unlink(missing_ok=True)
