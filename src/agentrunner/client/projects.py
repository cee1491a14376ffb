"""Projects: create and list."""

from collections.abc import Iterator

from agentrunner.client.http import Http, encoded
from agentrunner.client.page import Page, each
from agentrunner.client.request import Request
from agentrunner.domain.project import NewProject, ProjectView


def create(http: Http, new: NewProject) -> ProjectView:
    """Create a project. Raises NameTaken."""
    return http.send(Request("POST", "/v1/projects", body=encoded(new))).decoded(ProjectView)


def every(http: Http) -> Iterator[ProjectView]:
    """Every project, the oldest first."""
    return each(http, "/v1/projects", Page[ProjectView], (("limit", "500"),))
