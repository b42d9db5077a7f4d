"""TLS 1.2 and 1.3 read from captured bytes, with the session keys that the server hands out.

Only application data is given on. Handshakes are left out; a fatal alert is told as bytes, and so is, with the reason,
what can't be opened. Nothing is decided from outside the packets but with these keys.
"""

from __future__ import annotations

from collections import deque

from harness.wire import tls_keys
from harness.wire.layers import TO_ACQUIRER, TO_TERMINAL, Item, Scrap, Span, joined
from harness.wire.tls_keys import MASTER, SUITES, KeyLog, Suite, key_block
from harness.wire.tls_records import (
    ALERT,
    APPLICATION_DATA,
    CHANGE_CIPHER_SPEC,
    HANDSHAKE,
    HEADER_SIZE,
    LARGEST,
    Opener,
    Record,
    Unopened,
    next_secret,
    opener_13,
)

_CLIENT_HELLO, _SERVER_HELLO, _FINISHED, _KEY_UPDATE = 1, 2, 20, 24
_SUPPORTED_VERSIONS = 43
_TLS_12, _TLS_13 = 0x0303, 0x0304
_RETRY = bytes.fromhex("CF21AD74E59A6111BE1D8C021E65B891C2A211167ABB8C5E079E09E2C8A8339C")
"""The random of a ServerHello that asks for another ClientHello (RFC 8446, 4.1.3)."""
_SIDE = {TO_ACQUIRER: "CLIENT", TO_TERMINAL: "SERVER"}
_FATAL = 2
_ALERTS = {
    10: "unexpected message", 20: "bad record mac", 22: "record overflow", 40: "handshake failure",
    42: "bad certificate", 43: "unsupported certificate", 44: "certificate revoked", 45: "certificate expired",
    46: "certificate unknown", 47: "illegal parameter", 48: "unknown authority", 49: "access denied",
    50: "decode error", 51: "decrypt error", 70: "protocol version", 71: "insufficient security",
    80: "internal error", 86: "inappropriate fallback", 109: "missing extension", 112: "unrecognized name",
    116: "certificate required", 120: "no application protocol",
}


class _Side:
    """One direction."""

    def __init__(self) -> None:
        self.spans: deque[Span] = deque()
        self.held = 0
        self.waiting: deque[Record] = deque()
        self.handshake = bytearray()
        self.opener: Opener | None = None
        self.secret = b""
        self.sealed = False  # TLS 1.2: after the change of the cipher
        self.finished = False  # TLS 1.3: the traffic keys are in use
        self.over = ""

    def add(self, span: Span) -> None:
        self.spans.append(span)
        self.held += len(span.data)

    def cut(self, size: int) -> Span:
        """The first ``size`` bytes held, as one."""
        taken: list[Span] = []
        missing = size
        while missing:
            span = self.spans.popleft()
            if len(span.data) > missing:
                self.spans.appendleft(Span(span.data[missing:], span.t, span.t_first, span.packets))
                span = Span(span.data[:missing], span.t, span.t_first, span.packets)
            taken.append(span)
            missing -= len(span.data)
        self.held -= size
        packets = tuple(sorted({packet for span in taken for packet in span.packets}))
        return Span(b"".join(span.data for span in taken), taken[-1].t, taken[0].t_first, packets)

    def peek(self, size: int) -> bytes:
        data = b""
        for span in self.spans:
            data += span.data[: size - len(data)]
            if len(data) == size:
                break
        return data

    def messages(self, data: bytes) -> list[tuple[int, bytes]]:
        """The handshake messages that are whole with ``data``: type and body."""
        self.handshake += data
        found = []
        while len(self.handshake) >= 4:
            size = 4 + int.from_bytes(self.handshake[1:4], "big")
            if len(self.handshake) < size:
                break
            found.append((self.handshake[0], bytes(self.handshake[4:size])))
            del self.handshake[:size]
        return found


