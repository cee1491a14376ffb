"""The OpenAPI document is true, and what tries it would say where it is not."""

from collections.abc import Iterator
from typing import Any

import pytest

from e2e.product import Product
from fuzz import schema
from fuzz.schema import Trial
from fuzz.subject import subject


@pytest.fixture(scope="module")
def product() -> Iterator[Product]:
    """A server, once for all."""
    with subject() as (made, _):
        yield made


@pytest.mark.timeout(300)
def test_the_server_does_what_the_document_says(product: Product) -> None:
    """Every operation, streams and the worker protocol included, with a few examples each and every check there is."""
    found = schema.run(product, Trial(examples=2, seed=1, seconds=280))
    assert found.failures == [], found.output[-6000:]
    assert found.operations == sum(len(item) for item in product.get("/openapi.json")["paths"].values())
    assert found.cases > 1000
    answered = {line.split('route="')[1].split('"')[0] for line in successes(product)}
    assert {"/v1/runs", "/v1/stream", "/v1/runs/{run_id}/stream", "/v1/control/register", "/metrics"} <= answered


def successes(product: Product) -> list[str]:
    """The figures of requests that were answered with 2xx."""
    figures = product.ask("GET", "/metrics").text.splitlines()
    return [line for line in figures if line.startswith("agentrunner_http_requests_total") and 'status="2' in line]


def wrong_type(document: dict[str, Any]) -> None:
    """A field is said to be a number that is text."""
    document["components"]["schemas"]["ConfigView"]["properties"]["version"] = {"type": "integer"}


def wrong_status(document: dict[str, Any]) -> None:
    """The answer that comes is not in it."""
    responses = document["paths"]["/v1/config"]["get"]["responses"]
    responses["204"] = responses.pop("200")


def wrong_kind(document: dict[str, Any]) -> None:
    """Another content type is promised."""
    answer = document["paths"]["/v1/config"]["get"]["responses"]["200"]
    answer["content"] = {"text/csv": {"schema": {"type": "string"}}}


def wrong_header(document: dict[str, Any]) -> None:
    """A header is promised that never comes."""
    headers = document["paths"]["/v1/config"]["get"]["responses"]["200"]["headers"]
    headers["X-Never"] = {"required": True, "schema": {"type": "string"}}


@pytest.mark.parametrize("lie", [wrong_type, wrong_status, wrong_kind, wrong_header], ids=lambda lie: lie.__name__)
def test_a_document_that_lies_is_found(product: Product, lie: Any) -> None:
    """Silence means something only where a lie is not met with it."""
    found = schema.run(product, Trial(examples=1, seed=1, only="/v1/config", alter=lie, seconds=50))
    assert not found.ok
    assert found.failures


def test_one_that_did_not_end_is_no_success() -> None:
    """An exit code without a word is a failure."""
    assert schema.judge("", 1).failures == ["schemathesis ended with exit code 1"]
    assert not schema.judge("nothing was tried", 0).ok
