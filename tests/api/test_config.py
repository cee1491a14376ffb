"""What clients have to know."""

import httpx
import pytest


@pytest.mark.parametrize("overrides", [{"polling_interval_fast": 777, "event_max_buffer": 50}])
async def test_config(client: httpx.AsyncClient) -> None:
    """Settings, version and instance are answered; nothing secret is among them."""
    found = (await client.get("/v1/config")).json()
    assert (found["polling_interval_fast"], found["event_max_buffer"]) == (777, 50)
    assert found["instance"] == "instance-of-the-test"
    assert found["version"]
    assert found["most"] == {"runs": 1000, "runs_bytes": 8 << 20, "events": 10_000, "events_bytes": 8 << 20}
    assert not {"token", "data_dir", "database_url"} & found.keys()
