"""Devices at the other end of a line, byte by byte: for transports and drivers. Each runs in a thread of the test."""

from __future__ import annotations

import contextlib
import os
import pty
import socket
import threading
import time
import tty
from collections.abc import Callable, Iterator

DROP = b"<drop>"  # in place of an answer: close the connection; behind one: after it
TRICKLE = b"<trickle>"  # in place of an answer: a byte of it now and then, and no end
Answer = Callable[[bytes], bytes]


class Lines:
    """A TCP server whose ``answer`` turns each line (without its end) into the bytes to send, b"" for none.

    ``heard`` has every line that came. Connections that stand are closed with it.
    """

    def __init__(self, answer: Answer, *, end: bytes = b"\n", port: int = 0) -> None:
        self.answer, self._end, self.heard = answer, end, list[bytes]()
        self.accepted = 0
        self._server = socket.create_server(("127.0.0.1", port))
        self.port = int(self._server.getsockname()[1])
        self._standing: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def visa(self) -> str:
        return f"TCPIP::127.0.0.1::{self.port}::SOCKET"

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self.cut()

    def cut(self) -> None:
        """Ends the connections that stand."""
        for line in self._standing:
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
        self._standing.clear()

    def _accept(self) -> None:
        while True:
            try:
                line, _ = self._server.accept()
            except OSError:
                return
            self.accepted += 1
            self._standing.append(line)
            threading.Thread(target=self._serve, args=(line,), daemon=True).start()

    def _serve(self, line: socket.socket) -> None:
        held = b""
        with line, contextlib.suppress(OSError):
            while data := line.recv(65536):
                *whole, held = (held + data).split(self._end)
                for one in whole:
                    self.heard.append(one)
                    answer = self.answer(one)
                    if answer == TRICKLE:
                        trickling(line.sendall)
                        return
                    if answer.endswith(DROP):
                        line.sendall(answer.removesuffix(DROP))
                        with contextlib.suppress(OSError):
                            line.shutdown(socket.SHUT_RDWR)
                        return
                    line.sendall(answer)


def trickling(send: Callable[[bytes], object], seconds: float = 20, every_s: float = 0.05) -> None:
    """A byte now and then, and no end. As an answer that takes ``seconds``, or until nobody is there."""
    end = time.monotonic() + seconds
    with contextlib.suppress(OSError):
        while time.monotonic() < end:
            send(b"1")
            time.sleep(every_s)  # that slow is what the test is about


class SerialLines:
    """The same at the far end of a serial line (a pty): ``visa`` is the near one."""

    def __init__(self, answer: Answer, *, end: bytes = b"\n") -> None:
        self.answer, self._end, self.heard = answer, end, list[bytes]()
        self._far, self._near = pty.openpty()
        tty.setraw(self._near)
        self.visa = f"ASRL{os.ttyname(self._near)}::INSTR"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        os.close(self._near)

    def _serve(self) -> None:
        held = b""
        with contextlib.suppress(OSError):
            while data := os.read(self._far, 4096):
                *whole, held = (held + data).split(self._end)
                for one in whole:
                    self.heard.append(one)
                    answer = self.answer(one)
                    if answer == TRICKLE:
                        trickling(lambda data: os.write(self._far, data))
                        return
                    os.write(self._far, answer)


def scpi(table: dict[str, str], *, idn: str = "HIL97,EMU-TEST,1,1.0", end: str = "\n") -> Answer:
    """An instrument that answers ``*IDN?`` and what is in the table; whatever else is no query is taken and kept to
    itself, and ``SYST:ERR?`` says ``0``."""
    known = {"*IDN?": idn, "SYST:ERR?": '0,"No error"'} | table

    def answer(line: bytes) -> bytes:
        said = known.get(line.decode("ascii"))
        return b"" if said is None else said.encode("latin-1") + end.encode("ascii")

    return answer


@contextlib.contextmanager
def serving(answer: Answer) -> Iterator[Lines]:
    server = Lines(answer)
    try:
        yield server
    finally:
        server.close()


def closed_port() -> int:
    """A port of this machine at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
