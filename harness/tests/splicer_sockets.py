"""Real sockets that speak in messages, for the splicer's tests in namespaces and for its benchmark."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

from harness.protocol.frames import build
from harness.tests.lab_helpers import receive


def message(mti: str, number: int, filler: int = 0, **fields: str) -> bytes:
    """A frame with this STAN, and so many bytes in F63."""
    values = {3: "000000", 4: "000000000100", 11: f"{number:06d}", 39: "00", 41: "12345678", 42: "123456789012345"}
    values |= {63: "x" * filler} if filler else {}
    if mti[2] == "0":
        del values[39]
    return build(mti, values | {int(name[1:]): value for name, value in fields.items()}).raw


def read_message(end: socket.socket) -> bytes:
    """The next one; b"" where the other end has closed; a part, where it closed in the middle."""
    head = receive(end, 2)
    return head + receive(end, int.from_bytes(head, "big")) if len(head) == 2 else head


class Host:
    """Answers each message at ``end`` with what ``answer`` makes of it, until it is closed or reset. ``heard``: all
    that came, ``ended`` how it ended: "", "closed" or "reset"."""

    def __init__(self, end: socket.socket, answer: Callable[[bytes], bytes]) -> None:
        self._end, self._answer = end, answer
        self.heard: list[bytes] = []
        self.ended = ""
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        try:
            while request := read_message(self._end):
                self.heard.append(request)
                self._end.sendall(self._answer(request))
            self.ended = "closed"
        except ConnectionResetError:
            self.ended = "reset"
        except OSError as error:
            self.ended = f"failed: {error}"

    def join(self) -> None:
        self._thread.join(10.0)
        assert not self._thread.is_alive(), "the host is still waiting"


def approve(request: bytes) -> bytes:
    """A 0210 with the request's STAN."""
    return message("0210", int(_stan(request)), 40)


def _stan(frame: bytes) -> str:
    from harness.protocol.frames import decode

    return decode(frame).get(11)
