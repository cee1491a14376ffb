"""Room for open files: a worker holds some five for each run, a server one for each stream."""

import resource


def allow_many() -> None:
    """Raise the soft limit to the hard one; agents get the usual one back."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
