"""Where reports go and where they are kept until then."""

import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from agentrunner.client.delivery import log
from agentrunner.client.spool import Head
from agentrunner.client.target import TOKEN_FILE, Target, find
from agentrunner.config import BadSetting, default_data_dir, load
from agentrunner.domain.errors import ServerUnreachable


@dataclass(frozen=True, slots=True)
class Place:
    """A server as a reporter was told of it. The token stays in memory: no spool has it."""

    server_url: str
    data_dir: str
    token: str | None = field(default=None, repr=False)

    @classmethod
    def of(
        cls,
        server: str | None = None,
        token: str | None = None,
        data_dir: str | os.PathLike[str] | None = None,
        *,
        is_strict: bool = True,
    ) -> "Place":
        """The server asked for, else the one in the environment. Where settings are wrong: BadSetting, or a warning."""
        directory = None if data_dir is None else os.fspath(data_dir)
        try:
            settings = load(os.environ, {"server_url": server, "token": token, "data_dir": directory})
        except BadSetting as error:
            if is_strict:
                raise
            log.warning("settings are not used: %s", error)
            return cls(server or "", directory or default_data_dir(os.environ), token)
        return cls(str(settings.server_url).strip(), settings.data_dir, settings.token or None)

    def target(self, head: Head) -> Target:
        """The server of a spool, looked for anew: it may have been started meanwhile. Raises BadSetting.

        Our token goes only to the server that we were told of; another one gets what its data directory holds.
        """
        is_ours = (head.server_url, head.data_dir) == (self.server_url, self.data_dir)
        given = {"server_url": head.server_url, "data_dir": head.data_dir, "token": self.token if is_ours else ""}
        others = {name: value for name, value in os.environ.items() if name != "AGENTRUNNER_TOKEN"}
        target = find(load(others, {**given, "token": given["token"] or ""}))
        if target.is_guess and (Path(head.data_dir) / TOKEN_FILE).exists():
            # Its own server is down; whoever listens at the usual port is another one, and not to hear this.
            raise ServerUnreachable(f"The server of {head.data_dir} is not running.")
        return target

    @staticmethod
    def state_dir(asked: str | os.PathLike[str] | None = None) -> Path:
        """Where this user's spools are: `reports` below what was asked for or `$XDG_STATE_HOME/agentrunner`."""
        if asked is not None:
            return Path(asked) / "reports"
        base = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
        if not os.path.isabs(base):
            base = os.path.join(tempfile.gettempdir(), f"agentrunner-{os.geteuid()}")
        return Path(base) / "agentrunner" / "reports"
