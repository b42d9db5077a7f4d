"""A board in memory: what the boot loader would give the application, and what a test does to it."""

from __future__ import annotations

import json
import os
import socket
from collections import deque
from functools import cached_property
from typing import Any

from harness.emulator import font
from harness.emulator.chip import Chip
from harness.emulator.felt.sensors import NOMINAL
from harness.instruments.panel import Frame as Picture
from harness.instruments.printer import SlipReader
from harness.instruments.screen import ScreenReader
from harness.protocol.transport import transport_key
from harness.terminal.cards import Card
from harness.tests.emulator_bench import model as lab_model
from harness.tests.firmware_boot import FakeBoot
from harness.tests.firmware_flash import MemoryFlash

CLOCK = 1_770_000_000.0  # of a board from the factory


class Rebooted(AssertionError):
    """The application reset the CPU: nothing of this board goes on. A test that expects it makes the next one."""


class FakeBoard:
    """What the boot loader would give the application."""

    def __init__(
        self, flash: MemoryFlash, *, model: str = "HT-100", time_scale: float = 1.0, clock: float = CLOCK,
        serial_number: str = "SN97000001",
    ) -> None:
        self.geometry = lab_model(model).screen
        self.model = lab_model(model).model_dump(mode="json")
        self.serial_number, self.time_scale, self.flash, self.clock = serial_number, time_scale, flash, clock
        self.ethernet, self.modem_fd = "", -1
        self.transport_key = transport_key(self.serial_number)
        self._model_name = model
        self.screens: list[list[str]] = []
        self.slips: list[list[str]] = []
        self.fed = 0
        self.card: Chip | None = None  # in the slot
        self.tapped: Chip | None = None  # at the contactless reader
        self.chip_events: list[dict[str, Any]] = []
        self.counters: dict[str, int] = {}
        self._reader, self._slip_reader = ScreenReader(self.geometry), SlipReader()
        self._font = font.load()
        self.told: dict[str, Any] = {**NOMINAL, "clock": "ok", "tamper": "ok"}  # what its sensors say
        self._events: deque[dict[str, Any]] = deque()
        self._event_pipe = os.pipe()
        os.set_blocking(self._event_pipe[0], False)
        self.till, till_inside = socket.socketpair()
        self.engineer, service_inside = socket.socketpair()
        self._sockets = (self.till, till_inside, self.engineer, service_inside)
        for end in self._sockets:
            end.setblocking(False)
        self.events_fd = self._event_pipe[0]
        self.cashier_fd, self.service_fd = till_inside.fileno(), service_inside.fileno()

    @cached_property
    def boot(self) -> FakeBoot:
        """Made when it is asked for (3 MiB); a test may set another one before."""
        return FakeBoot(model=self._model_name)

    def close(self) -> None:
        for end in self._sockets:
            end.close()
        for fd in self._event_pipe:
            os.close(fd)

    def now(self) -> float:
        return self.clock

    def set_clock(self, epoch_s: float) -> None:
        self.clock = epoch_s
        self.told["clock"] = "ok"

    def condition(self) -> dict[str, Any]:
        return {name: value for name, value in self.told.items() if name != "case"}

    def reset_tamper(self) -> bool:
        if self.told["tamper"] == "open":
            return False
        self.told["tamper"] = "ok"
        return True

    def glyph(self, character: str) -> bytes | None:
        return self._font.glyph(character)

    def show(self, bits: bytes) -> None:
        reading = self._reader.read(Picture(0, 0, self.geometry.width, self.geometry.height, bits))
        assert not reading.unreadable, reading.lines
        self.screens.append(reading.lines)

    def print_slip(self, width: int, rows_bits: bytes) -> None:
        reading = self._slip_reader.read(Picture(0, 0, width, len(rows_bits) * 8 // width, rows_bits))
        assert not reading.unreadable, reading.lines
        if self.told["printer"] == "ok" and self.told["paper"] == "ok":
            self.slips.append(reading.lines)

    def beep(self) -> None:
        pass

    def present(self, card: Card) -> None:
        """As the hand of the harness does; a typed card number is the keys' business."""
        chip = Chip(card.chip(), self.counters.get(card.pan, 0))
        match card.entry:
            case "chip":
                self.card = chip
                self.put_event({"insert": True})
            case "contactless":
                self.tapped = chip
                self.put_event({"tap": True})
            case "scan":
                self.put_event({"scan": {"code": card.code}})
            case _:
                self.put_event({"swipe": {"track2": card.track2, "track3": None}})

    def put_event(self, event: dict[str, Any]) -> None:
        if "remove" in event:
            self.card = None
        self._events.append(event)
        os.write(self._event_pipe[1], b"!")

    def read_event(self) -> dict[str, Any] | None:
        if not self._events:
            return None
        os.read(self._event_pipe[0], 1)
        return self._events.popleft()

    def chip(self, command: dict[str, Any]) -> dict[str, Any] | None:
        card = self.tapped if command.get("contactless") else self.card
        if card is None:
            return None
        reply = card.command(json.loads(json.dumps(command)))
        self.counters[card.pan] = card.atc
        self.chip_events.append(card.told(command, reply))
        return reply

    def random(self, n: int) -> bytes:
        return os.urandom(n)

    def feed_watchdog(self) -> None:
        self.fed += 1

    def reboot(self) -> None:
        raise Rebooted("the application rebooted")
