"""Bytes over one TCP connection to the host, without ever blocking the loop."""

from __future__ import annotations

import errno
import fcntl
import socket
import struct
import termios

from .loop import READABLE, TIMEOUT, WRITABLE, Flow, Wait

_READ_SIZE = 65536
_RESET = struct.pack("ii", 1, 0)  # a close that sends RST in the place of what waits and a FIN


class Stream:
    """A connected socket. TLS has a stream of its own (``link_tls``) that differs in what makes it wait."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock

    def close(self) -> None:
        """What was sent and is not acknowledged is forgotten with the connection: given up, it must not arrive later,
        perhaps behind its own reversal."""
        try:
            waiting = struct.unpack("i", fcntl.ioctl(self.sock, termios.TIOCOUTQ, bytes(4)))[0]
            if waiting:
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        except (OSError, ValueError):
            pass  # it is gone already
        self.sock.close()

    @property
    def quiet(self) -> bool:
        """Open, and nothing has come that nobody has read: fit for another message."""
        try:
            self.sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def send(self, data: bytes, deadline: float) -> Flow[bool]:
        """False: some of it may have left, but not all."""
        while data:
            try:
                data = data[self.sock.send(data) :]
            except OSError as error:
                if not (yield from self._wait(self.blocked(error, WRITABLE), deadline)):
                    return False
        return True

    def read(self, deadline: float) -> Flow[bytes | None]:
        """What comes next; None where time-out, close or reset come first."""
        while True:
            try:
                return self.sock.recv(_READ_SIZE) or None
            except OSError as error:
                if not (yield from self._wait(self.blocked(error, READABLE), deadline)):
                    return None

    def blocked(self, error: OSError, ordinary: int) -> int:
        """What the socket has to become before it goes on; 0: it has failed."""
        return ordinary if isinstance(error, BlockingIOError) else 0

    def _wait(self, mask: int, deadline: float) -> Flow[bool]:
        if not mask:
            return False
        signal = yield Wait(sock=self.sock, mask=mask, deadline=deadline)
        return signal.kind != TIMEOUT


def connect(address: tuple[str, int], deadline: float) -> Flow[Stream | None]:
    """None: refused, unreachable, or not in time."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    error = sock.connect_ex(address)
    if error == errno.EINPROGRESS:
        signal = yield Wait(sock=sock, mask=WRITABLE, deadline=deadline)
        timed_out = signal.kind == TIMEOUT
        error = errno.ETIMEDOUT if timed_out else sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if error:
        sock.close()
        return None
    return Stream(sock)
