"""The serial lines of a real board process: ptys that pyserial opens like any tty device."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import serial

from harness.emulator.build import build
from harness.tests.emulator_bench import PROBE, SIGNING_KEY, Terminal


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    build(PROBE, "1.0.0", SIGNING_KEY, tmp_path / "image")
    with Terminal(tmp_path, tmp_path / "image") as terminal:
        yield terminal


@pytest.mark.parametrize("line", ["cashier", "service"])
def test_serial_lines_carry_every_byte(terminal: Terminal, line: str) -> None:
    terminal.on()
    everything = bytes(range(256)) * 4
    with serial.serial_for_url(getattr(terminal.panel, line), 9600, timeout=10, write_timeout=10) as port:
        port.write(everything)
        assert port.read(len(everything)) == inverted(everything)


def inverted(data: bytes) -> bytes:
    """The probe answers every byte with its complement: an echo of the line itself would look different."""
    return bytes(byte ^ 0xFF for byte in data)


def test_what_is_sent_to_an_unpowered_terminal_is_lost(terminal: Terminal) -> None:
    with serial.serial_for_url(terminal.panel.service, 115200, timeout=10, write_timeout=10) as port:
        for _ in range(10):  # more than a pty buffers
            port.write(b"lost" * 1000)
        terminal.on()
        port.write(b"heard")
        assert port.read(5) == inverted(b"heard")
        terminal.panel.request("power", state="off")
        port.write(b"lost")
        terminal.on()
        port.write(b"again")
        assert port.read(5) == inverted(b"again")
        port.timeout = 0
        assert port.read(1) == b""


def test_a_serial_line_may_be_opened_and_closed_at_any_time(terminal: Terminal) -> None:
    terminal.on()
    for _ in range(5):
        with serial.serial_for_url(terminal.panel.cashier, 9600, timeout=10) as port:
            port.write(b"x")
            assert port.read(1) == inverted(b"x")