class TlsReader:
    """Of one connection; see :class:`harness.wire.layers.Reader`."""

    def __init__(self, keys: KeyLog) -> None:
        self._keys = keys
        self._sides = {TO_ACQUIRER: _Side(), TO_TERMINAL: _Side()}
        self._client_random = self._server_random = b""
        self._version = 0
        self._suite: Suite | None = None

    def take(self, direction: str, span: Span) -> list[Item]:
        side = self._sides[direction]
        side.add(span)
        if side.over:
            return self._scraps(direction, [self._rest(side, side.over)])
        while side.held >= HEADER_SIZE:
            header = side.peek(HEADER_SIZE)
            size = int.from_bytes(header[3:], "big")
            if not CHANGE_CIPHER_SPEC <= header[0] <= APPLICATION_DATA or header[1] != 3 or size > LARGEST:
                side.over = "not TLS"
                break
            if side.held < HEADER_SIZE + size:
                break
            cut = side.cut(HEADER_SIZE + size)
            payload = cut.data[HEADER_SIZE:]
            side.waiting.append(Record(header[0], header, payload, cut.t, cut.t_first, cut.packets))
        items = self.retry()
        if side.over and not side.waiting and side.held:
            items += self._scraps(direction, [self._rest(side, side.over)])
        return items

    def retry(self) -> list[Item]:
        items: list[Item] = []
        more = True
        while more:
            more = False
            for direction, side in self._sides.items():
                scraps: list[Scrap] = []
                while side.waiting and (found := self._read(direction, side, side.waiting[0])) is not None:
                    side.waiting.popleft()
                    more = True
                    scraps += [item for item in found if isinstance(item, Scrap)]
                    items += [(direction, item) for item in found if isinstance(item, Span)]
                items += self._scraps(direction, scraps)
        return items

    def end(self, direction: str, why: str, t: int) -> list[Item]:
        items = self.retry()
        side = self._sides[direction]
        no_keys = f"TLS: {self._missing(direction)}: {why}"
        scraps = [Scrap(record.raw, record.t, no_keys) for record in side.waiting]
        side.waiting.clear()
        if side.held:
            scraps.append(self._rest(side, f"a TLS record cut short: {why}"))
        side.over = side.over or f"TLS: after {why}"
        return items + self._scraps(direction, scraps)

    def waiting(self, direction: str) -> int:
        """How many whole records of a direction are not read yet."""
        return len(self._sides[direction].waiting)

    # -- one record ---------------------------------------------------------------------------------------------------

    def _read(self, direction: str, side: _Side, record: Record) -> list[Span | Scrap] | None:
        """None: it has to wait, for the other direction or for keys."""
        if side.over:
            return [Scrap(record.raw, record.t, side.over)]
        sealed = side.sealed or record.type == APPLICATION_DATA
        if not sealed:
            return self._read_open(direction, side, record)
        if side.opener is None:
            if not self._version or self._suite is None:
                return None
            side.opener = self._opener(direction, side, self._suite)
            if side.opener is None:
                return None
        try:
            if self._version == _TLS_13:
                content = side.opener.open(record.payload, record.header).rstrip(b"\x00")
                kind, content = (content[-1], content[:-1]) if content else (0, b"")
            else:
                kind, content = record.type, side.opener.open(record.payload, record.header[:3])
        except Unopened:
            side.over = "TLS: a record that the session's keys do not open, or after one"
            return [Scrap(record.raw, record.t, side.over)]
        if kind == APPLICATION_DATA:
            return [Span(content, record.t, record.t_first, record.packets)] if content else []
        if kind == HANDSHAKE and self._version == _TLS_13:
            self._obey(side, self._suite, content)
        return self._alert(content, record) if kind == ALERT else []

    def _read_open(self, direction: str, side: _Side, record: Record) -> list[Span | Scrap] | None:
        if record.type == CHANGE_CIPHER_SPEC:
            if not self._version:
                return None if direction == TO_ACQUIRER else []
            side.sealed = self._version == _TLS_12
            return []
        if record.type == ALERT:
            return self._alert(record.payload, record)
        for kind, body in side.messages(record.payload):
            if kind == _CLIENT_HELLO:
                self._client_random = body[2:34]
            elif kind == _SERVER_HELLO:
                self._meet(body)
        return []

    def _meet(self, hello: bytes) -> None:
        """The ServerHello: random, cipher suite, and whether it is TLS 1.3."""
        if hello[2:34] == _RETRY:
            return
        at = 35 + hello[34] if len(hello) > 34 else len(hello)
        number = int.from_bytes(hello[at : at + 2], "big")
        version = int.from_bytes(hello[:2], "big")
        at += 5  # suite, compression, size of the extensions
        while at + 4 <= len(hello):
            kind, size = int.from_bytes(hello[at : at + 2], "big"), int.from_bytes(hello[at + 2 : at + 4], "big")
            if kind == _SUPPORTED_VERSIONS:
                version = int.from_bytes(hello[at + 4 : at + 4 + size], "big")
            at += 4 + size
        self._server_random, self._version, self._suite = hello[2:34], version, SUITES.get(number)
        if self._suite is None or version not in (_TLS_12, _TLS_13):
            for side in self._sides.values():
                side.over = f"TLS: version {version:04X} with cipher suite {number:04X} is not opened here"

    def _opener(self, direction: str, side: _Side, suite: Suite) -> Opener | None:
        if self._version == _TLS_12:
            master = self._keys.secret(MASTER, self._client_random)
            if master is None:
                return None
            both = key_block(suite, master, self._client_random, self._server_random)
            key, iv = both[0 if direction == TO_ACQUIRER else 1]
            return Opener(suite, key, iv, explicit=not suite.chacha)
        secret = self._keys.secret(self._label(direction), self._client_random)
        if secret is None:
            return None
        side.secret = secret
        return opener_13(suite, secret)

    def _label(self, direction: str) -> str:
        label = tls_keys.TRAFFIC if self._sides[direction].finished else tls_keys.HANDSHAKE
        return label.format(_SIDE[direction])

    def _obey(self, side: _Side, suite: Suite | None, content: bytes) -> None:
        """Messages of TLS 1.3 after which other keys are used."""
        assert suite is not None, "opened without a suite"
        for kind, _ in side.messages(content):
            if kind == _FINISHED and not side.finished:
                side.finished, side.opener = True, None
            elif kind == _KEY_UPDATE:
                side.secret = next_secret(suite, side.secret)
                side.opener = opener_13(suite, side.secret)

    # -- what is told -------------------------------------------------------------------------------------------------

    def _missing(self, direction: str) -> str:
        if not self._client_random:
            return "the terminal's hello was not seen"
        if not self._version:
            return "the acquirer's hello was not seen"
        label = MASTER if self._version == _TLS_12 else self._label(direction)
        return f"the session's key {label} is not known"

    @staticmethod
    def _alert(content: bytes, record: Record) -> list[Span | Scrap]:
        if content[:1] != bytes([_FATAL]):
            return []
        name = _ALERTS.get(content[1], str(content[1])) if len(content) > 1 else "without a number"
        return [Scrap(record.raw, record.t, f"TLS alert: {name}")]

    @staticmethod
    def _rest(side: _Side, reason: str) -> Scrap:
        rest = side.cut(side.held)
        return Scrap(rest.data, rest.t, reason)

    @staticmethod
    def _scraps(direction: str, scraps: list[Scrap]) -> list[Item]:
        return [(direction, scrap) for scrap in joined(scraps)]


