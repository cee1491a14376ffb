"""Claude Code's stream-json messages, as far as they are understood (`-p --output-format stream-json --verbose`).

Measured with 2.1.197. Fields that are not read are not listed; a message that does not fit its struct is kept raw.
"""

import re
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from agentrunner.domain.run import Usage

Count = Annotated[int, Meta(ge=0, le=2**53)]
_PAIRS = re.compile(
    rb"(?P<pair>\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|(?P<lone>\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\."
)


class Kind(msgspec.Struct):
    """What every message has."""

    type: str
    subtype: str | None = None


class Init(msgspec.Struct):
    """`system/init`: the start of a turn, repeated at each."""

    session_id: str
    model: str | None = None
    cwd: str | None = None
    tools: list[Any] = []
    claude_code_version: str | None = None
    permission_mode: str | None = msgspec.field(name="permissionMode", default=None)


class ApiRetry(msgspec.Struct):
    """`system/api_retry`: a request failed and will be sent again; no status means it got no answer."""

    attempt: Count
    max_retries: Count
    retry_delay_ms: float = 0.0
    error_status: int | None = None
    error: str | None = None


class Denial(msgspec.Struct):
    """`system/permission_denied`, and the entries of a result's `permission_denials`."""

    tool_name: str
    tool_use_id: str
    tool_input: dict[str, Any] | None = None
    message: str | None = None


class Body(msgspec.Struct):
    """The message proper: text, or content blocks."""

    content: str | list[dict[str, Any]]
    model: str | None = None


class Spoken(msgspec.Struct):
    """`assistant` and `user`; `parent_tool_use_id` names the tool call of the sub-agent that speaks.

    `error` marks what is no answer of a model but the program's report of a failed request.
    """

    message: Body
    parent_tool_use_id: str | None = None
    error: str | None = None


class ModelUsage(msgspec.Struct):
    """What the program has used of one model since it started, sub-agents and repeated requests included."""

    input_tokens: Count = msgspec.field(name="inputTokens", default=0)
    output_tokens: Count = msgspec.field(name="outputTokens", default=0)
    cache_read_tokens: Count = msgspec.field(name="cacheReadInputTokens", default=0)
    cache_write_tokens: Count = msgspec.field(name="cacheCreationInputTokens", default=0)

    @property
    def usage(self) -> Usage:
        """In our words; the program's input tokens exclude the cached ones already."""
        return Usage(
            input_tokens=self.input_tokens,
            cache_read_tokens=self.cache_read_tokens,
            cache_write_tokens=self.cache_write_tokens,
            output_tokens=self.output_tokens,
        )


class Result(msgspec.Struct):
    """`result`: the end of a turn. `subtype` says `success` for failed requests too; `is_error` is the flag to read.

    Its `usage` is left unread: it misses sub-agents and requests that were repeated without streaming.
    """

    subtype: str
    is_error: bool
    result: str | None = None
    errors: list[str] = []
    api_error_status: int | None = None
    num_turns: Count = 0
    duration_ms: float = 0.0
    total_cost_usd: Annotated[float, Meta(ge=0, le=1e12)] = 0.0
    model_usage: Annotated[dict[str, ModelUsage], Meta(max_length=16)] = msgspec.field(name="modelUsage", default={})
    permission_denials: list[Denial] = []
    terminal_reason: str | None = None


class Conclusion(msgspec.Struct):
    """The part of a `result` that the verdict hangs on, for one whose other fields have changed their shape."""

    is_error: bool
    result: Any = None
    api_error_status: Any = None


def whole_characters(data: bytes) -> bytes:
    """JSON text with the escapes of halved surrogate pairs replaced by U+FFFD.

    JavaScript cuts strings between the halves of an emoji and says so as a lone escape, which is not text.
    """
    return _PAIRS.sub(lambda match: b"\\ufffd" if match.group("lone") else match.group(), data)
