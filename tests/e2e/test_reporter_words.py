"""What a reporter's words become at a real server, from threads and forked children, and how little they disturb."""

import logging
import multiprocessing
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from agentrunner import Client, Reporter, ReporterOptions
from agentrunner.client import spool
from agentrunner.client.leftovers import deliver_all
from agentrunner.domain.errors import InvalidField
from e2e.product import Product
from waiting import until


@pytest.fixture
def served(fresh: Product) -> Product:
    """A server without a worker: reports need none."""
    fresh.start("server")
    fresh.get("/ready")
    return fresh


@pytest.fixture
def client(served: Product) -> Iterator[Client]:
    """A client of it."""
    with Client(data_dir=served.data_dir) as made:
        yield made


def options(product: Product, tmp_path: Path, **more: Any) -> ReporterOptions:
    """For a reporter of this process."""
    return ReporterOptions(**{"data_dir": product.data_dir, "state_dir": tmp_path, "flush_s": 15, **more})


def test_every_word_is_there(served: Product, client: Client, tmp_path: Path) -> None:
    """Each as the event that the rest of the product understands."""
    with Reporter("words", labels={"a": "b"}, options=options(served, tmp_path)) as reporter:
        reporter.log("two", "lines\nhere")
        reporter.message("hello")
        with reporter.tool("Read", path="x") as tool:
            tool.set({"size": 3})
        with pytest.raises(KeyError), reporter.tool("Break"):
            raise KeyError("k")
        with reporter.span("phase"):
            reporter.metric("latency", 3.5, "ms", host="h")
        reporter.usage(input_tokens=3, output_tokens=4, cost_usd=0.5, model="m")
        reporter.usage(input_tokens=1)
        reporter.event("task.progress", {"percent": 50})
    run = client.run(reporter.run_id or 0)
    assert (run.status, run.title, run.labels) == ("COMPLETED", "words", {"a": "b"})
    assert (run.usage.input_tokens, run.usage.output_tokens, run.cost_usd) == (4, 4, 0.5)
    types = [event.type for event in client.events(run.id)]
    tools = ["tool.called", "tool.result"] * 2
    span = ["span.start", "metric", "span.end"]
    assert types[1:-1] == ["log", "message", *tools, *span, "usage", "cost", "usage", "task.progress"]
    spans = {each["name"]: each["status"] for each in served.get(f"/api/runs/{run.external_id}/spans")}
    assert spans == {"Read": "ok", "Break": "error", "phase": "ok"}


