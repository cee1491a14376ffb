"""Prometheus figures of one server process, in a registry of its own; docs/metrics.md says what each means."""

import platform
from collections.abc import Iterator
from importlib.metadata import version

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from agentrunner.api.ended import Ended
from agentrunner.domain.control import PROTOCOL_VERSION
from agentrunner.engine import stats, workers
from agentrunner.engine.services import Services
from agentrunner.store.base import Database

_ANSWER_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
MOST_WORKERS = 100


class Figures:
    """Counters that requests add to, and figures of the database that are read when somebody asks."""

    def __init__(self, services: Services) -> None:
        # Each counter would be accompanied by a gauge of when it was made, which nobody asks for.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._services = services
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        registry.register(_Database(services.db))
        build = Info("agentrunner_build", "Versions of this server.", registry=registry)
        numbers = {"version": version("agentrunner"), "python": platform.python_version()}
        build.info(numbers | {"protocol": str(PROTOCOL_VERSION)})
        events = Counter("agentrunner_events_accepted", "Events stored by this process.", ["via"], registry=registry)
        self.reported, self.recorded = events.labels("report"), events.labels("record")
        self.telemetry = Counter(
            "agentrunner_telemetry_records", "OpenTelemetry records received.", ["signal"], registry=registry
        )
        self.streams = Gauge("agentrunner_stream_subscribers", "Open streams of server-sent events.", registry=registry)
        self.open_streams = 0
        self._requests = Counter(
            "agentrunner_http_requests", "HTTP requests answered.", ["method", "route", "status"], registry=registry
        )
        self._latency = Histogram(
            "agentrunner_http_request_duration_seconds",
            "Time to answer; streams and long polls are left out.",
            ["route"],
            buckets=_ANSWER_S,
            registry=registry,
        )
        self._ended = Ended(services, registry)
        self._runs = Gauge("agentrunner_runs_current", "Runs that there are, by status.", ["status"], registry=registry)
        self._workers = _WorkerFigures(registry)
        self._counts: dict[tuple[str, str, int], Counter] = {}
        self._times: dict[str, Histogram] = {}

    def answered(self, method: str, route: str, status: int, seconds: float | None) -> None:
        """Count a request by its route's template; `seconds` is None where it was to last."""
        key = (method, route, status)
        if (count := self._counts.get(key)) is None:
            count = self._counts[key] = self._requests.labels(method, route, str(status))
        count.inc()
        if seconds is None:
            return
        if (times := self._times.get(route)) is None:
            times = self._times[route] = self._latency.labels(route)
        times.observe(seconds)

    async def text(self) -> bytes:
        """Every figure in Prometheus' text format."""
        for status, count in (await stats.by_status(self._services)).items():
            self._runs.labels(status.value).set(count)
        await self._workers.refresh(self._services)
        await self._ended.catch_up()
        return generate_latest(self.registry)


class _WorkerFigures:
    def __init__(self, registry: CollectorRegistry) -> None:
        self._online = Gauge("agentrunner_workers_online", "Workers whose lease lives.", registry=registry)
        self._slots = Gauge("agentrunner_worker_slots", "Slots of the workers online.", registry=registry)
        self._used = Gauge("agentrunner_worker_slots_used", "Slots of them in which a run is.", registry=registry)
        self._age = Gauge(
            "agentrunner_worker_heartbeat_age_seconds",
            f"Since the last sign of life of a worker online; of the {MOST_WORKERS} heard last.",
            ["worker"],
            registry=registry,
        )

    async def refresh(self, services: Services) -> None:
        """Look at the workers."""
        online = [worker for worker, lives in await workers.all_with_lease(services) if lives]
        self._online.set(len(online))
        self._slots.set(sum(worker.slots for worker in online))
        self._used.set(sum(worker.running for worker in online))
        self._age.clear()
        now = services.clock()
        for worker in online[:MOST_WORKERS]:
            self._age.labels(worker.name).set(max(0, now - worker.heard_at) / 1000)


class _Database(Collector):
    """What the database counts itself."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def collect(self) -> Iterator[Metric]:
        """The families as they are now."""
        commits = self._db.commits
        yield CounterMetricFamily(
            "agentrunner_database_changes", "Changes committed by this process.", value=commits.changes
        )
        yield HistogramMetricFamily(
            "agentrunner_database_commit_duration_seconds",
            "How long a commit of this process took; one may have many changes.",
            buckets=commits.cumulated(),
            sum_value=commits.seconds,
        )
        yield GaugeMetricFamily(
            "agentrunner_database_waiting", "Changes that wait for the database.", value=self._db.waiting
        )
