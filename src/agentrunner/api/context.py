"""What the routes of one server process share."""

import asyncio
from dataclasses import dataclass, field

from agentrunner.api.asgi import Bounds
from agentrunner.api.auth import Tokens
from agentrunner.api.changes import Changes
from agentrunner.api.console import Console
from agentrunner.api.feed import Feeds
from agentrunner.api.figures import Figures
from agentrunner.api.probes import Probes
from agentrunner.api.reading import Readers
from agentrunner.api.wire import WireRuns
from agentrunner.engine.services import Services
from agentrunner.engine.system import Findings


@dataclass(frozen=True, slots=True)
class Context:
    """One per server process; `stopping` is set once it no longer takes up what lasts."""

    services: Services
    bounds: Bounds
    tokens: Tokens
    figures: Figures
    feeds: Feeds
    changes: Changes
    console: Console = field(default_factory=Console)
    wire_runs: WireRuns = field(default_factory=WireRuns)
    probes: Probes = field(default_factory=Probes)
    findings: Findings = field(default_factory=Findings)
    readers: Readers = field(default_factory=Readers)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
