"""What can go wrong with a local agent, by document 004's names; all of it is an AgentRunnerError.

AgentError                       agent_error 500
  SpawnFailed                    spawn_failed 500
  ExecutionError                 execution_error 409
  CommunicationError             communication_error 409
  NotFound                       local_agent_not_found 404 (the product's NotFound too)
  Timeout                        agent_timeout 504 (Python's TimeoutError too)
  InvalidContext                 invalid_context 422
  IoError                        agent_io_error 500
  ProviderError                  provider_error 502
  UnsupportedOperation           unsupported_operation 409
"""

from agentrunner.domain import errors


class AgentError(errors.AgentRunnerError):
    """The local agent cannot do this."""

    code = "agent_error"


class SpawnFailed(AgentError):
    """The agent could not be started; the message says which program, directory or limit was in the way."""

    code = "spawn_failed"


class ExecutionError(AgentError):
    """The agent's status does not allow this."""

    code = "execution_error"
    status = 409


class CommunicationError(AgentError):
    """The agent does not read any more; what was written did not reach it, or only a part of it."""

    code = "communication_error"
    status = 409


class NotFound(AgentError, errors.NotFound):
    """This runner has no agent with this id; `list_agents` names those it has."""

    code = "local_agent_not_found"
    status = 404


class Timeout(AgentError, TimeoutError):
    """The agent did not do this within the time given."""

    code = "agent_timeout"
    status = 504


class InvalidContext(AgentError):
    """A field of the agent's configuration cannot be passed to its program."""

    code = "invalid_context"
    status = 422


class IoError(AgentError):
    """The runner's own files cannot be used."""

    code = "agent_io_error"


class ProviderError(AgentError):
    """The agent's program says that its model's provider has failed."""

    code = "provider_error"
    status = 502


class UnsupportedOperation(AgentError):
    """This agent's backend, or this system, cannot do this."""

    code = "unsupported_operation"
    status = 409
