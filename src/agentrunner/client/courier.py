"""The thread that delivers a reporter's spool while the program goes on, and then what dead reporters have left."""

import contextlib
import threading
import time
from collections.abc import Callable
from pathlib import Path

from agentrunner.client import spool
from agentrunner.client.delivery import WAITS, Backoff, Delivery, is_for_a_person, log
from agentrunner.client.http import Http
from agentrunner.client.spool import Head, Writer

LINGER_S = 0.02
"""How long events are gathered: as many as come meanwhile go in one request."""
LONGEST_PAUSE_S = 15.0
LOOK_S = 5.0
"""How often somebody looks for what dead reporters have left."""

Connect = Callable[[Head], Http]


class Courier:
    """Delivers one spool from a thread of its own. Nothing it does can raise in the program."""

    def __init__(self, path: Path, writer: Writer, connect: Connect) -> None:
        self._writer = writer
        self._root = path.parent
        self._stopping = threading.Event()
        self._work = threading.Event()
        self._hurry = threading.Event()
        self._changed = threading.Condition()
        self._backoff = Backoff(LONGEST_PAUSE_S)
        self._delivery = Delivery(path, connect)
        self._leftovers = Leftovers(self._root, connect, self._stopping, self._own)
        self._looked_at = 0.0
        self._is_told = False
        self._thread = threading.Thread(target=self._run, name="agentrunner-reporter", daemon=True)
        # The run is to be seen at once, also of a program that says nothing for long.
        self._work.set()
        self._thread.start()

    @property
    def run_id(self) -> int | None:
        """The run's id, once the server has given it."""
        return self._delivery.reader.note.run_id

    def has(self, written: int) -> bool:
        """Whether the run is there and the server has so many bytes of what was written."""
        return self.run_id is not None and self._writer.delivered >= written

    def wake(self) -> None:
        """There is something to send."""
        self._work.set()

    def wait(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Wait until something is so; asks the server at once, even where it was just away. Answers whether it is."""
        self._backoff.worked()
        self.wake()
        self._hurry.set()
        with self._changed:
            return self._changed.wait_for(lambda: condition() or not self._thread.is_alive(), timeout) and condition()

    def stop(self, timeout: float) -> bool:
        """End the thread; False where a request keeps it longer than `timeout` seconds."""
        self._stopping.set()
        self.wake()
        self._hurry.set()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._work.wait(LOOK_S)
                self._work.clear()
                # Whoever stops us or waits for us must not have to wait for this.
                self._hurry.wait(self._backoff.left_s or LINGER_S)
                self._hurry.clear()
                self._deliver()
        except Exception:
            log.exception("reports are no longer sent; they are kept in %s", self._root)
        finally:
            self._delivery.close()
            with self._changed:
                self._changed.notify_all()

    def _deliver(self) -> None:
        try:
            self._own()
            if time.monotonic() - self._looked_at > LOOK_S:
                self._looked_at = time.monotonic()
                self._leftovers.deliver(self._delivery.reader.head)
        except WAITS as error:
            self._delivery.close()
            self._backoff.failed()
            self._work.set()
            self._tell(error)
        else:
            self._backoff.worked()
            self._is_told = False

    def _own(self) -> None:
        while not self._stopping.is_set() and self._delivery.step():
            self._told()
        self._told()

    def _told(self) -> None:
        self._writer.delivered = self._delivery.sent_bytes
        with self._changed:
            self._changed.notify_all()

    def _tell(self, error: Exception) -> None:
        if not self._is_told:
            self._is_told = True
            how = log.warning if is_for_a_person(error) else log.info
            how("reports are kept in %s and sent later: %s", self._root, error)


class Leftovers:
    """What reporters have left that died, or ended while the server was away. A spool is delivered by one at a time."""

    def __init__(
        self,
        root: Path,
        connect: Connect,
        stop: threading.Event | None = None,
        between: Callable[[], None] = lambda: None,
    ) -> None:
        """`between` is done between requests: what is said now must not wait for all that was said once."""
        self._between = between
        self._root = root
        self._connect = connect
        self._stop = stop or threading.Event()

    def deliver(self, like: Head | None = None) -> "Delivered":
        """Deliver them, those for the server of `like` or all; what cannot be delivered now stays. Raises OSError."""
        done = Delivered()
        with contextlib.closing(spool.abandoned(self._root)) as found:
            for path, lock in found:
                try:
                    if not self._stop.is_set():
                        self._one(path, like, done)
                finally:
                    lock.release()
        return done

    def _one(self, path: Path, like: Head | None, done: "Delivered") -> None:
        try:
            delivery = Delivery(path, self._connect)
        except (OSError, ValueError) as error:
            log.warning("%s cannot be read: %s", path, error)
            done.kept.append((path, error))
            return
        head = delivery.reader.head
        if like is not None and (head.server_url, head.data_dir) != (like.server_url, like.data_dir):
            return
        try:
            while not self._stop.is_set() and delivery.step():
                self._between()
            if self._stop.is_set():
                return
            delivery.bury()
        except WAITS as error:
            done.kept.append((path, error))
        else:
            spool.remove(path)
            done.runs.append(delivery.reader.note.run_id or 0)
        finally:
            delivery.close()


class Delivered:
    """What became of leftovers: the runs whose reports the server has now, and what is kept, with the reason."""

    def __init__(self) -> None:
        self.runs: list[int] = []
        self.kept: list[tuple[Path, Exception]] = []
