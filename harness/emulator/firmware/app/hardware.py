"""What the application gets from the boot loader, as types. Only type checking needs this module."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class BlockDevice(Protocol):
    """The file system's partition of the flash. Program clears bits, erase sets a block to 0xFF."""

    block_size: int
    block_count: int

    def read(self, block: int, offset: int, size: int) -> bytes: ...
    def program(self, block: int, offset: int, data: bytes) -> None: ...
    def erase(self, block: int) -> None: ...


class Board(Protocol):
    """``model`` is the model file; ``time_scale`` divides protocol timers; ``now`` is the battery-backed clock
    (seconds since 1970). ``ethernet``: the name of the network interface that is the terminal's own, "" where it
    has none and uses the network as it is. ``modem_fd``: the serial line of a modem, -1 where there is none.

    ``glyph`` gives 16 bytes (8x16) or 32 bytes (16x16), rows top down, MSB left, 1 = dark, or None. ``show`` takes a
    whole frame, one bit a pixel. ``read_event`` gives a panel event or None. ``chip`` gives a command to the card in
    the slot (or, with ``contactless``, at the reader) and its answer, None where there is no card. The descriptors are
    non-blocking.
    """

    @property
    def model(self) -> Mapping[str, Any]: ...

    serial_number: str
    time_scale: float
    ethernet: str
    flash: Any
    events_fd: int
    cashier_fd: int
    service_fd: int
    modem_fd: int

    def now(self) -> float: ...
    def set_clock(self, epoch_s: float) -> None: ...
    def glyph(self, character: str) -> bytes | None: ...
    def show(self, bits: bytes) -> None: ...
    def print_slip(self, width: int, rows_bits: bytes) -> None: ...
    def beep(self) -> None: ...
    def read_event(self) -> dict[str, Any] | None: ...
    def chip(self, command: dict[str, Any]) -> dict[str, Any] | None: ...
    def random(self, n: int) -> bytes: ...
    def feed_watchdog(self) -> None: ...
    def reboot(self) -> None: ...
