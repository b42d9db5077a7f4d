# SPDX-License-Identifier: GPL-2.0-only
"""Two ends of a TCP connection in virtual time, with whatever lies between them: to hold the splicer against.

An end is a plain TCP: handshake, window, cumulative and selective acknowledgements, timestamps with their protection
against old segments, retransmission with back-off, FIN, and the rules for resets of RFC 5961. It is strict: a false
checksum, a number that nobody could have sent, or other bytes at a place that it knows already fail the test.
"""

from __future__ import annotations

import heapq
import itertools
import random
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from harness.wire.faults.base import Side
from harness.wire.injector.contract import OTHER, Outcome, Packet, Strike
from harness.wire.injector.splicer import TcpSplicer
from harness.wire.packets import ACK, FIN, PSH, RST, SYN, parse

MS = 1_000_000
ADDRESS: dict[Side, tuple[int, ...]] = {"terminal": (10, 97, 0, 2), "acquirer": (10, 97, 0, 1)}
PORT: dict[Side, int] = {"terminal": 40000, "acquirer": 8583}
MAC: dict[Side, bytes] = {"terminal": b"\x02\0\0\0\0\x02", "acquirer": b"\x02\0\0\0\0\x01"}
MASK = 0xFFFFFFFF


def ones_sum(data: bytes) -> int:
    """The Internet checksum (RFC 1071), written apart from what is tested."""
    data += b"\0" * (len(data) % 2)
    total = sum(int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def make_frame(
    side: Side, seq: int, ack: int, flags: int, window: int, options: bytes = b"", payload: bytes = b"", ident: int = 0
) -> bytes:
    options += b"\x01" * (-len(options) % 4)
    source, destination = bytes(ADDRESS[side]), bytes(ADDRESS[OTHER[side]])
    tcp = struct.pack(
        "!HHIIBBHHH", PORT[side], PORT[OTHER[side]], seq & MASK, ack & MASK, (5 + len(options) // 4) << 4, flags,
        window, 0, 0,
    ) + options + payload
    pseudo = source + destination + struct.pack("!HH", 6, len(tcp))
    tcp = tcp[:16] + struct.pack("!H", ones_sum(pseudo + tcp)) + tcp[18:]
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), ident & 0xFFFF, 0x4000, 64, 6, 0) + source + destination
    ip = ip[:10] + struct.pack("!H", ones_sum(ip)) + ip[12:]
    return MAC[OTHER[side]] + MAC[side] + b"\x08\x00" + ip + tcp


def check_frame(frame: bytes) -> None:
    at = 14
    total = struct.unpack_from("!H", frame, at + 2)[0]
    assert ones_sum(frame[at : at + 20]) == 0, "a false IP checksum"
    assert len(frame) == 14 + total, "the IP length is not that of the frame"
    tcp = frame[34 : 14 + total]
    assert ones_sum(frame[26:34] + struct.pack("!HH", 6, len(tcp)) + tcp) == 0, "a false TCP checksum"


def options_of(frame: bytes) -> dict[int, bytes]:
    end, at, found = 34 + (frame[46] >> 4) * 4, 54, {}
    while at < end and frame[at]:
        if frame[at] == 1:
            at += 1
            continue
        found[frame[at]] = frame[at + 2 : at + frame[at + 1]]
        at += frame[at + 1]
    return found


