"""The environment of an agent: an allow-list of the worker's own, then what the run asks for, then its secrets."""

from collections.abc import Iterable, Mapping

from agentrunner.domain.run import looks_secret

ALLOWED = frozenset(
    {
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "SHELL",
        "LANG",
        "LANGUAGE",
        "TZ",
        "TMPDIR",
        "XDG_CONFIG_HOME",
        "XDG_CACHE_HOME",
        "XDG_DATA_HOME",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "NODE_EXTRA_CA_CERTS",
        "REQUESTS_CA_BUNDLE",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_PROXY",
        "http_proxy",
        "https_proxy",
        "no_proxy",
    }
)
_DEFAULTS = {"PATH": "/usr/local/bin:/usr/bin:/bin", "TERM": "dumb", "LANG": "C.UTF-8"}


def build(
    worker: Mapping[str, str], passed: Iterable[str], asked: Mapping[str, str], secrets: Mapping[str, str]
) -> dict[str, str]:
    """What an agent gets: nothing of the worker's environment but what is allowed or named in `passed`."""
    wanted = ALLOWED | {name.strip() for name in passed}
    inherited = {name: value for name, value in worker.items() if name in wanted or name.startswith("LC_")}
    return {**_DEFAULTS, **inherited, **asked, **secrets}


def secret_values(environment: Mapping[str, str], secrets: Mapping[str, str]) -> list[str]:
    """Every value that must not appear in events: the run's secrets, and what is named like one."""
    named = [value for name, value in environment.items() if looks_secret(name)]
    return sorted({*named, *secrets.values()} - {""})
