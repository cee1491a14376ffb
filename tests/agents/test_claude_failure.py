"""What Claude Code's failures mean."""

import pytest

from agentrunner.agents.claude_failure import Failure, reason_in, reason_of

FAILURES = [
    (Failure("Failed to authenticate. API Error: 401 no such key", 401, "authentication_failed"), "auth"),
    (Failure("Failed to authenticate. API Error: 403 forbidden", 403, "authentication_failed"), "auth"),
    (Failure("Not logged in · Please run /login", None, "authentication_failed"), "auth"),
    (Failure("API Error: Request rejected (429) · rate limited", 429, "rate_limit"), "rate_limited"),
    (Failure("API Error: Request rejected (429) · this month's quota is used up", 429, "rate_limit"), "quota"),
    (Failure("API Error: 402 no money", 402, "unknown"), "quota"),
    (Failure("Credit balance is too low", 400, "billing_error"), "quota"),
    (Failure("You've hit your session limit · resets 3pm", 429, "rate_limit"), "quota"),
    (Failure("There's an issue with the selected model (x).", 404, "model_not_found"), "model_unavailable"),
    (Failure("nothing here", 404, None), "model_unavailable"),
    (Failure("Prompt is too long · the request is ~300000 tokens", 400, "invalid_request"), "context_overflow"),
    (Failure("", 400, "invalid_request", "success", "prompt_too_long"), "context_overflow"),
    (Failure("Request too large (max 32MB).", 413, "invalid_request"), "context_overflow"),
    (Failure("API Error: 500 our quota service is down", 500, "server_error"), "provider_error"),
    (Failure("API Error: 529 Overloaded.", 529, "server_error"), "provider_error"),
    (Failure("", None, "overloaded"), "provider_error"),
    (Failure("API Error: Unable to connect to API (ConnectionRefused)", None, "server_error"), "network"),
    (Failure("API Error: Unable to connect to API (FailedToOpenSocket)", None, "server_error"), "network"),
    (Failure("API Error: Unable to connect to API (ECONNRESET)", None, "server_error"), "network"),
    (Failure("Request timed out", None, "server_error"), "network"),
    (Failure("Reached maximum number of turns (1)", None, None, "error_max_turns", "max_turns"), "limit_exceeded"),
    (Failure("Reached maximum budget", None, None, "error_max_budget_usd"), "budget_exceeded"),
    (Failure("No conversation found with session ID: 0", None, None, "error_during_execution"), "bad_config"),
    (Failure("API Error: 400 weird", 400, "unknown"), "exit_nonzero"),
    (Failure(), "exit_nonzero"),
]


@pytest.mark.parametrize(("failure", "reason"), FAILURES, ids=lambda value: getattr(value, "text", value))
def test_every_failure_has_its_reason(failure: Failure, reason: str) -> None:
    """The sentences are those that the program printed."""
    assert reason_of(failure) == reason


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("error: unknown option '--nonsense'", "backend_unsupported"),
        ("--dangerously-skip-permissions cannot be used with root/sudo privileges", "bad_config"),
        ("Error: claude native binary not installed.", "backend_missing"),
        ("a fine day", None),
    ],
)
def test_complaints_on_stderr_have_reasons(said: str, reason: str | None) -> None:
    """For programs that end before they say anything structured."""
    assert reason_in(said) == reason
