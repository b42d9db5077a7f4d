"""One emulated terminal by itself: its board process, its front panel, its serial lines, and how it is set up.

It lives in the network of whoever starts it and knows no bench, no history and no acquirer of ours.
"""

from __future__ import annotations

import contextlib
import re
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from harness.emulator.shipped import TEST_PUBLIC_KEY
from harness.errors import BadInput, BenchError
from harness.instruments.panel import Event, Panel
from harness.lab.process import Child, spawn
from harness.terminal.model import Model
from harness.terminal.serial_line import SerialLine
from harness.terminal.wires import TcpWire

DEFAULT_TPDU = "6000030000"
_BOOT_S = 30.0
_STOP_S = 5.0
_PEM = re.compile(r"-----BEGIN [A-Z ]+-----([A-Za-z0-9+/=\s]+)-----END")
_QUOTED = 12  # lines of what an application said when it ended


@dataclass(frozen=True)
class Unit:
    """What is to be started. ``flash`` None: a new terminal, forgotten at the end. ``serial_port``: the cashier link is
    served on that TCP port and the service port on the next (0: on free ones); None: both are ptys."""

    model: Model
    image: Path
    flash: Path | None = None
    serial_number: str = "SN00000001"
    time_scale: float = 1.0
    serial_port: int | None = None


@dataclass(frozen=True)
class Setup:
    """What a service engineer sets. What is None or empty stays as the flash has it. ``host`` and ``second_host`` are
    IPv4 address and port; ``tls`` pairs of CA, CERT or KEY and base64 of DER, in that order."""

    tmk: str | None = None
    host: tuple[str, int] | None = None
    tpdu: str = DEFAULT_TPDU
    tid: str | None = None
    mid: str | None = None
    parameters: Sequence[tuple[str, str]] = ()
    second_host: tuple[str, int] | None = None
    tls: Sequence[tuple[str, str]] = ()

    def lines(self) -> list[tuple[str, str]]:
        """(what it does, in words; the service port's command), in the order in which they belong."""
        lines = [(f"set {name}", f"PARAM {name}={value}") for name, value in self.parameters]
        if self.tmk is not None:
            lines.append(("load the master key", f"KEY TMK {self.tmk}"))
        if self.host is not None:
            lines.append(("set the host", f"HOST {self.host[0]} {self.host[1]} {self.tpdu}"))
        if self.second_host is not None:
            lines.append(("set the second host", f"HOST2 {self.second_host[0]} {self.second_host[1]}"))
        lines += [(f"load the TLS {what}", f"TLS {what} {text}") for what, text in self.tls]
        if self.tid is not None:
            lines.append(("set the identity", f"SET TID={self.tid} MID={self.mid}"))
        return lines


