"""What a run has used over time, over HTTP."""

from litestar import get

from agentrunner.api.routes import Given, RunId
from agentrunner.domain.sample import SamplePage
from agentrunner.domain.token import Scope
from agentrunner.engine import samples


@get("/v1/runs/{run_id:int}/samples", opt={"scope": Scope.READ}, summary="CPU, memory and processes of a run over time")
async def show(context: Given, run_id: RunId) -> SamplePage:
    """Totals, and samples in order: taken with the worker's heartbeats, fewer the longer the run."""
    return await samples.show(context.services, run_id)


HANDLERS = [show]
