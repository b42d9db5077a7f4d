"""TCP put together again: whatever the network did to the segments, the bytes and the frames are the same."""

from __future__ import annotations

import itertools
import random
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.wire.connections import Connections
from harness.wire.packets import ACK, FIN, PSH, RST, SYN, Segment, intact, parse
from harness.wire.streams import Chunk, Gap, HalfStream

TERMINAL, ACQUIRER = ("10.97.0.2", 40000), ("10.97.0.1", 8583)
SEQUENCES = st.one_of(st.integers(0, 0xFFFFFFFF), st.integers(0xFFFFFF00, 0xFFFFFFFF))


def frame(size: int, fill: int = 0x60) -> bytes:
    """A frame as the splitter sees it: length, and so many bytes."""
    return struct.pack("!H", size) + bytes([fill]) * size


@st.composite
def segmentations(draw: st.DrawFn, total: int) -> list[tuple[int, int]]:
    """Slices that cover ``total`` bytes: cut anywhere, some twice, some overlapping, in any order."""
    cuts = sorted({0, total, *draw(st.lists(st.integers(0, total), max_size=12))})
    slices = list(itertools.pairwise(cuts))
    for _ in range(draw(st.integers(0, 6))):
        start = draw(st.integers(0, total))
        slices.append((start, draw(st.integers(start, total))))
    return draw(st.permutations(slices))


# -- one direction -----------------------------------------------------------------------------------------------------


@given(st.data(), st.binary(max_size=200), SEQUENCES)
@settings(deadline=None)
def test_any_segmentation_duplication_and_order_gives_the_same_bytes(
    data: st.DataObject, content: bytes, isn: int
) -> None:
    half = HalfStream()
    half.start(isn)
    parts: list[Chunk | Gap] = []
    for number, (start, end) in enumerate(data.draw(segmentations(len(content)))):
        seq = (isn + start) & 0xFFFFFFFF
        parts += half.add(seq, content[start:end], t=number, packet=number, fin=end == len(content))
    chunks = [part for part in parts if isinstance(part, Chunk)]
    assert len(chunks) == len(parts), "no gap, when nothing was missed"
    assert b"".join(chunk.data for chunk in chunks) == content
    assert [chunk.start for chunk in chunks] == [0, *(chunk.end for chunk in chunks[:-1])][: len(chunks)]
    assert half.finished or not content


def test_the_first_copy_of_a_byte_counts() -> None:
    half = HalfStream()
    half.start(100)
    assert half.add(103, b"DEF", t=1, packet=1) == []
    parts = half.add(100, b"abcxyz", t=2, packet=2)
    assert parts == [Chunk(0, b"abc", 2, 2), Chunk(3, b"DEF", 1, 1)]


def test_what_was_acknowledged_but_not_seen_is_a_gap() -> None:
    half = HalfStream()
    half.start(0xFFFFFFFE)
    half.add(0xFFFFFFFE, b"ab", t=1, packet=1)
    half.add(3, b"f", t=2, packet=2)
    assert half.acknowledged(0) == []
    assert half.acknowledged(4) == [Gap(2, 3), Chunk(5, b"f", 2, 2)]
    assert half.add(0, b"cde", t=3, packet=3) == [], "too late: the receiver has gone on"


def test_nonsense_far_from_the_window_is_left_out() -> None:
    half = HalfStream()
    half.start(0)
    assert half.add(0x40000000, b"x", t=1, packet=1) == []
    assert half.take_waiting() == []
    assert half.acknowledged(0x60000000) == []


# -- connections -------------------------------------------------------------------------------------------------------


class Talk:
    """Both ends of one connection, and the tap between them."""

    def __init__(self, isn: tuple[int, int] = (1000, 0xFFFFFFF0)) -> None:
        self.connections = Connections(TERMINAL[0])
        self.isn = {"terminal": isn[0], "acquirer": isn[1]}
        self.packet = 0
        self.reports: list[dict[str, Any]] = []

    def send(self, sender: str, offset: int, payload: bytes = b"", flags: int = ACK, ack: int | None = None) -> None:
        """A segment whose payload begins at ``offset`` of the sender's stream; ``ack``: offset in the other's."""
        other = "acquirer" if sender == "terminal" else "terminal"
        source, destination = (TERMINAL, ACQUIRER) if sender == "terminal" else (ACQUIRER, TERMINAL)
        self.packet += 1
        first = self.isn[sender] + (0 if flags & SYN else 1)
        number = 0 if ack is None else self.isn[other] + 1 + ack
        segment = Segment(
            self.packet * 10,
            self.packet,
            source,
            destination,
            (first + offset) & 0xFFFFFFFF,
            number & 0xFFFFFFFF,
            flags if ack is not None or flags & SYN else flags & ~ACK,
            payload,
        )
        self.reports += self.connections.take(segment)

    def open(self) -> Talk:
        self.send("terminal", 0, flags=SYN)
        self.send("acquirer", 0, flags=SYN | ACK, ack=0)
        self.send("terminal", 0, ack=0)
        return self

    def told(self, kind: str) -> list[dict[str, Any]]:
        return [report for report in self.reports if report["ev"] == kind]

    def states(self) -> list[tuple[str, str | None]]:
        return [(report["state"], report["by"]) for report in self.told("connection")]


