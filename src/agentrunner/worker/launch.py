"""From an assignment to a run directory whose shim the zygote was asked to fork."""

import asyncio
from dataclasses import replace

import structlog

from agentrunner.agents.base import Backend, Command, Standalone
from agentrunner.domain.control import Assignment
from agentrunner.domain.errors import BackendError, BackendMissing, BadOptions, WorkspaceError
from agentrunner.domain.state import OnLost, Reason
from agentrunner.process.adopt import RunDirectory, Spec
from agentrunner.worker.host import Host
from agentrunner.workspace import environment, files

log = structlog.get_logger("agentrunner.worker")

_REASONS: dict[type[BackendError], Reason] = {
    BackendMissing: Reason.BACKEND_MISSING,
    BadOptions: Reason.BAD_CONFIG,
    WorkspaceError: Reason.WORKSPACE_ERROR,
}


def reason_of(error: BackendError) -> Reason:
    """The reason with which a run ends that cannot be started."""
    return _REASONS.get(type(error), Reason.BAD_CONFIG)


async def launch(host: Host, assignment: Assignment, backend: Backend) -> RunDirectory:
    """Write the next run directory of an attempt and ask for its shim. Raises BackendError, and OSError where no
    directory can be made: then nothing was asked for.

    Where the zygote does not answer, the directory is there all the same: the start gate decides what became of it.
    """
    directory = RunDirectory.create(host.runs, plan(host, assignment, backend))
    async with host.spawning:
        try:
            # In a thread, because a zygote that hangs must not stop the worker. The directory is made before: whoever
            # comes upon it finds it, and closes its gate to a spawn that was left behind here.
            await asyncio.to_thread(host.zygote.spawn, directory.path)
        except OSError as error:
            log.warning("the zygote did not answer", run=assignment.run_id, error=str(error))
    return directory


def plan(host: Host, assignment: Assignment, backend: Backend) -> Spec:
    """Everything the shim needs to know. Raises BackendError."""
    asked = {name: str(value) for name, value in (assignment.options.get("env") or {}).items()}
    own = {"AGENTRUNNER_RUN_ID": str(assignment.run_id), "AGENTRUNNER_ATTEMPT_NUMBER": str(assignment.attempt)}
    env = environment.build(host.options.environment, host.options.pass_env, {**asked, **own}, assignment.secrets)
    env["OTEL_RESOURCE_ATTRIBUTES"] = _telling_run(env.get("OTEL_RESOURCE_ATTRIBUTES", ""), assignment.run_id)
    project_path = None if isinstance(backend, Standalone) else assignment.project_path
    cwd = files.prepare(
        host.options.state_dir / "workspaces", assignment.run_id, project_path, assignment.options.get("cwd")
    )
    command = backend.command(assignment, env, cwd)
    spec = _spec(host, assignment, command, {**env, **command.env}, str(cwd))
    # Whose parser reads it: of a replay that is another's than the run's own.
    return replace(spec, backend=backend.name)


def _telling_run(attributes: str, run_id: int) -> str:
    """By `run.id` an agent's telemetry is known for this run's, whoever receives it; one that was given stays."""
    return attributes if "run.id=" in attributes else ",".join(filter(None, (attributes, f"run.id={run_id}")))


def _spec(host: Host, assignment: Assignment, command: Command, env: dict[str, str], cwd: str) -> Spec:
    limits = assignment.limits
    ends_alone = assignment.on_lost is not OnLost.WAIT
    return Spec(
        instance=host.instance_id,
        uid=assignment.uid,
        backend=assignment.backend,
        run=assignment.run_id,
        attempt=assignment.attempt,
        epoch=assignment.epoch,
        argv=list(command.argv),
        env=env,
        cwd=cwd,
        stdio=command.stdio,
        stdin=command.stdin,
        prompt=command.prompt,
        secrets=sorted({*environment.secret_values(env, assignment.secrets), *command.redact}),
        wall_s=limits.wall_s,
        idle_s=limits.idle_s,
        start_s=limits.start_s,
        output_bytes=None if limits.output_mb is None else round(limits.output_mb * 1024 * 1024),
        memory_mb=limits.memory_mb,
        cpu=limits.cpu,
        pids=limits.pids,
        spool_cap_bytes=host.options.spool_cap_bytes,
        grace_s=host.options.grace_s,
        tree=host.options.tree,
        deadline=host.lease.until if ends_alone else None,
    )
