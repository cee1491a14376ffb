"""What doctor looks at of this host beside agents' programs: its clock, open files, inotify."""

import ctypes
import resource
import time
from pathlib import Path

from agentrunner.domain.check import Check

ENOUGH_FILES = 4096
ENOUGH_WATCHES = 8192
_WATCHES = Path("/proc/sys/fs/inotify/max_user_watches")
_STA_UNSYNC = 0x0040
_RELEASED = 1_767_225_600
"""2026-01-01: before that this program did not exist."""


class _Timex(ctypes.Structure):
    """The first fields of the kernel's struct timex (adjtimex(2)), and room for the others."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        *((name, ctypes.c_long) for name in ("offset", "freq", "maxerror", "esterror")),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 256),
    )


def clock(now_s: float | None = None) -> Check:
    """Whether the clock is right, as far as the kernel knows."""
    name = "clock"
    why = "Leases do not depend on it; the times of events, `since:24h` and schedules do."
    now = time.time() if now_s is None else now_s
    shown = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
    if now < _RELEASED:
        advice = "timedatectl set-ntp true; or date -s 'YYYY-MM-DD HH:MM:SS'"
        return Check(name=name, status="fail", detail=f"it says {shown}", why=why, advice=advice)
    if synchronised() is False:
        advice = "timedatectl set-ntp true"
        detail = f"it says {shown}; nothing keeps it right"
        return Check(name=name, status="warn", detail=detail, why=why, advice=advice)
    return Check(name=name, status="ok", detail=f"it says {shown}", why=why)


def synchronised() -> bool | None:
    """Whether something keeps the clock right; None where the kernel does not say."""
    answer = _Timex()
    if ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(answer)) < 0:
        return None
    return not answer.status & _STA_UNSYNC


def open_files(enough: int = ENOUGH_FILES) -> Check:
    """How many files a process may have open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    why = "Every stream that somebody reads is one in the server, every live run some in the worker."
    detail = f"{soft} soft, {hard} hard (raised to the hard limit at start)"
    if hard == resource.RLIM_INFINITY or hard >= enough:
        return Check(name="open files", status="ok", detail=detail, why=why)
    advice = f"ulimit -Hn {enough} as root before the start; for a service: LimitNOFILE={enough} in its unit"
    return Check(name="open files", status="warn", detail=detail, why=why, advice=advice)


def watches(enough: int = ENOUGH_WATCHES) -> Check:
    """How many files may be watched."""
    why = "The worker hears of output through inotify; without it it looks now and then, and output comes late."
    try:
        allowed = int(_WATCHES.read_text())
    except (OSError, ValueError):
        advice = "Use a kernel with inotify (CONFIG_INOTIFY_USER)."
        return Check(name="inotify", status="warn", detail="not offered by this kernel", why=why, advice=advice)
    if allowed >= enough:
        return Check(name="inotify", status="ok", detail=f"{allowed} watches a user", why=why)
    advice = f"sysctl fs.inotify.max_user_watches={enough}"
    return Check(name="inotify", status="warn", detail=f"{allowed} watches a user", why=why, advice=advice)
