"""The emulated instruments of a bench: a process of ours, started by the guard, ended after everything is safe."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import queue
import select
import socket
import sys
import threading
import time
from collections.abc import Callable
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
    """``addresses``: by the name of the instrument. Raises InstrumentError where they do not come up. ``on_event`` gets
    what they tell unasked, on a thread of its own; a reply is given once what was told before it has been taken."""

    def __init__(self, plan: GuardPlan, on_event: Callable[[dict[str, Any]], None]) -> None:
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
        self._on_event = on_event
        self._sending, self._numbers = threading.Lock(), itertools.count(1)
        self._replies: dict[int, queue.SimpleQueue[dict[str, Any] | None]] = {}  # None: none will come
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            greeting = json.loads(_line_of(self._child))
            self.addresses = {str(name): str(address) for name, address in greeting["addresses"].items()}
            self._socket.connect(str(control))
            threading.Thread(target=self._read, name="emulated instruments", daemon=True).start()
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
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
        number = next(self._numbers)
        replies = self._replies[number] = queue.SimpleQueue()
        try:
            with self._sending:
                self._socket.sendall(json.dumps({**request, "id": number}).encode() + b"\n")
            reply = replies.get(timeout=ANSWERS_S)
            if reply is None:
                raise ConnectionError("they closed the connection")
        except (OSError, queue.Empty) as error:
            raise InstrumentError(
                f"the emulated instruments do not answer: {str(error) or f'nothing within {ANSWERS_S:g} s'}",
                remedy="see logs/emulated-instruments.log",
            ) from error
        finally:
            del self._replies[number]
        if not reply.get("ok"):
            raise InstrumentError(f"the emulated instruments refused {request.get('op')}: {reply.get('error')}")
        return reply

    def settle(self) -> None:
        """Until all that they have told so far has been taken. Raises InstrumentError."""
        self.ask({"op": "state"})

    def end(self) -> None:
        self._child.process.terminate()
        self._child.stop(1.0)
        self._socket.close()

    def _read(self) -> None:
        with contextlib.suppress(OSError, ValueError), self._socket.makefile("rb") as lines:
            for line in lines:
                message = json.loads(line)
                if "re" not in message:
                    self._on_event(message)
                elif waiting := self._replies.get(message["re"]):
                    waiting.put(message)
        for waiting in list(self._replies.values()):
            waiting.put(None)


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
