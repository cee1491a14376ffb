"""What a run has used over time."""

from agentrunner.client.http import Http
from agentrunner.domain.sample import SamplePage


def get(http: Http, run_id: int) -> SamplePage:
    """Totals and samples of a run."""
    return http.get(f"/v1/runs/{run_id}/samples", SamplePage)
