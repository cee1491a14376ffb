"""Tokens over HTTP."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from api.serving import problem


async def test_the_text_shows_once(client: httpx.AsyncClient, tmp_path: Path) -> None:
    """A token's text is answered when it is made, and is nowhere afterwards, the database file included."""
    made = (await client.post("/v1/tokens", json={"name": "prometheus", "scope": "metrics"})).json()
    assert made["token"].startswith("ar_")
    assert len(made["token"]) >= 40
    listed = await client.get("/v1/tokens")
    assert [item["name"] for item in listed.json()["items"]] == ["admin", "prometheus"]
    assert made["token"] not in listed.text
    assert made["token"].encode() not in stored(tmp_path)
    assert b"prometheus" in stored(tmp_path)


def stored(directory: Path) -> bytes:
    """What the database's files hold."""
    return b"".join(path.read_bytes() for path in directory.glob("agentrunner.db*"))


async def test_revoking(client: httpx.AsyncClient) -> None:
    """A revoked token stays listed with its end; revoking it again, or one that never was, is 404."""
    made = (await client.post("/v1/tokens", json={"name": "x", "scope": "read"})).json()
    assert (await client.delete(f"/v1/tokens/{made['id']}")).status_code == 204
    assert (await client.get("/v1/tokens")).json()["items"][1]["revoked_at"] is not None
    problem(await client.delete(f"/v1/tokens/{made['id']}"), 404, "not_found")
    problem(await client.delete("/v1/tokens/999"), 404, "not_found")
    problem(await client.delete("/v1/tokens/99999999999999999999"), 422, "invalid_field")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"name": "x"}, "`scope`"),
        ({"name": "x", "scope": "root"}, "`scope`"),
        ({"name": "", "scope": "read"}, "`name`"),
        ({"name": "a\nb", "scope": "read"}, "`name`"),
        ({"name": "x", "scope": "read", "token": "mine"}, "`token`"),
    ],
)
async def test_bad_requests(client: httpx.AsyncClient, body: dict[str, Any], says: str) -> None:
    """The field that is wrong is named."""
    assert says in problem(await client.post("/v1/tokens", json=body), 422, "invalid_field")["detail"]
