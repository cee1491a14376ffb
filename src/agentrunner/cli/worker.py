"""`agentrunner worker`: a worker for a server elsewhere."""

import click

from agentrunner.cli.session import Session, data_dir_option, overriding, pass_session
from agentrunner.cli.settings import setting_options


@click.command(short_help="Run a worker here for a server elsewhere.")
@click.option("--server", metavar="URL", expose_value=False, callback=overriding("server_url"),
              help="The server to work for; else AGENTRUNNER_SERVER_URL or the local one.")  # fmt: skip
@data_dir_option
@setting_options(
    "worker_name",
    "slots",
    "tree",
    "pass_env",
    "grace_s",
    "spool_cap_mb",
    "retention.spools",
    "retention.spools_bytes",
    "log_level",
)
@pass_session
def worker(session: Session) -> None:
    """Run a worker in the foreground. Its agents go on when it ends, and are found again by the next one.

    The token comes from AGENTRUNNER_TOKEN (`agentrunner token create NAME --scope worker` makes it) or, for a server
    on this host, from the data directory.
    """
    from agentrunner.app.work import work

    work(session.settings)
