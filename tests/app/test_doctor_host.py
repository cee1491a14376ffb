"""What doctor finds of a host."""

import resource
from pathlib import Path

from agentrunner.app import doctor_host


def test_the_clock_says_what_the_kernel_knows() -> None:
    """A clock that nothing keeps right is a warning, one before this program existed a failure."""
    kept = doctor_host.synchronised()
    assert doctor_host.clock().status == ("warn" if kept is False else "ok")
    check = doctor_host.clock(0.0)
    assert (check.status, "1970" in check.detail, "timedatectl" in str(check.advice)) == ("fail", True, True)


def test_few_open_files_are_said() -> None:
    """Against the hard limit of this very process."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert doctor_host.open_files(1).status == "ok"
    if hard != resource.RLIM_INFINITY:
        check = doctor_host.open_files(hard + 1)
        assert (check.status, f"ulimit -Hn {hard + 1}" in str(check.advice)) == ("warn", True)


def test_few_watches_are_said() -> None:
    """Against the kernel's own number."""
    allowed = int(Path("/proc/sys/fs/inotify/max_user_watches").read_text())
    assert doctor_host.watches(allowed).status == "ok"
    check = doctor_host.watches(allowed + 1)
    assert (check.status, check.advice) == ("warn", f"sysctl fs.inotify.max_user_watches={allowed + 1}")
