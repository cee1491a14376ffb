"""Settings as options of the commands that run something here, made from the one table."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from agentrunner.cli.session import overriding
from agentrunner.config import BY_NAME, Setting

F = TypeVar("F", bound=Callable[..., Any])
_METAVARS = {str: "TEXT", int: "N", float: "N"}


def setting_options(*names: str) -> Callable[[F], F]:
    """An option for each of some settings: `lease_s` is `--lease-s`, `retention.runs` is `--retention-runs`."""

    def decorate(command: F) -> F:
        for name in reversed(names):
            command = _option(BY_NAME[name])(command)
        return command

    return decorate


def _option(setting: Setting) -> Callable[[F], F]:
    flag = f"--{setting.attribute.replace('_', '-')}"
    shared: dict[str, Any] = {"help": _help(setting), "expose_value": False, "callback": overriding(setting.name)}
    if setting.type is bool:
        return click.option(flag, is_flag=True, default=None, **shared)
    return click.option(flag, type=setting.type, metavar=_METAVARS[setting.type], **shared)


def _help(setting: Setting) -> str:
    default = f" [{setting.default}]" if setting.default not in ("", False) else ""
    return f"{setting.help[:1].upper()}{setting.help[1:]}{default}"
