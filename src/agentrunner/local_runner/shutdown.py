"""Ending an agent kindly, and surely."""

from agentrunner.local_runner.agent import ExitStatus
from agentrunner.local_runner.handle import LocalAgentHandle


class GracefulShutdown:
    """SIGTERM to the agent and all it has started; SIGKILL to what is left after `timeout_secs`."""

    def __init__(self, timeout_secs: float = 5) -> None:
        self.timeout_secs = timeout_secs

    async def shutdown(self, handle: LocalAgentHandle) -> ExitStatus:
        """How it ended; `step` says whether SIGTERM was enough. Harmless where it has ended."""
        await handle.shutdown(self.timeout_secs)
        return await handle.wait()
