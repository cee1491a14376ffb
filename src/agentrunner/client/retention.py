"""Retention: what is past it, and deleting that."""

from agentrunner.client.http import Http, encoded
from agentrunner.client.request import Request
from agentrunner.domain.retention import Pruned


def plan(http: Http) -> Pruned:
    """What would be deleted now."""
    return _ask(http, dry_run=True)


def prune(http: Http) -> Pruned:
    """Delete for some seconds; repeat it until `is_done`."""
    return _ask(http, dry_run=False)


def _ask(http: Http, *, dry_run: bool) -> Pruned:
    return http.send(Request("POST", "/v1/retention", body=encoded({"dry_run": dry_run}))).decoded(Pruned)
