# SPDX-License-Identifier: GPL-2.0-only
"""One TCP connection that is diverted: what each end sends becomes what the other may see. No I/O.

Both ends keep a true view: numbers, acknowledgements and SACK blocks are those of the stream that each of them knows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from harness.wire.faults.base import Side
from harness.wire.injector.contract import OTHER, Outcome, Packet, Sending, Strike
from harness.wire.injector.splicer.armory import Armory
from harness.wire.injector.splicer.assembly import Assembly
from harness.wire.injector.splicer.ends import Farewell, Gone, Repeats
from harness.wire.injector.splicer.half import Half, Made
from harness.wire.injector.splicer.messages import Messages
from harness.wire.injector.splicer.script import NEVER, Ending
from harness.wire.injector.splicer.segments import header
from harness.wire.injector.splicer.speaker import Speaker
from harness.wire.injector.splicer.translation import Translation
from harness.wire.packets import ACK, FIN, RST, SYN, Endpoint, Segment

PATIENCE_NS = 3_000_000_000
"""An unfinished message of which nothing is heard for so long is passed on as it is, where no bytes are missing."""
RETRY_NS = 10_000_000
GAP_NS = 300_000_000
"""How long a packet that was lost may take to come again, where it may also have passed unseen."""
LINGER_NS, SHORT_LINGER_NS = 60_000_000_000, 2_000_000_000
"""How long a connection that is over is remembered, for what is still under way: where its numbers differ, and else."""



class Connection:
    """``armory`` decides about each whole message; ``learn`` is told of each that goes to the terminal."""

    def __init__(
        self, peer: Endpoint, assembly: Assembly, armory: Armory, learn: Callable[[bytes], None],
        patience: int = PATIENCE_NS,
    ) -> None:
        self.peer, self._patience = peer, patience
        self.halves: dict[Side, Half] = {"terminal": Half("terminal"), "acquirer": Half("acquirer")}
        self._speakers: dict[Side, Speaker] = {"terminal": Speaker(), "acquirer": Speaker()}
        self._translation = Translation(self.halves, self._speakers)
        self._messages = Messages(peer, self.halves, assembly, armory, learn)
        self._repeats: dict[Side, Repeats] = {"terminal": Repeats(), "acquirer": Repeats()}
        self._windows: dict[Side, int] = {}
        self._opening = False
        self._rejoins: dict[Side, int] = {}  # until when a gap may yet be filled
        self._end: Gone | Farewell | None = None
        self._left_in_the_dark: frozenset[int] = frozenset()  # the faults that reset one end and let the other believe
        self.begun_at: int | None = None  # number of the SYN that began it
        self.over_at = NEVER
        self.heard = 0
        self._packets: list[Packet] = []
        self._outcome = Outcome()
        self._tell: set[Side] = set()
        """Who is to hear of an acknowledgement that no packet carries."""

    # -- what the registry asks ---------------------------------------------------------------------------------------

    @property
    def stays(self) -> bool:
        """Whether its packets must come here even if nothing is armed any more."""
        if self._end is not None or self._messages.pending:
            return True
        return any(h.edits.differ or h.scripts or h.forced or h.own_rest() for h in self.halves.values())

    def busy(self, fault_id: int) -> bool:
        """Whether something of this fault is held or to come."""
        return fault_id in self._left_in_the_dark or self._messages.busy(fault_id) or any(
            fault_id in script.fault_ids for half in self.halves.values() for script in half.scripts
        )

    def rejoin(self) -> None:
        """Packets may have passed unseen until now."""
        if not self.stays:
            self._rejoins = dict.fromkeys(OTHER, NEVER)

    def withhold(self, terminal: bool, acquirer: bool) -> None:
        """Whether messages of each end are kept back until they are whole."""
        self.halves["terminal"].withholding = terminal
        self.halves["acquirer"].withholding = acquirer or self._messages.pending

    @property
    def _linger(self) -> int:
        return LINGER_NS if self.stays else SHORT_LINGER_NS

    @property
    def due(self) -> int:
        times = [self.over_at, *(repeats.at for repeats in self._repeats.values())]
        if self._end is None:
            times += self._rejoins.values()
            for half in self.halves.values():
                times.append(self._due(half))
        return min(times)

    def _due(self, half: Half) -> int:
        if half.scripts:
            return half.scripts[0].due
        if half.unsettled and not half.withholding:
            return self.heard
        if not half.waiting:
            return NEVER
        retry = self.heard + RETRY_NS if self._messages.waits else NEVER
        return min(retry, NEVER if half.stream.gapped else half.grown + self._patience)

    # -- events -------------------------------------------------------------------------------------------------------

    def take(self, packet: Packet, segment: Segment, now: int) -> tuple[list[Packet], Outcome]:
        self.heard = now
        side = packet.came
        head = header(packet.frame)
        self._speakers[side].hear(packet.frame, head, segment)
        self._speakers[OTHER[side]].be_spoken_to(packet.frame, head)
        if self._end is not None:
            self._outcome.send += self._end.take(packet, segment)
            if self._end.over:
                self.over_at = min(self.over_at, now + self._linger)
        elif segment.has(SYN):
            self._open(packet, segment)
        elif segment.has(RST):
            self._reset_by(packet, segment, now)
        else:
            self._carry(packet, segment, now)
            self._proceed(now)
        return self._done(now)

    def tick(self, now: int) -> tuple[list[Packet], Outcome]:
        if self._end is None:
            for side in [side for side, until in self._rejoins.items() if until <= now]:
                self._fill_gap(self.halves[side])
            if self._messages.waits:
                self._messages.retry(now)
            for half in self.halves.values():
                stalled = half.waiting and not half.scripts and not half.stream.gapped
                if stalled and now >= half.grown + self._patience:
                    half.settle_all()
            self._proceed(now)
        for side, half in self.halves.items():
            rest = half.own_rest()
            if self._repeats[side].strikes(half.acked, rest is not None, now) and rest is not None:
                for made in self._translation.anew(half, rest, now):
                    self._send(OTHER[side], made.frame)
        return self._done(now)

    def heal(self, fault_id: int, now: int) -> tuple[list[Packet], Outcome]:
        self._messages.heal(fault_id)
        if fault_id in self._left_in_the_dark:
            self._end, self._left_in_the_dark = None, frozenset()
            self.over_at = now + LINGER_NS
        for half in self.halves.values():
            for script in half.scripts:
                if fault_id in script.fault_ids:
                    script.let_go()
        if self._end is None:
            self._proceed(now)
        return self._done(now)

    def leave(self) -> Outcome:
        """Nobody will translate any more: where the numbers differ, both ends are reset."""
        if self._end is None and any(half.edits.differ or half.forced > half.acked for half in self.halves.values()):
            for victim in OTHER:
                self._send(victim, self._translation.reset(victim))
        outcome, self._outcome = self._outcome, Outcome()
        return outcome

    # -- one packet ---------------------------------------------------------------------------------------------------

    def _open(self, packet: Packet, segment: Segment) -> None:
        self.halves[packet.came].start(segment.seq + 1)
        if segment.has(ACK):
            self.halves[OTHER[packet.came]].start(segment.ack)
        else:
            self.begun_at = segment.seq
        self._opening = True
        self._packets.append(replace(packet, connecting=True))

    def _reset_by(self, packet: Packet, segment: Segment, now: int) -> None:
        """An end resets the connection itself."""
        own = self.halves[packet.came]
        own.start(segment.seq)
        place = min(own.edits.place(own.offset(segment.seq)), own.next_delivered)
        told = self.halves[OTHER[packet.came]].told
        moved = self._translation.moved(packet, segment, place, told) if own.edits.differ or own.scripts else packet
        self._packets.append(replace(moved, connecting=self._opening))
        for half in self.halves.values():
            half.scripts.clear()
        self._messages.give_up()
        self.over_at = min(self.over_at, now + self._linger)

    def _carry(self, packet: Packet, segment: Segment, now: int) -> None:
        side = packet.came
        own, other = self.halves[side], self.halves[OTHER[side]]
        own.start(segment.seq)
        if side in self._rejoins:
            self._rejoin_at(own, other, segment, now)
        original, hidden, news = other.told, False, False
        if segment.has(ACK):
            original, hidden, news = self._hear(other, segment, now)
        handshake, self._opening = self._opening and not segment.payload, False
        if not segment.payload and not segment.has(FIN):
            if not hidden or self._opens_window(packet):
                self._packets.append(replace(self._pure(packet, segment, original), connecting=handshake))
            return
        emitted = len(self._packets)
        self._bytes(packet, segment, now)
        if news and len(self._packets) == emitted:
            self._tell.add(OTHER[side])

    def _hear(self, other: Half, segment: Segment, now: int) -> tuple[int, bool, bool]:
        """An acknowledgement: what the sender may know, whether to hide it, and whether it is new to the sender."""
        other.start(segment.ack)
        before = other.told
        if other.delivered_offset(segment.ack) > other.next_delivered and not other.scripts:
            self._skip(other, other.base + other.delivered_offset(segment.ack) - other.edits.delta)
        original, hidden = other.hear(segment.ack)
        if all(half.fin_acked for half in self.halves.values()):
            self.over_at = min(self.over_at, now + self._linger)
        return original, hidden, other.told > before

    def _rejoin_at(self, own: Half, other: Half, segment: Segment, now: int) -> None:
        """The first packets after others may have passed unseen. A gap is real where the packet acknowledges bytes that
        did; else it may be that of a packet that was lost or overtaken."""
        if own.offset(segment.seq) <= own.received:
            if not own.stream.gapped:
                self._rejoins.pop(own.sender, None)
        elif segment.has(ACK) and other.started and other.delivered_offset(segment.ack) > other.next_delivered:
            self._rejoins.pop(own.sender, None)
            self._skip(own, segment.seq)
        else:
            self._rejoins[own.sender] = min(self._rejoins[own.sender], now + GAP_NS)

    def _fill_gap(self, half: Half) -> None:
        self._rejoins.pop(half.sender, None)
        self._skip(half, half.base + half.stream.gap_end)

    def _skip(self, half: Half, seq: int) -> None:
        if half.offset(seq) > half.received and half.may_skip:
            half.skip(seq)
            self._messages.lost(half, self.heard)

    def _pure(self, packet: Packet, segment: Segment, original: int) -> Packet:
        own = self.halves[packet.came]
        place = own.edits.place(own.offset(segment.seq))
        if own.withholding or own.scripts:
            place = min(place, own.next_delivered)
        return self._translation.moved(packet, segment, place, original)

    def _opens_window(self, packet: Packet) -> bool:
        """Whether a packet that says nothing else says that there is more room."""
        window = header(packet.frame).window
        before = self._windows.get(packet.came)
        self._windows[packet.came] = window
        return before is not None and window > before

    def _bytes(self, packet: Packet, segment: Segment, now: int) -> None:
        """A packet with payload or a FIN."""
        half = self.halves[packet.came]
        start = half.offset(segment.seq)
        end = start + len(segment.payload)
        sent, fin_sent, received = half.sent, half.fin_sent, half.received
        if end + segment.has(FIN) <= half.told and half.edits.any_before:
            self._tell.add(packet.came)  # known to its receiver in another form
            return
        data = half.take(segment, packet, now)
        if data:
            self._messages.feed(half, data, now)
        self._settle_rest(half)
        place = half.edits.place(start)
        again = place < sent or (start == end and fin_sent)
        if again:
            if not (half.scripts and half.scripts[0].spread and half.edits.end_place(end) > half.scripts[0].start):
                for made in half.again(packet, start, end, segment.has(FIN)):
                    self._emit(half, made, now)
        elif start > received:
            ahead = half.ahead(packet, start, end)
            if ahead is not None:
                self._emit(half, ahead, now)
        if half.force(half.settled < end <= received):
            self._tell.add(packet.came)

    @staticmethod
    def _settle_rest(half: Half) -> None:
        """What is no whole message passes where nothing waits for one, and where none will come any more."""
        if half.stream.finished or not half.withholding:
            half.settle_all()
        else:
            half.settle_passed()

    # -- what follows from it -----------------------------------------------------------------------------------------

    def _proceed(self, now: int) -> None:
        """Whatever may go, goes; scripts take their steps; what was swallowed is acknowledged."""
        for half in self.halves.values():
            self._settle_rest(half)
        self._messages.insert()
        for side, half in self.halves.items():
            while self._end is None:
                for made in half.release():
                    self._emit(half, made, now)
                if not half.scripts or half.scripts[0].advance(now):
                    if not half.scripts:
                        break
                    continue
                ending = half.scripts[0].ended(now)
                if ending is not None:
                    self._finish(half, ending, now)
                elif half.scripts[0].over:
                    half.scripts.popleft()
                else:
                    break
            if half.swallowed():
                self._tell.add(side)

    def _finish(self, half: Half, ending: Ending, now: int) -> None:
        receiver = OTHER[half.sender]
        victims: list[Side] = [half.sender]
        if ending.kind == "reset":
            victims = ["terminal", "acquirer"] if ending.sides == "both" else [ending.sides]
            self._end = Gone(self._translation, frozenset(victims))
            self.over_at = now + LINGER_NS
            if len(victims) == 1:
                self.over_at = NEVER
                self._left_in_the_dark = half.scripts[0].fault_ids
        else:
            half.finish()
            for packet in self._translation.anew(half, Made(half.sent, half.sent, True), now):
                self._packets.append(packet)
            self._end = Farewell(self._translation, self.halves, receiver)
        for victim in victims:
            self._send(victim, self._translation.reset(victim))
        for one in self.halves.values():
            one.scripts.clear()
        self._messages.give_up()

    def _emit(self, half: Half, made: Made, now: int) -> None:
        carries = self._messages.between(half.sender, made.start, made.end)
        told = self.halves[OTHER[half.sender]].told
        if made.packet is not None and made.packet.segment is not None:
            packets = [self._translation.moved(made.packet, made.packet.segment, made.start, told)]
        else:
            packets = self._translation.anew(half, made, now)
        self._packets += [replace(packet, carries=carries) if carries else packet for packet in packets]

    def _send(self, to: Side, frame: bytes) -> None:
        self._outcome.send.append(Sending(frame, to))

    def _done(self, now: int) -> tuple[list[Packet], Outcome]:
        for side in sorted(self._tell):
            if self._end is None and self.halves[OTHER[side]].started:
                self._send(side, self._translation.acknowledgement(side))
        for side, half in self.halves.items():
            self._repeats[side].watch(half.acked, half.own_rest() is not None, now)
        packets, outcome = self._packets, self._outcome
        sent = tuple((OTHER[p.came], p.frame) for p in packets if p.t == now) + tuple(
            (one.to, one.frame) for one in outcome.send
        )
        for blow in self._messages.take_blows():
            to = OTHER[blow.message.sender]
            outcome.strikes.append(Strike(
                blow.struck.fault_id, now, blow.struck.match, blow.struck.what, to, blow.message.frame,
                blow.struck.delivered, blow.took, sent if blow.struck.done else (),
                blow.struck.done,
            ))
        self._packets, self._outcome, self._tell = [], Outcome(), set()
        return packets, outcome
