"""Agents and their versions: list."""

from collections.abc import Iterator

from agentrunner.client.http import Http
from agentrunner.client.page import Page, each
from agentrunner.domain.agent import AgentView, VersionView
from agentrunner.domain.stats import Figures


class Version(VersionView, frozen=True, kw_only=True):
    """A version with the figures of all its runs that have ever ended."""

    figures: Figures


def every(http: Http) -> Iterator[AgentView]:
    """Every agent, by name."""
    return each(http, "/v1/agents", Page[AgentView], (("limit", "500"),))


def named(http: Http, name: str) -> AgentView:
    """The agent of a name. Raises AgentNotFound."""
    return http.get("/v1/agents", Page[AgentView], (("name", name),)).items[0]


def versions(http: Http, agent_id: int) -> Iterator[Version]:
    """Every version of an agent, the newest first."""
    return each(http, f"/v1/agents/{agent_id}/versions", Page[Version], (("limit", "500"),))
