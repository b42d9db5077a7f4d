# SPDX-License-Identifier: GPL-2.0-only
"""Messages in HTTP requests and responses, with their heads; and heads made anew for other bodies. Pure.

A head and its body belong together: one is the unit. It is a message by the rules of ``harness.wire.http`` (content
type, a length, a body that is one message); that reader itself can't be used, since it gives no offsets and reads no
response to a request that passed before the connection was diverted.
"""

from __future__ import annotations

import re

from harness.protocol.spec import MIN_LENGTH
from harness.wire.faults.base import Side
from harness.wire.http import CONTENT_TYPE
from harness.wire.injector.splicer.assembly import Open, Unit
from harness.wire.injector.splicer.plan import Message

_END = b"\r\n\r\n"
_LONGEST_HEAD = 16384
_LENGTH = re.compile(rb"(?im)^(content-length[ \t]*:[ \t]*)(\d+)")
_TYPE = re.compile(rb"(?im)^content-type[ \t]*:[ \t]*([^;\r\n]*)")
_ENCODED = re.compile(rb"(?im)^(transfer-encoding|content-encoding)[ \t]*:")
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: 0\r\n\r\n" % CONTENT_TYPE
_BEGINS: dict[Side, bytes] = {"terminal": b"POST ", "acquirer": b"HTTP/1."}


class HttpMessages:
    """One direction (:class:`~.assembly.Divider`)."""

    def __init__(self, sender: Side, begun: bool) -> None:
        self._sender, self._sure = sender, begun
        self._buffer = b""
        self._at = 0

    @property
    def begun(self) -> int:
        return self._at

    def lost(self, at: int) -> None:
        self._buffer, self._at, self._sure = b"", at, False

    def feed(self, data: bytes) -> list[Unit]:
        self._buffer += data
        units: list[Unit] = []
        while self._buffer:
            wanted = _BEGINS[self._sender]
            if not self._sure and not self._buffer.startswith(wanted[: len(self._buffer)]):
                units.append(self._take(len(self._buffer), None))
                break
            size = self._size()
            if size is None:
                break
            self._sure = size > 0
            units.append(self._take(size or len(self._buffer), size or None))
        return units

    def _size(self) -> int | None:
        """Of head and body; 0 where that can't be told, None while it is not all here."""
        end = self._buffer.find(_END)
        if end < 0:
            return 0 if len(self._buffer) > _LONGEST_HEAD else None
        head = self._buffer[: end + len(_END)]
        length = _LENGTH.search(head)
        if _ENCODED.search(head) or (length is None and head.startswith(b"HTTP/")):
            return 0
        size = len(head) + (int(length[2]) if length else 0)
        return size if size <= len(self._buffer) else None

    def _take(self, size: int, whole: int | None) -> Unit:
        raw, start = self._buffer[:size], self._at
        self._buffer, self._at = self._buffer[size:], self._at + size
        head = raw.find(_END) + len(_END) if whole else 0
        frame = raw[head:] if whole else b""
        return Unit(self._sender, start, self._at, frame if _is_message(raw[:head], frame) else b"", head)


class OpenHttp(Open):
    """Both directions."""

    def __init__(self, begun: bool) -> None:
        super().__init__(lambda side: HttpMessages(side, begun))

    def message(self, unit: Unit, raw: bytes) -> Message:
        head = raw[: unit.head]
        return Message(
            unit.sender, unit.frame, raw, unit.head, lambda frame: _with_body(head, frame),
            lambda frame: _with_body(_ANSWER, frame),
        )


def _with_body(head: bytes, body: bytes) -> bytes:
    return _LENGTH.sub(lambda found: found[1] + b"%d" % len(body), head, count=1) + body


def _is_message(head: bytes, body: bytes) -> bool:
    kind = _TYPE.search(head)
    begins = head.startswith((b"POST ", b"HTTP/1.1 200", b"HTTP/1.0 200"))
    if kind is None or kind[1].strip().lower() != CONTENT_TYPE or not begins:
        return False
    return len(body) >= 2 + MIN_LENGTH and len(body) == 2 + int.from_bytes(body[:2], "big")
