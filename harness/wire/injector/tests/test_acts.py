# SPDX-License-Identifier: GPL-2.0-only
"""Each act on packets without a wire: what is sent in their place, when, and what is told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP
from scapy.layers.l2 import ARP, Ether

from harness.wire.faults import Fault, Match, catalogue, read
from harness.wire.faults.arp_loss import ArpLoss
from harness.wire.faults.arp_spoof import ArpSpoof
from harness.wire.faults.bandwidth import Bandwidth
from harness.wire.faults.base import Side
from harness.wire.faults.corrupt import Corrupt
from harness.wire.faults.delay import Delay
from harness.wire.faults.drop import Drop
from harness.wire.faults.duplicate import Duplicate
from harness.wire.faults.icmp_unreachable import IcmpUnreachable
from harness.wire.faults.mtu_black_hole import MtuBlackHole
from harness.wire.faults.partition import Partition
from harness.wire.faults.reorder import Reorder
from harness.wire.faults.rst import Rst
from harness.wire.faults.slow_close import SlowClose
from harness.wire.faults.syn_blackhole import SynBlackhole
from harness.wire.faults.timeout import Timeout
from harness.wire.injector import acts
from harness.wire.injector.acts.corrupt import with_checksum
from harness.wire.injector.acts.slow_close import split
from harness.wire.injector.contract import OTHER
from harness.wire.injector.tests.packets import ADDRESS, MAC, Bench, arp, tcp, udp
from harness.wire.packets import parse

MS = 1_000_000
SIDES: tuple[Side, Side] = ("terminal", "acquirer")
CONNECTING = Match.model_validate({"moment": "connecting"})
any_side = st.sampled_from(SIDES)
any_data = st.binary(min_size=1, max_size=200)


def bench(*faults: Fault, now: int = 0) -> Bench:
    made = Bench()
    for fault in faults:
        made.engine.arm(fault, now)
    return made


def checksums_are_true(frame: bytes) -> bool:
    packet = Ether(frame)
    again = packet.copy()
    del again[IP].chksum
    for layer in (TCP, ICMP):
        if layer in again:
            del again[layer].chksum
    return bytes(again) == frame


def test_there_is_an_act_for_every_fault_on_packets() -> None:
    packet = {name for name, kind in catalogue().items() if kind.level == "packet"}
    assert packet | {"rst"} <= acts.known()
    for name in packet:
        assert acts.make(read({"fault": name})).fault.fault == name


def test_with_nothing_armed_a_frame_passes_as_it_is() -> None:
    made = bench()
    assert made.rules == frozenset()
    for came in SIDES:
        for frame in (tcp(came, b"0200"), udp(came), arp(came, 1), b"", b"\x00" * 20):
            assert made.passed(frame, came) == [frame]
            assert made.sent[-1][0] == OTHER[came]


@given(any_side, any_data)
def test_drop_and_partition_and_arp_loss(came: Side, data: bytes) -> None:
    for fault, taken, passing in (
        (Drop(), [tcp(came, data), udp(came, data)], [arp(came, 1)]),
        (Partition(), [tcp(came, data), udp(came, data), arp(came, 1)], []),
        (ArpLoss(), [arp(came, 1), arp(came, 2)], [tcp(came, data), udp(came, data)]),
    ):
        made = bench(fault)
        for frame in taken:
            assert made.passed(frame, came) == []
        for frame in passing:
            assert made.passed(frame, came) == [frame]
        assert len(made.strikes) == len(taken)
        assert made.strikes[-1].took == ((came, taken[-1]),) and made.strikes[-1].to == OTHER[came]


@given(any_side, st.floats(0, 500), st.floats(0, 100), st.sampled_from(["uniform", "normal"]))
def test_delay(came: Side, delay_ms: float, jitter_ms: float, distribution: str) -> None:
    made = bench(Delay.model_validate(
        {"delay_ms": delay_ms, "jitter_ms": jitter_ms, "distribution": distribution, "fault": "delay"}
    ))
    frame = tcp(came, b"0200")
    at_once = made.passed(frame, came, now=7)
    due = made.engine.due
    if at_once:
        assert due is None and delay_ms <= jitter_ms * 10 + 1e-6  # less than a nanosecond is none
        return
    assert due is not None and due > 7
    if distribution == "uniform":
        assert (delay_ms - jitter_ms) * MS - 1 <= due - 7 <= (delay_ms + jitter_ms) * MS + 1
    made.engine.tick(due - 1)
    assert made.sent == []
    made.engine.tick(due)
    assert made.sent == [(OTHER[came], frame)] and made.engine.due is None


def test_delays_add_up_and_keep_order_without_jitter() -> None:
    made = bench(Delay(delay_ms=10), Delay(delay_ms=5))
    frames = [tcp("terminal", b"%d" % number) for number in range(5)]
    for number, frame in enumerate(frames):
        made.passed(frame, "terminal", now=number * MS)
        assert [one.t for one in made.strikes[-2:]] == [number * MS] * 2, "both struck when it came"
    for number, frame in enumerate(frames):
        made.engine.tick((15 + number) * MS - 1)
        assert len(made.sent) == number
        made.engine.tick((15 + number) * MS)
        assert made.sent[-1] == ("acquirer", frame)


@given(any_side, st.integers(1, 5), st.sampled_from([0.0, 2.0]))
def test_duplicate(came: Side, copies: int, gap_ms: float) -> None:
    made = bench(Duplicate(copies=copies, gap_ms=gap_ms, count=1))
    frame = tcp(came, b"0200")
    made.passed(frame, came)
    assert len(made.sent) == (1 if gap_ms else copies + 1)
    for number in range(1, copies + 1):
        made.engine.tick(round(number * gap_ms * MS))
        assert not gap_ms or len(made.sent) == number + 1
    assert made.sent == [(OTHER[came], frame)] * (copies + 1)
    assert made.ended == [(1, "used_up")]


@given(st.integers(1, 4), st.integers(0, 6))
def test_reorder(gap: int, later: int) -> None:
    made = bench(Reorder(gap=gap, wait_ms=200, count=1))
    frames = [udp("terminal", b"%d" % number) for number in range(later + 1)]
    for frame in frames:
        made.passed(frame, "terminal")
        made.passed(udp("acquirer"), "acquirer")  # the other direction does not count
    made.engine.tick(200 * MS)
    expected = [*frames[1 : gap + 1], frames[0], *frames[gap + 1 :]]
    assert [frame for side, frame in made.sent if side == "acquirer"] == expected


@given(
    any_side, any_data, st.integers(1, 16), st.none() | st.integers(0, 250), st.booleans(), st.text("ab", min_size=1)
)
def test_corrupt(came: Side, data: bytes, bits: int, offset: int | None, fix: bool, seed: str) -> None:
    fault = Corrupt(bits=bits, offset=offset, fix_checksum=fix, seed=seed)
    frame = tcp(came, data)
    (got,) = bench(fault).passed(frame, came)
    assert bench(fault).passed(frame, came) == [got], "the seed decides"
    if offset is not None and offset >= len(data):
        assert got == frame
        return
    segment = parse(got, t=0, packet=0)
    assert segment is not None and len(segment.payload) == len(data)
    turned = sum((one ^ other).bit_count() for one, other in zip(segment.payload, data, strict=True))
    assert turned == min(bits, (len(data) - (offset or 0)) * 8)
    assert with_checksum(got)[:50] == got[:50] or not fix
    assert checksums_are_true(got) == fix or (not fix and turned % 2 == 0), "two bits can hide each other"
    assert got[:50] == frame[:50], "headers are left alone, up to the checksum"


def test_corrupt_leaves_packets_without_content_alone() -> None:
    made = bench(Corrupt())
    assert made.passed(tcp("terminal", flags="A"), "terminal") == [tcp("terminal", flags="A")]
    assert made.strikes == []


@given(st.lists(st.tuples(any_side, st.integers(1, 1400), st.integers(0, 50)), min_size=1, max_size=30))
def test_bandwidth_never_carries_more_than_it_may(packets: list[tuple[Side, int, int]]) -> None:
    rate, burst = 80.0, 1600  # 10 bytes in a millisecond
    made = bench(Bandwidth(kbit_s=rate, burst_bytes=burst, queue_bytes=4000))
    now, left = 0, {side: [(0, 0)] for side in SIDES}
    before = 0

    def note(at: int) -> None:
        nonlocal before
        for side, frame in made.sent[before:]:
            left[OTHER[side]].append((at, len(frame)))
        before = len(made.sent)

    for came, size, pause in packets:
        until = now + pause * MS
        while made.engine.due is not None and made.engine.due <= until:
            at = made.engine.due
            made.engine.tick(at)
            note(at)
        now = until
        made.passed(tcp(came, bytes(size)), came, now)
        note(now)
    while made.engine.due is not None:
        at = made.engine.due
        made.engine.tick(at)
        note(at)
    for side in SIDES:
        for first in range(len(left[side])):
            carried = 0
            for at, size in left[side][first:]:
                carried += size
                assert carried <= burst + (at - left[side][first][0]) / MS * 10 + 1500
    lost = sum("queue" in strike.what for strike in made.strikes)
    assert len(made.sent) + lost == len(packets)


def test_syn_blackhole() -> None:
    made = bench(SynBlackhole())
    assert made.passed(tcp("terminal", flags="S"), "terminal") == []
    assert made.passed(tcp("acquirer", flags="SA"), "acquirer") == []
    assert made.passed(tcp("terminal", b"0200"), "terminal") != []
    one_way = bench(SynBlackhole(match=Match(direction="to_acquirer")))
    assert one_way.passed(tcp("acquirer", flags="SA"), "acquirer") != []


def test_timeout_knows_new_connections_by_their_syn() -> None:
    made = bench(Timeout())
    assert made.passed(tcp("terminal", b"0200"), "terminal") == []
    assert made.passed(tcp("acquirer", b"0210"), "acquirer") == []
    for came, flags in (("terminal", "S"), ("acquirer", "SA"), ("terminal", "A"), ("acquirer", "PA")):
        side: Side = "terminal" if came == "terminal" else "acquirer"
        assert len(made.passed(tcp(side, flags=flags), side)) == 1
    assert len(made.strikes) == 2


@given(any_side, st.binary(max_size=64), st.sampled_from(["net", "host", "port", "admin_prohibited"]))
def test_icmp_unreachable(came: Side, data: bytes, code: str) -> None:
    made = bench(IcmpUnreachable.model_validate({"code": code}))
    frame = tcp(came, data)
    made.passed(frame, came)
    ((to, sent),) = made.sent
    answer = Ether(sent)
    assert to == came and (answer.dst, answer.src) == (MAC[came], MAC[OTHER[came]])
    assert (answer[IP].src, answer[IP].dst) == (ADDRESS[OTHER[came]], ADDRESS[came])
    assert bytes(answer[ICMP].payload)[:28] == frame[14:42], "the header and 8 bytes, by which the connection is found"
    assert checksums_are_true(sent)
    assert made.passed(sent, came) == [sent], "an error is never answered with an error"


@given(any_side, st.integers(0, 1400), st.integers(100, 1400), st.booleans())
def test_mtu_black_hole(came: Side, size: int, mtu: int, silent: bool) -> None:
    made = bench(MtuBlackHole(mtu=mtu, silent=silent))
    frame = tcp(came, bytes(size))
    got = made.passed(frame, came)
    if len(frame) - 14 <= mtu:
        assert got == [frame]
    elif silent:
        assert got == []
    else:
        told = Ether(got[0])
        assert (told[ICMP].type, told[ICMP].code, told[ICMP].nexthopmtu) == (3, 4, mtu)
        assert made.sent[0][0] == came


def test_arp_spoof_and_what_is_said_at_the_end() -> None:
    made = bench(ArpSpoof())
    assert made.passed(arp("terminal", 1), "terminal") == [arp("terminal", 1)], "questions pass"
    lie = Ether(made.passed(arp("acquirer", 2), "acquirer")[0])
    assert (lie[ARP].hwsrc, lie[ARP].psrc) == ("02:97:97:97:97:97", ADDRESS["acquirer"])
    made.engine.heal(None, "asked", 0)
    to, truth = made.sent[-1]
    said = Ether(truth)
    assert to == "terminal"
    assert (said[ARP].hwsrc, said[ARP].psrc, said[ARP].pdst) == (
        MAC["acquirer"], ADDRESS["acquirer"], ADDRESS["acquirer"]
    )


@given(any_side, any_data, st.integers(0, 2**32 - 1))
def test_a_segment_with_data_and_fin_is_split(came: Side, data: bytes, seq: int) -> None:
    first, last = (parse(frame, t=0, packet=0) for frame in split(tcp(came, data, seq=seq, flags="FPA")))
    assert first is not None and last is not None
    assert (first.seq, first.payload, first.flags) == (seq, data, 0x18)
    assert (last.seq, last.payload, last.flags) == ((seq + len(data)) % 2**32, b"", 0x19)
    assert all(checksums_are_true(frame) for frame in split(tcp(came, data, seq=seq, flags="FPA")))


def test_slow_close_keeps_repetitions_back_too() -> None:
    made = bench(SlowClose(delay_s=1.0, count=1))
    fin = tcp("acquirer", flags="FA")
    assert made.passed(fin, "acquirer") == []
    assert made.passed(fin, "acquirer", now=500 * MS) == []
    made.engine.tick(1000 * MS)
    assert made.sent == [("terminal", fin)] and len(made.strikes) == 1
    assert made.ended == [(1, "used_up")]


@given(any_side, st.binary(max_size=100), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_reset_hits_the_number_that_each_end_expects(came: Side, data: bytes, seq: int, ack: int) -> None:
    made = bench(Rst())
    made.passed(tcp(came, data, seq=seq, ack=ack), came)
    hit = {side: parse(frame, t=0, packet=0) for side, frame in made.sent}
    sender, receiver = hit[came], hit[OTHER[came]]
    assert sender is not None and receiver is not None
    assert (sender.seq, receiver.seq) == (ack, seq), "nothing of the packet was delivered"
    assert sender.has(0x04) and receiver.has(0x04)
    assert all(checksums_are_true(frame) for _, frame in made.sent)
    made.sent.clear()
    other = tcp(OTHER[came], seq=5, ack=77, flags="A")
    made.passed(other, OTHER[came], now=1)
    again = parse(made.sent[0][1], t=0, packet=0)
    assert again is not None and again.seq == 77, "who says that he expects another number is reset with that"


def test_reset_at_connecting() -> None:
    made = bench(Rst(match=CONNECTING))
    made.passed(tcp("terminal", seq=41, flags="S"), "terminal")
    ((to, frame),) = made.sent
    answer = parse(frame, t=0, packet=0)
    assert to == "terminal" and answer is not None and (answer.seq, answer.ack, answer.flags) == (0, 42, 0x14)
    assert made.passed(tcp("terminal", seq=41, flags="S"), "terminal") == [tcp("terminal", seq=41, flags="S")]


def test_a_fault_that_is_gone_leaves_no_rules() -> None:
    made = bench()
    number = made.engine.arm(Drop(match=Match(port=8583)), 0)
    assert {rule.port for rule in made.rules} == {8583}
    made.engine.heal(number, "asked", 0)
    assert made.rules == frozenset()


@pytest.mark.parametrize("name", sorted(acts.known()))
def test_acts_take_any_bytes(name: str) -> None:
    @given(st.lists(st.tuples(any_side, st.binary(max_size=100)), max_size=5))
    def tried(frames: list[tuple[Side, bytes]]) -> None:
        made = bench(read({"fault": name}))
        for came, frame in frames:
            made.engine.take(b"\x02" * 12 + frame, came, 0)
            made.engine.tick(0)
        made.engine.heal(None, "asked", 0)

    tried()


@given(st.lists(st.tuples(any_side, any_data), max_size=20))
def test_the_same_packets_meet_the_same_fate(packets: list[tuple[Side, bytes]]) -> None:
    def fate() -> tuple[list[tuple[Side, bytes]], list[tuple[int, int, str]]]:
        made = bench(Drop(percent=30), Delay(delay_ms=5, jitter_ms=5), Duplicate(percent=20), Corrupt(percent=50))
        for number, (came, data) in enumerate(packets):
            made.passed(tcp(came, data), came, now=number * MS)
        made.engine.tick(10**12)
        return made.sent, [(one.fault_id, one.match, one.what) for one in made.strikes]

    assert fate() == fate()
