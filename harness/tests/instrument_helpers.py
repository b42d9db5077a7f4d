"""Emulated instruments as a process, and ways to talk to them that know nothing of our drivers."""

from __future__ import annotations

import base64
import json
import re
import select
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
from pymodbus.client import ModbusTcpClient

from harness.emulator.panel_server import PanelServer, connect
from harness.errors import BadInput
from harness.lab.process import child_environment

STARTS_S, ANSWERS_S = 20.0, 10.0
PICTURE = base64.b64encode(zlib.compress(b"\xff\x00\x00\xff")).decode()  # of 16 x 2: dark and light, light and dark


def eventually(what: Callable[[], Any], timeout: float = ANSWERS_S) -> Any:
    """The first true value; AssertionError after ``timeout``."""
    end = time.monotonic() + timeout
    while not (found := what()):
        assert time.monotonic() < end, "it does not come"
        time.sleep(0.01)
    return found


class JsonLines:
    """A connection to a Unix socket of JSON lines."""

    def __init__(self, path: Path) -> None:
        self._socket = connect(path)
        self._socket.settimeout(ANSWERS_S)
        self._lines = self._socket.makefile("rb")
        self.events: list[dict[str, Any]] = []
        self._last = 0

    def read(self) -> dict[str, Any]:
        line = self._lines.readline()
        assert line.endswith(b"\n"), "the connection was closed"
        message: dict[str, Any] = json.loads(line)
        return message

    def ask(self, op: str, **fields: Any) -> dict[str, Any]:
        """The reply, refused or not."""
        self._last += 1
        return self.raw(json.dumps({"id": self._last, "op": op, **fields}).encode())

    def raw(self, line: bytes) -> dict[str, Any]:
        self._socket.sendall(line + b"\n")
        while "re" not in (message := self.read()):
            self.events.append(message)
        return message

    def close(self) -> None:
        self._lines.close()
        self._socket.close()


class ScpiLine:
    """A TCP connection; ``ask`` sends a line and reads one."""

    def __init__(self, address: str) -> None:
        found = re.fullmatch(r"TCPIP::(.*)::(\d+)::SOCKET", address)
        assert found, address
        self.socket = socket.create_connection((found[1], int(found[2])), ANSWERS_S)
        self.socket.settimeout(ANSWERS_S)
        self._lines = self.socket.makefile("rb")

    def tell(self, line: str) -> None:
        self.socket.sendall(line.encode() + b"\n")

    def ask(self, line: str) -> str:
        self.tell(line)
        return self.read()

    def read(self) -> str:
        line = self._lines.readline()
        if not line.endswith(b"\n"):
            raise ConnectionAbortedError(f"cut after {line!r}")
        return line.decode("ascii").rstrip("\n")

    def do(self, line: str) -> None:
        """Tells, and sees to it that nothing is wrong with it."""
        assert self.ask(f"{line};:SYST:ERR?") == '0,"No error"', line

    def close(self) -> None:
        self._lines.close()
        self.socket.close()


