"""The door of an open bench: by it somebody at a console finds the bench by its name, and its injector.

In the bench's scratch folder (harness.lab.scratch): ``bench.json`` says who it is; who connects to ``door.sock`` gets
one line of JSON: ``{"control": PATH}``, the socket of its injector - started for that - or ``{"error": "..."}``.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.errors import BadInput, BenchError, Hil97Error
from harness.lab.lease import runtime_folder
from harness.lab.scratch import in_use

CARD, DOOR = "bench.json", "door.sock"
_KNOCK_S = 30.0


@dataclass(frozen=True)
class Card:
    """Which bench it is. ``scope``: that of its lease, for an emulated bench its inventory; ``results``: its folder."""

    bench: str
    run: str
    scope: str
    results: str


class Door:
    """Open until closed. ``control()`` starts the injector where needed and returns its socket's path."""

    def __init__(self, scratch: Path, card: Card, control: Callable[[], Path]) -> None:
        self._control = control
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        before = os.umask(0o177)
        try:
            self._listener.bind(str(scratch / DOOR))
        finally:
            os.umask(before)
        self._listener.listen()
        (scratch / CARD).write_text(json.dumps(asdict(card)), encoding="utf-8")
        self._thread = threading.Thread(target=self._serve, name=f"{card.bench} door", daemon=True)
        self._thread.start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5.0)

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # closed
                return
            with client, contextlib.suppress(OSError):
                try:
                    answer = {"control": str(self._control())}
                except Hil97Error as error:
                    answer = {"error": str(error)}
                client.sendall(json.dumps(answer).encode() + b"\n")


def open_benches(folder: Path | None = None) -> Iterator[tuple[Card, Path]]:
    """Every bench of this user that is open now, and its scratch folder."""
    for path in sorted((folder or runtime_folder()).glob(f"scratch-*/{CARD}")):
        try:
            card = Card(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):  # it is being made, or was just closed
            continue
        if in_use(path.parent):
            yield card, path.parent


def knock(scratch: Path) -> Path:
    """The control socket of the injector of the bench there. Raises BenchError, BadInput where it was closed."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(_KNOCK_S)
        try:
            line.connect(str(scratch / DOOR))
            answer = json.loads(line.makefile("rb").readline())
        except TimeoutError as error:
            raise BenchError(f"the bench did not answer within {_KNOCK_S:.0f} s", evidence=str(scratch)) from error
        except (OSError, ValueError) as error:
            raise BadInput("the bench is not open any more", where=str(scratch)) from error
    if "error" in answer:
        raise BenchError(str(answer["error"]))
    return Path(answer["control"])
