"""The zygote plays one whole run by itself before it forks any shim. Stand-alone.

Everything that Python makes ready at a first use (parsed signatures, specialised code, caches) is then made in memory
that all shims share, instead of by each for itself: a third of the memory and of the time of every shim.
"""

from __future__ import annotations

import gc
import os

from agentrunner.process import facts, kernel, shim, tree
from agentrunner.process.kernel import signals

_CAUGHT = (signals.SIGHUP, signals.SIGINT, signals.SIGTERM, signals.SIGPIPE, signals.SIGCHLD, signals.SIGIO)
_LIMIT_S = 5.0
_CAP = 1 << 22
_TIMES = 9
"""CPython 3.11 specialises a function at its eighth call; what is specialised here is not rewritten in every shim."""


def rehearse(state: str, probes: dict[str, tree.Probe | None], title: kernel.Title) -> None:
    """Run a program that does nothing and undo what that changes in this process: it closes all from 3 on."""
    gc.disable()
    for number in range(_TIMES):
        path = f"{state}/rehearsal-{os.getpid()}-{number}"
        os.mkdir(path, 0o700)
        try:
            _play(path, probes, title)
        except Exception as error:
            shim.report("the rehearsal failed, shims will be larger", error)
        # What a run leaves is finalised while its descriptors are still its own: closed under it, they would be closed
        # once more when somebody else has them.
        gc.collect()
        _undo(path, title)


def _play(path: str, probes: dict[str, tree.Probe | None], title: kernel.Title) -> None:
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    spec: dict[str, object] = {
        "instance": f"rehearsal-{os.getpid()}",
        "uid": path.rpartition("/")[2],
        "run": 0,
        "epoch": 0,
        "argv": ["/bin/echo"],
        "env": {},
        "cwd": "/",
        "stdio": "pipe",
        "stdin": "null",
        "spool_cap_bytes": _CAP,
        "grace_s": 0.1,
        "wall_s": _LIMIT_S,
    }
    facts.write_whole(directory, "spec.json", spec)
    shim.Shim(path, probes, 0o077).run(title)


def _undo(path: str, title: kernel.Title) -> None:
    signals.set_wakeup_fd(-1)
    for signal in _CAUGHT:
        signals.signal(signal, signals.SIG_DFL)
    kernel.become_subreaper(False)
    tree.note_subreaper(False)
    title.reset()
    os.closerange(3, 2**31 - 1)
    for name in os.listdir(path):
        os.unlink(f"{path}/{name}")
    os.rmdir(path)
