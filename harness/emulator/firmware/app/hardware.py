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


class Boot(Protocol):
    """What the boot loader offers to the application that it started; all of it works on the flash, where each program
    and erase counts and can be cut.

    ``trial``: this image runs on trial: unless it is confirmed before the next reset, the one before comes back.
    ``returned``: why the boot loader came back to this image at this start: "" it did not; ``unconfirmed`` (the other
    one's trial ended without success), ``damaged``, ``signature``, ``model``, ``old`` (the other one was refused). What
    was never confirmed is erased then, and told at this one start only. ``counter``: the lowest security counter that
    is accepted. ``spare``: the slot that does not run, without the boot loader's last block. Its first change takes
    away the marks of what was in it; changing it on trial ends the application, for it is the way back.
    """

    @property
    def trial(self) -> bool: ...
    @property
    def returned(self) -> str: ...
    @property
    def counter(self) -> int: ...
    @property
    def spare(self) -> BlockDevice: ...

    def check_spare(self) -> Mapping[str, Any]:
        """What the spare slot holds, checked as the boot loader will at the next reset. ``refused``: why it can't be
        run here, "" it can; then also ``name``, ``version``, ``models`` (tuple), ``data_format``, ``counter``,
        ``resets``, ``size`` (bytes), ``sha256`` (hex, of the whole image).

        ``refused`` is ``empty`` (nothing is there), ``damaged`` (structure, hash, content), ``signature`` (or key),
        ``model`` (another model or another Python) or ``old`` (counter below :attr:`counter`, or version not above this
        one); ``reason`` says it in English. Whether the data format fits is the application's own judgement.
        """

    def request_trial(self) -> None:
        """The spare slot is to be started at the next reset, on trial. One program."""

    def confirm(self) -> None:
        """What runs is to stay. One program."""


class Board(Protocol):
    """``boot``: the boot loader's services.

    ``model`` is the model file; ``time_scale`` divides protocol timers; ``now`` is the battery-backed clock
    (seconds since 1970). ``transport_key``: 16 bytes that the maker put into this unit's ROM, and reported to the
    clearing organisation. ``ethernet``: the name of the network interface that is the terminal's own, "" where it
    has none and uses the network as it is. ``modem_fd``: the serial line of a modem, -1 where there is none.

    ``glyph`` gives 16 bytes (8x16) or 32 bytes (16x16), rows top down, MSB left, 1 = dark, or None. ``show`` takes a
    whole frame, one bit a pixel. ``read_event`` gives a panel event or None. ``chip`` gives a command to the card in
    the slot (or, with ``contactless``, at the reader) and its answer, None where there is no card. The descriptors are
    non-blocking.
    """

    @property
    def model(self) -> Mapping[str, Any]: ...
    @property
    def boot(self) -> Boot: ...

    serial_number: str
    transport_key: bytes
    time_scale: float
    ethernet: str
    flash: Any
    events_fd: int
    cashier_fd: int
    service_fd: int
    modem_fd: int

    def condition(self) -> Mapping[str, Any]:
        """What its sensors say: ``magnetic_reader``, ``chip_reader``, ``contactless_reader`` (ok, dead), ``printer``
        (ok, hot: it prints when it has cooled; dead), ``paper`` (ok, out), ``battery`` (none, ok, low, dead),
        ``battery_pct``, ``supply`` (ok, none), ``clock`` (ok, lost: since it was set it had no power), ``tamper`` (ok,
        open: the case is; latched: it was), ``temperature_c``, ``started_by`` (operator, watchdog, brown_out, battery:
        whose end this start follows)."""

    def reset_tamper(self) -> bool:
        """False: the case is open."""

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
