"""NOR flash: its map, its rules, and the block devices over it. Pure: no files, no process-wide state.

    0x000000  slot A       1 MiB   MCUboot image; the last block is its trailer (harness.emulator.slots)
    0x100000  slot B       1 MiB   as slot A
    0x200000  file system  1 MiB   littlefs
    0x300000  protected    8 KiB   the boot loader's own: security counter (harness.emulator.rollback)
    0x302000  4 KiB of battery-backed registers (no flash), see harness.emulator.flash

Programming clears bits, erasing sets a block of 4096 bytes to 0xFF; anything else is a :class:`FlashViolation`.
"""

from __future__ import annotations

import os
import traceback
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from littlefs import UserContext as _UserContext
else:
    _UserContext = object  # duck typing does, and the flash is needed where littlefs is not

BLOCK = 4096
MIB = 1 << 20


class Region(NamedTuple):
    """Offset and size in the flash, in bytes."""

    offset: int
    size: int


SLOT_A, SLOT_B, FILE_SYSTEM = Region(0, MIB), Region(MIB, MIB), Region(2 * MIB, MIB)
PROTECTED = Region(3 * MIB, 2 * BLOCK)
SIZE = 3 * MIB + 2 * BLOCK
LARGEST_IMAGE = SLOT_A.size - BLOCK  # bytes


class FlashViolation(Exception):
    """What a real chip can't do was asked: a bit programmed from 0 to 1, or an access outside the partition."""


class Nor(Protocol):
    """The whole chip. ``at`` is an offset in it, in bytes. Each program and each erase is one operation."""

    def read(self, region: Region) -> bytes:
        """The bytes of a region."""

    def program(self, at: int, data: bytes) -> None:
        """Clears bits, within one block."""

    def erase(self, at: int) -> None:
        """Sets the block that begins at ``at`` to 0xFF."""


def check_program(old: bytes, data: bytes, at: int) -> None:
    """Raises :class:`FlashViolation` where ``data`` has a bit that ``old`` has not."""
    rising = int.from_bytes(data, "little") & ~int.from_bytes(old, "little")
    if rising:
        first = ((rising & -rising).bit_length() - 1) // 8
        raise FlashViolation(f"program at 0x{at + first:06x}: 0x{old[first]:02x} can't become 0x{data[first]:02x} "
                             "without an erase")


class MemoryNor:
    """The whole chip in memory, for power-cut sweeps and tests. ``operations``: (offset, what stands there afterwards)
    of each program and erase, in order."""

    def __init__(self, content: bytes | None = None) -> None:
        if content is not None and len(content) != SIZE:
            raise ValueError(f"a chip has {SIZE} bytes, not {len(content)}")
        self.content = bytearray(b"\xff" * SIZE if content is None else content)
        self.operations: list[tuple[int, bytes]] = []

    def read(self, region: Region) -> bytes:
        return bytes(memoryview(self.content)[region.offset : region.offset + region.size])

    def program(self, at: int, data: bytes) -> None:
        check_program(self.read(Region(at, len(data))), data, at)
        self._put(at, data)

    def erase(self, at: int) -> None:
        self._put(at, b"\xff" * BLOCK)

    def write_in_factory(self, region: Region, data: bytes) -> None:
        """As :meth:`harness.emulator.flash.Flash.write_in_factory`: no operation."""
        self.content[region.offset : region.offset + region.size] = data.ljust(region.size, b"\xff")

    def _put(self, at: int, data: bytes) -> None:
        self.content[at : at + len(data)] = data
        self.operations.append((at, bytes(data)))


class Partition:
    """A region of the flash as a block device: what the application gets as ``board.flash``.

    With ``fatal`` a violation prints a traceback and ends the process: an exception would be lost, because littlefs
    swallows those of its callbacks and counts the operation as done.
    """

    block_size = BLOCK

    def __init__(self, nor: Nor, region: Region, *, fatal: bool) -> None:
        self._nor, self._region, self._fatal = nor, region, fatal
        self.block_count = region.size // BLOCK

    def read(self, block: int, offset: int, size: int) -> bytes:
        """``size`` bytes of a block."""
        at = self._at(block, offset, size)
        return self._nor.read(Region(at, size))

    def program(self, block: int, offset: int, data: bytes) -> None:
        """Clears bits. One operation, whatever its length."""
        at = self._at(block, offset, len(data))
        try:
            self._nor.program(at, bytes(data))
        except FlashViolation:
            self._stop_if_fatal()
            raise

    def erase(self, block: int) -> None:
        """Sets a block to 0xFF. One operation."""
        self._nor.erase(self._at(block, 0, BLOCK))

    def littlefs_context(self) -> LittlefsContext:
        """For ``littlefs.LittleFS(context=..., mount=False, block_size=..., block_count=...)``."""
        return LittlefsContext(self)

    def _at(self, block: int, offset: int, size: int) -> int:
        if not (0 <= block < self.block_count and offset >= 0 and size >= 0 and offset + size <= BLOCK):
            self._violated(f"block {block}, offset {offset}, {size} bytes: outside the partition "
                           f"({self.block_count} blocks of {BLOCK})")
        return self._region.offset + block * BLOCK + offset

    def _violated(self, what: str) -> None:
        try:
            raise FlashViolation(what)
        except FlashViolation:
            self._stop_if_fatal()
            raise

    def _stop_if_fatal(self) -> None:
        if self._fatal:
            traceback.print_stack()
            traceback.print_exc()
            os._exit(1)


class BlockDevice(Protocol):
    """What a :class:`LittlefsContext` needs."""

    def read(self, block: int, offset: int, size: int) -> bytes: ...

    def program(self, block: int, offset: int, data: bytes) -> None: ...

    def erase(self, block: int) -> None: ...


class LittlefsContext(_UserContext):
    """littlefs' callbacks over a block device, for ``littlefs.LittleFS(context=...)``."""

    def __init__(self, device: BlockDevice) -> None:
        self._device = device

    def read(self, cfg: object, block: int, off: int, size: int) -> bytearray:
        return bytearray(self._device.read(block, off, size))

    def prog(self, cfg: object, block: int, off: int, data: bytes) -> int:
        self._device.program(block, off, bytes(data))
        return 0

    def erase(self, cfg: object, block: int) -> int:
        self._device.erase(block)
        return 0

    def sync(self, cfg: object) -> int:
        return 0
