"""Repeats of a request that creates something: the same Idempotency-Key with the same request answers the same."""

import hashlib
from collections.abc import Sequence

import msgspec

from agentrunner.domain.errors import IdempotencyMismatch, RunNotFound
from agentrunner.store import idempotency
from agentrunner.store.base import Tx


async def known(tx: Tx, key: str | None, asked: object, now: int) -> list[int] | None:
    """The ids of what the same request with this key created; None where the key is new, and from now on ours.

    The key is taken before anything is created: of two requests at once the second waits here for the first. `asked` is
    all that a request says. Raises IdempotencyMismatch where the key came with another request.
    """
    if key is None:
        return None
    fingerprint = hashlib.sha256(msgspec.json.encode(asked)).hexdigest()
    if await idempotency.take(tx, key, fingerprint, now):
        return None
    stored, ids = await idempotency.find(tx, key)
    if stored != fingerprint:
        raise IdempotencyMismatch
    return ids


def check_kept(found: Sequence[object], ids: Sequence[int]) -> None:
    """Raise RunNotFound where not all that a request created is there any more: it was, so it is not created again."""
    if len(found) < len(ids):
        raise RunNotFound("What was created with this Idempotency-Key is past its retention and deleted.")


async def remember(tx: Tx, key: str | None, ids: Sequence[int]) -> None:
    """Note what a request that took its key has created."""
    if key is not None:
        await idempotency.fill(tx, key, list(ids))
