"""Faults armed by hand: a client of an injector's control socket (docs/wire.md). What it armed ends with it."""

from __future__ import annotations

import contextlib
import json
import select
import socket
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from harness.errors import BadInput, BenchError
from harness.history.events import FaultHealed, FaultStruck
from harness.wire.faults import Fault
from harness.wire.pipe_client import Message

_ANSWER_S = 10.0


class ByHand:
    """One fault on an open bench. A context manager: leaving it heals."""

    def __init__(self, control: Path) -> None:
        """Connects. Raises BadInput where nobody answers."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._held = b""
        self._told: list[Message] = []
        self._number = 0
        self.fault_id: int | None = None
        try:
            self._socket.connect(str(control))
        except OSError as error:
            self._socket.close()
            raise BadInput("the bench is not open any more", where=str(control)) from error

    def arm(self, fault: Fault) -> int:
        """In force when this returns, until healed or until we are gone. Raises BadInput with the wire's reason."""
        reply = self._ask("arm", fault=fault.model_dump(mode="json"), while_connected=True)
        self.fault_id = int(reply["fault_id"])
        return self.fault_id

    def watch(self, seconds: float | None, struck: Callable[[FaultStruck], object]) -> FaultHealed | None:
        """Tells each strike until the fault ends: by itself, or healed here after ``seconds`` (None: when it ends).

        Returns how it ended; None where the bench was closed, and every fault with it.
        """
        deadline = None if seconds is None else time.monotonic() + seconds
        while True:
            while self._told:
                message = self._told.pop(0)
                if message.get("ev") not in ("struck", "healed") or message.get("fault_id") != self.fault_id:
                    continue
                kind = FaultStruck if message.pop("ev") == "struck" else FaultHealed
                event = kind(**message)
                if isinstance(event, FaultHealed):
                    self.fault_id = None
                    return event
                struck(event)
            if deadline is not None and time.monotonic() >= deadline:
                deadline = None
                self._send("heal", fault_id=self.fault_id)
            if not self._read(None if deadline is None else deadline - time.monotonic()):
                return None

    def heal(self) -> None:
        """Ends the fault, if it has not ended."""
        if self.fault_id is not None:
            self._ask("heal", fault_id=self.fault_id)
            self.fault_id = None

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> ByHand:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(BenchError, BadInput, OSError):
            self.heal()
        self.close()

    def _ask(self, operation: str, **arguments: object) -> Message:
        number = self._send(operation, **arguments)
        deadline = time.monotonic() + _ANSWER_S
        while True:
            for message in self._told:
                if message.get("re") == number:
                    self._told.remove(message)
                    if not message.get("ok"):
                        raise BadInput(str(message.get("error")))
                    return message
            if time.monotonic() > deadline or not self._read(deadline - time.monotonic()):
                raise BenchError(f"the injector did not answer {operation!r}")

    def _send(self, operation: str, **arguments: object) -> int:
        self._number += 1
        line = json.dumps({"id": self._number, "op": operation, **arguments}).encode() + b"\n"
        try:
            self._socket.sendall(line)
        except OSError as error:
            raise BenchError(f"the injector takes no requests any more: {error.strerror or error}") from error
        return self._number

    def _read(self, seconds: float | None) -> bool:
        """Waits for what comes, at most so long; False where the injector has ended."""
        ready, _, _ = select.select([self._socket], [], [], None if seconds is None else max(0.0, seconds))
        if not ready:
            return True
        try:
            data = self._socket.recv(65536)
        except OSError:
            return False
        *lines, self._held = (self._held + data).split(b"\n")
        self._told += [json.loads(line) for line in lines]
        return bool(data)