@given(
    st.data(),
    st.lists(st.integers(21, 60), max_size=4),
    st.lists(st.integers(21, 60), max_size=4),
    SEQUENCES,
    SEQUENCES,
)
@settings(deadline=None)
def test_frames_do_not_depend_on_how_they_travelled(
    data: st.DataObject, sent: list[int], answered: list[int], isn: int, other: int
) -> None:
    talk = Talk((isn, other)).open()
    streams = {
        "terminal": [frame(size, number) for number, size in enumerate(sent)],
        "acquirer": [frame(size, 0xF0 + number) for number, size in enumerate(answered)],
    }
    journey = [
        (sender, start, end)
        for sender, frames in streams.items()
        for start, end in data.draw(segmentations(sum(map(len, frames))))
    ]
    random.Random(data.draw(st.integers(0, 99))).shuffle(journey)
    for sender, start, end in journey:
        talk.send(sender, start, b"".join(streams[sender])[start:end], flags=ACK | PSH, ack=0)
    for direction, sender in (("to_acquirer", "terminal"), ("to_terminal", "acquirer")):
        told = [bytes.fromhex(one["hex"]) for one in talk.told("frame") if one["direction"] == direction]
        assert told == streams[sender]
    assert [one["frame"] for one in talk.told("frame")] == list(range(1, len(sent) + len(answered) + 1))
    assert talk.told("bytes") == []


def test_a_frame_names_its_packets_and_times() -> None:
    talk = Talk().open()
    whole = frame(40)
    talk.send("terminal", 20, whole[20:], ack=0)  # packet 4 overtook
    talk.send("terminal", 0, whole[:20], ack=0)  # packet 5
    (told,) = talk.told("frame")
    assert (told["packets"], told["t_first"], told["t"]) == ([4, 5], 50, 50)
    assert (told["stream"], told["direction"], told["hex"]) == (1, "to_acquirer", whole.hex().upper())


def test_two_frames_in_one_segment_name_it_both() -> None:
    talk = Talk().open()
    talk.send("acquirer", 0, frame(30) + frame(40), ack=0)
    assert [(one["frame"], one["packets"]) for one in talk.told("frame")] == [(1, [4]), (2, [4])]


def test_the_life_of_a_connection() -> None:
    talk = Talk().open()
    talk.send("terminal", 0, frame(30), ack=0)
    talk.send("acquirer", 0, frame(30), ack=32)
    talk.send("acquirer", 32, flags=FIN | ACK, ack=32)
    talk.send("acquirer", 32, flags=FIN | ACK, ack=32)
    talk.send("terminal", 32, flags=FIN | ACK, ack=33)
    talk.send("acquirer", 33, ack=33)
    assert talk.states() == [("opening", "terminal"), ("open", None), ("closed", "acquirer"), ("closed", "terminal")]
    assert len(talk.told("frame")) == 2 and talk.told("bytes") == []


def test_a_retransmitted_syn_is_the_same_connection_and_a_new_one_is_another() -> None:
    talk = Talk()
    talk.send("terminal", 0, flags=SYN)
    talk.send("terminal", 0, flags=SYN)
    talk.isn["terminal"] += 5000
    talk.send("terminal", 0, flags=SYN)
    assert [(one["state"], one["stream"]) for one in talk.told("connection")] == [("opening", 1), ("opening", 2)]


