"""What a runner needs to know; document 004's fields with its defaults, then ours."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessRunnerConfig:
    """Directories, times in seconds, sizes in bytes.

    `state_dir` is where agents' files are (default: a private directory that goes with the runner); a later runner of
    the same directory takes over what is there. With `detach` agents outlive runner and program. `pass_env` names
    variables of the runner's own `environment` that agents get beside the usual ones. Finished agents stay known until
    there are `keep_finished` newer ones. Each agent's unread output uses up to `spool_cap_bytes` of disk.
    `shutdown_timeout_secs` is what agents get to end when the runner closes. `tree` forces a mechanism (`cgroup2`,
    `cgroup1`, `walk`).
    """

    working_dir: Path | str | None = None
    enable_json_streaming: bool = True
    enable_health_checks: bool = True
    health_check_interval_secs: float = 30
    max_concurrent_agents: int | None = None
    state_dir: Path | str | None = None
    detach: bool = False
    pass_env: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)
    keep_finished: int = 100
    spool_cap_bytes: int = 256 << 20
    shutdown_timeout_secs: float = 5
    tree: str | None = None
