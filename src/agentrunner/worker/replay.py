"""Replays on the worker that has the recording: what is executed, whose parser reads it, what must stay secret."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from agentrunner.agents.base import Backend, Command, Found, Parser, Replayer, Stdio
from agentrunner.domain.control import Assignment
from agentrunner.domain.errors import BadOptions
from agentrunner.domain.recording import REPLAY, Recorded, recorded
from agentrunner.process.adopt import RunDirectory, Spec

NEWLY = "Replay a run whose output is still there, or execute it again with `agentrunner retry`."


@dataclass(frozen=True, slots=True)
class Replaying:
    """The backend of one replay: it executes the replay program and reads what that writes as `original` would.

    It has the original's name, under which the run directory's spec says whose parser its output needs.
    """

    replay: Replayer
    original: Backend
    runs: Path

    @property
    def name(self) -> str:
        """The original's."""
        return self.original.name

    def check(self, goal: str, options: Mapping[str, Any]) -> None:
        """Nothing: the server has checked them as those of a replay, and the original does not know them."""

    def command(self, assignment: Assignment, environment: Mapping[str, str], directory: Path) -> Command:
        """The replay program on the recording, with the recorded run's secrets. Raises BadOptions saying what to do.

        They go from one spec to the other, both 0600: they are in neither arguments nor environment.
        """
        found, spec = find_recording(self.runs, assignment.options)
        stdio: Stdio = "file" if spec.stdio == "file" else "pipe"
        command = self.replay.play(assignment.options, found.path, stdio)
        return Command(argv=command.argv, stdio=command.stdio, redact=spec.secrets)

    def parser(self, out_state: Any, err_state: Any) -> Parser:
        """The original's parser."""
        return self.original.parser(out_state, err_state)

    def find(self, environment: Mapping[str, str]) -> Found:
        """There: no program of the original's is executed."""
        return Found(available=True)


def backend_of(assignment: Assignment, runs: Path, find: Callable[[str], Backend]) -> Backend:
    """The backend of an attempt; for a replay one that is made for it alone, out of the recorded one."""
    backend = find(assignment.backend)
    if assignment.backend != REPLAY or not isinstance(backend, Replayer):
        return backend
    try:
        return Replaying(backend, find(recorded(assignment.options).backend), runs)
    except BadOptions:
        return backend


def replayed_uid(assignment: Assignment) -> str | None:
    """The attempt whose recording an attempt needs; None where it needs none."""
    recording = assignment.options.get("recorded") if assignment.backend == REPLAY else None
    return recording.get("uid") if isinstance(recording, dict) else None


def find_recording(runs: Path, options: Mapping[str, Any]) -> tuple[RunDirectory, Spec]:
    """The run directory that is to be replayed, whole and at rest. Raises BadOptions saying why not, and what to do."""
    what = recorded(options)
    name = f"The raw output of run {options.get('run')}, attempt {what.attempt},"
    directory = RunDirectory.latest(runs, what.uid)
    if directory is None:
        raise BadOptions(
            f"{name} is not on this host: it was deleted after its retention (`retention.spools`). {NEWLY}"
        )
    try:
        spec = directory.spec()
        _check_whole(directory, spec, what, name)
    except (OSError, ValueError, TypeError, msgspec.MsgspecError) as error:
        raise BadOptions(f"{name} cannot be read: {error}. {NEWLY}") from error
    return directory, spec


def _check_whole(directory: RunDirectory, spec: Spec, what: Recorded, name: str) -> None:
    if directory.recorded_at() is None:
        raise BadOptions(f"{name} is not recorded to its end yet: replay it once the run has ended.")
    if spec.uid != what.uid or directory.proc() is None:
        raise BadOptions(f"{name} is not there: nothing was executed. {NEWLY}")
    record, found = directory.exit(), directory.sizes()
    if record is not None and record.spawn_error is not None:
        raise BadOptions(f"{name} is not there: its program could not be started. {NEWLY}")
    if record is not None and (record.sizes.out, record.sizes.err) != (found.out, found.err):
        raise BadOptions(f"{name} is not what was written: {directory.path} was changed. {NEWLY}")
    if is_punched(directory.path):
        raise BadOptions(
            f"{name} is not whole any more: its beginning was given back when the run came near `spool_cap_mb`. "
            f"Raise that setting before a run that is to be replayed. {NEWLY}"
        )


def is_punched(directory: Path) -> bool:
    """True where the beginning of the raw output, or of its index, was given back to the disk."""
    return any(_begins_with_hole(directory / name) for name in ("out", "err", "idx"))


def _begins_with_hole(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return os.fstat(descriptor).st_size > 0 and os.lseek(descriptor, 0, os.SEEK_DATA) > 0
    except OSError:
        # Nothing but a hole, as ENXIO says.
        return True
    finally:
        os.close(descriptor)
