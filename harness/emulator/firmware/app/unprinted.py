"""Slips that the printer could not take: kept until a reprint brings them out, oldest first.

A table of the store, in which nothing is ever written while the printer works.
"""

from __future__ import annotations

from collections.abc import Sequence

from . import texts
from .screen import Printer
from .store import Store

_TABLE, _MOST = "unprinted", 20


class Unprinted:
    """``_inside``: those that a hot printer has in its memory, which goes with the power."""

    def __init__(self, store: Store, printer: Printer) -> None:
        self._store, self._printer = store, printer
        self._inside: list[list[str]] = []

    def print(self, slip: Sequence[str]) -> None:
        """On paper, or kept."""
        trouble = self._printer.trouble
        waiting, lines = self._slips(), list(slip)
        if not trouble or trouble == texts.PRINTER_HOT:
            self._printer.print(slip)
        if not trouble and lines in waiting:
            waiting.remove(lines)
            self._put(waiting)
        elif trouble and lines not in waiting:
            self._put([*waiting, lines][-_MOST:])
        if trouble == texts.PRINTER_HOT:
            self._inside.append(lines)

    @property
    def next(self) -> tuple[str, ...]:
        """The oldest that is to be printed; empty: there is none."""
        slips = self._slips()
        return tuple(slips[0]) if slips else ()

    def _slips(self) -> list[list[str]]:
        """Without those that came out when the printer had cooled."""
        slips: list[list[str]] = list(self._store.table(_TABLE) or ())
        if self._inside and not self._printer.trouble:
            slips = [slip for slip in slips if slip not in self._inside]
            self._inside = []
            self._put(slips)
        return slips

    def _put(self, slips: list[list[str]]) -> None:
        self._store.put_table(_TABLE, slips)
