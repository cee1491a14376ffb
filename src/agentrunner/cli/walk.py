"""One run as a client of the Agent Ops surface reports it: create, tell, amend; each repeated until it is answered."""

import os
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import msgspec

from agentrunner.app.address import read_address
from agentrunner.cli.session import Session
from agentrunner.client.request import Request
from agentrunner.client.target import find

KEY_VARIABLE = "AGENTOPS_API_KEY"


class _Created(msgspec.Struct, frozen=True):
    id: str


class Walk:
    """A run that is reported step by step. A key goes as `x-api-key` in place of any token."""

    def __init__(self, session: Session, api_key: str | None, pause: Callable[[], None]) -> None:
        from agentrunner.client.http import Http

        key = api_key or os.environ.get(KEY_VARIABLE)
        target = find(session.settings)
        self._headers = (("x-api-key", key),) if key else ()
        self._http = Http(replace(target, token=None) if key else target)
        self._run_id = ""
        self.pause = pause
        # A Unix socket is no address for a browser.
        self.server = target.url if target.socket is None else read_address(target.socket.parent) or target.words

    @property
    def console(self) -> str:
        """Where a person sees the run."""
        return f"{self.server}/console/"

    def create(self, title: str) -> str:
        """Begin; answers the run's id."""
        body = msgspec.json.encode({"title": title, "status": "running"})
        request = Request("POST", "/api/runs", body=body, key=uuid.uuid4().hex, more_headers=self._headers)
        self._run_id = self._http.send(request).decoded(_Created).id
        return self._run_id

    def tell(self, type: str, payload: dict[str, Any], level: str = "info", *, task: str | None = None) -> None:
        """Tell one event."""
        event = {"type": type, "level": level, "payload": payload, "agentId": "agent-runner"}
        self._send("POST", "/events", event if task is None else {**event, "taskId": task})

    def amend(self, fields: dict[str, Any]) -> None:
        """Change fields of the run."""
        self._send("PATCH", "", fields)

    def _send(self, method: str, below: str, body: dict[str, Any]) -> None:
        path = f"/api/runs/{quote(self._run_id, safe='')}{below}"
        key = uuid.uuid4().hex if method == "POST" else None
        content = msgspec.json.encode(body)
        self._http.send(Request(method, path, body=content, key=key, is_repeatable=True, more_headers=self._headers))
