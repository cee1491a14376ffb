"""Where the server is and which token opens it: found from the settings, without asking anybody."""

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from agentrunner.config import BadSetting, Settings
from agentrunner.domain.errors import ConfigurationError

SOCKET_NAME = "agentrunner.sock"
TOKEN_FILE = "token"
_SOCKET_SCHEME = "unix:"
_EVERY_ADDRESS = {"", "0.0.0.0", "::", "*"}
_USUAL_PORT = 8787


@dataclass(frozen=True, slots=True)
class Target:
    """A server's address. `socket` is the Unix socket that requests for `url` go through.

    `is_guess` says that nothing points to a server there: it is only where one usually is.
    """

    url: str
    socket: Path | None = None
    token: str | None = None
    is_guess: bool = False

    @property
    def words(self) -> str:
        """The address as a person writes it."""
        return str(self.socket) if self.socket is not None else self.url


def find(settings: Settings) -> Target:
    """The server in the settings, else the one behind the data directory's socket, else the usual local address.

    The data directory's token is sent to its socket and to a local address that was given; any other server gets the
    one in the settings, or none.
    Raises BadSetting, ConfigurationError.
    """
    given = str(settings.server_url).strip()
    if given.startswith(_SOCKET_SCHEME):
        socket = Path(given.removeprefix(_SOCKET_SCHEME).removeprefix("//"))
        return Target("http://agentrunner", socket, _token(settings))
    if given:
        host = _checked_host(given)
        token = _token(settings) if _is_local(host) else settings.token or None
        return Target(given.rstrip("/"), None, token)
    socket = settings.data_path / SOCKET_NAME
    if socket.exists():
        return Target("http://agentrunner", socket, _token(settings))
    host = "127.0.0.1" if settings.host in _EVERY_ADDRESS else settings.host
    url = f"http://{f'[{host}]' if ':' in host else host}:{settings.port or _USUAL_PORT}"
    # A server of this data directory would have its socket here, so whoever listens there is not to see its token.
    return Target(url, None, settings.token or None, is_guess=True)


def _checked_host(url: str) -> str:
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port
    except ValueError as error:
        raise BadSetting(f"server_url = {url!r} is not an address: {error}") from error
    if parts.scheme not in {"http", "https"} or not host or parts.query or parts.fragment:
        raise BadSetting(f"server_url = {url!r} is not an address such as http://127.0.0.1:8787")
    if parts.username is not None or parts.password is not None:
        raise BadSetting("server_url holds a name or a password; leave them out and set AGENTRUNNER_TOKEN")
    return host


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _token(settings: Settings) -> str | None:
    if settings.token:
        return str(settings.token).strip()
    path = settings.data_path / TOKEN_FILE
    try:
        return path.read_text("utf-8").strip() or None
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"The token in {path} cannot be read ({error}); set AGENTRUNNER_TOKEN.") from error
