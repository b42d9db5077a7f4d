# SPDX-License-Identifier: GPL-2.0-only
"""Packets of one connection with the numbers that their receiver knows, and packets in the name of an end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from harness.wire.faults.base import Side
from harness.wire.injector.contract import OTHER, Packet
from harness.wire.injector.splicer.half import Half, Made
from harness.wire.injector.splicer.segments import Header, header, renumbered
from harness.wire.injector.splicer.speaker import Speaker
from harness.wire.packets import ACK, Segment, parse


class Translation:
    def __init__(self, halves: Mapping[Side, Half], speakers: Mapping[Side, Speaker]) -> None:
        self._halves, self._speakers = halves, speakers
        self._stamps: dict[Side, int] = {}  # the greatest timestamp that was sent on of each side

    def moved(self, packet: Packet, segment: Segment, place: int, original: int) -> Packet:
        """``packet`` with its first byte at the delivered offset ``place``, acknowledging the other side's
        ``original`` offset."""
        side = packet.came
        own, other = self._halves[side], self._halves[OTHER[side]]
        head = header(packet.frame)
        seq = (own.base + place) & 0xFFFFFFFF
        ack, window = segment.ack, None
        different = segment.has(ACK) and other.started and (other.edits.differ or other.forced > 0)
        if different:
            ack = (other.base + original) & 0xFFFFFFFF
            window = self._window(side, segment, head, original)
        frame = renumbered(
            packet.frame, head.layout, seq=seq, ack=ack if different else None, window=window,
            stamp=self._refreshed(side, head), blocks=self._blocks(other) if other.edits.differ else None,
        )
        if frame is packet.frame:
            return packet
        return replace(packet, frame=frame, segment=replace(segment, seq=seq, ack=ack))

    def anew(self, half: Half, made: Made, now: int) -> list[Packet]:
        """Delivered bytes in segments of our own, in the name of their sender."""
        payload = half.bytes(made)
        stamped = self._speakers[half.sender].stamp is not None
        size = self._speakers[OTHER[half.sender]].segment_size(stamped)
        parts = [payload[at : at + size] for at in range(0, len(payload), size)] or [b""]
        packets, place = [], made.start
        for number, part in enumerate(parts, 1):
            flags = "FPA" if made.fin and number == len(parts) else "PA"
            frame = self.say(half.sender, place, flags, part)
            packets.append(Packet(frame, now, half.sender, parse(frame, t=now, packet=0)))
            place += len(part)
        return packets

    def acknowledgement(self, to: Side) -> bytes:
        """Tells ``to``, in the name of the other end, what of its bytes has arrived."""
        return self.say(OTHER[to], self._halves[OTHER[to]].next_delivered, "A", b"")

    def say(self, side: Side, place: int, flags: str, payload: bytes) -> bytes:
        """A segment of ``side`` at the delivered offset ``place``."""
        own, other = self._halves[side], self._halves[OTHER[side]]
        speaker, listener = self._speakers[side], self._speakers[OTHER[side]]
        if speaker.stamp is not None:
            self._stamps[side] = speaker.stamp
        return speaker.say(
            seq=own.base + place, ack=other.base + other.told, echo=listener.stamp, flags=flags, payload=payload
        )

    def reset(self, victim: Side, seq: int | None = None) -> bytes:
        """Resets ``victim`` in the name of the other end. The number is the one that it expects next, or ``seq``."""
        own, other = self._halves[OTHER[victim]], self._halves[victim]
        number = own.base + own.next_delivered if seq is None else seq
        return self._speakers[OTHER[victim]].say(
            seq=number, ack=other.base + other.told, echo=None, flags="RA", window=0
        )

    def _window(self, side: Side, segment: Segment, head: Header, original: int) -> int | None:
        """The sender must not be promised room that our own bytes will take. None: as it is."""
        other, scale = self._halves[OTHER[side]], self._speakers[side].scale
        if scale is None or not other.edits:
            return None
        right = other.edits.origin(other.delivered_offset(segment.ack) + (head.window << scale))
        room = max(0, right - original) >> scale
        return room if room < head.window else None

    def _refreshed(self, side: Side, head: Header) -> int | None:
        """Another timestamp for a packet that was kept while later ones passed: its receiver would take it for one of
        an earlier time (RFC 7323, 5.3)."""
        if head.stamp is None:
            return None
        latest = self._stamps.get(side, head.stamp[0])
        if (head.stamp[0] - latest) & 0x80000000:
            return latest
        self._stamps[side] = head.stamp[0]
        return None

    @staticmethod
    def _blocks(half: Half) -> Callable[[int, int], tuple[int, int] | None]:
        def edges(left: int, right: int) -> tuple[int, int] | None:
            """A SACK block as the sender knows it; None where what was changed lies in it."""
            first, last = half.delivered_offset(left), half.delivered_offset(right)
            start, end = half.edits.origin(first), half.edits.origin(last)
            true = half.edits.place(start) == first and half.edits.end_place(end) == last
            if not true or start < half.told or not half.edits.untouched(start, end):
                return None
            return half.base + start, half.base + end

        return edges
