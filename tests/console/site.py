"""What the browser visits: a product on a fixed TCP port, with its runs made over the API."""

import re
from typing import Any

from playwright.sync_api import Page

from e2e.product import Product
from waiting import until


class Site:
    """A product with an address for browsers."""

    def __init__(self, product: Product) -> None:
        self.product = product
        self.base = f"http://127.0.0.1:{product.environment['AGENTRUNNER_PORT']}"

    @property
    def token(self) -> str:
        """The token that a person types in."""
        return (self.product.data_dir / "token").read_text().strip()

    def link(self, scope: str = "admin") -> str:
        """A link that signs in whoever opens it first."""
        answer = self.product.ask("POST", "/v1/logins", json={"scope": scope})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["url"])

    def shell(self, script: str, **fields: Any) -> int:
        """A run of a shell script; its id."""
        return self.product.create("command", options={"argv": ["sh", "-c", script]}, **fields)

    def kill_server(self) -> None:
        """SIGKILL the server; behind this nobody listens."""
        server = self.product.part("server")
        assert server is not None
        server.kill()
        until(lambda: not server.is_alive, 10)

    def start_server(self) -> None:
        """Start it again and wait until it answers."""
        self.product.start("server")
        until(lambda: self.product.try_ask("GET", "/v1/config"), 20, 0.01)


def ticks(page: Page) -> list[int]:
    """The numbers of the lines that are shown, in the order in which they are."""
    return [int(number) for number in re.findall(r"tick (\d{4})", page.get_by_role("main").inner_text())]


def newest(site: Site, run: int) -> int:
    """The number of the last line that the server has."""
    lines = site.product.lines(run)
    return int(lines[-1].split()[1]) if lines else 0


def streams(site: Site) -> int:
    """How many streams the server has open."""
    found = re.search(r"^agentrunner_stream_subscribers (\d+)", site.product.ask("GET", "/metrics").text, re.MULTILINE)
    assert found is not None
    return int(found[1])
