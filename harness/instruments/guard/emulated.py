"""The emulated instruments of a bench: a process of ours, started by the guard, ended after everything is safe."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import sys
import threading
import time
from typing import Any

from harness.errors import BenchError
from harness.instruments import drivers
from harness.instruments.contracts import InstrumentError
from harness.instruments.described import emulated_options
from harness.instruments.guard.plan import GuardPlan
from harness.lab.process import Child, spawn

STARTS_S, ANSWERS_S = 60.0, 5.0
PLAN, CONTROL = "instruments.json", "instruments.sock"  # in the scratch folder


class Emulated:
    """``addresses``: by the name of the instrument. Raises InstrumentError where they do not come up."""

    def __init__(self, plan: GuardPlan) -> None:
        control = plan.scratch / CONTROL
        file = plan.scratch / PLAN
        told = {
            "seed": plan.seed, "climate_scale": plan.climate_scale, "time_scale": plan.time_scale,
            "instruments": {
                one.name: emulated_options(one, drivers.known()[one.driver], plan.surroundings)
                for one in plan.instruments if one.emulated
            },
        }
        file.write_text(json.dumps(told), encoding="utf-8")
        log = plan.folder / "logs" / "emulated-instruments.log"
        try:
            self._child = spawn(
                [sys.executable, "-m", "harness.instruments.emulated", "--plan", str(file), "--control", str(control)],
                log=log, pipes=True, name="emulated instruments",
            )
        except BenchError as error:
            raise InstrumentError(str(error)) from error
        self.addresses: dict[str, str] = {}
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._control = control
        try:
            greeting = json.loads(_line_of(self._child))
            self.addresses = {str(name): str(address) for name, address in greeting["addresses"].items()}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            said = "; ".join(self._child.last_lines(3))
            self.end()
            raise InstrumentError(
                f"the emulated instruments do not come up: {said or error}", remedy="see logs/emulated-instruments.log"
            ) from error

    @property
    def alive(self) -> bool:
        return self._child.alive()

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """The reply to a request on their control socket. Raises InstrumentError."""
        with self._lock:
            try:
                if self._socket is None:
                    self._socket = socket.socket(socket.AF_UNIX)
                    self._socket.settimeout(ANSWERS_S)
                    self._socket.connect(str(self._control))
                self._socket.sendall(json.dumps({**request, "id": 1}).encode() + b"\n")
                reply = _reply(self._socket)
            except (OSError, ValueError) as error:
                if self._socket is not None:
                    self._socket.close()
                self._socket = None
                raise InstrumentError(
                    f"the emulated instruments do not answer: {error}", remedy="see logs/emulated-instruments.log"
                ) from error
        if not reply.get("ok"):
            raise InstrumentError(f"the emulated instruments refused {request.get('op')}: {reply.get('error')}")
        return reply

    def end(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._child.process.terminate()
        self._child.stop(1.0)


def _line_of(child: Child) -> bytes:
    """The first line on its standard output; ValueError where none comes."""
    output, data, end = child.stdout.fileno(), b"", time.monotonic() + STARTS_S
    while not data.endswith(b"\n"):
        ready, _, _ = select.select([output], [], [], max(0.0, end - time.monotonic()))
        part = os.read(output, 65536) if ready else b""
        if not part:
            with contextlib.suppress(BenchError):
                child.wait(0.5)
            raise ValueError("it ended" if ready else f"nothing within {STARTS_S:g} s")
        data += part
    return data


def _reply(connection: socket.socket) -> dict[str, Any]:
    """The next line that is a reply; events between are passed over."""
    data = b""
    while True:
        part = connection.recv(65536)
        if not part:
            raise ValueError("they closed the connection")
        data += part
        *lines, data = data.split(b"\n")
        for line in lines:
            message = json.loads(line)
            if isinstance(message, dict) and "re" in message:
                return message
