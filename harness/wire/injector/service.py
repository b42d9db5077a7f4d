# SPDX-License-Identifier: GPL-2.0-only
"""Requests and packets, turn by turn: the loop in which the injector lives."""

from __future__ import annotations

import json
import time
from typing import Any

from harness.errors import BadInput
from harness.wire import faults
from harness.wire.injector.clients import Client, Clients, Message
from harness.wire.injector.clock import Clock
from harness.wire.injector.devices import SIDES, Devices
from harness.wire.injector.engine import Engine, plain
from harness.wire.injector.guarded import Guarded
from harness.wire.injector.handshakes import Handshakes

OPERATIONS = ("arm", "heal", "armed", "keys", "sync")
_BATCH = 64


class Service:
    """Until its owner's stdin is closed."""

    def __init__(
        self, clock: Clock, devices: Devices, engine: Engine, clients: Clients, guarded: Guarded,
        handshakes: Handshakes, divert: str,
    ) -> None:
        self._clock, self._devices, self._engine, self._clients = clock, devices, engine, clients
        self._guarded, self._handshakes, self._divert = guarded, handshakes, divert
        faults.catalogue()  # imported now, not when the first fault is armed
        self._readers = {devices.reader(side): side for side in SIDES}
        for fd in self._readers:
            clock.watch(fd)
        clock.watch(guarded.fileno())
        clock.watch(handshakes.fileno())

    def run(self) -> None:
        engine, clients = self._engine, self._clients
        clients.say({"ev": "ready", "divert": self._divert, "guardian": self._guarded.pid})
        clients.flush()
        while True:
            for fd, _ in self._clock.wait(engine.due):
                side = self._readers.get(fd)
                if side is not None:
                    self._pass(fd)
                elif fd == self._handshakes.fileno():
                    self._handshakes.take()
                elif fd == self._guarded.fileno():
                    self._unguarded()
                elif not self._answer(fd):
                    return
            engine.tick(time.monotonic_ns())
            for client in clients.flush():
                if not self._leave(client):
                    return

    def finish(self) -> None:
        """Nothing armed, and what was diverted until now passed on."""
        self._engine.heal(None, "asked", time.monotonic_ns())
        self._catch_up()
        self._engine.leave(time.monotonic_ns())

    def _pass(self, fd: int) -> bool:
        """Diverted packets, some at a time; whether there were any."""
        side, take, any_came = self._readers[fd], self._engine.take, False
        for frame in self._devices.drain(side, _BATCH):
            take(frame, side, time.monotonic_ns())
            any_came = True
        return any_came

    def _answer(self, fd: int) -> bool:
        for client, line in self._clients.take(fd):
            if line is None:
                if not self._leave(client):
                    return False
                continue
            try:
                request = json.loads(line)
                number, operation = request["id"], request["op"]
            except (ValueError, TypeError, KeyError, RecursionError):
                self._clients.reply(client, _refusal(None, "a request is {\"id\": number, \"op\": name, ...}"))
                continue
            try:
                answer = self._obey(client, operation, request)
            except (BadInput, OSError) as error:
                self._clients.reply(client, _refusal(number, str(error), bad_input=isinstance(error, BadInput)))
            else:
                self._clients.reply(client, {"re": number, "ok": True, **answer})
        return True

    def _obey(self, client: Client, operation: str, request: dict[str, Any]) -> Message:
        """Does what is asked. Raises :class:`BadInput` with the reason when it can't be done."""
        engine, now = self._engine, time.monotonic_ns()
        if operation == "arm":
            fault = faults.read(_mapping(request, "fault"))
            if not self._guarded.alive:
                self._unguarded()
            fault_id = engine.arm(fault, now)
            if request.get("while_connected"):
                client.faults.add(fault_id)
            return {"fault_id": fault_id}
        if operation == "heal":
            which = request.get("fault_id")
            if which is not None and not isinstance(which, int):
                raise BadInput(f"no number of a fault: {which!r}", where="fault_id")
            self._catch_up()
            engine.heal(which, "asked", time.monotonic_ns())
            self._catch_up()  # what had been diverted by then has passed when this is answered
            return {}
        if operation == "armed":
            return {"armed": [{"fault_id": each, "fault": plain(fault)} for each, fault in engine.armed.items()]}
        if operation == "keys":
            masters = request.get("masters")
            if not isinstance(masters, list) or not all(isinstance(one, dict) for one in masters):
                raise BadInput('keys are [{"tid": ..., "mid": ..., "tmk": hex}, ...]', where="masters")
            engine.keys(masters)
            return {}
        if operation == "sync":
            self._catch_up()
            return {}
        raise BadInput(f"unknown operation {operation!r}; known: {', '.join(OPERATIONS)}", where="op")

    def _catch_up(self) -> None:
        """All that was diverted up to now has been dealt with, and what it did is told."""
        came = True
        while came:
            came = False
            for fd in self._readers:
                came = self._pass(fd) or came
            self._engine.tick(time.monotonic_ns())
        lost = self._devices.lost()
        if lost:
            self._clients.say({"ev": "lost", "t": time.monotonic_ns(), "packets": lost})

    def _leave(self, client: Client) -> bool:
        """A client is gone: what was armed for as long as it is there ends. False: it was the owner."""
        if client.owner:
            return False
        self._clients.drop(client)
        for fault_id in client.faults & set(self._engine.armed):
            self._engine.heal(fault_id, "asked", time.monotonic_ns())
        return True

    def _unguarded(self) -> None:
        """The guardian died: should we be killed now, nobody would heal the link. So it is healed at once."""
        self._clock.unwatch(self._guarded.fileno())
        self._engine.heal(None, "died", time.monotonic_ns())
        self._guarded.renew()
        self._clock.watch(self._guarded.fileno())


def _mapping(request: dict[str, Any], key: str) -> dict[str, Any]:
    value = request.get(key)
    if not isinstance(value, dict):
        raise BadInput(f"{key} is missing", where=key)
    return value


def _refusal(number: object, error: str, *, bad_input: bool = True) -> Message:
    return {"re": number, "ok": False, "error": error, "bad_input": bad_input}
