"""Wake-ups between requests of one process: subscribe, then read, then wait; a wake-up in between is not lost.

A wake-up is a hint that something may have changed, never the change itself.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

EVERYTHING = "*"


class Subscription:
    """Set when one of its topics was published since the last `wait`."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def wake(self) -> None:
        """Publish to this subscriber alone."""
        self._event.set()

    async def wait(self, timeout_s: float) -> bool:
        """True once woken, False after `timeout_s`."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._event.wait()
        except TimeoutError:
            return False
        self._event.clear()
        return True


class Wakeups:
    """Who waits for which topic."""

    def __init__(self) -> None:
        self._topics: dict[str, set[Subscription]] = {}

    @contextmanager
    def subscribe(self, *topics: str) -> Iterator[Subscription]:
        """Listen to topics for as long as the block lasts."""
        subscription = Subscription()
        for topic in topics:
            self._topics.setdefault(topic, set()).add(subscription)
        try:
            yield subscription
        finally:
            for topic in topics:
                listeners = self._topics[topic]
                listeners.discard(subscription)
                if not listeners:
                    del self._topics[topic]

    def publish(self, topic: str) -> None:
        """Wake everybody who listens to `topic`; `*` wakes all."""
        if topic == EVERYTHING:
            for listeners in self._topics.values():
                for subscription in listeners:
                    subscription.wake()
            return
        for subscription in self._topics.get(topic, ()):
            subscription.wake()


def run_topic(run_id: int) -> str:
    """Something about this run changed."""
    return f"run/{run_id}"


def worker_topic(worker_id: str) -> str:
    """There is something for this worker to do."""
    return f"worker/{worker_id}"


QUEUE_TOPIC = "queue"
"""A run may start that could not before."""
RUNS_TOPIC = "runs"
"""Some run's row changed."""
