"""Tokens and cost over HTTP, the dearest first."""

from litestar import get

from agentrunner.api.routes import Given
from agentrunner.api.stats import CHOSEN, Ever, Narrowed, Split, Until, window
from agentrunner.domain.errors import InvalidField
from agentrunner.domain.stats import By, UsageTable
from agentrunner.domain.token import Scope
from agentrunner.engine import stats
from agentrunner.engine.stats import Asked


@get(
    "/v1/usage", opt={"scope": Scope.READ}, dependencies=CHOSEN, summary="Tokens and cost by agent, version or project"
)
async def show(
    context: Given, narrowed: Narrowed, since: Ever = None, until: Until = None, by: Split = By.VERSION
) -> UsageTable:
    """What finished runs used and cost, and what a success cost; ever, or from `since` on."""
    if since is None and until is not None:
        raise InvalidField("`until` needs `since`.")
    asked = Asked(*window(context.services, since, until), *narrowed, by)
    return await stats.usage(context.services, asked)


HANDLERS = [show]
