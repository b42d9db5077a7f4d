# SPDX-License-Identifier: GPL-2.0-only
"""A TLS session that is joined in its middle: which of the known keys opens its records, and with which number. Pure
but for the file of keys.

In TLS 1.3 a record is opened with a traffic secret and the count of records before it. Both are found by trying: the
secrets of the last sessions, and numbers up to some thousands. In TLS 1.2 the keys also depend on the server's hello,
which has passed; such a session can't be joined.
"""

from __future__ import annotations

from harness.wire.layers import TO_ACQUIRER, TO_TERMINAL, Item, Scrap, Span
from harness.wire.tls_keys import SUITES, TRAFFIC, KeyLog
from harness.wire.tls_records import APPLICATION_DATA, HANDSHAKE, HEADER_SIZE, Opener, Unopened, opener_13

SESSIONS, NUMBERS = 8, 4096
_SIDE = {TO_ACQUIRER: "CLIENT", TO_TERMINAL: "SERVER"}
_SUITES_13 = [suite for number, suite in SUITES.items() if number >> 8 == 0x13]


class JoinedReader:
    """Of one connection; as :class:`harness.wire.tls.TlsReader`, one whole record a call."""

    def __init__(self, log: KeyLog) -> None:
        self._log = log
        self._openers: dict[str, Opener] = {}
        self._session: bytes | None = None
        self.failed = ""

    def take(self, direction: str, span: Span) -> list[Item]:
        header, payload = span.data[:HEADER_SIZE], span.data[HEADER_SIZE:]
        if self.failed or header[0] != APPLICATION_DATA:
            return []
        opener = self._openers.get(direction) or self._find(direction, header, payload)
        try:
            if opener is None:
                raise Unopened
            self._openers[direction] = opener
            content = opener.open(payload, header).rstrip(b"\x00")
        except Unopened:
            self.failed = (
                "this TLS session was not seen from its beginning, and its keys are not among those of the last "
                f"{SESSIONS} sessions of TLS 1.3 (TLS 1.2 can't be joined in the middle)"
            )
            return [(direction, Scrap(span.data, span.t, self.failed))]
        if content[-1:] == bytes([APPLICATION_DATA]):
            return [(direction, Span(content[:-1], span.t, span.t_first, span.packets))]
        if content[-1:] == bytes([HANDSHAKE]) and content[:1] == bytes([24]):
            self.failed = "the keys of this TLS session were changed, and it was not seen from its beginning"
        return []

    def retry(self) -> list[Item]:
        return []

    def waiting(self, direction: str) -> int:
        return 0

    def _find(self, direction: str, header: bytes, payload: bytes) -> Opener | None:
        for random, secret in self._log.latest(TRAFFIC.format(_SIDE[direction]), SESSIONS):
            if self._session not in (None, random):
                continue
            for suite in _SUITES_13:
                if suite.secret_size != len(secret):
                    continue
                opener = opener_13(suite, secret)
                for number in range(NUMBERS):
                    opener.number = number
                    try:
                        opener.open(payload, header)
                    except Unopened:
                        continue
                    self._session, opener.number = random, number
                    return opener
        return None
