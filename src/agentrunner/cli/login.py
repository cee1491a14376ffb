"""`agentrunner login`: a link that signs a browser in."""

import click

from agentrunner.cli.session import Session, pass_session, server_options


@click.command(short_help="Print a link that signs a browser in to the console.")
@click.option("--scope", type=click.Choice(["admin", "read"]), default="admin", show_default=True,
              help="What the browser may do.")  # fmt: skip
@click.option("--open", "open_console", is_flag=True, help="Open it in a browser of this host.")
@server_options
@pass_session
def login(session: Session, scope: str, open_console: bool) -> None:
    """Print a link that signs one browser in to the console, once, within five minutes.

    Whoever opens it first is in: give it to nobody. Browsers that are signed in are listed by `GET /v1/sessions`.
    """
    from agentrunner.client import sessions
    from agentrunner.domain.errors import ConfigurationError
    from agentrunner.domain.token import Scope

    made = sessions.invite(session.http, Scope(scope))
    if not made.url.startswith("http"):
        raise ConfigurationError("The server listens on no TCP port, so no browser reaches it; start `agentrunner up`.")
    if session.out.as_json:
        session.out.json(made)
        return
    session.out.line(made.url)
    if open_console:
        from agentrunner.app.login import open_page

        if not open_page(session.settings, made.url):
            session.out.note("No browser could be started here; open the link yourself.")
