"""What `doctor` finds: one line about one thing, and what to do where it is not as it should be."""

from typing import Literal

import msgspec

CheckStatus = Literal["ok", "warn", "fail"]


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """`warn`: works, but not as well as it could; `fail`: something will not work. `advice` says what to do then.

    `why` says why anybody should care.
    """

    name: str
    status: CheckStatus
    detail: str
    advice: str | None = None
    why: str | None = None
