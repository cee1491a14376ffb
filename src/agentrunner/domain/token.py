"""Tokens: who may call what."""

from enum import StrEnum

PREFIX = "ar_"


class Scope(StrEnum):
    """What a token opens; `admin` opens everything but the worker protocol, which needs `worker`."""

    ADMIN = "admin"
    READ = "read"
    REPORT = "report"
    WORKER = "worker"
    METRICS = "metrics"


_OPENS = {
    Scope.ADMIN: frozenset({Scope.ADMIN, Scope.READ, Scope.REPORT, Scope.METRICS}),
    Scope.READ: frozenset({Scope.READ, Scope.METRICS}),
    Scope.REPORT: frozenset({Scope.REPORT}),
    Scope.WORKER: frozenset({Scope.WORKER}),
    Scope.METRICS: frozenset({Scope.METRICS}),
}


def opens(held: Scope, needed: Scope) -> bool:
    """True where a token of scope `held` opens a call that needs `needed`."""
    return needed in _OPENS[held]
