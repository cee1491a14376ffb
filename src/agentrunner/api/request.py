"""The framework's requests, with JSON that has to be of the types a handler says."""

from typing import Any

from litestar import Request

from agentrunner.api.call import Call, decode

CALL = "agentrunner.call"
"""Where a request's `Call` is in its scope."""


class StrictRequest(Request[Any, Any, Any]):
    """Decodes a body straight into the handler's type: the framework would take `"5"` for 5 and 1 for true."""

    async def json(self) -> Any:
        """The body as what the handler asks for. Raises InvalidRequest, InvalidField."""
        call: Call = self.scope[CALL]  # type: ignore[literal-required]
        field = self.route_handler.parsed_data_field
        content = await self.body()
        with call.decoding():
            return decode(content, Any if field is None else field.annotation)
