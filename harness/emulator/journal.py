"""The flash chip in memory with a journal of what was done to it: any moment of it can be made again, or undone.

Same map, rules and counting as the emulated chip (harness.emulator.flash), without a file and without a CPU process to
kill. A cut makes the chip dead: nothing that comes after it changes anything.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from harness.emulator.nor import BLOCK, FILE_SYSTEM, SIZE, FlashViolation, Partition, Region, check_program


class Operation(NamedTuple):
    """A program or an erase: what stands at ``at`` (offset in the chip) afterwards, and what stood there before."""

    at: int
    data: bytes
    before: bytes

    @property
    def half(self) -> Operation:
        """The same, torn: its first half came about."""
        size = len(self.data) // 2
        return Operation(self.at, self.data[:size], self.before[:size])


class PowerIsOff(Exception):
    """The supply has died: the chip answers nothing any more."""


class JournalledNor:
    """``content``: SIZE bytes; None: a new, erased chip. Raises ValueError for another size.

    ``journal``: every operation since the chip was made, or since :meth:`forget`. ``dead``: the supply died at an armed
    cut, or the flash was misused (``misuse`` says how): until :meth:`revive` nothing is changed.
    """

    def __init__(self, content: bytes | None = None) -> None:
        if content is not None and len(content) != SIZE:
            raise ValueError(f"a chip has {SIZE} bytes, not {len(content)}")
        self._content = memoryview(bytearray(b"\xff" * SIZE if content is None else content))
        self.journal: list[Operation] = []
        self.dead, self.misuse = False, ""
        self._cut_in, self._torn = 0, False

    @property
    def content(self) -> bytes:
        return bytes(self._content)

    def read(self, region: Region) -> bytes:
        return bytes(self._content[region.offset : region.offset + region.size])

    def program(self, at: int, data: bytes) -> None:
        if not self.dead:
            try:
                check_program(bytes(self._content[at : at + len(data)]), data, at)
            except FlashViolation as violation:  # littlefs would swallow it: whoever runs the application looks here
                self.misused(f"the flash was misused: {violation}")
                raise
        self._do(at, bytes(data))

    def erase(self, at: int) -> None:
        self._do(at, b"\xff" * BLOCK)

    def write_in_factory(self, region: Region, data: bytes) -> None:
        """A whole region by the factory's programmer: no operation."""
        self._content[region.offset : region.offset + region.size] = data.ljust(region.size, b"\xff")

    def partition(self, region: Region = FILE_SYSTEM, *, fatal: bool = False) -> Partition:
        """As of the chip. ``fatal``: a violation makes the chip dead, where the board ends its CPU process."""
        return _Watched(self, region, fatal=fatal)

    def misused(self, how: str) -> None:
        """It is dead, unless it was before."""
        if not self.dead:
            self.dead, self.misuse = True, how

    def cut_at(self, operation: int, *, torn: bool) -> None:
        """Arms the cut: the supply dies inside the ``operation``-th (from 1) program or erase from now on."""
        self._cut_in, self._torn = operation, torn

    def revive(self) -> None:
        """The power is back; no cut is armed."""
        self.dead, self.misuse, self._cut_in = False, "", 0

    def apply(self, operations: Iterable[Operation]) -> None:
        """Does recorded operations; they are not written down."""
        for operation in operations:
            self._content[operation.at : operation.at + len(operation.data)] = operation.data

    def undo(self, operations: Sequence[Operation]) -> None:
        """Takes operations back, the last first."""
        for operation in reversed(operations):
            self._content[operation.at : operation.at + len(operation.before)] = operation.before

    def forget(self) -> None:
        """Takes back all that is in the journal."""
        self.undo(self.journal)
        self.journal.clear()

    def _do(self, at: int, data: bytes) -> None:
        if self.dead:
            raise PowerIsOff
        operation = Operation(at, data, bytes(self._content[at : at + len(data)]))
        if self._cut_in:
            self._cut_in -= 1
            if not self._cut_in:
                self.dead = True
                if self._torn:
                    self._write(operation.half)
                raise PowerIsOff
        self._write(operation)

    def _write(self, operation: Operation) -> None:
        self._content[operation.at : operation.at + len(operation.data)] = operation.data
        self.journal.append(operation)


class _Watched(Partition):
    """A start reads the file system some thousand times: that goes straight to the bytes."""

    def __init__(self, nor: JournalledNor, region: Region, *, fatal: bool) -> None:
        super().__init__(nor, region, fatal=fatal)
        self._journalled, self._content, self._start = nor, nor._content, region.offset

    def read(self, block: int, offset: int, size: int) -> bytes:
        if 0 <= block < self.block_count and offset >= 0 and offset + size <= BLOCK and size >= 0:
            at = self._start + block * BLOCK + offset
            return bytes(self._content[at : at + size])
        return super().read(block, offset, size)

    def _stop_if_fatal(self) -> None:
        if self._fatal:
            self._journalled.misused(f"the flash was misused: {sys.exc_info()[1]}")
