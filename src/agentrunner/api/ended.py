"""Figures of runs that have ended since this server began, read from the database when somebody asks.

Nothing is done for them when a run ends, and every run is counted once, whichever process ended it.
"""

import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram

from agentrunner.api.errors import trace
from agentrunner.domain.errors import AgentRunnerError
from agentrunner.domain.run import Run
from agentrunner.engine import stats
from agentrunner.engine.runs import EXTERNAL
from agentrunner.engine.services import Services

log = structlog.get_logger("agentrunner.api")

LAG_MS = 15_000
"""A run's end bears the time at which its transaction began; it may become visible so much later."""
PAGE = 500
MOST_PAGES = 40
OTHER = "other"
_RUN_S = (0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 86_400.0)
_QUEUE_S = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0)
_TOKENS = {
    "input": "input_tokens",
    "output": "output_tokens",
    "cache_read": "cache_read_tokens",
    "cache_write": "cache_write_tokens",
}


class Ended:
    """Counts runs by status and backend, how long they waited and took, and what they used."""

    def __init__(self, services: Services, registry: CollectorRegistry) -> None:
        self._services = services
        self._from = services.clock()
        self._seen: dict[int, int] = {}
        self._backends = {*services.backends.names, EXTERNAL}
        by = ["backend"]
        self._total = Counter("agentrunner_runs", "Runs that ended.", ["status", *by], registry=registry)
        self._queue = Histogram(
            "agentrunner_run_queue_duration_seconds",
            "From a run's creation to its first start, of runs that ended.",
            by,
            buckets=_QUEUE_S,
            registry=registry,
        )
        self._took = Histogram(
            "agentrunner_run_duration_seconds",
            "From a run's first start to its end, of runs that ended.",
            by,
            buckets=_RUN_S,
            registry=registry,
        )
        self._tokens = Counter(
            "agentrunner_gen_ai_tokens", "Tokens used by runs that ended.", [*by, "type"], registry=registry
        )
        self._cost = Counter("agentrunner_gen_ai_cost_usd", "Cost of runs that ended.", by, registry=registry)

    async def catch_up(self) -> None:
        """Count what has ended since; a bounded number at once, the rest when asked again."""
        now = self._services.clock()
        try:
            done = await self._count_until(now)
        except AgentRunnerError as error:
            log.warning("figures of ended runs are behind", exception=trace(error))
            return
        self._from = max(self._from, done - LAG_MS)
        self._seen = {run_id: at for run_id, at in self._seen.items() if at >= self._from}

    async def _count_until(self, now: int) -> int:
        """Count what ended until now; answers until when it came."""
        after = (self._from, 0)
        for _ in range(MOST_PAGES):
            page = await stats.ended(self._services, after, now + 1, PAGE)
            for run in page:
                self._count(run)
            if len(page) < PAGE:
                return now
            after = (page[-1].ended_at or 0, page[-1].id)
        return after[0]

    def _count(self, run: Run) -> None:
        if run.id in self._seen or run.ended_at is None:
            return
        self._seen[run.id] = run.ended_at
        # A backend that this server does not know is another distribution's or a name of old: one label for all.
        backend = run.backend if run.backend in self._backends else OTHER
        self._total.labels(run.status.value, backend).inc()
        started = run.ended_at if run.started_at is None else run.started_at
        self._queue.labels(backend).observe(max(0, started - run.created_at) / 1000)
        if run.started_at is not None:
            self._took.labels(backend).observe(max(0, run.ended_at - run.started_at) / 1000)
        for kind, name in _TOKENS.items():
            if count := getattr(run.usage, name):
                self._tokens.labels(backend, kind).inc(max(0, count))
        if run.cost_usd:
            self._cost.labels(backend).inc(max(0.0, run.cost_usd))
