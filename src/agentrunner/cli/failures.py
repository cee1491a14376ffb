"""How a command fails: one line on standard error that says what to do, and an exit code that says what kind it was."""

import os
import sys
import traceback

import click

OK, FAILURE, USAGE, UNREACHABLE, NOT_FOUND, CONFLICT = range(6)
INTERRUPTED = 130
BROKEN_PIPE = 141
DEBUG = "AGENTRUNNER_DEBUG"


def report(error: BaseException) -> int:
    """Print what happened; answers the exit code."""
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return INTERRUPTED
    code, line = describe(error)
    print(f"agentrunner: {line}", file=sys.stderr, flush=True)
    if os.environ.get(DEBUG) and not isinstance(error, click.ClickException):
        traceback.print_exception(error, file=sys.stderr)
    return code


def describe(error: BaseException) -> tuple[int, str]:
    """The exit code and the line of an error."""
    from agentrunner.cli import terminal
    from agentrunner.config import BadSetting
    from agentrunner.domain.errors import AgentRunnerError

    if isinstance(error, click.ClickException):
        return (USAGE if isinstance(error, click.UsageError) else FAILURE), terminal.one_line(_usage(error))
    if isinstance(error, BadSetting):
        return USAGE, terminal.one_line(f"{error}; `agentrunner config` lists the settings.")
    if isinstance(error, AgentRunnerError):
        return exit_code(error), terminal.one_line(_told(error))
    hint = "" if os.environ.get(DEBUG) else f" {DEBUG}=1 shows where."
    return FAILURE, terminal.one_line(f"Something went wrong inside: {type(error).__name__}: {error}.{hint}")


def exit_code(error: Exception) -> int:
    """The exit code of an error from our tree."""
    from agentrunner.domain import errors

    codes: dict[type[Exception], int] = {
        errors.ServerUnreachable: UNREACHABLE,
        errors.NotFound: NOT_FOUND,
        errors.Conflict: CONFLICT,
        errors.InvalidRequest: USAGE,
        errors.BadOptions: USAGE,
    }
    return next((code for kind, code in codes.items() if isinstance(error, kind)), FAILURE)


def _told(error: Exception) -> str:
    detail = str(getattr(error, "detail", error))
    extra = getattr(error, "extra", {})
    if getattr(error, "code", "") == "internal" and "request_id" in extra:
        return f"{detail} (request {extra['request_id']})"
    return detail


def _usage(error: click.ClickException) -> str:
    text = error.format_message()
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "agentrunner"
    ending = "" if text.endswith((".", "?", "!", "…")) else "."
    return f"{text[:1].upper()}{text[1:]}{ending} See `{path} --help`." if isinstance(error, click.UsageError) else text
