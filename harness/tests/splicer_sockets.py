"""Real sockets that speak in messages, for the splicer's tests in namespaces and for its benchmark."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Protocol

from harness.protocol.frames import build, decode
from harness.protocol.stream import HTTP_PATH
from harness.wire.http import CONTENT_TYPE


def message(mti: str, number: int, filler: int = 0, **fields: str) -> bytes:
    """A frame with this STAN, and so many bytes in F63."""
    values = {3: "000000", 4: "000000000100", 11: f"{number:06d}", 39: "00", 41: "12345678", 42: "123456789012345"}
    values |= {63: "x" * filler} if filler else {}
    if mti[2] == "0":
        del values[39]
    return build(mti, values | {int(name[1:]): value for name, value in fields.items()}).raw


class End(Protocol):
    """What of a socket is needed: also of one that speaks TLS, or of :class:`HttpEnd`."""

    def recv(self, size: int, /) -> bytes: ...
    def sendall(self, data: bytes, /) -> None: ...


class HttpEnd:
    """Messages as bodies of HTTP requests (the terminal) or responses, strictly by their Content-Length."""

    def __init__(self, end: socket.socket, *, terminal: bool) -> None:
        self._end, self._terminal = end, terminal
        self._buffer = self._body = b""

    def sendall(self, data: bytes) -> None:
        line = b"POST %s HTTP/1.1\r\nHost: acquirer" % HTTP_PATH.encode() if self._terminal else b"HTTP/1.1 200 OK"
        head = line + b"\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n" % (CONTENT_TYPE, len(data))
        self._end.sendall(head + data)

    def recv(self, size: int) -> bytes:
        """Of the next body; b"" where the other end closed before it."""
        while not self._body:
            head, found, rest = self._buffer.partition(b"\r\n\r\n")
            if found:
                assert head.startswith(b"HTTP/1.1 200 OK\r\n" if self._terminal else b"POST "), head
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
                if len(rest) >= length:
                    self._body, self._buffer = rest[:length], rest[length:]
                    break
            more = self._end.recv(65536)
            if not more:
                return b""
            self._buffer += more
        part, self._body = self._body[:size], self._body[size:]
        return part


def read_message(end: End) -> bytes:
    """The next one; b"" where the other end has closed; a part, where it closed in the middle."""
    head = _receive(end, 2)
    return head + _receive(end, int.from_bytes(head, "big")) if len(head) == 2 else head


def _receive(end: End, size: int) -> bytes:
    data = b""
    while len(data) < size and (part := end.recv(size - len(data))):
        data += part
    return data


class Host:
    """Answers each message at ``end`` with what ``answer`` makes of it, until it is closed or reset. ``heard``: all
    that came, ``ended`` how it ended: "", "closed", "reset", or "broken": TLS without its proper end."""

    def __init__(self, end: End, answer: Callable[[bytes], bytes]) -> None:
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
        except ssl.SSLEOFError:
            self.ended = "broken"
        except OSError as error:
            self.ended = f"failed: {error}"

    def leave(self, end: socket.socket) -> None:
        """Ends it, before its socket is closed: who still waits at a descriptor would read what comes to the next
        connection that is given its number."""
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        self.join()

    def join(self) -> None:
        self._thread.join(10.0)
        assert not self._thread.is_alive(), "the host is still waiting"


def approve(request: bytes) -> bytes:
    """A 0210 with the request's STAN."""
    return message("0210", int(_stan(request)), 40)


def _stan(frame: bytes) -> str:
    return decode(frame).get(11)