class Servers:
    """``python -m harness.instruments.emulated`` with that plan: ``instruments`` (``"all"``: named as their kinds), and
    its other keys."""

    def __init__(self, folder: Path, instruments: Any, *, pass_fds: Sequence[int] = (), **plan: Any) -> None:
        file, control = folder / "plan.json", folder / "instruments.sock"
        file.write_text(json.dumps({"seed": 97, "instruments": instruments, **plan}))
        command = [sys.executable, "-m", "harness.instruments.emulated", "--plan", str(file), "--control", str(control)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=child_environment(),
            pass_fds=pass_fds,
        )
        assert self.process.stdout is not None
        if not select.select([self.process.stdout], [], [], STARTS_S)[0]:
            self.process.kill()
        line = self.process.stdout.readline()
        assert line, self.process.communicate()[1].decode()
        self.ready = json.loads(line)
        self.addresses: dict[str, str] = self.ready["addresses"]
        self.control = JsonLines(control)
        greeting = self.control.read()
        assert greeting == {**self.ready, "t": greeting["t"]}
        self._open: list[Any] = [self.control]

    def scpi(self, name: str) -> ScpiLine:
        self._open.append(line := ScpiLine(self.addresses[name]))
        return line

    def http(self, name: str) -> httpx.Client:
        self._open.append(client := httpx.Client(base_url=self.addresses[name], timeout=ANSWERS_S))
        return client

    def modbus(self, name: str) -> ModbusTcpClient:
        host, port = self.addresses[name].removeprefix("modbus://").split(":")
        self._open.append(client := ModbusTcpClient(host, port=int(port), timeout=ANSWERS_S, retries=0))
        assert client.connect()  # type: ignore[no-untyped-call]
        return client

    def state(self, name: str) -> dict[str, Any]:
        """The truth."""
        reply = self.control.ask("state")
        assert reply["ok"], reply
        found: dict[str, Any] = reply["instruments"][name]
        return found

    def fault(self, name: str, what: str, **more: float) -> None:
        reply = self.control.ask("fault", instrument=name, what=what, **more)
        assert reply["ok"], reply

    def door(self, name: str, is_open: bool) -> None:
        reply = self.control.ask("door", instrument=name, open=is_open)
        assert reply["ok"], reply

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for one in self._open:
            one.close()
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            assert self.process.wait(ANSWERS_S) == 0, "it did not end well"
        finally:
            self.process.kill()
            assert self.process.stderr is not None and self.process.stdout is not None
            said = self.process.stderr.read().decode()
            self.process.stderr.close()
            self.process.stdout.close()
        assert said == "", said


class FakeBoard:
    """A panel that keeps what it is told: ``asked`` is (op, fields, when). ``refuses``: ops that it refuses."""

    def __init__(self, path: Path, *, power: str = "on") -> None:
        self.path, self.power, self.refuses = path, power, set[str]()
        self.asked: list[tuple[str, dict[str, Any], float]] = []
        self._selector = selectors.DefaultSelector()
        self._server = PanelServer(path, self._selector, self._greet, self._handle)
        self._orders: list[dict[str, Any]] = []
        self._wake, self._woken = socket.socketpair()
        self._selector.register(self._woken, selectors.EVENT_READ, self._say_all)
        self._going = True
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def say(self, event: dict[str, Any]) -> None:
        """An event to every client."""
        self._orders.append(event)
        self._wake.send(b".")

    def told(self, op: str) -> list[dict[str, Any]]:
        return [fields for one, fields, _ in list(self.asked) if one == op]

    def around(self) -> dict[str, float]:
        """What it knows to be around it now."""
        return {name: value for fields in self.told("surroundings") for name, value in fields.items()}

    def close(self) -> None:
        self._going = False
        self._wake.send(b".")
        self._thread.join(ANSWERS_S)
        self._server.close()
        self._wake.close()
        self._woken.close()

    def _greet(self) -> list[dict[str, Any]]:
        return [
            {"ev": "ready", "t": 0, "cashier": "", "service": "", "serial_number": "SN97", "power": self.power},
            {"ev": "screen", "t": 0, "n": 1, "width": 16, "height": 2, "bits": PICTURE},
        ]

    def _handle(self, op: str, request: dict[str, Any]) -> dict[str, Any]:
        fields = {name: value for name, value in request.items() if name not in ("id", "op")}
        self.asked.append((op, fields, time.monotonic()))
        if op in self.refuses:
            raise BadInput("it does not like that")
        return {}

    def _say_all(self, _events: int) -> None:
        self._woken.recv(4096)
        while self._orders:
            self._server.broadcast(self._orders.pop(0))

    def _run(self) -> None:
        while self._going:
            for key, events in self._selector.select():
                key.data(events)


def end(process: subprocess.Popen[bytes], number: signal.Signals) -> int:
    """Its exit status after that signal."""
    process.send_signal(number)
    return process.wait(ANSWERS_S)
