"""For the tests of links: both ends of TLS in memory, and the tap's view of one connection without a network."""

from __future__ import annotations

import random
import ssl
from pathlib import Path
from typing import Any

from harness.acquirer.certificates import CA, Certificates, make
from harness.wire.connections import Connections
from harness.wire.layers import TO_ACQUIRER, TO_TERMINAL, readers
from harness.wire.packets import ACK, FIN, SYN, Segment

TERMINAL, ACQUIRER = ("10.97.0.2", 40000), ("10.97.0.1", 8583)


def certificates(folder: Path) -> Certificates:
    """Made once a folder."""
    return Certificates(folder) if (folder / CA).exists() else make(folder, ("127.0.0.1",))


def message(size: int, number: int = 0) -> bytes:
    """A frame as the splitter sees it."""
    return size.to_bytes(2, "big") + random.Random(size * 1000 + number).randbytes(size)


class TlsTalk:
    """A client and a server over memory; ``bytes`` is what passed, in order, with the direction."""

    def __init__(self, client: ssl.SSLContext, server: ssl.SSLContext) -> None:
        self.bytes: list[tuple[str, bytes]] = []
        self._in = {TO_ACQUIRER: ssl.MemoryBIO(), TO_TERMINAL: ssl.MemoryBIO()}
        self._out = {TO_ACQUIRER: ssl.MemoryBIO(), TO_TERMINAL: ssl.MemoryBIO()}
        self.client = client.wrap_bio(self._in[TO_TERMINAL], self._out[TO_ACQUIRER])
        self.server = server.wrap_bio(self._in[TO_ACQUIRER], self._out[TO_TERMINAL], server_side=True)

    def pump(self) -> bool:
        """Carries over what either side has to say; False: nothing."""
        moved = False
        for direction, out in self._out.items():
            data = out.read()
            if data:
                self.bytes.append((direction, data))
                self._in[direction].write(data)
                moved = True
        return moved

    def shake_hands(self) -> TlsTalk:
        done: set[ssl.SSLObject] = set()
        while len(done) < 2:
            for end in (self.client, self.server):
                try:
                    end.do_handshake()
                    done.add(end)
                except ssl.SSLWantReadError:
                    pass
            self.pump()
        return self

    def say(self, direction: str, data: bytes) -> None:
        source, target = (self.client, self.server) if direction == TO_ACQUIRER else (self.server, self.client)
        source.write(data)
        self.pump()
        got = b""
        while len(got) < len(data):
            got += target.read(65536)
        assert got == data


class Seen:
    """One connection as the tap sees it: bytes as segments, what is told in ``reports``."""

    def __init__(self, link: str, keys: Path | None = None) -> None:
        self.connections = Connections(TERMINAL[0], readers(link, keys))
        self.reports: list[dict[str, Any]] = []
        self._next = {TO_ACQUIRER: 1000, TO_TERMINAL: 5000}
        self.packet = 0
        self._segment(TO_ACQUIRER, b"", SYN)
        self._segment(TO_TERMINAL, b"", SYN | ACK)
        self._segment(TO_ACQUIRER, b"", ACK)

    def send(self, direction: str, data: bytes) -> None:
        self._segment(direction, data, ACK)

    def close(self) -> Seen:
        """By both sides, the terminal first."""
        self._segment(TO_ACQUIRER, b"", ACK | FIN)
        self._segment(TO_TERMINAL, b"", ACK | FIN)
        return self

    def lose(self, direction: str, size: int) -> None:
        """Bytes that the tap never sees, though the other side acknowledges them."""
        self._next[direction] += size

    def told(self, kind: str) -> list[dict[str, Any]]:
        return [report for report in self.reports if report["ev"] == kind]

    @property
    def frames(self) -> list[tuple[str, bytes]]:
        return [(report["direction"], bytes.fromhex(report["hex"])) for report in self.told("frame")]

    @property
    def scraps(self) -> list[tuple[str, str]]:
        return [(report["direction"], report["reason"]) for report in self.told("bytes")]

    def retry(self) -> None:
        self.reports += self.connections.retry()

    def _segment(self, direction: str, data: bytes, flags: int) -> None:
        other = TO_TERMINAL if direction == TO_ACQUIRER else TO_ACQUIRER
        source, target = (TERMINAL, ACQUIRER) if direction == TO_ACQUIRER else (ACQUIRER, TERMINAL)
        self.packet += 1
        ack = self._next[other] if flags & ACK else 0
        self.reports += self.connections.take(
            Segment(self.packet * 10, self.packet, source, target, self._next[direction], ack, flags, data)
        )
        self._next[direction] += len(data) + bool(flags & (SYN | FIN))
