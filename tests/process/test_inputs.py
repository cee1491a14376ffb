"""Text for a running agent: journalled before, written once, in a bounded queue, never blocking."""

from agentrunner.process.adopt import State
from process.attempts import Host
from waiting import until


def test_inputs_arrive_once_and_in_order(host: Host) -> None:
    """Each is journalled before its first byte and confirmed after its last; an id that is known is not written again."""
    attempt = host.shell('while read line; do echo "got $line"; [ "$line" = end ] && exit 0; done', stdin="pipe")
    attempt.fact("started")
    for number, text in ((1, "first"), (2, "ü second\n"), (1, "first"), (2, "again"), (3, "end")):
        assert attempt.tell("input", id=number, text=text)["ok"] is True
    assert attempt.ended().exit_code == 0
    assert attempt.output().decode() == "got first\ngot ü second\ngot end\n"
    told = [(fact.name, fact.fields["id"]) for fact in attempt.facts() if fact.name.startswith("input")]
    assert sorted(told) == sorted((name, n) for n in (1, 2, 3) for name in ("input", "input_delivered"))
    for number in (1, 2, 3):
        assert told.index(("input", number)) < told.index(("input_delivered", number))


def test_a_known_id_is_said_to_be_known(host: Host) -> None:
    """A worker that lost the answer may ask again, and so may the next worker with a higher epoch."""
    attempt = host.shell("read line; read never", stdin="pipe")
    attempt.fact("started")
    assert "known" not in attempt.tell("input", id=7, text="x")
    attempt.fact("input_delivered", id=7)
    assert attempt.tell("input", epoch=2, id=7, text="x")["known"] is True


def test_an_agent_that_does_not_read_blocks_nobody(host: Host) -> None:
    """Texts wait in a bounded queue, the shim stays responsive, and beyond the bound it refuses."""
    attempt = host.shell("exec sleep 1000", stdin="pipe")
    attempt.fact("started")
    answers = [attempt.tell("input", id=number, text="x" * (1 << 20)) for number in range(8)]
    refused = [answer.get("refused") for answer in answers]
    assert refused[0] is None
    assert refused[-1] == "full"
    assert attempt.tell("status")["ok"] is True
    assert attempt.directory.state() is State.ALIVE


def test_without_a_pipe_there_is_no_input(host: Host) -> None:
    """It is refused, not lost."""
    attempt = host.shell("exec sleep 1000")
    attempt.fact("started")
    assert "refused" in attempt.tell("input", id=1, text="x")
    assert [fact.name for fact in attempt.facts()] == ["started"]


def test_an_agent_that_closed_its_stdin_gets_no_more(host: Host) -> None:
    """What was not delivered is never said to be, and the run goes on."""
    attempt = host.shell("exec <&-; echo closed; exec sleep 1000", stdin="pipe")
    attempt.says(b"closed")
    attempt.tell("input", id=1, text="x")
    until(lambda: "refused" in attempt.tell("input", id=2, text="x"))
    assert "input_delivered" not in [fact.name for fact in attempt.facts()]
    assert attempt.directory.state() is State.ALIVE
