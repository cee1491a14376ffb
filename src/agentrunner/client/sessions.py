"""Signing browsers in."""

import msgspec

from agentrunner.client.http import Http, encoded
from agentrunner.client.request import Request
from agentrunner.domain.token import Scope


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """A link that signs one browser in, once, until `expires_at`."""

    url: str
    code: str
    expires_at: str


def invite(http: Http, scope: Scope) -> Login:
    """Make a link. Not sent again once it may have arrived: each is one more that is open."""
    return http.send(Request("POST", "/v1/logins", body=encoded({"scope": scope}))).decoded(Login)