@dataclass
class End:
    """One end. ``send``: gives a frame to the wire; ``later``: calls something after so many ns."""

    side: Side
    send: Callable[[bytes], None]
    later: Callable[[int, Callable[[], None]], None]
    dice: random.Random
    clock: Callable[[], int]
    isn: int = 0
    mss: int = 1448
    scale: int = 7
    stamps: bool = True
    passive: bool = False
    on_data: Callable[[], None] = lambda: None
    parts: list[bytes] = field(default_factory=list)  # what is still to be said
    state: str = "closed"
    data: bytearray = field(default_factory=bytearray)  # all that was ever said
    cuts: list[int] = field(default_factory=list)  # offsets at which a segment ends, whatever its size
    got: bytearray = field(default_factory=bytearray)
    una: int = 0
    nxt: int = 0
    closing: bool = False
    peer_closed: bool = False
    reset: bool = False
    challenged: int = 0
    room: int = 65535
    _peer: int = 0
    _ahead: dict[int, bytes] = field(default_factory=dict)
    _fin_at: int | None = None
    _recent: int = 0
    _rto: int = 200 * MS
    _timer: int = 0
    _ident: int = 0

    # offsets: 0 is the first byte of data, -1 the SYN

    def connect(self) -> None:
        self.state, self.una, self.nxt = "syn-sent", -1, -1
        self._transmit_syn()

    def listen(self) -> None:
        self.state, self.una, self.nxt = "listen", -1, -1

    def say(self, data: bytes) -> None:
        self.data += data
        self._push()

    def close(self) -> None:
        self.closing = True
        self._push()

    @property
    def quiet(self) -> bool:
        """Everything that was said is acknowledged."""
        return self.una >= len(self.data) + self.closing

    # -- sending

    def _frame(self, offset: int, flags: int, payload: bytes = b"", options: bytes = b"") -> None:
        if self.stamps:
            options += b"\x01\x01\x08\x0a" + struct.pack("!II", self._now(), self._recent)
        self._ident += 1
        ack = self._peer + len(self.got) + (self.peer_closed) if flags & ACK else 0
        window = min(65535, self.room) if flags & SYN else max(0, self.room) >> self.scale
        self.send(make_frame(self.side, self.isn + 1 + offset, ack, flags, window, options, payload, self._ident))

    def _now(self) -> int:
        return (self.clock() // MS + 1000) & MASK

    def _transmit_syn(self) -> None:
        options = b"\x02\x04" + struct.pack("!H", self.mss + 12 * self.stamps) + b"\x03\x03" + bytes([self.scale])
        self._frame(-1, SYN | (ACK if self.passive else 0), options=options)
        self.nxt = max(self.nxt, 0)
        self._arm()

    def _push(self) -> None:
        if self.state != "open" or self.reset:
            return
        segments, at = 0, self.una
        while at < self.nxt:  # what is under way
            at, segments = self._cut(at), segments + 1
        while self.nxt < len(self.data) + self.closing and segments < 10:
            self.nxt = self._segment(self.nxt, self._cut(self.nxt))
            segments += 1

    def _cut(self, start: int) -> int:
        """Where a segment from ``start`` ends; the FIN counts one."""
        if start >= len(self.data):
            return start + 1
        end = min(len(self.data), start + self.mss)
        return min([end, *(cut for cut in self.cuts if start < cut < end)])

    def _segment(self, start: int, end: int) -> int:
        """Sends it, and a FIN with the last bytes when it likes. Gives its end."""
        payload = bytes(self.data[start:end])
        last = start + len(payload)
        fin = self.closing and last == len(self.data) and (not payload or self.nxt > last or self.dice.random() < 0.5)
        self._frame(start, ACK | (PSH if payload else 0) | (FIN if fin else 0), payload)
        self._arm()
        return last + fin

    def _arm(self) -> None:
        self._timer += 1
        self.later(self._rto, lambda mine=self._timer: self._late(mine))  # type: ignore[misc]

    def _late(self, mine: int) -> None:
        if mine != self._timer or self.reset or self.state == "closed":
            return
        if self.una >= self.nxt:
            return
        self._rto = min(2 * self._rto, 2_000 * MS)
        if self.una < 0:
            self._transmit_syn()
        else:
            self._resend()

    def _resend(self) -> None:
        """The oldest segment, or several of them as one."""
        end = self._cut(self.una)
        if self.dice.random() < 0.5:
            end = max(end, min(len(self.data), self.una + self.mss, self.nxt))
        self.nxt = max(self.nxt, self._segment(self.una, end))

    def acknowledge(self) -> None:
        options = b""
        if self._ahead:
            starts = sorted(self._ahead)[:3]
            options = bytes([5, 2 + 8 * len(starts)]) + b"".join(
                struct.pack("!II", (self._peer + s) & MASK, (self._peer + s + len(self._ahead[s])) & MASK)
                for s in starts
            ) + b"\x01\x01"
        self._frame(self.nxt, ACK, options=options)

    # -- receiving

    def take(self, frame: bytes) -> None:
        check_frame(frame)
        segment = parse(frame, t=0, packet=0)
        assert segment is not None
        assert segment.destination == (".".join(map(str, ADDRESS[self.side])), PORT[self.side])
        options = options_of(frame)
        if segment.has(SYN):
            self._take_syn(segment.seq, segment.ack if segment.has(ACK) else None)
            return
        if self.reset or self.state == "closed":
            if not segment.has(RST):
                self.send(make_frame(self.side, segment.ack, 0, RST, 0))
            return
        seq = segment.seq - self._peer & MASK
        place = seq - (1 << 32) if seq & 0x80000000 else seq
        expected = len(self.got) + self.peer_closed
        if segment.has(RST):
            if place == expected:
                self.reset, self.state = True, "closed"
            else:
                assert expected - (1 << 20) < place < expected + (1 << 20), f"a reset far away: {place} for {expected}"
                self.challenged += 1
                self.acknowledge()
            return
        if 8 in options and self.stamps:
            value = struct.unpack("!I", options[8][:4])[0]
            if (value - self._recent) & 0x80000000:
                self.acknowledge()  # RFC 7323: an old segment
                return
            if place <= expected:
                self._recent = value
        assert segment.has(ACK)
        self._take_ack(segment.ack, options.get(5, b""))
        if segment.payload or segment.has(FIN):
            self._take_bytes(place, segment.payload, segment.has(FIN))
            if self.dice.random() < 0.7 or place != expected:
                self.acknowledge()
            else:
                self.later(40 * MS, self.acknowledge)
        elif place != expected and place < expected:
            self.acknowledge()
        self._push()

    def _take_syn(self, seq: int, ack: int | None) -> None:
        if self.state == "listen":
            self._peer, self.state = (seq + 1) & MASK, "syn-received"
            self._transmit_syn()
        elif self.state == "syn-sent":
            assert ack == (self.isn + 1) & MASK
            self._peer, self.state, self.una = (seq + 1) & MASK, "open", 0
            self.acknowledge()
            self._push()
        elif self.passive and self.state == "syn-received":
            self._transmit_syn()
        else:
            self.acknowledge()

    def _take_ack(self, ack: int, sacked: bytes) -> None:
        moved = (ack - (self.isn + 1) - max(self.una, 0)) & MASK
        place = max(self.una, 0) + (moved - (1 << 32) if moved & 0x80000000 else moved)
        top = len(self.data) + self.closing
        assert place <= max(self.nxt, 0) or (self.closing and place <= top), f"{place} acknowledged of {self.nxt}"
        for at in range(0, len(sacked) // 8 * 8, 8):
            left, right = ((edge - (self.isn + 1)) & MASK for edge in struct.unpack_from("!II", sacked, at))
            assert left < right <= self.nxt, f"SACK {left}-{right} of {self.nxt}"
        if self.state == "syn-received":
            self.state = "open"
        if place > self.una:
            self.una, self._rto = place, 200 * MS
            self.nxt = max(self.nxt, place)
            self._arm()

    def _take_bytes(self, place: int, payload: bytes, fin: bool) -> None:
        expected = len(self.got)
        assert expected - (1 << 20) < place <= expected + (1 << 20), f"bytes at {place}, {expected} expected"
        known = self.got[max(0, place) : place + len(payload)]
        assert payload[max(0, -place) :][: len(known)] == known, "other bytes at a place that was known"
        if self.peer_closed:
            assert place + len(payload) <= expected, "bytes behind a FIN"
            return
        if fin:
            assert self._fin_at in (None, place + len(payload)), "two ends of one stream"
            self._fin_at = place + len(payload)
        earlier = self._ahead.get(place, b"")
        assert payload[: len(earlier)] == earlier[: len(payload)], "other bytes at a place that was known"
        if payload and len(payload) > len(earlier):
            self._ahead[place] = payload
        grown = False
        for start in sorted(self._ahead):
            part = self._ahead[start]
            if start <= len(self.got):
                known = self.got[start : start + len(part)]
                assert part[: len(known)] == known, "other bytes at a place that was known"
                self.got += part[len(self.got) - start :] if start + len(part) > len(self.got) else b""
                del self._ahead[start]
                grown = True
        if self._fin_at == len(self.got):
            self.peer_closed = True
        if grown:
            self.on_data()


class Network:
    """Both ends and the splicer between them. ``loss``, ``twice`` and ``mess`` are probabilities, before and behind the
    splicer; ``mess``: that a packet takes much longer than others."""

    def __init__(
        self, splicer: TcpSplicer, dice: random.Random, *, loss: float = 0.0, twice: float = 0.0, mess: float = 0.0,
        stamps: bool = True, mss: int = 1448, begin: int = 0,
    ) -> None:
        self.splicer, self.dice, self._loss, self._twice, self._mess = splicer, dice, loss, twice, mess
        self.now = 1_000_000 * MS
        self._count = itertools.count()
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self.strikes: list[Strike] = []
        self.arrived: dict[Side, list[bytes]] = {"terminal": [], "acquirer": []}
        self.passing: list[Packet] = []
        self.ends: dict[Side, End] = {}
        for side in OTHER:
            self.ends[side] = End(
                side, partial(self._sent, side), self.later, dice, lambda: self.now,
                isn=begin or dice.randrange(1 << 32), stamps=stamps, mss=mss, passive=side == "acquirer",
            )
        self.diverted = True

    def later(self, wait: int, what: Callable[[], None]) -> None:
        heapq.heappush(self._queue, (self.now + wait, next(self._count), what))

    def run(self, until: Callable[[], bool], seconds: float = 120.0) -> bool:
        """Virtual time goes on until that is true. False: nothing more happens, or so many seconds are over."""
        limit = self.now + int(seconds * 1e9)
        while not until():
            due = self.splicer.due
            if due is not None and due <= limit and (not self._queue or due <= self._queue[0][0]):
                self.now = max(self.now, due)
                self._deliver(*self.splicer.tick(self.now))
                continue
            if not self._queue or self._queue[0][0] > limit:
                return False
            at, _, what = heapq.heappop(self._queue)
            self.now = max(self.now, at)
            what()
        return True

    def _sent(self, side: Side, frame: bytes) -> None:
        self._travel(lambda: self._pass(side, frame))

    def _pass(self, side: Side, frame: bytes) -> None:
        if not self.diverted:
            self._travel(lambda: self._arrive(OTHER[side], frame))
            return
        packet = Packet(frame, self.now, side, parse(frame, t=self.now, packet=0))
        self._deliver(*self.splicer.take(packet, self.now))

    def _deliver(self, packets: list[Packet], outcome: Outcome) -> None:
        self.strikes += outcome.strikes
        self.passing += packets
        for packet in packets:
            self._travel(lambda packet=packet: self._arrive(OTHER[packet.came], packet.frame))  # type: ignore[misc]
        for sending in outcome.send:
            self._travel(lambda one=sending: self._arrive(one.to, one.frame))  # type: ignore[misc]

    def _arrive(self, side: Side, frame: bytes) -> None:
        self.arrived[side].append(frame)
        self.ends[side].take(frame)

    def _travel(self, arrive: Callable[[], None]) -> None:
        for _ in range(2 if self.dice.random() < self._twice else 1):
            if self.dice.random() >= self._loss:
                slow = self.dice.random() < self._mess
                self.later(self.dice.randrange(5, 120) * MS if slow else MS // 10 + len(self._queue), arrive)

    def open(self) -> None:
        self.ends["acquirer"].listen()
        self.ends["terminal"].connect()
        assert self.run(lambda: all(end.state == "open" for end in self.ends.values())), "no connection"
