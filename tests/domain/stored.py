"""A run as the database answers it."""

from typing import Any

from agentrunner.domain.retry import RetryPolicy
from agentrunner.domain.run import Limits, Run, Usage
from agentrunner.domain.state import Desired, OnLost, Status


def run(**fields: Any) -> Run:
    """A stored run with every optional field empty."""
    empty = dict.fromkeys(Run.__struct_fields__)
    known: dict[str, Any] = {
        "id": 7,
        "title": "t",
        "goal": "g",
        "project_id": 1,
        "project": "default",
        "backend": "command",
        "status": Status.QUEUED,
        "desired": Desired.RUN,
        "revision": 0,
        "answered": 0,
        "attempt": 1,
        "epoch": 0,
        "priority": 0,
        "options": {},
        "limits": Limits(),
        "retry": RetryPolicy(),
        "on_lost": OnLost.WAIT,
        "has_secrets": False,
        "usage": Usage(),
        "turns": 0,
        "last_seq": 1,
        "created_at": 1763690400123,
        "queued_at": 1763690400123,
        "labels": {},
        "metadata": {},
    }
    return Run(**{**empty, **known, **fields})
