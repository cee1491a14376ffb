"""Run directories that no assignment names: what is left of attempts that ended, here or on the server.

Output that the server has not got is handed in, flagged late; what is recorded is deleted once its retention is over.
"""

import asyncio
import shutil
import time

import structlog

from agentrunner.domain.control import RecordRequest
from agentrunner.domain.errors import AgentRunnerError
from agentrunner.process.adopt import RunDirectory
from agentrunner.worker.control import Control
from agentrunner.worker.host import Host

log = structlog.get_logger("agentrunner.worker")

_SWEEP_S = 300.0


class Leftovers:
    """Sweeps this instance's directories at the start and then every few minutes."""

    def __init__(self, control: Control, host: Host) -> None:
        self._control = control
        self._host = host
