"""`agentrunner up`: server and worker in the foreground."""

import click

from agentrunner.cli.session import Session, data_dir_option, pass_session
from agentrunner.cli.settings import setting_options
from agentrunner.config import SETTINGS

_ELSEWHERE = {"data_dir", "allow_hosts", "server_url", "token", "agentops_api_key"}
"""Settings that have an option of their own form, are secret, or have no meaning here."""


def _join(context: click.Context, _: click.Parameter, names: tuple[str, ...]) -> None:
    if names:
        context.find_object(Session).overrides["allow_hosts"] = ",".join(names)  # type: ignore[union-attr]


@click.command(short_help="Run server and worker here, in the foreground.")
@data_dir_option
@click.option("--allow-host", metavar="NAME", multiple=True, expose_value=False, callback=_join,
              help="A name beside loopback that the Host header may have; may be repeated.")  # fmt: skip
@setting_options(*(setting.name for setting in SETTINGS if setting.name not in _ELSEWHERE))
@click.option("--open/--no-open", "open_console", default=False, help="Open the console in a browser, signed in.")
@pass_session
def up(session: Session, open_console: bool) -> int:
    """Run server and worker in the foreground, and start either again should it die.

    Ctrl-C ends both, never the agents: they go on and are found again by the next `agentrunner up`;
    `agentrunner stop --all` ends them.
    """
    from agentrunner.app.up import up as run_here

    return run_here(session.settings, open_console)
