"""The emulated flash: raw NOR (harness.emulator.nor), in a shared mapping of one file, plus a page of battery-backed
registers: the clock's offset and drift, whether it was lost, and the tamper latch.

The CPU process programs through the mapping, so when it is killed the file holds exactly what the chip would. Counters
live in shared memory too: the board arms a cut, and the CPU kills itself inside the n-th program or erase from then on.
The file is the chip byte by byte, so it may be looked at, copied or changed while no board uses it.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import signal
import struct
from collections.abc import Callable
from pathlib import Path

from harness.emulator.nor import BLOCK, FILE_SYSTEM, SIZE, Partition, Region, check_program
from harness.errors import BadInput

_CLOCK = struct.Struct("<d")  # in the battery page: seconds that the terminal's clock is ahead of the host's
_DRIFT_AT, _TAMPERED_AT, _CLOCK_LOST_AT = SIZE + 8, SIZE + 16, SIZE + 17
_COUNT, _CUT_AT, _TORN, _WAS_CUT, _FED, _WORDS = range(6)  # words of the shared registers


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

    @property
    def clock_drift(self) -> float:
        """Seconds that the clock has run ahead by itself: of these the board keeps account, of the offset the CPU."""
        return float(_CLOCK.unpack_from(self._map, _DRIFT_AT)[0])

    @clock_drift.setter
    def clock_drift(self, seconds: float) -> None:
        _CLOCK.pack_into(self._map, _DRIFT_AT, seconds)

    @property
    def clock_lost(self) -> bool:
        """The clock had no power, and was not set since."""
        return bool(self._map[_CLOCK_LOST_AT])

    @clock_lost.setter
    def clock_lost(self, lost: bool) -> None:
        self._map[_CLOCK_LOST_AT] = int(lost)

    @property
    def tampered(self) -> bool:
        """The tamper latch: the case was opened, and the latch was not reset since."""
        return bool(self._map[_TAMPERED_AT])

    @tampered.setter
    def tampered(self, tampered: bool) -> None:
        self._map[_TAMPERED_AT] = int(tampered)

    # What the CPU does. ``at`` is an offset in the whole flash.

    def program(self, at: int, data: bytes) -> None:
        """Clears bits. One operation. Raises :class:`harness.emulator.nor.FlashViolation`."""
        check_program(self._map[at : at + len(data)], data, at)
        self._count(lambda: self._put(at, data[: len(data) // 2]))
        self._put(at, data)

    def erase(self, at: int) -> None:
        """Sets the block at ``at`` to 0xFF. One operation."""
        self._count(lambda: self._put(at, b"\xff" * (BLOCK // 2)))
        self._put(at, b"\xff" * BLOCK)

    def invert(self, at: int) -> tuple[int, int]:
        """Who has the case open inverts the byte at ``at``: no operation. Returns what it was and is."""
        was = self._map[at]
        self._map[at] = was ^ 0xFF
        return was, was ^ 0xFF

    def replace(self, old: bytes, new: bytes, region: Region = FILE_SYSTEM) -> int:
        """Who has the case open writes ``new`` wherever ``old``, which is as long, stands: no operation. Returns how
        often it did."""
        content = self.read(region)
        count, at = 0, content.find(old)
        while at >= 0:
            self._put(region.offset + at, new)
            count, at = count + 1, content.find(old, at + len(old))
        return count

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