def test_the_end_of_an_earlier_connection_on_the_same_ports_is_not_this_ones() -> None:
    """The acquirer still held it, and answers the SYN with its old numbers; the terminal resets that, and tries again.
    """
    talk = Talk()
    talk.send("terminal", 0, flags=SYN)
    talk.send("acquirer", 0x30000000, ack=0x20000000)
    talk.send("terminal", 0x20000000, flags=RST)
    talk.send("terminal", 0, flags=SYN)
    talk.send("acquirer", 0, flags=SYN | ACK, ack=0)
    talk.send("terminal", 0, ack=0)
    talk.send("terminal", 0, frame(30), ack=0)
    talk.send("acquirer", 0, frame(50), ack=32)
    assert talk.states() == [("opening", "terminal"), ("open", None)]
    assert [one["direction"] for one in talk.told("frame")] == ["to_acquirer", "to_terminal"]


def test_a_terminal_that_breaks_off_connecting() -> None:
    talk = Talk()
    talk.send("terminal", 0, flags=SYN)
    talk.send("terminal", 0, flags=RST)
    assert talk.states() == [("opening", "terminal"), ("reset", "terminal")]


def test_a_refused_connection() -> None:
    talk = Talk()
    talk.send("terminal", 0, flags=SYN)
    talk.send("acquirer", 0, flags=RST | ACK, ack=0)
    assert talk.states() == [("opening", "terminal"), ("refused", "acquirer")]


def test_a_reset_cuts_what_was_under_way() -> None:
    talk = Talk().open()
    talk.send("terminal", 0, frame(30), ack=0)
    talk.send("acquirer", 0, frame(50)[:10], ack=32)
    talk.send("acquirer", 10, flags=RST | ACK, ack=32)
    assert talk.states()[-1] == ("reset", "acquirer")
    (told,) = talk.told("bytes")
    assert told["hex"] == frame(50)[:10].hex().upper()
    assert told["reason"] == "cut short after 10 of 52 bytes: the connection was reset by the acquirer"


def test_a_reset_with_a_wrong_number_is_told_but_ends_nothing() -> None:
    """Its receiver does not obey it either (RFC 5961)."""
    talk = Talk().open()
    talk.send("acquirer", 0, frame(50)[:10], ack=0)
    talk.send("acquirer", 11, flags=RST | ACK, ack=0)
    talk.send("acquirer", 10, frame(50)[10:], ack=0)
    assert ("reset", "acquirer") in talk.states()
    assert len(talk.told("frame")) == 1 and talk.told("bytes") == []


def test_a_message_cut_short_at_close_and_at_the_end_of_the_capture() -> None:
    talk = Talk().open()
    talk.send("terminal", 0, b"\x00\x40abc", flags=FIN | ACK, ack=0)
    talk.send("acquirer", 0, b"\x00", ack=0)
    talk.reports += talk.connections.end(t=99)
    assert [(one["direction"], one["reason"]) for one in talk.told("bytes")] == [
        ("to_acquirer", "cut short after 5 of 66 bytes: the terminal closed the connection"),
        ("to_terminal", "cut short after 1 bytes: the capture ended"),
    ]


def test_wild_bytes_are_told_and_the_next_frame_is_found() -> None:
    talk = Talk().open()
    talk.send("terminal", 0, b"\x00\x03abc" + frame(30), ack=0)
    assert [(one["hex"], one["reason"]) for one in talk.told("bytes")] == [
        ("0003616263", "length 3, the smallest message has 21")
    ]
    assert len(talk.told("frame")) == 1


