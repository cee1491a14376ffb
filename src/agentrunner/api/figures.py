"""Prometheus figures of one server process, in a registry of its own."""

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from agentrunner.engine import stats, workers
from agentrunner.engine.services import Services

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Figures:
    """Counters that requests add to, and figures of the database that are read when somebody asks."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        events = Counter(
            "agentrunner_events_accepted", "Events stored by this process.", ["via"], registry=self.registry
        )
        self.reported, self.recorded = events.labels("report"), events.labels("record")
        self.streams = Gauge("agentrunner_open_streams", "Server-sent event streams open.", registry=self.registry)
        self.started = Gauge("agentrunner_start_time_seconds", "When this server started.", registry=self.registry)
        self.started.set(time.time())
        self._requests = Counter(
            "agentrunner_http_requests", "HTTP requests answered.", ["method", "path", "status"], registry=self.registry
        )
        self._latency = Histogram(
            "agentrunner_http_request_seconds",
            "Time to answer; streams and long polls are left out.",
            ["path"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._runs = Gauge("agentrunner_runs", "Runs by status.", ["status"], registry=self.registry)
        self._workers = Gauge("agentrunner_workers_online", "Workers whose lease lives.", registry=self.registry)
        self._slots = Gauge("agentrunner_worker_slots", "Slots of the workers online.", registry=self.registry)
        self._commits = Gauge("agentrunner_database_commits", "Commits of this process.", registry=self.registry)
        self._counts: dict[tuple[str, str, int], Counter] = {}
        self._times: dict[str, Histogram] = {}

    def answered(self, method: str, path: str, status: int, seconds: float | None) -> None:
        """Count a request by its route's template; `seconds` is None where it was to last."""
        key = (method, path, status)
        if (count := self._counts.get(key)) is None:
            count = self._counts[key] = self._requests.labels(method, path, str(status))
        count.inc()
        if seconds is None:
            return
        if (times := self._times.get(path)) is None:
            times = self._times[path] = self._latency.labels(path)
        times.observe(seconds)

    async def text(self, services: Services) -> bytes:
        """Every figure in Prometheus' text format."""
        for status, count in (await stats.by_status(services)).items():
            self._runs.labels(status.value).set(count)
        online = [worker for worker, lives in await workers.all_with_lease(services) if lives]
        self._workers.set(len(online))
        self._slots.set(sum(worker.slots for worker in online))
        if isinstance(commits := getattr(services.db, "commits", None), int):
            self._commits.set(commits)
        return generate_latest(self.registry)
