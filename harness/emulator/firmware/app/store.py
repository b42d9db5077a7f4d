"""The terminal's memory: of each merchant one state record and the batch log, and tables of the whole terminal.

Whatever the moment of a power cut, the next boot finds the state before or after a commit, whole. How that lies in
files is the ``layout``'s business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from .files import Files, FilesFault
from .hardware import BlockDevice
from .layout import Layout, read_table, write_table
from .records import Record, State


class StoreDamaged(Exception):
    """The file system or the state can't be read. It is never formatted or replaced: that is for the repair shop.
    ``told``: what the operator is told of it beside."""

    told: tuple[str, ...] = ()


class Store:
    """What one merchant (from 1) has in the flash: ``state`` and ``log`` are that, always. Raises
    :class:`StoreDamaged`."""

    def __init__(self, flash: BlockDevice, *, merchant: int = 1, files: Files | None = None) -> None:
        """``files``: the mounted file system, where somebody has it open already."""
        self._flash = flash
        try:
            self.files = files or Files(flash)
            self._layout = Layout(self.files, merchant)
            self.state = self._layout.load_state()
            self.log = self._load_log()
            self._layout.tidy(self.state)
        except (FilesFault, TypeError, KeyError, ValueError, AttributeError) as error:
            raise StoreDamaged(f"{type(error).__name__}: {error}") from error

    def of_merchant(self, merchant: int) -> Store:
        """Another merchant's, on the same file system."""
        return Store(self._flash, merchant=merchant, files=self.files)

    def commit(self, *, book: Record | None = None, **changes: Any) -> None:
        """All of ``changes`` (fields of :class:`State`) and ``book`` (into the batch log), or none of it."""
        if book is not None:
            changes["log_bytes"] = self._layout.append(self.state, book)
        new = replace(self.state, **changes)
        self._layout.save_state(new)
        self.state = new
        if book is not None:
            self.log = [*self.log, book]

    def clear_log(self, **changes: Any) -> None:
        """As :meth:`commit`, and the batch log is empty."""
        self.commit(generation=self.state.generation + 1, log_bytes=0, **changes)
        self.log = []
        self._layout.tidy(self.state)

    def replace(self, state: State, log: Sequence[Record]) -> None:
        """Another state and another batch log in the place of these, with one commit."""
        new = replace(state, generation=self.state.generation + 1, log_bytes=0)
        for record in log:
            new = replace(new, log_bytes=self._layout.append(new, record))
        self._layout.save_state(new)
        self.state, self.log = new, list(log)
        self._layout.tidy(new)

    # -- what the whole terminal shares --------------------------------------------------------------------------------

    def table(self, name: str) -> Any:
        """What was last put into table ``name`` (plain values); None: nothing ever was. Raises ValueError."""
        return read_table(self.files, name)

    def put_table(self, name: str, values: Any) -> None:
        """One atomic replacement."""
        write_table(self.files, name, values)

    def _load_log(self) -> list[Record]:
        return self._layout.load_log(self.state)
