"""Bodies of the framework's routes have to be of the types that the document says."""

from typing import Any

import httpx
import pytest

from api.serving import new_run, problem


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v1/runs/bulk", {"action": "stop", "all": 1}, "`all`"),
        ("/v1/runs/bulk", {"action": "stop", "all": "true"}, "`all`"),
        ("/v1/runs/bulk", {"action": "stop", "q": "a", "limit": "5"}, "`limit`"),
        ("/v1/projects", {"name": "p", "settings": {"max_running": "2"}}, "`settings.max_running`"),
        ("/v1/tokens", {"name": 1, "scope": "read"}, "`name`"),
        ("/v1/views", {"name": "v", "query": None}, "`query`"),
    ],
)
async def test_what_only_looks_alike_is_refused(client: httpx.AsyncClient, path: str, body: Any, field: str) -> None:
    """Text for a number, a number for a truth; the field is named, and nothing was done."""
    run = await new_run(client)
    assert problem(await client.post(path, json=body), 422, "invalid_field")["detail"].startswith(field)
    assert (await client.get(f"/v1/runs/{run['id']}")).json()["status"] == "RUNNING"
