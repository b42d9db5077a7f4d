"""What the terminal has to say beside its idle screen: how far an update is, or why there was none."""

from __future__ import annotations

from collections.abc import Callable

from . import texts
from .loop import now


class Notice:
    """``stays``: it stands alone until a key, or for ``seconds`` from when it was first seen; otherwise it stands below
    the idle screen until something else is told. ``broken`` gives what is to be said of the terminal's own parts.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds, self._until = seconds, 0.0
        self._lines: tuple[str, ...] = ()
        self.stays = False
        self.changed: Callable[[], None] = lambda: None
        self.broken: Callable[[], tuple[str, ...]] = tuple

    def tell(self, *lines: str, stays: bool = False) -> None:
        """Nothing: it is over."""
        self._lines, self.stays, self._until = lines, stays, 0.0
        self.changed()

    def on_idle(self) -> tuple[str, ...]:
        """What stands on the screen when nobody uses the terminal."""
        if not self.stays:
            return (texts.WELCOME, texts.HINT, *self.broken(), *self._lines)
        self._until = self._until or now() + self._seconds
        return self._lines

    def tick(self) -> None:
        """Ends it in time."""
        if self.stays and 0 < self._until <= now():
            self.tell()
        else:
            self.changed()
