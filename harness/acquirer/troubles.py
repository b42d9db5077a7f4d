"""Internal errors of the acquirer: bugs of ours, a full disk. Whoever looks at a terminal has to know of them: what it
was answered then, or not answered, is not the terminal's doing."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable


class Troubles:
    """``tell``: who is told in words, each time."""

    def __init__(self) -> None:
        self.tell: list[Callable[[str], object]] = []

    def note(self, error: Exception) -> None:
        """Written to stderr with its stack, then told."""
        traceback.print_exception(error, file=sys.stderr)
        for tell in self.tell:
            tell(f"{type(error).__name__}: {error}")
