"""Agents and their versions: what is run, and what metrics are kept for.

An agent is a name. A version is immutable: the hash of what makes runs comparable (backend, model, prompts, tools and
settings), or the name that a program gives to the version it reports for.
"""

import hashlib
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from agentrunner.domain.instant import rfc3339

MAX_VERSIONS = 1000
"""How many versions an agent may have; the runs of further settings count for the version `other`."""
OTHER_VERSION = "other"
UNNAMED = frozenset({"command", "script", "replay", "external", "demo"})
"""Backends that are no agent by themselves: their runs belong to one only if they name it."""
_OF_ONE_RUN = frozenset({"cwd", "env", "resume"})
"""Options that say where a run happens rather than what runs: they make no other version."""

AgentName = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
VersionName = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
_Text = Annotated[str, Meta(max_length=1000, pattern=r"^[^\x00]*$")]
_Words = Annotated[tuple[Annotated[str, Meta(max_length=500, pattern=r"^[^\x00]*$")], ...], Meta(max_length=1000)]


class NewVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A version on its way in. `settings` is what was hashed, empty for a version that a program has named."""

    version: VersionName
    cluster: _Text = ""
    tools: _Words = ()
    models: _Words = ()
    deployment: _Text = ""
    settings: dict[str, Any] = {}


class Agent(msgspec.Struct, frozen=True, kw_only=True):
    """An agent as stored; instants in milliseconds. `project` is what it was registered for, a free text."""

    id: int
    name: str
    project: str
    created_at: int
    updated_at: int


class AgentVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A version as stored; instants in milliseconds."""

    id: int
    agent_id: int
    version: str
    cluster: str
    tools: tuple[str, ...]
    models: tuple[str, ...]
    deployment: str
    settings: dict[str, Any]
    created_at: int
    updated_at: int


class AgentView(msgspec.Struct, frozen=True, kw_only=True):
    """An agent on the wire."""

    id: int
    name: str
    project: str
    created_at: str
    updated_at: str


class VersionView(msgspec.Struct, frozen=True, kw_only=True):
    """A version on the wire."""

    id: int
    agent: str
    version: str
    cluster: str
    tools: tuple[str, ...]
    models: tuple[str, ...]
    deployment: str
    settings: dict[str, Any]
    created_at: str


def view(agent: Agent) -> AgentView:
    """The wire form of an agent."""
    return AgentView(
        id=agent.id,
        name=agent.name,
        project=agent.project,
        created_at=rfc3339(agent.created_at),
        updated_at=rfc3339(agent.updated_at),
    )


def version_view(agent: str, version: AgentVersion) -> VersionView:
    """The wire form of a version of the agent called `agent`."""
    return VersionView(
        id=version.id,
        agent=agent,
        version=version.version,
        cluster=version.cluster,
        tools=version.tools,
        models=version.models,
        deployment=version.deployment,
        settings=version.settings,
        created_at=rfc3339(version.created_at),
    )


def agent_of(name: str | None, backend: str) -> str | None:
    """The agent that a run belongs to: the one it names, else its backend where that is an agent program."""
    if name is not None:
        return name
    return None if backend in UNNAMED else backend


def version_of(backend: str, options: Mapping[str, Any]) -> NewVersion:
    """The version that a run with these options (secrets masked) belongs to; the same options give the same name."""
    settings = {"backend": backend, **{name: options[name] for name in sorted(options) if name not in _OF_ONE_RUN}}
    text = msgspec.json.encode(settings, order="deterministic")
    model, tools = options.get("model"), options.get("allowed_tools")
    return NewVersion(
        version=hashlib.sha256(text).hexdigest()[:12],
        models=(str(model),) if model else (),
        tools=tuple(map(str, tools)) if isinstance(tools, list | tuple) else (),
        settings=settings,
    )
