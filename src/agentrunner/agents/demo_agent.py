"""The program behind the demo backend: simulates an agent that thinks, plans and executes. Standard library only.

`python -I -S demo_agent.py SECONDS [FAIL]`: each step takes SECONDS; the step called FAIL fails. What the agent "does"
is written to stdout as lines of JSON, `{"type", "message"}`. A line on stdin is a directive: it is answered. Time for
which it is frozen does not count.
"""

import json
import os
import select
import signal
import sys
import time

STEPS = ("thinking", "planning", "executing")
_TYPES = {"thinking": "agent.thinking", "planning": "plan.generated", "executing": "executing"}
MOST_SHOWN = 500
_MOST_WAITING = 1 << 20
_SLICE_S = 0.25


class Directives:
    """What a person sends while the simulation goes on; a line longer than 1 MiB is taken in parts."""

    def __init__(self) -> None:
        self._waiting = b""
        self._is_open = True

    def wait(self, seconds: float) -> None:
        """Answer what comes until the time is over, of which a freeze takes a slice at most."""
        left, before = seconds, time.monotonic()
        while left > 0:
            self._look(min(left, _SLICE_S))
            now = time.monotonic()
            left -= min(now - before, _SLICE_S)
            before = now

    def look(self) -> None:
        """Answer what is there already."""
        self._look(0)

    def _look(self, seconds: float) -> None:
        if not self._is_open:
            time.sleep(seconds)
        elif select.select([0], [], [], seconds)[0]:
            self._take(os.read(0, 65536))

    def _take(self, data: bytes) -> None:
        self._is_open = bool(data)
        *lines, self._waiting = (self._waiting + data).split(b"\n")
        if len(self._waiting) > _MOST_WAITING or (not data and self._waiting):
            lines, self._waiting = [*lines, self._waiting], b""
        for line in lines:
            if text := line.decode("utf-8", "replace").strip():
                say(
                    "message",
                    f"Simulation: the directive {shown(text)!r} was read; a simulation changes nothing for it.",
                )


def say(kind: str, message: str) -> None:
    """Write one line by one write."""
    os.write(1, json.dumps({"type": kind, "message": message}).encode() + b"\n")


def shown(text: str) -> str:
    """A text as long as a timeline needs it."""
    return text if len(text) <= MOST_SHOWN else text[: MOST_SHOWN - 1] + "…"


def main() -> int:
    """Simulate; answers the exit code."""
    for number in (signal.SIGINT, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    seconds = float(sys.argv[1])
    failing = sys.argv[2] if len(sys.argv) > 2 else ""
    # Not `os.environ`, which reads by the locale what is UTF-8 under every one.
    goal = shown(os.environb.get(b"AGENTRUNNER_GOAL", b"").decode("utf-8", "replace")) or "none"
    messages = {
        "thinking": f"Simulation: thinking about the goal: {goal}",
        "planning": f"Simulation: a plan for {goal!r}\n1. Understand it\n2. Design\n3. Build\n4. Test",
        "executing": "Simulation: executing the plan; nothing is executed in truth.",
    }
    directives = Directives()
    for step in STEPS:
        directives.wait(seconds)
        if step == failing:
            print(f"Simulation: {step} failed, as the option `fail` asked.", file=sys.stderr, flush=True)
            return 1
        say(_TYPES[step], messages[step])
    directives.wait(seconds / 2)
    directives.look()
    return 0


if __name__ == "__main__":
    sys.exit(main())
