"""One table of settings; environment, TOML file, flags and documentation come from it."""

import difflib
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

PREFIX = "AGENTRUNNER_"


class Setting(NamedTuple):
    """One row: its name, type, default, and a line of help. The variable is the name in capitals behind the prefix,
    or what `known_as` says where others know it by that.

    A name with a dot is a table and a key in TOML; in variables, flags and attributes the dot is as good as `_`.
    """

    name: str
    type: type
    default: Any
    help: str
    known_as: str = ""

    @property
    def variable(self) -> str:
        """The environment variable."""
        return self.known_as or PREFIX + self.attribute.upper()

    @property
    def attribute(self) -> str:
        """Its name in `Settings`."""
        return self.name.replace(".", "_")


class BadSetting(ValueError):
    """A setting has a value or a name that cannot be used; the message says which and what to do."""


SETTINGS: tuple[Setting, ...] = (
    Setting("data_dir", str, "", "where everything is kept; empty: $XDG_DATA_HOME/agentrunner or its usual place"),
    Setting("host", str, "127.0.0.1", "address to listen on"),
    Setting("port", int, 8787, "TCP port to listen on; 0 picks a free one"),
    Setting("database_url", str, "", "postgresql://…; empty: SQLite in the data directory"),
    Setting("durability", str, "full", "full, or normal (faster; a power cut may lose the last acknowledged writes)"),
    Setting("allow_hosts", str, "", "names beside loopback that the Host header may have, separated by commas"),
    Setting("cors_origins", str, "", "origins that browsers may call from, separated by commas; empty: none"),
    Setting("insecure_no_auth", bool, False, "no token on loopback; never opens the worker protocol"),
    Setting("session_days", float, 30.0, "days after which a browser has to sign in again"),
    Setting("workers_from_network", bool, False, "serve the worker protocol on TCP too, not only on the Unix socket"),
    Setting("slots", int, 16, "how many runs this host's worker executes at once"),
    Setting("max_running", int, 1000, "how many runs may be active at once, over all workers"),
    Setting("max_running_per_agent", int, 0, "the same for one agent; 0: no cap"),
    Setting("max_running_per_backend", int, 0, "the same for one backend; 0: no cap"),
    Setting("max_queued", int, 1_000_000, "how many runs may wait in the queue"),
    Setting("lease_s", float, 15.0, "how long a worker is believed in without a sign of life"),
    Setting("heartbeat_s", float, 5.0, "how often a worker gives one"),
    Setting("queue_expires_s", float, 0.0, "a run that waits longer ends FAILED queue_expired; 0: never"),
    Setting("grace_s", float, 10.0, "seconds between asking an agent to end and killing its tree"),
    Setting("spool_cap_mb", int, 256, "disk a run's unrecorded output may use before the agent has to wait"),
    Setting("retention.spools", float, 7.0, "days that the raw output and the secrets of an ended run are kept"),
    Setting("retention.spools_bytes", int, 10 << 30, "disk it may use on a worker, oldest goes first; 0: no cap"),
    Setting("retention.events", float, 0.0, "days that the timeline of an ended run is kept; 0: for ever"),
    Setting("retention.runs", float, 0.0, "days that an ended run is kept at all; 0: for ever"),
    Setting("pass_env", str, "", "variables of the worker that agents get beside PATH, HOME and the like, by commas"),
    Setting("tree", str, "", "cgroup2, cgroup1 or walk; empty: the best that the host offers"),
    Setting("server_url", str, "", "the server a worker or a command talks to; empty: the local one"),
    Setting("token", str, "", "the token to send; empty: the one in the data directory"),
    Setting("agentops_api_key", str, "", "a key that opens the Agent Ops surface, as x-api-key", "AGENTOPS_API_KEY"),
    Setting("log_level", str, "info", "debug, info, warning or error"),
    Setting("disable_worker", bool, False, "`up` starts the server alone; runs wait for a worker", "DISABLE_WORKER"),
    Setting(
        "worker_check_interval",
        float,
        5.0,
        "seconds, 1 to 30, after which a waiting worker asks for runs again; a new run is taken at once",
        "WORKER_CHECK_INTERVAL",
    ),
    Setting("worker_batch_size", int, 1000, "how many runs a worker takes at once, 1 to 1000", "WORKER_BATCH_SIZE"),
    Setting("worker_name", str, "", "how this worker is called; empty: the host's name"),
    Setting("forgejo_url", str, "", "a Forgejo whose health the console shows; empty: none", "NEXT_PUBLIC_FORGEJO_URL"),
    Setting("taiga_url", str, "", "a Taiga whose health the console shows; empty: none", "NEXT_PUBLIC_TAIGA_URL"),
    Setting("ollama_url", str, "", "an Ollama whose health the console shows; empty: none", "NEXT_PUBLIC_OLLAMA_URL"),
    Setting("polling_interval_fast", int, 1500, "console: milliseconds between polls where streaming is not possible"),
    Setting("polling_max_backoff", int, 30_000, "console: the longest pause between polls, milliseconds"),
    Setting("event_max_buffer", int, 1000, "console: how many events of a run a browser keeps"),
)
OPTIONAL_SERVICES = ("forgejo", "taiga", "ollama")
"""Each has a setting with its URL."""
BY_NAME = {setting.name: setting for setting in SETTINGS}
_NAMES = {setting.attribute: setting.name for setting in SETTINGS}


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting by attribute, from the table; anything else is an AttributeError."""

    values: Mapping[str, Any]

    def __getattr__(self, name: str) -> Any:
        try:
            return self.values[_NAMES.get(name, name)]
        except KeyError:
            raise AttributeError(name) from None

    @property
    def data_path(self) -> Path:
        """The data directory."""
        return Path(self.values["data_dir"])


def load(environment: Mapping[str, str], overrides: Mapping[str, Any] | None = None) -> Settings:
    """The settings: flags over environment over the data directory's `agentrunner.toml` over defaults.

    Raises BadSetting for a name that is not in the table (suggesting the nearest) or a value of the wrong type.
    """
    given = {name: value for name, value in (overrides or {}).items() if value is not None}
    from_env = _from_environment(environment)
    data_dir = given.get("data_dir") or from_env.get("data_dir") or default_data_dir(environment)
    data_dir = str(Path(data_dir).expanduser().absolute())
    from_file = _from_file(Path(data_dir) / "agentrunner.toml")
    for name in given:
        if name not in BY_NAME:
            raise BadSetting(f"unknown setting {name!r}{_nearest(name)}")
    merged = {setting.name: setting.default for setting in SETTINGS} | from_file | from_env | given
    values = {name: convert(BY_NAME[name], value) for name, value in merged.items()}
    _check(values)
    return Settings(values | {"data_dir": data_dir})


def _check(values: Mapping[str, Any]) -> None:
    if values["heartbeat_s"] * 2 > values["lease_s"]:
        raise BadSetting("`heartbeat_s` may be half of `lease_s` at most, or one lost sign of life ends the lease")
    for name, high in (("worker_check_interval", 30), ("worker_batch_size", 1000)):
        if not 1 <= values[name] <= high:
            raise BadSetting(f"{BY_NAME[name].variable}={values[name]:g} must be from 1 to {high}")
    for name in OPTIONAL_SERVICES:
        _check_url(f"{name}_url", values[f"{name}_url"])


def _check_url(name: str, url: str) -> None:
    """Refuse what is no plain http(s) address; the value is not shown, for it may hold a password."""
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_good = False
    else:
        is_good = is_good and url.isascii() and url.isprintable() and " " not in url
        is_good = is_good and "@" not in parts.netloc and not parts.query and not parts.fragment
    if url and not is_good:
        raise BadSetting(f"`{name}` has to be like http://localhost:3000, without a user, a query or a fragment")


def default_data_dir(environment: Mapping[str, str]) -> str:
    """$XDG_DATA_HOME/agentrunner, else ~/.local/share/agentrunner."""
    base = environment.get("XDG_DATA_HOME") or str(Path(environment.get("HOME", "~")).expanduser() / ".local/share")
    return str(Path(base) / "agentrunner")


def convert(setting: Setting, value: Any) -> Any:
    """`value` in the setting's type; raises BadSetting."""
    if setting.type is bool and isinstance(value, str):
        lowered = value.strip().lower()
        if lowered in {"1", "true", "yes", "on"}:
            return True
        if lowered in {"", "0", "false", "no", "off"}:
            return False
        raise BadSetting(f"{setting.variable}={value!r} is neither true nor false")
    is_exact = type(value) is setting.type
    if not is_exact and not isinstance(value, str) and not (setting.type is float and type(value) is int):
        raise BadSetting(f"{setting.name} = {value!r} is not of type {setting.type.__name__}")
    try:
        converted = setting.type(value)
    except ValueError as error:
        raise BadSetting(f"{setting.variable}={value!r} is not of type {setting.type.__name__}") from error
    if setting.type in {int, float} and not 0 <= converted < math.inf:
        raise BadSetting(f"{setting.variable}={value!r} must be a number from 0")
    return converted


def _from_environment(environment: Mapping[str, str]) -> dict[str, str]:
    return {s.name: environment[s.variable] for s in SETTINGS if s.variable in environment}


def _from_file(path: Path) -> dict[str, Any]:
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadSetting(f"{path} cannot be read: {error}") from error
    found = flat(table)
    for name in found:
        if name not in BY_NAME:
            raise BadSetting(f"{path}: unknown setting {name!r}{_nearest(name)}")
    return found


def flat(table: Mapping[str, Any]) -> dict[str, Any]:
    """A file's tables as names with dots: `[retention]` and `spools = 7` is `retention.spools`."""
    found: dict[str, Any] = {}
    for name, value in table.items():
        inner = {f"{name}.{key}": item for key, item in value.items()} if isinstance(value, dict) else {name: value}
        found.update(inner)
    return found


def _nearest(name: str) -> str:
    found = difflib.get_close_matches(name, BY_NAME, n=1)
    return f"; did you mean {found[0]!r}?" if found else f"; known are {', '.join(sorted(BY_NAME))}"
