"""What every command shares: its output, the settings, the connection to the server, and the options that say which."""

import os
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import click

from agentrunner.cli.output import Output

if TYPE_CHECKING:
    from agentrunner.client.http import Http
    from agentrunner.config import Settings

F = TypeVar("F", bound=Callable[..., Any])


class Session:
    """One command: made before its options are read. Settings and connection are made when first asked for."""

    def __init__(self) -> None:
        self.out = Output()
        self.overrides: dict[str, Any] = {}

    @cached_property
    def settings(self) -> "Settings":
        """The settings: flags over environment over file over defaults. Raises BadSetting."""
        from agentrunner.config import load

        return load(os.environ, self.overrides)

    @cached_property
    def http(self) -> "Http":
        """The connection to the server, closed with the command."""
        from agentrunner.client.http import Http

        http = Http.connect(self.settings)
        click.get_current_context().find_root().call_on_close(http.close)
        return http


pass_session = click.make_pass_decorator(Session)


def overriding(setting: str) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """The callback of an option that overrides a setting."""

    def override(context: click.Context, _: click.Parameter, value: Any) -> Any:
        if value is not None:
            context.find_object(Session).overrides[setting] = value  # type: ignore[union-attr]
        return value

    return override


def _as_json(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        context.find_object(Session).out.as_json = True  # type: ignore[union-attr]


def data_dir_option(command: F) -> F:
    """`--data-dir`."""
    return click.option(
        "--data-dir",
        metavar="DIR",
        expose_value=False,
        callback=overriding("data_dir"),
        help="Where everything is kept; else AGENTRUNNER_DATA_DIR or the usual place.",
    )(command)


def json_option(command: F) -> F:
    """`--json`."""
    return click.option(
        "--json",
        "as_json",
        is_flag=True,
        expose_value=False,
        callback=_as_json,
        help="Print JSON, shaped as the HTTP API's.",
    )(command)


def server_options(command: F) -> F:
    """`--json`, `--server` and `--data-dir`: for commands that ask a server."""
    server = click.option(
        "--server",
        metavar="URL",
        expose_value=False,
        callback=overriding("server_url"),
        help="The server to ask; else AGENTRUNNER_SERVER_URL or the local one.",
    )
    return json_option(server(data_dir_option(command)))