def test_secrets_stay_here(served: Product, client: Client, tmp_path: Path) -> None:
    """In no event, no field of the run, no spool; the server's token is one too."""
    secret = "hunter2-hunter2"
    given = options(served, tmp_path, secrets=(secret,))
    with Reporter(f"with {secret}", metadata={"m": secret}, options=given) as reporter:
        reporter.log(secret)
        assert all(secret.encode() not in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
        with pytest.raises(RuntimeError), reporter.tool("t", password=secret):
            raise RuntimeError(secret)
    shown = str(client.run(reporter.run_id or 0)) + str(served.events(reporter.run_id or 0))
    assert secret not in shown
    assert "***" in shown


def test_threads_share_a_reporter(served: Product, tmp_path: Path) -> None:
    """Each thread's words stay in its order, none is lost."""
    with Reporter("threads", options=options(served, tmp_path)) as reporter, ThreadPoolExecutor(8) as threads:

        def speak(who: int) -> None:
            for number in range(100):
                reporter.event("said", {"who": who, "n": number})

        list(threads.map(speak, range(8)))
    said = [event["payload"] for event in served.events(reporter.run_id or 0) if event["type"] == "said"]
    for who in range(8):
        assert [each["n"] for each in said if each["who"] == who] == list(range(100))


def _child(reporter: Reporter) -> None:
    reporter.event("child", {"pid": os.getpid()})
    reporter.flush(15)


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_reports_to_the_same_run(served: Product, tmp_path: Path) -> None:
    """Through a spool of its own; the parent's is not touched, nor its run ended with the child."""
    with Reporter("family", options=options(served, tmp_path)) as reporter:
        reporter.event("parent")
        children = [multiprocessing.get_context("fork").Process(target=_child, args=(reporter,)) for _ in range(2)]
        for child in children:
            child.start()
        for child in children:
            child.join(20)
        reporter.event("parent")
    assert [child.exitcode for child in children] == [0, 0]
    events = served.events(reporter.run_id or 0)
    assert {event["payload"]["pid"] for event in events if event["type"] == "child"} == {each.pid for each in children}
    assert [event["type"] for event in events].count("parent") == 2
    assert events[-1]["type"] == "run.completed"
    assert len(served.get("/v1/runs")["items"]) == 1
    deliver_all(data_dir=served.data_dir, state_dir=tmp_path)
    assert list((tmp_path / "reports").iterdir()) == []


def test_a_reporter_joins_a_run(served: Product, client: Client, tmp_path: Path) -> None:
    """And does not end what it has not begun."""
    run = client.create(backend="external", title="mine")
    with Reporter(run_id=run.id, options=options(served, tmp_path)) as reporter:
        reporter.log("hello")
    assert client.run(run.id).status == "RUNNING"
    assert [event.type for event in client.events(run.id)] == ["run.created", "log"]


def test_only_the_first_end_counts(served: Product, client: Client, tmp_path: Path) -> None:
    """An explicit one before that of the block."""
    with Reporter(options=options(served, tmp_path)) as reporter:
        reporter.fail("no luck")
        reporter.complete()
    run = client.run(reporter.run_id or 0)
    assert (run.status, run.message) == ("FAILED", "no luck")
    reporter.log("too late")
    assert reporter.close()


def test_a_run_without_an_end_has_failed(served: Product, client: Client, tmp_path: Path) -> None:
    """A reporter that is closed without a word about it does not claim success."""
    reporter = Reporter(options=options(served, tmp_path))
    assert reporter.wait_run_id(15) is not None
    assert reporter.close()
    run = client.run(reporter.run_id or 0)
    assert run.status == "FAILED"
    assert "without saying how" in (run.message or "")


def test_too_much_is_dropped_and_counted(fresh: Product, tmp_path: Path, caplog: Any) -> None:
    """Disk stays bounded without a server; the end of the run has its room, and the gap is told."""
    given = options(fresh, tmp_path, spool_mb=0.05, flush_s=0.1)
    with caplog.at_level(logging.WARNING), Reporter("much", options=given) as reporter:
        for number in range(2000):
            reporter.event("n", {"number": number, "text": "x" * 100})
    assert spool.size(tmp_path / "reports") < 60_000
    assert sum("dropped" in each.message for each in caplog.records) == 1
    fresh.start("server")
    fresh.get("/ready")
    assert deliver_all(data_dir=fresh.data_dir, state_dir=tmp_path).runs == [1]
    events = fresh.events(1)
    kept = [event["payload"]["number"] for event in events if event["type"] == "n"]
    assert kept == list(range(len(kept)))
    assert events[-2]["payload"] == {"events": 2000 - len(kept)}
    assert events[-1]["type"] == "run.completed"


def test_what_a_server_refuses_holds_nothing_up(served: Product, client: Client, tmp_path: Path, caplog: Any) -> None:
    """One event that it will not take is left out, with a warning; the others arrive in order."""
    with Reporter(options=options(served, tmp_path)) as reporter:
        for number in range(50):
            reporter.event("run.started" if number == 20 else "n", {"number": number})
    numbers = [event["payload"]["number"] for event in served.events(reporter.run_id or 0) if event["type"] == "n"]
    assert numbers == [number for number in range(50) if number != 20]
    assert "refused" in caplog.text


def test_nothing_breaks_the_program(fresh: Product, tmp_path: Path, caplog: Any) -> None:
    """Wrong fields and a directory that cannot be: warnings, unless it wants to know."""
    blocked = tmp_path / "file"
    blocked.touch()
    with pytest.raises(InvalidField):
        Reporter(labels={"a": "x" * 1000}, options=options(fresh, tmp_path, is_strict=True))
    given = options(fresh, tmp_path, state_dir=blocked / "below", flush_s=0.01)
    with Reporter(labels={"a": "x" * 1000}, options=given) as reporter:
        reporter.log("goes nowhere yet")
    assert "without its fields" in caplog.text
    with pytest.raises(TypeError, match="did you mean 'labels'"):
        Reporter(label={})


def test_a_token_goes_only_to_its_server(fresh: Product, served: Product, tmp_path: Path) -> None:
    """A report for another server is not sent with ours; it is kept, and the reason told."""
    theirs = {"server": f"unix:{served.data_dir}/no/agentrunner.sock", "options": options(served, tmp_path, flush_s=0)}
    Reporter("elsewhere", token="ar_theirs-and-only-theirs", **theirs).close()
    done = deliver_all(data_dir=served.data_dir, state_dir=tmp_path)
    assert (done.runs, len(done.kept)) == ([], 1)
    assert served.get("/v1/runs")["items"] == []


def test_speaking_is_quick_and_waits_for_nobody(fresh: Product, tmp_path: Path) -> None:
    """Without any server a word takes a write to a file; many threads do not hang at the end either."""
    reporter = Reporter(options=options(fresh, tmp_path, flush_s=0.1))
    threads = [threading.Thread(target=reporter.log, args=("x" * 1000,)) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    reporter.close()
    (kept,) = (tmp_path / "reports").iterdir()
    assert (kept / "1.events").read_bytes().count(b"\n") == 51
    until(lambda: spool.Lock.take(kept), 10).release()  # type: ignore[union-attr]


def test_a_name_that_is_taken_is_joined(served: Product, client: Client, tmp_path: Path) -> None:
    """A run that is there by this name already; so a create that is repeated after years makes no second run."""
    run = client.create(backend="external", external_id="job-17")
    with Reporter(external_id="job-17", options=options(served, tmp_path)) as reporter:
        reporter.log("hello")
    assert reporter.run_id == run.id
    assert client.run(run.id).status == "COMPLETED"
