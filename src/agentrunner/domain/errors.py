"""One tree of errors; the docstring of each is its default message, `code` is stable, `status` is its HTTP status.

AgentRunnerError                 internal 500
  InvalidRequest                 invalid_request 400
    InvalidField                 invalid_field 422
    InvalidCursor                invalid_cursor 400
    BodyTooLarge                 body_too_large 413
    HeadTooLarge                 head_too_large 431
    MethodNotAllowed             method_not_allowed 405
    RequestTimeout               request_timeout 408
    UnsupportedMediaType         unsupported_media_type 415
    LimitUnsupported             limit_unsupported 422
  Unauthorized                   unauthorized 401
  Forbidden                      forbidden 403
  WrongHost                      wrong_host 421
  NotFound                       not_found 404
    RunNotFound                  run_not_found 404
    ProjectNotFound              project_not_found 404
    WorkerNotFound               worker_not_found 404
    AgentNotFound                agent_not_found 404
    VersionNotFound              version_not_found 404
  Conflict                       conflict 409
    InvalidTransition            invalid_transition 409
    StaleEpoch                   stale_epoch 409
    OffsetMismatch               offset_mismatch 409
    WorkerInUse                  worker_in_use 409
    IdempotencyMismatch          idempotency_mismatch 409
    NameTaken                    name_taken 409
    BackendUnsupported           backend_unsupported 409
  TooManyRequests                too_many_requests 429
  Unavailable                    unavailable 503
    QueryTimeout                 query_timeout 503
  ServerUnreachable              server_unreachable 503 (raised by clients only)
  ConfigurationError             bad_configuration 500 (refused at start)
  BackendError                   backend_error 422 (where it ends a run, it becomes the reason)
    BackendMissing               backend_missing
    BadOptions                   bad_config 422 (a request too, where the options can never work)
    WorkspaceError               workspace_error
"""

from typing import Any, ClassVar


class AgentRunnerError(Exception):
    """Something went wrong inside Agent Runner; the log has the details under this request id."""

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500

    def __init__(self, detail: str | None = None, **extra: Any) -> None:
        """`detail` is a sentence a person can act on; `extra` travels as fields of the problem document."""
        self.detail = detail or (type(self).__doc__ or "").strip()
        self.extra = extra
        super().__init__(self.detail)


class InvalidRequest(AgentRunnerError):
    """The request could not be understood."""

    code = "invalid_request"
    status = 400


class InvalidField(InvalidRequest):
    """A field of the request has a value that is not allowed."""

    code = "invalid_field"
    status = 422


class InvalidCursor(InvalidRequest):
    """The cursor is not one that this server gave out; leave it away to start at the beginning."""

    code = "invalid_cursor"


class BodyTooLarge(InvalidRequest):
    """The request body is larger than this route takes."""

    code = "body_too_large"
    status = 413


class HeadTooLarge(InvalidRequest):
    """The request line and headers are larger than this server takes."""

    code = "head_too_large"
    status = 431


class MethodNotAllowed(InvalidRequest):
    """This address does not take the method."""

    code = "method_not_allowed"
    status = 405


class RequestTimeout(InvalidRequest):
    """The request body did not arrive in time; send it again."""

    code = "request_timeout"
    status = 408


class UnsupportedMediaType(InvalidRequest):
    """The body has a content type that this route does not take; send JSON as `content-type: application/json`."""

    code = "unsupported_media_type"
    status = 415


class LimitUnsupported(InvalidRequest):
    """No worker can enforce this limit; `agentrunner doctor` on the worker's host says why."""

    code = "limit_unsupported"
    status = 422


class Unauthorized(AgentRunnerError):
    """This needs a token: send `Authorization: Bearer …`; the data directory's file `token` holds one."""

    code = "unauthorized"
    status = 401


class Forbidden(AgentRunnerError):
    """This token has not the scope that the call needs."""

    code = "forbidden"
    status = 403


class WrongHost(AgentRunnerError):
    """The Host header names a server this is not; start it with `--allow-host NAME` to accept the name."""

    code = "wrong_host"
    status = 421


class NotFound(AgentRunnerError):
    """There is nothing at this address."""

    code = "not_found"
    status = 404


class RunNotFound(NotFound):
    """There is no run with this id; `agentrunner ps --all` lists what there is."""

    code = "run_not_found"


class ProjectNotFound(NotFound):
    """There is no project with this name; create it first, or leave `project` away for the one called default."""

    code = "project_not_found"


class WorkerNotFound(NotFound):
    """This worker is not registered here; it has to register first."""

    code = "worker_not_found"


class AgentNotFound(NotFound):
    """There is no agent with this name."""

    code = "agent_not_found"


class VersionNotFound(NotFound):
    """The agent has no version with this name."""

    code = "version_not_found"


class Conflict(AgentRunnerError):
    """The request collides with what is already there."""

    code = "conflict"
    status = 409


class InvalidTransition(Conflict):
    """The run's status does not allow this."""

    code = "invalid_transition"


class StaleEpoch(Conflict):
    """Somebody else holds the right to this by now; what you hold is over."""

    code = "stale_epoch"


class OffsetMismatch(Conflict):
    """The output does not continue where the stored output ends; read again from the stored offsets."""

    code = "offset_mismatch"


class WorkerInUse(Conflict):
    """Another process holds this worker's identity; give this one a state directory of its own."""

    code = "worker_in_use"


class IdempotencyMismatch(Conflict):
    """This Idempotency-Key was used with another body."""

    code = "idempotency_mismatch"


class NameTaken(Conflict):
    """The name is taken."""

    code = "name_taken"


class BackendUnsupported(Conflict):
    """The run's backend cannot do this."""

    code = "backend_unsupported"


class TooManyRequests(AgentRunnerError):
    """Too much is waiting already; try again later."""

    code = "too_many_requests"
    status = 429


class Unavailable(AgentRunnerError):
    """The server cannot do this right now; try again shortly."""

    code = "unavailable"
    status = 503


class QueryTimeout(Unavailable):
    """The search took too long; narrow it."""

    code = "query_timeout"


class ServerUnreachable(AgentRunnerError):
    """No Agent Runner server answers; start one with `agentrunner up`."""

    code = "server_unreachable"
    status = 503


class ConfigurationError(AgentRunnerError):
    """The configuration is not usable."""

    code = "bad_configuration"


class BackendError(AgentRunnerError):
    """The backend cannot run this."""

    code = "backend_error"
    status = 422


class BackendMissing(BackendError):
    """The agent's program is not installed on the worker; `agentrunner doctor` lists what is."""

    code = "backend_missing"


class BadOptions(BackendError):
    """The run's options do not fit its backend."""

    code = "bad_config"
    status = 422


class WorkspaceError(BackendError):
    """The project's directory is missing or not usable on the worker."""

    code = "workspace_error"