def test_a_flood_of_nonsense_is_one_report_a_segment() -> None:
    talk = Talk().open()
    talk.send("terminal", 0, bytes(1000) + frame(30) + bytes(4), ack=0)
    assert [(len(one["hex"]) // 2, one["reason"]) for one in talk.told("bytes")] == [
        (1000, "length 0, the smallest message has 21 (and 499 more such)"),
        (4, "length 0, the smallest message has 21 (and 1 more such)"),
    ]


def test_after_a_gap_no_frame_is_claimed() -> None:
    """Where the capture missed bytes, telling a frame would be a guess."""
    talk = Talk().open()
    talk.send("terminal", 0, frame(30)[:12], ack=0)
    talk.send("acquirer", 0, ack=32)  # the acquirer has what the tap has not
    talk.send("terminal", 32, frame(30), ack=0)
    assert talk.told("frame") == []
    reasons = [one["reason"] for one in talk.told("bytes")]
    assert reasons == [
        "cut short after 12 of 32 bytes: 20 bytes that were not captured",
        "after 20 bytes that were not captured, where a frame begins is not known",
    ]


def test_other_hosts_and_the_tails_of_old_connections_are_not_the_terminals() -> None:
    talk = Talk()
    talk.send("acquirer", 0, flags=FIN | ACK, ack=0)
    stranger = Segment(1, 1, ("10.97.0.9", 1), ACQUIRER, 0, 0, SYN, b"")
    assert talk.reports + talk.connections.take(stranger) == []


# -- packets -----------------------------------------------------------------------------------------------------------


def ethernet(
    payload: bytes, *, vlan: bool = False, padding: int = 0, flags: int = ACK, total: int | None = None
) -> bytes:
    tcp = struct.pack("!HHIIBBHHH", 40000, 8583, 1, 2, 6 << 4, flags, 512, 0xDEAD, 0) + b"\x01\x01\x01\x00" + payload
    size = 20 + len(tcp) if total is None else total
    header = struct.pack(
        "!BBHHHBBH4s4s", 0x45, 0, size, 7, 0x4000, 64, 6, 0, bytes([10, 97, 0, 2]), bytes([10, 97, 0, 1])
    )
    tag = b"\x81\x00\x00\x05" if vlan else b""
    return bytes(12) + tag + b"\x08\x00" + header + tcp + bytes(padding)


@pytest.mark.parametrize("options", [{}, {"vlan": True}, {"padding": 6}, {"total": 0}])
def test_a_segment_is_found_whatever_is_around_it(options: dict[str, Any]) -> None:
    segment = parse(ethernet(b"\x00\x15", flags=ACK | PSH, **options), t=5, packet=3)
    assert segment is not None
    assert (segment.source, segment.destination, segment.payload) == (TERMINAL, ACQUIRER, b"\x00\x15")
    assert (segment.seq, segment.ack, segment.t, segment.packet, segment.length) == (1, 2, 5, 3, 2)


def checksummed(raw: bytes, vlan: bool) -> bytes:
    """The frame with its TCP checksum filled in, by RFC 1071: the ones' complement of the ones' complement sum."""
    at = 14 + 4 * vlan
    size = int.from_bytes(raw[at + 2 : at + 4], "big") - 20
    segment = raw[at + 20 : at + 20 + size]
    words = raw[at + 12 : at + 20] + bytes([0, 6]) + size.to_bytes(2, "big") + segment[:16] + bytes(2) + segment[18:]
    total = sum(int.from_bytes(words[i : i + 2].ljust(2, b"\0"), "big") for i in range(0, len(words), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return raw[: at + 36] + (total ^ 0xFFFF).to_bytes(2, "big") + raw[at + 38 :]


@given(st.binary(max_size=60), st.booleans(), st.integers(0, 7), st.data())
def test_a_turned_bit_shows_in_the_checksum(payload: bytes, vlan: bool, padding: int, data: st.DataObject) -> None:
    good = checksummed(ethernet(payload, vlan=vlan, padding=padding), vlan)
    assert intact(good)
    at, bit = data.draw(st.integers(34 + 4 * vlan, len(good) - padding - 1)), data.draw(st.integers(0, 7))
    assert not intact(good[:at] + bytes([good[at] ^ (1 << bit)]) + good[at + 1 :])


@given(st.data())
@settings(max_examples=400, deadline=None)
def test_wild_frames_break_nothing(data: st.DataObject) -> None:
    good = ethernet(frame(30))
    start = data.draw(st.integers(0, len(good)))
    wild = data.draw(
        st.one_of(
            st.binary(max_size=80),
            st.just(good[:start]),
            st.binary(min_size=1, max_size=8).map(lambda one: good[:start] + one + good[start + len(one) :]),
        )
    )
    connections = Connections(TERMINAL[0])
    segment = parse(wild, t=1, packet=1)
    if segment is not None:
        assert intact(wild) in (True, False)
        connections.take(segment)
        connections.take(segment)
    connections.end(2)


@given(
    st.lists(st.tuples(st.booleans(), SEQUENCES, SEQUENCES, st.integers(0, 0x1F), st.binary(max_size=5)), max_size=30)
)
@settings(max_examples=300, deadline=None)
def test_no_sequence_of_segments_breaks_the_tap(steps: list[tuple[bool, int, int, int, bytes]]) -> None:
    connections = Connections(TERMINAL[0])
    for number, (outbound, seq, ack, flags, payload) in enumerate(steps):
        ends = (TERMINAL, ACQUIRER) if outbound else (ACQUIRER, TERMINAL)
        connections.take(Segment(number, number + 1, *ends, seq, ack, flags, payload))
    connections.end(99)
