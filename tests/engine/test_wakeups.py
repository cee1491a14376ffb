"""Wake-ups: subscribe, read, wait; nothing in between is lost."""

import asyncio

from agentrunner.engine.wakeups import EVERYTHING, Wakeups, run_topic, worker_topic


async def test_a_wake_up_before_the_wait_is_not_lost() -> None:
    """Published between the read and the wait."""
    wakeups = Wakeups()
    with wakeups.subscribe("a") as subscription:
        wakeups.publish("a")
        assert await subscription.wait(5)
        assert not await subscription.wait(0.01), "one wake-up wakes once"


async def test_waiting() -> None:
    """Woken by its own topics, not by others, and by `*`."""
    wakeups = Wakeups()
    with wakeups.subscribe("a", "b") as subscription, wakeups.subscribe("c") as other:
        for topic in ("a", "b", EVERYTHING):
            waiting = asyncio.create_task(subscription.wait(5))
            await asyncio.wait([waiting], timeout=0.01)
            assert not waiting.done()
            wakeups.publish("nobody")
            wakeups.publish(topic)
            assert await waiting
        assert await other.wait(5), "only `*` was for it"
        assert not await other.wait(0)


async def test_many_wake_ups_are_one() -> None:
    """Hints are counted by nobody."""
    wakeups = Wakeups()
    with wakeups.subscribe("a") as subscription:
        for _ in range(100):
            wakeups.publish("a")
        assert await subscription.wait(5)
        assert not await subscription.wait(0)


async def test_nothing_is_left_of_a_subscription() -> None:
    """Also where its block raised; topics do not pile up."""
    wakeups = Wakeups()
    for n in range(10):
        try:
            with wakeups.subscribe(run_topic(n), "shared"):
                raise KeyError
        except KeyError:
            pass
    assert vars(wakeups)["_topics"] == {}
    with wakeups.subscribe("shared") as kept:
        with wakeups.subscribe("shared"):
            pass
        wakeups.publish("shared")
        assert await kept.wait(5)


async def test_a_wait_can_be_cancelled() -> None:
    """And the next one waits as ever."""
    wakeups = Wakeups()
    with wakeups.subscribe("a") as subscription:
        waiting = asyncio.create_task(subscription.wait(60))
        await asyncio.wait([waiting], timeout=0.01)
        waiting.cancel()
        await asyncio.wait([waiting], timeout=5)
        assert waiting.cancelled()
        wakeups.publish("a")
        assert await subscription.wait(5)


def test_topics_differ() -> None:
    """A run's and a worker's never meet."""
    assert len({run_topic(1), run_topic(11), worker_topic("1"), worker_topic("11")}) == 4
