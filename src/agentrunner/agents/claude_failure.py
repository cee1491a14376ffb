"""What Claude Code's failures mean: its error kinds, HTTP statuses and sentences as reasons.

Seen with 2.1.197 against an endpoint that answered each status; the kinds are those of its own message schema. The
status is null for failures below HTTP, and some kinds are wrong (529 and a refused connection are both `server_error`),
so the sentence decides where it is specific.
"""

import re
from dataclasses import dataclass

from agentrunner.domain.state import Reason


@dataclass(frozen=True, slots=True)
class Failure:
    """What is known of a failure: HTTP status, the program's word for it, its sentence, why its loop ended."""

    text: str = ""
    status: int | None = None
    kind: str | None = None
    subtype: str | None = None
    ended_by: str | None = None


_SENTENCES: tuple[tuple[re.Pattern[str], Reason], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), reason)
    for pattern, reason in (
        (r"prompt is too long|input length and `?max_tokens|context (?:window|length)", Reason.CONTEXT_OVERFLOW),
        (r"request too large", Reason.CONTEXT_OVERFLOW),
        (r"credit balance|\bquota\b|usage limit|spend(?:ing)? limit|out of credits|hit your \w* ?limit", Reason.QUOTA),
        (r"not logged in|/login\b|invalid api key|failed to authenticate|oauth token", Reason.AUTH),
        (r"issue with the selected model", Reason.MODEL_UNAVAILABLE),
        (r"unable to connect|timed out|connection error|ECONN|ENOTFOUND|EAI_AGAIN|certificate", Reason.NETWORK),
        (r"no conversation found with session id", Reason.BAD_CONFIG),
        (r"cannot be used with root", Reason.BAD_CONFIG),
        (r"unknown option", Reason.BACKEND_UNSUPPORTED),
        (r"native binary not installed", Reason.BACKEND_MISSING),
    )
)
_KINDS: dict[str, Reason] = {
    "billing_error": Reason.QUOTA,
    "authentication_failed": Reason.AUTH,
    "oauth_org_not_allowed": Reason.AUTH,
    "model_not_found": Reason.MODEL_UNAVAILABLE,
    "rate_limit": Reason.RATE_LIMITED,
    "overloaded": Reason.PROVIDER_ERROR,
    "server_error": Reason.PROVIDER_ERROR,
}
_STATUSES: dict[int, Reason] = {
    401: Reason.AUTH,
    402: Reason.QUOTA,
    403: Reason.AUTH,
    404: Reason.MODEL_UNAVAILABLE,
    408: Reason.NETWORK,
    413: Reason.CONTEXT_OVERFLOW,
    429: Reason.RATE_LIMITED,
}
_ENDS: dict[str, Reason] = {
    "error_max_turns": Reason.LIMIT_EXCEEDED,
    "error_max_budget_usd": Reason.BUDGET_EXCEEDED,
    "prompt_too_long": Reason.CONTEXT_OVERFLOW,
}


def reason_of(failure: Failure) -> Reason:
    """The reason for a failure; `exit_nonzero` where nothing about it is known."""
    for word in (failure.subtype, failure.ended_by):
        if word in _ENDS:
            return _ENDS[word]
    status = failure.status
    # A provider's own trouble may quote anything in its sentence, so the status goes first.
    if status is not None and status >= 500:
        return Reason.PROVIDER_ERROR
    return reason_in(failure.text) or _STATUSES.get(status or 0) or _KINDS.get(failure.kind or "", Reason.EXIT_NONZERO)


def reason_in(text: str) -> Reason | None:
    """The reason that a sentence names, if any."""
    return next((reason for pattern, reason in _SENTENCES if pattern.search(text)), None)
