"""`/metrics`, for Prometheus."""

from agentrunner.api import query
from agentrunner.api.call import Call
from agentrunner.api.context import Context
from agentrunner.api.routes import Raw
from agentrunner.domain.token import Scope

TEXT = "text/plain; version=0.0.4; charset=utf-8"


async def show(context: Context, call: Call, _: str) -> None:
    """`GET /metrics`."""
    query.check(call.scope["query_string"], (), ())
    await call.answer(await context.figures.text(), kind=TEXT.encode())


ROUTES = [
    Raw("GET", "/metrics", Scope.METRICS, show, "Figures for Prometheus", answers={200: None}, answer_type=TEXT),
]
