"""Figures of finished runs: over time, by what they used; and counting them anew."""

from collections.abc import Mapping

from agentrunner.client.http import Http, encoded
from agentrunner.client.request import Request
from agentrunner.domain.stats import RebuildAnswer, RebuildStep, Stats, UsageTable


def read(http: Http, asked: Mapping[str, str | None]) -> Stats:
    """Series; `asked` are the parameters of `GET /v1/stats`, those that are None left away."""
    return http.get("/v1/stats", Stats, _said(asked))


def usage(http: Http, asked: Mapping[str, str | None]) -> UsageTable:
    """Tokens and cost; `asked` are the parameters of `GET /v1/usage`, those that are None left away."""
    return http.get("/v1/usage", UsageTable, _said(asked))


def rebuild(http: Http, step: RebuildStep | None = None) -> RebuildAnswer:
    """Count anew for some seconds; repeat it with `next` until that is None."""
    request = Request("POST", "/v1/stats/rebuild", body=encoded({"next": step}))
    return http.send(request).decoded(RebuildAnswer)


def _said(asked: Mapping[str, str | None]) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in asked.items() if value is not None)
