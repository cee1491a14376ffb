"""Why a tree is frozen, and until when. Stand-alone.

A freeze has causes: `wish`, a person's pause, and `cap`, a spool without room. The tree thaws when none is left.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agentrunner.process.limits import Clock
    from agentrunner.process.output import Output
    from agentrunner.process.tree import Tree

_FREEZE_S = 0.25


class Freezer:
    """Freezes and thaws one tree, and its clock with it."""

    def __init__(self, tree: Tree, clock: Clock, output: Output) -> None:
        self._tree = tree
        self._clock = clock
        self._output = output
        self._causes: set[str] = set()
        self._revision: int | None = None

    @property
    def is_frozen(self) -> bool:
        """True while there is a cause."""
        return bool(self._causes)

    @property
    def is_capped(self) -> bool:
        """True while the spools' room is one."""
        return "cap" in self._causes

    @property
    def is_pausing(self) -> bool:
        """True until a wished pause is fact."""
        return self._revision is not None

    def cap(self, on: bool) -> None:
        """Freeze for want of room, or no more."""
        self._set("cap", on)
        (self._output.pressure.begin if on else self._output.pressure.end)()

    def pause(self, revision: int) -> None:
        """Freeze by a wish of this revision."""
        self._set("wish", True)
        self._revision = revision
        self.confirm()

    def confirm(self) -> None:
        """A pause is a fact only once the kernel says that all stand still: a process may be slow to."""
        if self._revision is None:
            return
        if not self._tree.is_frozen() and not self._tree.freeze(_FREEZE_S):
            return
        self._output.empty()
        self._output.journal.note("paused", rev=self._revision)
        self._revision = None

    def resume(self, revision: int) -> None:
        """End the wish."""
        self._revision = None
        self._set("wish", False)
        self._output.journal.note("resumed", rev=revision)

    def thaw(self) -> None:
        """End every cause: the tree is to end."""
        self._revision = None
        self._set("wish", False)
        self.cap(False)

    def _set(self, cause: str, on: bool) -> None:
        before = self.is_frozen
        (self._causes.add if on else self._causes.discard)(cause)
        if self.is_frozen and not before:
            self._tree.freeze(_FREEZE_S)
            self._clock.stop()
        elif before and not self.is_frozen:
            self._tree.thaw()
            self._clock.go()
            self._output.check_now()
