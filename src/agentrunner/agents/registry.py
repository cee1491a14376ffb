"""Which backends there are: the built-in ones, and those that other distributions offer as entry points."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

from agentrunner.agents.base import Backend
from agentrunner.agents.options import nearest
from agentrunner.domain.errors import InvalidField

GROUP = "agentrunner.backends"
_METHODS = ("check", "command", "parser", "find")


@dataclass(frozen=True, slots=True)
class Broken:
    """An entry point that gave no backend, and why."""

    name: str
    origin: str
    problem: str


class Registry:
    """Backends by name. `broken` lists the entry points that could not be used."""

    def __init__(self) -> None:
        self._backends: dict[str, Backend] = {}
        self.broken: list[Broken] = []

    def __iter__(self) -> Iterator[Backend]:
        """The backends, sorted by name."""
        return iter([self._backends[name] for name in self.names])

    @property
    def names(self) -> list[str]:
        """The names, sorted."""
        return sorted(self._backends)

    def register(self, backend: Backend) -> None:
        """Add a backend; raises ValueError where its name is taken."""
        if backend.name in self._backends:
            raise ValueError(f"there is a backend {backend.name!r} already")
        self._backends[backend.name] = backend

    def get(self, name: str) -> Backend:
        """The backend of this name; raises InvalidField naming those there are."""
        if name not in self._backends:
            known = ", ".join(self.names)
            raise InvalidField(f"There is no backend {name!r}{nearest(name, self.names)} Known: {known}.")
        return self._backends[name]


def load(builtin: Iterable[Backend], foreign: Iterable[EntryPoint] | None = None) -> Registry:
    """A registry of `builtin` and the entry points of group `agentrunner.backends` (or those given).

    An entry point is a Backend or a callable that makes one, under the backend's name. One that fails, has another
    name or a name that is taken is listed in `broken` and harms nobody.
    """
    registry = Registry()
    for backend in builtin:
        registry.register(backend)
    for point in entry_points(group=GROUP) if foreign is None else foreign:
        try:
            registry.register(_backend(point))
        # Foreign code may raise anything, sys.exit() included; it must not take the runner with it.
        except (Exception, SystemExit) as error:
            origin = point.dist.name if point.dist else point.value
            registry.broken.append(Broken(point.name, origin, f"{type(error).__name__}: {error}"))
    return registry


def _backend(point: EntryPoint) -> Backend:
    found = point.load()
    is_instance = not isinstance(found, type) and all(hasattr(found, method) for method in _METHODS)
    backend: Backend = found if is_instance else found()
    missing = [method for method in _METHODS if not callable(getattr(backend, method, None))]
    if missing:
        raise TypeError(f"it has no {', '.join(missing)}")
    if backend.name != point.name:
        raise ValueError(f"it calls itself {backend.name!r}")
    return backend