class Alone:
    """A terminal that is switched on. ``on_event`` gets the panel's events (emulator.md) on a thread of its own."""

    def __init__(self, unit: Unit, on_event: Callable[[Event], None]) -> None:
        self._ending = contextlib.ExitStack()
        try:
            folder = Path(self._ending.enter_context(tempfile.TemporaryDirectory(prefix="hil97-terminal-")))
            self._board = self._start(unit, folder)
            self._ending.callback(self._board.stop, _STOP_S)
            self._watcher = _Watcher(on_event)
            self.panel = self._connect(folder / "panel", self._watcher.take)
            self._ending.callback(self.panel.close)
            self.cashier, self.service = self.panel.cashier, self.panel.service
            self._unit = unit
        except BaseException:
            self._ending.close()
            raise

    def switch_on(self, setup: Setup) -> None:
        """Boots it and sets it up by its service port. BadInput where the terminal refuses a setting."""
        self.panel.request("power", state="on")
        lines = setup.lines()
        if lines:
            with contextlib.closing(_Engineer(self.panel.service, self._watcher)) as engineer:
                identity = engineer.ask("IDENTITY", _BOOT_S)
                for what, line in lines:
                    same = line.startswith("SET ") and identity.startswith(f"OK {line.removeprefix('SET ')} ")
                    if not same:  # the one that it has is not refused over stored transactions
                        self._obeyed(engineer, what, line)
        if self._unit.serial_port is not None:
            ports = [self._unit.serial_port, self._unit.serial_port and self._unit.serial_port + 1]
            wires = [TcpWire(path, port) for path, port in zip((self.cashier, self.service), ports, strict=True)]
            for wire in wires:
                self._ending.callback(wire.close)
            self.cashier, self.service = (wire.address for wire in wires)

    def check(self) -> None:
        """Raises BenchError when the board process is gone."""
        self._board.check()

    def close(self) -> None:
        """Supply off, process ended, scratch files gone. The flash file stays."""
        with contextlib.suppress(BenchError):
            self.panel.request("power", state="off")
        self._ending.close()

    def __enter__(self) -> Alone:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _start(self, unit: Unit, folder: Path) -> Child:
        model = folder / "model.json"
        model.write_text(unit.model.model_dump_json(), encoding="utf-8")
        command = [
            sys.executable, "-m", "harness.emulator", "--control", str(folder / "panel"),
            "--flash", str(unit.flash or folder / "flash.bin"), "--model", str(model),
            "--boot-key", str(TEST_PUBLIC_KEY),
            "--serial-number", unit.serial_number, "--time-scale", str(unit.time_scale), "--image", str(unit.image),
        ]  # fmt: skip
        return spawn(command, log=folder / "board.log", name="terminal")

    def _connect(self, control: Path, on_event: Callable[[Event], None]) -> Panel:
        """The panel, as soon as the board offers it; what the board says when it can't start is the caller's input."""
        end = time.monotonic() + _BOOT_S
        while not control.exists():
            if self._board.wait(0.02):
                said = "\n".join(self._board.last_lines()) or "it wrote nothing"
                raise BadInput(f"the terminal can't be started: {said.removeprefix('harness.emulator: ')}")
            if time.monotonic() > end:
                raise BenchError(f"the terminal did not start within {_BOOT_S:g} s")
        return Panel(control, on_event=on_event)

    def _obeyed(self, engineer: _Engineer, what: str, line: str) -> None:
        end = time.monotonic() + _BOOT_S
        answer = engineer.ask(line, _BOOT_S)
        while answer.startswith("ERR 90") and time.monotonic() < end:  # busy: it signs in by itself after a start
            self._board.wait(0.1)
            answer = engineer.ask(line, _BOOT_S)
        if not answer.startswith("OK"):
            remedy = "settle first: transactions are stored under the present numbers" if "ERR 8" in answer else ""
            raise BadInput(f"the terminal refuses to {what}: {answer}", remedy=remedy)


class _Watcher:
    """Passes the panel's events on, and remembers what the application said when it ended."""

    def __init__(self, on_event: Callable[[Event], None]) -> None:
        self._on_event, self.halted, self.changed = on_event, "", threading.Condition()

    def take(self, event: Event) -> None:
        self._on_event(event)
        if event["ev"] == "halt":
            with self.changed:
                self.halted = str(event["detail"])
                self.changed.notify_all()


class _Engineer:
    """Asks the service port, one line at a time."""

    def __init__(self, path: str, watcher: _Watcher) -> None:
        self._held, self._answers, self._watcher, self._came = b"", list[str](), watcher, watcher.changed
        self._line = SerialLine(path, 115200, self._take, bench="terminal", what="service port")

    def ask(self, command: str, seconds: float) -> str:
        """The answer's line. BenchError where none comes: the terminal has not booted."""
        with self._came:
            self._answers.clear()
        self._line.write(command.encode("ascii") + b"\r\n")
        with self._came:
            self._came.wait_for(lambda: self._answers or self._watcher.halted, seconds)
            if self._watcher.halted:
                raise BenchError(f"the terminal's application ended:\n{_quoted(self._watcher.halted)}")
            if not self._answers:
                raise BenchError(f"the terminal's service port did not answer within {seconds:g} s")
            return self._answers.pop(0)

    def close(self) -> None:
        self._line.close()

    def _take(self, data: bytes) -> None:
        *lines, self._held = (self._held + data).split(b"\r\n")
        with self._came:
            self._answers += [line.decode("ascii", "replace") for line in lines]
            self._came.notify_all()


def pem_body(path: Path) -> str:
    """The base64 in the first block of a PEM file. BadInput."""
    try:
        found = _PEM.search(path.read_text(encoding="ascii"))
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"can't be read: {getattr(error, 'strerror', None) or error}", where=str(path)) from error
    if found is None:
        raise BadInput("is no PEM file", where=str(path))
    return "".join(found[1].split())


def _quoted(text: str) -> str:
    return "\n".join(f"  | {line}" for line in text.splitlines()[-_QUOTED:])


def resolved(address: str) -> tuple[str, int]:
    """``HOST:PORT`` as IPv4 address and port; names are looked up. BadInput."""
    name, colon, port = address.rpartition(":")
    if not colon or not name or not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise BadInput(f"{address!r} is no ADDRESS:PORT", remedy="for example 127.0.0.1:8583")
    try:
        return str(socket.getaddrinfo(name, int(port), socket.AF_INET)[0][4][0]), int(port)
    except OSError as error:
        raise BadInput(f"the host {name} has no IPv4 address: {error.strerror or error}") from error
