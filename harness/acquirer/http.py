"""Messages in HTTP requests: the variant of UnionPay's terminals that reach their acquirer through a web front end.

A request is ``POST`` to the path, ``Content-Type: x-ISO-TPDU/x-auth``, its body one message with its length; the answer
is a 200 with the same content type. What is not so gets a status of 4xx and is closed.
"""

from __future__ import annotations

from collections.abc import Iterator

import h11

from harness.acquirer.links import LARGEST_MESSAGE
from harness.protocol.spec import MIN_LENGTH
from harness.protocol.stream import Piece

CONTENT_TYPE = "x-ISO-TPDU/x-auth"
_LARGEST_HEAD = 16384


class HttpFraming:
    """One connection. A request waits until the one before it is answered."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._connection = h11.Connection(h11.SERVER, max_incomplete_event_size=_LARGEST_HEAD)
        self._raw = bytearray()  # of the request that is coming in
        self._body = bytearray()
        self._status, self._fault = 0, ""
        self._start = 0

    @property
    def rest(self) -> bytes:
        waits_for_us = self._connection.their_state in (h11.DONE, h11.MUST_CLOSE)
        return b"" if waits_for_us or self._fault else bytes(self._raw)

    @property
    def over(self) -> bool:
        return self._connection.our_state in (h11.MUST_CLOSE, h11.CLOSED, h11.ERROR)

    def split(self, data: bytes) -> Iterator[Piece]:
        """Bodies, each one message; garbage is the raw request so far."""
        if self._fault:
            return
        self._raw += data
        try:
            if data:
                self._connection.receive_data(data)
            while not isinstance(event := self._connection.next_event(), type):  # NEED_DATA and PAUSED are classes
                if isinstance(event, h11.Request):
                    self._look_at(event)
                elif isinstance(event, h11.Data):
                    self._body += event.data
                    if len(self._body) > LARGEST_MESSAGE + 2:
                        self._fail(413, f"a body of more than {LARGEST_MESSAGE + 2} bytes")
                elif isinstance(event, h11.EndOfMessage):
                    self._look_at_body()
                    if not self._fault:
                        yield self._whole()
                        continue
                if self._fault:
                    yield self._garbage()
                    return
        except h11.RemoteProtocolError as error:
            self._fail(error.error_status_hint, str(error))
            yield self._garbage()

    def answer(self, message: bytes) -> bytes:
        sent = self._respond(200, message, CONTENT_TYPE)
        if self._connection.our_state is h11.DONE and self._connection.their_state is h11.DONE:
            self._connection.start_next_cycle()
        return sent

    def refusal(self) -> bytes:
        if not self._fault or self._connection.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return b""
        return self._respond(self._status, f"{self._fault}\n".encode("ascii", "replace"), "text/plain", close=True)

    def _respond(self, status: int, body: bytes, kind: str, *, close: bool = False) -> bytes:
        headers = [("Content-Type", kind), ("Content-Length", str(len(body)))]
        if close:
            headers.append(("Connection", "close"))
        parts = (h11.Response(status_code=status, headers=headers), h11.Data(data=body), h11.EndOfMessage())
        return b"".join(self._connection.send(part) or b"" for part in parts)

    def _look_at(self, request: h11.Request) -> None:
        self._body.clear()
        kinds = [value for name, value in request.headers if name == b"content-type"]
        if request.target != self._path.encode("ascii", "replace"):
            self._fail(404, f"the path is {request.target.decode('latin-1')!r}, not {self._path!r}")
        elif request.method != b"POST":
            self._fail(405, f"the method is {request.method.decode('latin-1')!r}, not 'POST'")
        elif [kind.lower() for kind in kinds] != [CONTENT_TYPE.lower().encode()]:
            said = b", ".join(kinds).decode("latin-1")
            self._fail(415, f"the content type is {said!r}, not {CONTENT_TYPE!r}")

    def _look_at_body(self) -> None:
        announced = 2 + int.from_bytes(self._body[:2], "big")
        if len(self._body) != announced or announced < 2 + MIN_LENGTH:
            self._fail(400, f"the body has {len(self._body)} bytes and is not one message")

    def _whole(self) -> Piece:
        self._raw = bytearray(self._connection.trailing_data[0])
        piece = Piece(self._start, bytes(self._body))
        self._start = piece.end
        return piece

    def _garbage(self) -> Piece:
        return Piece(self._start, bytes(self._raw), f"HTTP: {self._fault}")

    def _fail(self, status: int, fault: str) -> None:
        self._status, self._fault = status, fault
