"""Document 004's process library: agents as supervised processes, without server and database.

async with LocalProcessRunner() as runner:
    handle = await runner.spawn(AgentConfig(name="research", model_backend="claude", task="Research AI news"))
    async for line in handle.subscribe_stdout():
        print(line.decode())
    print(await handle.wait())
"""

from agentrunner.local_runner.agent import (
    AgentConfig,
    AgentInfo,
    AgentSignal,
    AgentStatus,
    AttachInfo,
    ExitStatus,
    PauseMode,
    ResourceLimits,
)
from agentrunner.local_runner.backends import TOOL_LEVELS, CommandBuilder
from agentrunner.local_runner.config import ProcessRunnerConfig
from agentrunner.local_runner.errors import (
    AgentError,
    CommunicationError,
    ExecutionError,
    InvalidContext,
    IoError,
    NotFound,
    ProviderError,
    SpawnFailed,
    Timeout,
    UnsupportedOperation,
)
from agentrunner.local_runner.handle import AgentHandle, LocalAgentHandle
from agentrunner.local_runner.output import Subscription
from agentrunner.local_runner.runner import LocalProcessRunner
from agentrunner.local_runner.shutdown import GracefulShutdown

__all__ = [
    "TOOL_LEVELS",
    "AgentConfig",
    "AgentError",
    "AgentHandle",
    "AgentInfo",
    "AgentSignal",
    "AgentStatus",
    "AttachInfo",
    "CommandBuilder",
    "CommunicationError",
    "ExecutionError",
    "ExitStatus",
    "GracefulShutdown",
    "InvalidContext",
    "IoError",
    "LocalAgentHandle",
    "LocalProcessRunner",
    "NotFound",
    "PauseMode",
    "ProcessRunnerConfig",
    "ProviderError",
    "ResourceLimits",
    "SpawnFailed",
    "Subscription",
    "Timeout",
    "UnsupportedOperation",
]
