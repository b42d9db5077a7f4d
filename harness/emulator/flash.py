"""The emulated flash: raw NOR, in a shared mapping of one file, plus a page of battery-backed registers.

    0x000000  slot A       1 MiB   MCUboot image
    0x100000  slot B       1 MiB   MCUboot image
    0x200000  file system  1 MiB   littlefs
    0x300000  4 KiB of battery-backed registers (no flash): real-time clock offset

Programming clears bits, erasing sets a block of 4096 bytes to 0xFF; anything else is a :class:`FlashViolation`. The CPU
process programs through the mapping, so when it is killed the file holds exactly what the chip would. Counters live
in shared memory too: the board arms a cut, and the CPU kills itself inside the n-th program or erase from then on.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import signal
import struct
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from harness.errors import BadInput

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
SIZE = 3 * MIB
_CLOCK = struct.Struct("<d")  # in the battery page: seconds that the terminal's clock is ahead of the host's
_COUNT, _CUT_AT, _TORN, _WAS_CUT, _FED, _WORDS = range(6)  # words of the shared registers


class FlashViolation(Exception):
    """What a real chip can't do was asked: a bit programmed from 0 to 1, or an access outside the partition."""


class Flash:
    """The whole chip, as the board sees it. ``path`` is created (erased) when it does not exist.

    Raises :class:`BadInput` if the file has another size or is in use by another board.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._fd)
            raise BadInput("this flash is in use by another board", where=str(path),
                           remedy="Stop the other board, or give this one a flash file of its own.") from error
        size = os.fstat(self._fd).st_size
        self.new = size == 0
        if not self.new and size != SIZE + BLOCK:
            os.close(self._fd)
            raise BadInput(f"a flash file has {SIZE + BLOCK} bytes, this has {size}", where=str(path),
                           remedy="Give the path of a flash, or one where nothing is: a new, erased one is made there.")
        if self.new:
            os.ftruncate(self._fd, SIZE + BLOCK)
        self._map = mmap.mmap(self._fd, SIZE + BLOCK)
        if self.new:
            self._map[:SIZE] = b"\xff" * SIZE
        self._registers = memoryview(mmap.mmap(-1, mmap.PAGESIZE)).cast("Q")

    def close(self) -> None:
        """Lets the file go, for another board."""
        self._map.close()
        os.close(self._fd)

    def read(self, region: Region) -> bytes:
        """The bytes of a region."""
        return self._map[region.offset : region.offset + region.size]

    def write_in_factory(self, region: Region, data: bytes) -> None:
        """Programs a whole region by the factory's programmer (erases first). Not counted, never cut."""
        if len(data) > region.size:
            raise BadInput(f"{len(data)} bytes do not fit into the {region.size} of the slot")
        self._map[region.offset : region.offset + region.size] = data + b"\xff" * (region.size - len(data))

    def partition(self, region: Region = FILE_SYSTEM, *, fatal: bool = False) -> Partition:
        """A region as the application's block device. ``fatal``: a violation ends the process (see Partition)."""
        return Partition(self, region, fatal=fatal)

    @property
    def operations(self) -> int:
        """Programs and erases by the CPU since the board was started."""
        return int(self._registers[_COUNT])

    def forget_operations(self) -> None:
        """The count starts again at 0 (the factory's work is not the CPU's)."""
        self._registers[_COUNT] = 0

    def cut_at(self, operation: int, *, torn: bool) -> None:
        """Arms the cut: the CPU dies inside the ``operation``-th (from 1) program or erase from now on."""
        if operation < 1:
            raise BadInput(f"the operation to cut at counts from 1, not {operation}")
        self._registers[_TORN] = int(torn)
        self._registers[_CUT_AT] = self._registers[_COUNT] + operation

    def disarm(self) -> None:
        """No cut is armed any more."""
        self._registers[_CUT_AT] = 0

    def take_cut(self) -> bool:
        """True once after the supply died at an armed operation."""
        was_cut = bool(self._registers[_WAS_CUT])
        self._registers[_WAS_CUT] = 0
        return was_cut

    @property
    def fed(self) -> int:
        """CLOCK_MONOTONIC (ns) when the watchdog was last fed; 0 = the boot loader has stopped it."""
        return int(self._registers[_FED])

    @fed.setter
    def fed(self, t: int) -> None:
        self._registers[_FED] = t

    @property
    def clock_offset(self) -> float:
        """Seconds that the battery-backed clock is ahead of the host's."""
        return float(_CLOCK.unpack_from(self._map, SIZE)[0])

    @clock_offset.setter
    def clock_offset(self, seconds: float) -> None:
        _CLOCK.pack_into(self._map, SIZE, seconds)

    # The chip itself. ``at`` is an offset in the whole flash.

    def _program(self, at: int, data: bytes) -> None:
        old = self._map[at : at + len(data)]
        rising = int.from_bytes(data, "little") & ~int.from_bytes(old, "little")
        if rising:
            first = ((rising & -rising).bit_length() - 1) // 8
            raise FlashViolation(f"program at 0x{at + first:06x}: 0x{old[first]:02x} can't become 0x{data[first]:02x} "
                                 "without an erase")
        self._count(lambda: self._put(at, data[: len(data) // 2]))
        self._put(at, data)

    def _erase(self, at: int) -> None:
        self._count(lambda: self._put(at, b"\xff" * (BLOCK // 2)))
        self._put(at, b"\xff" * BLOCK)

    def _put(self, at: int, data: bytes) -> None:
        self._map[at : at + len(data)] = data

    def _count(self, half: Callable[[], None]) -> None:
        """Counts an operation that is about to begin; does not return if the supply dies at it."""
        count = self._registers[_COUNT] + 1
        if count == self._registers[_CUT_AT]:
            if self._registers[_TORN]:
                half()
            self._registers[_COUNT] = count
            self._registers[_CUT_AT] = 0
            self._registers[_WAS_CUT] = 1
            os.kill(os.getpid(), signal.SIGKILL)
            signal.pause()  # the signal is on its way; nothing more may happen
        self._registers[_COUNT] = count


class Partition:
    """A region of the flash as a block device: what the application gets as ``board.flash``.

    With ``fatal`` a violation prints a traceback and ends the process: an exception would be lost, because littlefs
    swallows those of its callbacks and counts the operation as done.
    """

    block_size = BLOCK

    def __init__(self, flash: Flash, region: Region, *, fatal: bool) -> None:
        self._flash, self._region, self._fatal = flash, region, fatal
        self.block_count = region.size // BLOCK

    def read(self, block: int, offset: int, size: int) -> bytes:
        """``size`` bytes of a block."""
        at = self._at(block, offset, size)
        return self._flash.read(Region(at, size))

    def program(self, block: int, offset: int, data: bytes) -> None:
        """Clears bits. One operation, whatever its length."""
        at = self._at(block, offset, len(data))
        try:
            self._flash._program(at, bytes(data))
        except FlashViolation:
            self._stop_if_fatal()
            raise

    def erase(self, block: int) -> None:
        """Sets a block to 0xFF. One operation."""
        self._flash._erase(self._at(block, 0, BLOCK))

    def littlefs_context(self) -> LittlefsContext:
        """For ``littlefs.LittleFS(context=..., mount=False, block_size=..., block_count=...)``."""
        return LittlefsContext(self)

    def _at(self, block: int, offset: int, size: int) -> int:
        if not (0 <= block < self.block_count and offset >= 0 and size >= 0 and offset + size <= BLOCK):
            try:
                raise FlashViolation(f"block {block}, offset {offset}, {size} bytes: outside the partition "
                                     f"({self.block_count} blocks of {BLOCK})")
            except FlashViolation:
                self._stop_if_fatal()
                raise
        return self._region.offset + block * BLOCK + offset

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
