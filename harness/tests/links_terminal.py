"""The application's line to the host without the rest of it, and scripted hosts on loopback."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from harness.emulator.firmware.app.comms import Line, Verdict
from harness.emulator.firmware.app.dialect import Dialect
from harness.emulator.firmware.app.loop import Flow, Loop
from harness.emulator.firmware.app.messages import Request
from harness.emulator.firmware.app.records import State
from harness.protocol.frames import build, decode, swap_tpdu

TIMEOUT_S = 5

Say = Callable[[bytes, int], bytes]
"""The bytes to answer a request with, given its number on the host; empty: say nothing."""


def answer(raw: bytes, code: str = "00") -> bytes:
    """The ordinary answer to a request."""
    request = decode(raw)
    fields = {41: request.get(41), 42: request.get(42), 39: code, 60: request.get(60)}
    if 11 in request:
        fields[11] = request.get(11)
    mti = f"{int(request.mti) + 10:04d}"
    return build(mti, fields, tpdu=swap_tpdu(request.tpdu), header=request.header).raw


def decline(raw: bytes, number: int) -> bytes:
    return answer(raw, "97")


class Host:
    """Answers by ``say``; ``connections`` and ``requests`` (connection, traces) are what it saw."""

    def __init__(self, say: Say = lambda raw, number: answer(raw), *, tls: ssl.SSLContext | None = None,
                 http: bool = False, close_after: int = 0) -> None:
        self.say, self.tls, self.http, self.close_after = say, tls, http, close_after
        self.connections = 0
        self.requests: list[tuple[int, str]] = []
        self.open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(connection, self.connections), daemon=True).start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        with contextlib.suppress(OSError, ValueError):
            if self.tls is not None:
                connection = self.tls.wrap_socket(connection, server_side=True)
            self.open.append(connection)
            served = 0
            while raw := self._read(connection):
                self.requests.append((number, decode(raw).get(11)))
                connection.sendall(self.say(raw, len(self.requests)))
                served += 1
                if served == self.close_after:
                    break
        connection.close()

    def _read(self, connection: socket.socket) -> bytes:
        if self.http:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += connection.recv(1) or b"\r\n\r\n"
            if b"Content-Length" not in head:
                return b""
        prefix = connection.recv(2, socket.MSG_WAITALL) if self.tls is None else connection.recv(2)
        size = struct.unpack("!H", prefix)[0] if len(prefix) == 2 else 0
        data = b""
        while len(data) < size:
            data += connection.recv(size - len(data))
        return prefix + data if size else b""

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.hang_up()

    def hang_up(self) -> None:
        """Every connection, at once."""
        for connection in self.open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        self.open.clear()


class Terminal:
    """The application's line and loop, without the rest of it."""

    def __init__(self, **values: Any) -> None:
        kind, tended = values.pop("link", "tcp"), values.pop("tended", True)
        self.state = State(
            tid="97000001", mid="898970000000001", host=values.pop("address", "127.0.0.1"), timeout_s=TIMEOUT_S,
            dialect=Dialect(link=kind), **values,
        )
        self.line = Line(1.0)
        self.loop = Loop(lambda: None)
        if tended:
            self.loop.start(self.line.links.tend())
        self._trace = 0

    def change(self, **values: Any) -> None:
        """Other settings, as by the service port."""
        self.state = replace(self.state, **values)

    def begin(self) -> list[Verdict]:
        """A message on its way; its verdict will be in the list."""
        self._trace += 1
        fields = {11: f"{self._trace:06d}", 41: self.state.tid, 42: self.state.mid, 60: "00000001002"}
        found: list[Verdict] = []

        def run() -> Flow[None]:
            verdict = yield from self.line.exchange(self.state, Request("0820", fields), lambda text: None)
            found.append(verdict)

        self.loop.start(run())
        return found

    def send(self, seconds: float = 15.0) -> Verdict:
        found = self.begin()
        self.until(lambda: bool(found), seconds)
        return found[0]

    def until(self, condition: Callable[[], bool], seconds: float = 10.0) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "not in time"
            self.loop.turn(0.01)


@contextlib.contextmanager
def hosts(*made: Host) -> Iterator[tuple[Host, ...]]:
    try:
        yield made
    finally:
        for host in made:
            host.close()
