"""What passed a port, from its capture file: packets counted by what they are for. Pure but for reading the file.

For somebody who looks for a cause (docs/diagnosis.md): whether anything leaves at all, who is asked for and does not
answer, what is refused, what has to be sent again.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from harness.wire.packets import ACK, RST, SYN, Segment, parse

_PACKET = 6
_ARP, _IPV4, _ICMP, _UDP = 0x0806, 0x0800, 1, 17
_DHCP_CLIENT, _DHCP_SERVER, _DNS = 68, 67, 53
_DHCP = {1: "dhcp_asked", 3: "dhcp_asked", 2: "dhcp_offered", 5: "dhcp_granted", 6: "dhcp_refused"}
_DHCP_MAGIC, _DHCP_OPTIONS, _MESSAGE_TYPE = b"\x63\x82\x53\x63", 240, 53
_UNREACHABLE = 3
_NO_SUCH_NAME = 3
_INBOUND = 1  # from the terminal


@dataclass(frozen=True)
class Mark:
    """A place in a capture file: behind so many bytes, so many packets."""

    position: int = 0
    packets: int = 0


@dataclass
class Passed:
    """What passed. ``counts``, ``asked_for``, ``names``, ``peers`` as in ``wire.looked``."""

    first: int = 0
    last: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    slowest_ms: float = 0.0
    asked_for: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    peers: list[str] = field(default_factory=list)


def mark(path: Path) -> Mark:
    """The present end of a capture file."""
    return _walk(path, Mark(), lambda *_packet: None)


def passed(path: Path, since: Mark) -> Passed:
    """Everything behind ``since``."""
    look = _Look()
    end = _walk(path, since, look.take)
    return look.result(since.packets + 1, end.packets)


def _walk(path: Path, since: Mark, take: Callable[[bytes, int, bool, int], None]) -> Mark:
    with path.open("rb") as file:
        file.seek(since.position)
        data = file.read()
    number, used = since.packets, 0
    for at, frame, wall_ns, inbound, end in _blocks(data):
        used = end
        if at is not None:
            number += 1
            take(frame, wall_ns, inbound, number)
    return Mark(since.position + used, number)


def _blocks(data: bytes) -> Iterator[tuple[int | None, bytes, int, bool, int]]:
    """Whole blocks: where the packet's data begin (None: no packet), its data, time, direction, where the block ends.
    """
    at = 0
    while at + 12 <= len(data):
        kind, size = struct.unpack_from("<II", data, at)
        if size < 12 or size % 4 or at + size > len(data):
            return  # cut short: the tap is writing it just now
        if kind == _PACKET:
            high, low, length = struct.unpack_from("<III", data, at + 12)
            begin = at + 28
            frame = data[begin : begin + length]
            options = data[begin + length + -length % 4 : at + size - 4]
            flags = struct.unpack_from("<I", options, 4)[0] if len(options) >= 8 and options[0] == 2 else 0
            yield begin, frame, high << 32 | low, flags & 3 == _INBOUND, at + size
        else:
            yield None, b"", 0, False, at + size
        at += size


class _Look:
    """Packets, one after the other."""

    def __init__(self) -> None:
        self._found = Passed()
        self._sought: dict[str, bool] = {}  # address -> somebody answered
        self._opening: dict[tuple[object, object], int] = {}
        self._ends: dict[tuple[object, object], int] = {}  # of a direction of a connection: the highest number so far

    def take(self, frame: bytes, wall_ns: int, inbound: bool, number: int) -> None:
        """Whatever it is: what can't be read is counted and no more."""
        counts = self._found.counts
        counts["packets"] += inbound
        if len(frame) < 34:
            return
        kind = struct.unpack_from("!H", frame, 12)[0]
        if kind == _ARP:
            self._arp(frame, inbound)
        elif kind == _IPV4:
            segment = parse(frame, t=wall_ns, packet=number)
            if segment is not None:
                self._tcp(segment, inbound)
            else:
                self._other(frame, inbound)

    def result(self, first: int, last: int) -> Passed:
        found = self._found
        found.first, found.last = first, last
        found.asked_for = [address for address, answered in self._sought.items() if not answered]
        return found

    def _arp(self, frame: bytes, inbound: bool) -> None:
        operation = struct.unpack_from("!H", frame, 20)[0]
        sender, target = (".".join(map(str, frame[at : at + 4])) for at in (28, 38))
        if inbound and operation == 1 and sender not in (target, "0.0.0.0"):
            self._found.counts["arp_asked"] += 1
            self._sought.setdefault(target, False)
        elif not inbound and operation == 2:
            self._found.counts["arp_answered"] += 1
            self._sought[sender] = True

    def _other(self, frame: bytes, inbound: bool) -> None:
        start, counts = 14 + (frame[14] & 0x0F) * 4, self._found.counts
        protocol = frame[23]
        if protocol == _ICMP and not inbound and len(frame) > start and frame[start] == _UNREACHABLE:
            counts["icmp_refused"] += 1
        if protocol != _UDP or len(frame) < start + 8:
            return
        source, destination = struct.unpack_from("!HH", frame, start)
        payload = frame[start + 8 :]
        if {source, destination} == {_DHCP_CLIENT, _DHCP_SERVER}:
            name = _DHCP.get(_dhcp_type(payload), "")
            if name:
                counts[name] += 1
        elif destination == _DNS and inbound:
            counts["dns_asked"] += 1
            self._note(self._found.names, _name(payload))
        elif source == _DNS and not inbound and len(payload) >= 12:
            code, answers = payload[3] & 0x0F, struct.unpack_from("!H", payload, 6)[0]
            known = {0: "dns_answered" if answers else "dns_unknown", _NO_SUCH_NAME: "dns_unknown"}
            counts[known.get(code, "dns_failed")] += 1

    def _tcp(self, segment: Segment, inbound: bool) -> None:
        counts = self._found.counts
        way = (segment.source, segment.destination)
        if inbound and segment.has(SYN) and not segment.has(ACK):
            counts["syn"] += 1
            self._opening.setdefault(way, segment.t)
            self._note(self._found.peers, f"{segment.destination[0]}:{segment.destination[1]}")
        elif not inbound and segment.has(SYN):
            counts["syn_answered"] += 1
            began = self._opening.pop(way[::-1], None)
            if began is not None:
                self._found.slowest_ms = max(self._found.slowest_ms, (segment.t - began) / 1e6)
        elif not inbound and segment.has(RST):
            refused = self._opening.pop(way[::-1], None)
            counts["reset_by_host" if refused is None else "syn_refused"] += 1
        elif segment.payload:
            end = segment.seq + len(segment.payload)
            again = end <= self._ends.get(way, -1)
            self._ends[way] = max(end, self._ends.get(way, -1))
            counts[("sent" if inbound else "got") + ("_again" if again else "")] += 1
        elif not inbound and segment.has(ACK):
            counts["acknowledged"] += 1

    @staticmethod
    def _note(values: list[str], value: str) -> None:
        if value and value not in values:
            values.append(value)


def _dhcp_type(payload: bytes) -> int:
    """Option 53, 0 where there is none."""
    if payload[_DHCP_OPTIONS - 4 : _DHCP_OPTIONS] != _DHCP_MAGIC:
        return 0
    at = _DHCP_OPTIONS
    while at + 2 < len(payload) and payload[at] != 255:
        if payload[at] == 0:
            at += 1
            continue
        if payload[at] == _MESSAGE_TYPE:
            return payload[at + 2]
        at += 2 + payload[at + 1]
    return 0


def _name(payload: bytes) -> str:
    """The name in the first question."""
    labels, at = [], 12
    while at < len(payload) and 0 < payload[at] < 64:
        labels.append(payload[at + 1 : at + 1 + payload[at]].decode("ascii", "replace"))
        at += 1 + payload[at]
    return ".".join(labels).lower()
