"""The worker process."""

import asyncio
import os
from pathlib import Path

from agentrunner import __version__
from agentrunner.app.address import SOCKET_NAME
from agentrunner.app.backends import backends
from agentrunner.app.logs import catch_all, configure
from agentrunner.app.open_files import allow_many
from agentrunner.app.parent import inherited_fd, until_told_or_failed
from agentrunner.app.tokens import WORKER_TOKEN_FILE
from agentrunner.config import Settings
from agentrunner.domain.errors import ConfigurationError
from agentrunner.worker import identity
from agentrunner.worker.control import Control
from agentrunner.worker.host import WorkerOptions
from agentrunner.worker.loop import Worker

SUCCEED_S = 5.0


def work(settings: Settings, succeed: bool = False) -> None:
    """Work until told to end, or until the parent does; agents go on.

    With `succeed`, a worker that still holds the state directory is given 5 s, then killed by its proven start time.
    """
    configure(settings, "worker")
    catch_all()
    allow_many()
    me = identity.take(settings.data_path, SUCCEED_S if succeed else 0.0)
    try:
        asyncio.run(_work(settings, me))
    finally:
        me.release()


async def _work(settings: Settings, me: identity.Identity) -> None:
    parent_fd = inherited_fd()
    control = connect(settings)
    worker = Worker(control, me, backends(), options(settings))
    await worker.start()
    try:
        await until_told_or_failed(parent_fd, worker.wait_failed())
    finally:
        await worker.stop()
        await control.close()


def connect(settings: Settings) -> Control:
    """The server to work for: the URL in the settings, else the local Unix socket."""
    token = settings.token or _token(settings.data_path / WORKER_TOKEN_FILE)
    if settings.server_url:
        return Control.connect(settings.server_url, None, token)
    return Control.connect("http://agentrunner", str(settings.data_path / SOCKET_NAME), token)


def _token(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError as error:
        raise ConfigurationError(
            f"No worker token: {path} is not there. Start the server first (`agentrunner up`), or on another host set "
            "AGENTRUNNER_TOKEN to one made by `agentrunner token create --scope worker`."
        ) from error


def options(settings: Settings) -> WorkerOptions:
    """What the worker needs to know of the settings."""
    return WorkerOptions(
        state_dir=settings.data_path,
        name=settings.worker_name or "",
        version=__version__,
        slots=settings.slots,
        grace_s=settings.grace_s,
        spool_cap_bytes=settings.spool_cap_mb << 20,
        spool_retention_s=settings.retention_spools * 86_400,
        spool_retention_bytes=settings.retention_spools_bytes,
        claim_wait_s=settings.worker_check_interval,
        claim_slots=settings.worker_batch_size,
        tree=settings.tree or None,
        pass_env=[name for name in settings.pass_env.split(",") if name],
        environment=dict(os.environ),
    )
