"""What Ctrl-C means on a terminal, and what a terminal is shown."""

from collections.abc import Callable, Iterator

import pytest

from cli.conftest import command
from cli.screen import Screen, screen
from client.contract import Contract
from client.wire import Server
from waiting import until

QUESTION = r"\[d\]etach, \[s\]top it, \[c\]ontinue watching\? "
CTRL_C = "\x03"


@pytest.fixture
def watching(environment: dict[str, str], server: Server) -> Iterator[Screen]:
    """A run that is being watched on a terminal."""
    with screen(command("run", "--", "x"), environment) as made:
        made.wait_for("run.created.*\n")
        yield made


def test_ctrl_c_asks_before_anything(watching: Screen, contract: Contract) -> None:
    """And again where the answer is none of the three."""
    watching.press(CTRL_C)
    watching.wait_for(QUESTION)
    watching.press("x")
    watching.wait_for(QUESTION)
    assert contract.runs[1]["desired"] == "run"


def test_detach(watching: Screen, contract: Contract) -> None:
    """The run goes on; it was chosen, so the exit code is 0."""
    watching.press(CTRL_C)
    watching.wait_for(QUESTION)
    watching.press("d")
    assert "Run 1 goes on." in watching.rest()
    assert watching.exit_code() == 0
    assert contract.runs[1]["desired"] == "run"


def test_a_second_ctrl_c_detaches(watching: Screen, contract: Contract) -> None:
    """Somebody who wants to leave can."""
    watching.press(CTRL_C)
    watching.wait_for(QUESTION)
    watching.press(CTRL_C)
    assert "Run 1 goes on." in watching.rest()
    assert contract.runs[1]["desired"] == "run"


def test_stop(watching: Screen, contract: Contract) -> None:
    """The run is stopped, and watched to its end."""
    watching.press(CTRL_C)
    watching.wait_for(QUESTION)
    watching.press("s")
    shown = watching.rest()
    assert "Asked run 1 to stop." in shown
    assert "run.stopped" in shown
    assert watching.exit_code() == 130
    assert contract.runs[1]["status"] == "STOPPED"


def test_go_on(watching: Screen, contract: Contract, server: Server) -> None:
    """Nothing of what came meanwhile is missing, nothing is shown twice."""
    watching.press(CTRL_C)
    watching.wait_for(QUESTION)
    server.tell(lambda: contract.add_event(1, "log", {"stream": "stdout", "offset": 0, "lines": ["meanwhile"]}))
    watching.press("c")
    watching.wait_for("meanwhile")
    server.tell(lambda: contract.finish(1, ["later"]))
    shown = watching.rest()
    assert "meanwhile" not in shown
    assert "run.created" not in shown
    assert "later" in shown
    assert "Run 1 completed" in shown
    assert watching.exit_code() == 0


def test_an_agent_cannot_command_the_terminal(watching: Screen, contract: Contract, server: Server) -> None:
    """Its colours stay, a clear screen and a window title are written out."""
    nasty = ["\x1b[31mred\x1b[0m \x1b[2J\x1b]0;owned\x07", "over\rwritten"]
    server.tell(lambda: contract.finish(1, nasty))
    shown = watching.rest()
    assert "\x1b[31mred" in shown
    assert "\x1b[2J" not in shown
    assert "\x1b]0;" not in shown
    assert "\\x1b[2J\\x1b]0;owned\\x07" in shown
    assert "over\\rwritten" in shown


@pytest.mark.parametrize("variable", ["NO_COLOR", "TERM"])
def test_colours_can_be_wished_away(
    environment: dict[str, str], server: Server, contract: Contract, variable: str
) -> None:
    """Also an agent's own."""
    contract.finish(contract.add_run(), ["\x1b[31mred\x1b[0m"])
    wished = {"NO_COLOR": "1"} if variable == "NO_COLOR" else {"TERM": "dumb"}
    with screen(command("logs", "1"), {**environment, **wished}) as made:
        shown = made.rest()
        assert "red" in shown
        assert "\x1b" not in shown


def test_a_wait_of_more_than_a_second_shows_a_sign_of_life(watching: Screen) -> None:
    """With what is waited for and where to read why."""
    watching.wait_for("Run 1 is at work", timeout=10)


def test_logs_are_followed_on_a_terminal_until_ctrl_c(
    environment: dict[str, str], server: Server, contract: Contract
) -> None:
    """Which ends the command without a question and without a trace."""
    contract.add_run()
    with screen(command("logs", "-f", "1"), environment) as made:
        made.wait_for("run.created.*\n")
        made.press(CTRL_C)
        assert "Traceback" not in made.rest()
        assert made.exit_code() == 130


def test_the_list_is_shown_again_and_again(environment: dict[str, str], server: Server, contract: Contract) -> None:
    """Until Ctrl-C."""
    contract.add_run(title="first")
    asked: Callable[[], int] = lambda: sum(path.startswith("/v1/runs?") for _, path in contract.requests)  # noqa: E731
    with screen(command("ps", "--watch"), environment) as made:
        made.wait_for("first")
        until(lambda: asked() >= 2)
        made.wait_for("first")
        made.press(CTRL_C)
        made.rest()
        assert made.exit_code() == 130
