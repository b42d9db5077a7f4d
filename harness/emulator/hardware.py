"""The hardware as boot loader and application see it: the ``board`` that ``app.main.start(board)`` gets."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from typing import TYPE_CHECKING, Any, NoReturn

from harness.emulator import bus
from harness.emulator.felt.sensors import NOMINAL, Sensors
from harness.emulator.flash import Flash
from harness.emulator.font import Font
from harness.emulator.nor import Nor
from harness.protocol.transport import transport_key

if TYPE_CHECKING:
    from harness.emulator.services import Services


class Board:
    """One power-on's view. RAM (this object) is lost with the power; flash and clock stay.

    ``model``: the model file (ROM). ``flash``: the file system partition. ``events_fd`` is readable when
    :meth:`read_event` has something. ``cashier_fd``, ``service_fd``: non-blocking UARTs. ``firmware``: name and version
    of the image that runs, as the boot loader found them. ``transport_key``: the unit's own, from the factory (TEST
    ONLY, made of the serial number). ``ethernet``: the network interface that is the terminal's
    own; "": it has none, and uses the network of its namespace as it is.
    ``nor``: the whole chip, for the boot loader. ``boot``: its services, there when the application is started.
    ``modem_fd``: the serial line of a modem, -1 where there is none. ``sensors``: None where all is nominal for ever.
    """

    boot: Services

    def __init__(
        self, *, model: dict[str, Any], serial_number: str, time_scale: float, flash: Flash, font: Font,
        wires: socket.socket, reader: socket.socket, cashier_fd: int, service_fd: int, ethernet: str = "",
        modem_fd: int = -1, sensors: Sensors | None = None,
    ) -> None:
        self.model, self.serial_number, self.time_scale = model, serial_number, time_scale
        self.transport_key = transport_key(serial_number)
        self.ethernet, self.modem_fd = ethernet, modem_fd
        self.flash = flash.partition(fatal=True)
        self.nor: Nor = flash
        self.events_fd = wires.fileno()
        self.cashier_fd, self.service_fd = cashier_fd, service_fd
        self.glyph = font.glyph
        self.firmware: dict[str, str] = {}
        self._chip, self._wires, self._reader, self._sensors = flash, wires, reader, sensors
        self._width, self._height = int(model["screen"]["width"]), int(model["screen"]["height"])
        self._shown = b""

    def now(self) -> float:
        """The battery-backed clock: seconds since the epoch."""
        return time.time() + self._chip.clock_offset + self._chip.clock_drift

    def set_clock(self, epoch_s: float) -> None:
        """Sets the clock; it keeps running without power."""
        self._chip.clock_offset = epoch_s - time.time() - self._chip.clock_drift
        self._chip.clock_lost = False

    def condition(self) -> dict[str, Any]:
        """What the terminal's sensors say of itself (docs/emulator.md). Costs a few microseconds."""
        if self._sensors is None:
            return {**NOMINAL, "clock": "ok", "tamper": "ok"}
        told = self._sensors.read()
        case = told.pop("case")
        tamper = "open" if case == "open" else "latched" if self._chip.tampered else "ok"
        return told | {"clock": "lost" if self._chip.clock_lost else "ok", "tamper": tamper}

    def reset_tamper(self) -> bool:
        """Resets the tamper latch; False: the case is open."""
        if self.condition()["tamper"] == "open":
            return False
        self._chip.tampered = False
        return True

    def show(self, bits: bytes) -> None:
        """A whole frame: rows top down, 1 bit a pixel, MSB left, 1 = dark. Showing the same again costs nothing."""
        if len(bits) * 8 != self._width * self._height:
            raise ValueError(f"a frame of {self._width}x{self._height} has {self._width * self._height // 8} bytes, "
                             f"not {len(bits)}")
        bits = bytes(bits)
        if bits != self._shown:
            self._shown = bits
            bus.send(self._wires, bus.SCREEN, self._width, self._height, bus.compress(bits))

    def print_slip(self, width: int, rows_bits: bytes) -> None:
        """One whole slip of ``width`` pixels (a multiple of 8), rows as in :meth:`show`; the paper is cut after it."""
        if width <= 0 or width % 8 or len(rows_bits) % (width // 8):
            raise ValueError(f"{len(rows_bits)} bytes are no whole rows of {width} pixels")
        height = len(rows_bits) * 8 // width
        bus.send(self._wires, bus.PAPER, width, height, bus.compress(bytes(rows_bits)))

    def beep(self) -> None:
        bus.send(self._wires, bus.BEEP)

    def read_event(self) -> dict[str, Any] | None:
        """The next of what the panel sent (docs/emulator.md); None when there is none. Never blocks."""
        try:
            data = self._wires.recv(bus.LARGEST, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None
        event: dict[str, Any] | None = json.loads(data) if data else None
        return event

    def chip(self, command: dict[str, Any]) -> dict[str, Any] | None:
        """Gives a command (:mod:`harness.emulator.chip`) to the card in the slot, or with ``contactless`` to the one at
        the reader, and waits for its answer; None: there is no card."""
        self._reader.send(json.dumps(command).encode())
        reply: dict[str, Any] | None = json.loads(self._reader.recv(bus.LARGEST))
        return reply

    def random(self, n: int) -> bytes:
        return os.urandom(n)

    def feed_watchdog(self) -> None:
        """To be called at least every 5 s, or the watchdog resets the terminal."""
        self._chip.fed = time.monotonic_ns()

    def reboot(self) -> NoReturn:
        """Resets the CPU. Only flash and clock stay."""
        os._exit(bus.REBOOT_STATUS)

    def halt(self, reason: str) -> NoReturn:
        """For the boot loader: the watchdog is stopped, nothing more happens until the power is switched off."""
        self._chip.fed = 0
        bus.send(self._wires, bus.HALT, body=reason.encode()[: bus.LARGEST])
        while True:
            signal.pause()
