"""The emulated instruments as a process, for tests of what speaks to them."""

from __future__ import annotations

import contextlib
import json
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_DEADLINE_S = 30.0


class EmulatedInstruments:
    """``addresses``: by name, which is their kind. :meth:`ask`: the control channel (docs/instruments-emulated.md)."""

    def __init__(self, ready: dict[str, Any], control: Path) -> None:
        self.addresses: dict[str, str] = ready["addresses"]
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(_DEADLINE_S)
        self._socket.connect(str(control))
        self._lines = self._socket.makefile("rb")
        self._number = 0

    def ask(self, op: str, **arguments: Any) -> dict[str, Any]:
        self._number += 1
        self._socket.sendall(json.dumps({"id": self._number, "op": op, **arguments}).encode() + b"\n")
        while True:
            reply: dict[str, Any] = json.loads(self._lines.readline())
            if reply.get("re") == self._number:
                assert reply["ok"], reply
                return reply

    def fault(self, instrument: str, what: str, **arguments: Any) -> None:
        self.ask("fault", instrument=instrument, what=what, **arguments)

    def state(self, instrument: str) -> dict[str, Any]:
        """The true physical state."""
        found: dict[str, Any] = self.ask("state")["instruments"][instrument]
        return found

    def close(self) -> None:
        self._lines.close()
        self._socket.close()


@contextlib.contextmanager
def emulated(folder: Path, **plan: Any) -> Iterator[EmulatedInstruments]:
    """All of them, named as their kinds; ``plan``: other keys of the plan."""
    path, control = folder / "instruments.plan.json", folder / "i.sock"
    path.write_text(json.dumps({"seed": 97, "instruments": "all"} | plan), encoding="utf-8")
    command = [sys.executable, "-m", "harness.instruments.emulated", "--plan", str(path), "--control", str(control)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=folder) as process:
        try:
            assert process.stdout is not None
            assert select.select([process.stdout], [], [], _DEADLINE_S)[0], "they are ready in time"
            running = EmulatedInstruments(json.loads(process.stdout.readline()), control)
            yield running
            running.close()
        finally:
            process.terminate()
            process.wait(_DEADLINE_S)
