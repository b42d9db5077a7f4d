# SPDX-License-Identifier: GPL-2.0-only
"""Connections that were there before the fault, that end because of it, and answers that nobody gave: between two
modelled ends."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.protocol.frames import decode
from harness.wire.faults.base import Side
from harness.wire.injector.contract import OTHER, Packet
from harness.wire.injector.splicer import TcpSplicer
from harness.wire.injector.tests.splicer_model import MS, End, Network, make_frame
from harness.wire.injector.tests.test_splicer_streams import DRAWN, MTI, SIDES, arm, message, settled
from harness.wire.packets import SYN, parse

CALM: dict[str, Any] = {"loss": 0.0, "twice": 0.0, "mess": 0.0, "stamps": True, "mss": 1448, "begin": 0}


def network_of(drawn: dict[str, Any], dice: random.Random) -> Network:
    splicer = TcpSplicer(patience=1000_000 * MS)
    keys = ("loss", "twice", "mess", "stamps", "mss", "begin")
    return Network(splicer, dice, **{key: drawn[key] for key in keys})


def all_quiet(network: Network) -> bool:
    return all(end.quiet for end in network.ends.values())


def whole(data: bytes) -> list[bytes]:
    """The messages that are whole in a stream."""
    found, at = [], 0
    while at + 2 <= len(data) and at + 2 + int.from_bytes(data[at : at + 2], "big") <= len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        found.append(data[at:end])
        at = end
    return found


class Host:
    """Answers what arrives at ``end``, as soon as it is whole."""

    def __init__(self, end: End) -> None:
        self._end, self.answered = end, 0
        end.on_data = self._answer

    def _answer(self) -> None:
        for request in whole(bytes(self._end.got))[self.answered :]:
            self.answered += 1
            self._end.say(answer_to(request))


def answer_to(request: bytes) -> bytes:
    return message("0210", int(decode(request).get(11)), len(request) % 50)


@settings(max_examples=60)
@given(DRAWN, st.lists(st.sampled_from(["replace", "swallow", "hold", "nothing", "away"]), min_size=1, max_size=5))
def test_a_standing_connection_meets_fault_after_fault(drawn: dict[str, Any], phases: list[str]) -> None:
    """Between faults the kernel carries what it may: packets pass that the splicer never sees. (Where packets are lost
    or overtaken just when it takes over, it can't know of that; then something is armed all the time.)"""
    dice = random.Random(drawn["seed"])
    network = network_of(drawn, dice)
    always = drawn["loss"] > 0 or drawn["mess"] > 0
    if always:
        arm(network.splicer, 99, fault="hold", match={"moment": "0830"})
    network.diverted = always
    network.open()
    expected: dict[Side, bytes] = {"terminal": b"", "acquirer": b""}
    number = 0
    for phase, kind in enumerate(phases, 1):
        side = dice.choice(SIDES)
        other = message("0430", 97, dice.choice([0, 40, 600]))
        count, nth = dice.randrange(1, 5), 1
        if kind in ("replace", "swallow", "hold"):
            nth = dice.randrange(1, count + 1)
            brought: dict[str, dict[str, Any]] = {"replace": {"hex": other.hex()}, "hold": {"release_s": 0.3}}
            extra = brought.get(kind, {})
            arm(network.splicer, phase, fault=kind, **extra, match={"moment": f"{nth}th {MTI[side]}"})
        network.diverted = always or kind not in ("nothing", "away") or bool(network.splicer.peers)
        for turn in range(1, count + 1):
            number += 1
            said = message(MTI[side], number, dice.choice([0, 300, 990]))
            network.ends[side].say(said)
            struck = turn == nth
            if struck and kind in ("replace", "swallow"):
                said = other if kind == "replace" else b""
            expected[OTHER[side]] += said
            if dice.random() < 0.5:
                network.run(lambda: False, seconds=dice.random() * 0.3)
        assert network.run(lambda: all_quiet(network), seconds=300)
        network.splicer.heal(phase, network.now)
        for end in SIDES:
            network.run(lambda end=end: len(network.ends[end].got) == len(expected[end]), seconds=300)  # type: ignore[misc]
            assert bytes(network.ends[end].got) == expected[end]
    for end_ in network.ends.values():
        end_.close()
    settled(network, expected)


@settings(max_examples=60)
@given(DRAWN, st.integers(0, 900), st.booleans())
def test_a_fault_that_is_armed_at_any_moment_strikes_whole_or_not_at_all(
    drawn: dict[str, Any], when: int, diverted: bool
) -> None:
    """In the middle of a message or between two: what was struck is changed, everything else is as it was."""
    dice = random.Random(drawn["seed"])
    if not diverted:  # bytes that wait at the receiver behind missing ones can't be known of
        drawn = drawn | {"loss": 0.0, "mess": 0.0}
    network = network_of(drawn, dice)
    network.diverted = diverted
    if diverted:
        arm(network.splicer, 99, fault="hold", match={"moment": "0830", "direction": "both"})
    network.open()
    says: dict[Side, list[bytes]] = {
        side: [message(MTI[side], n, dice.choice([0, 300, 990])) for n in range(8)] for side in SIDES
    }
    for side in SIDES:
        stream, end, at = b"".join(says[side]), network.ends[side], 0
        while at < len(stream):
            size = dice.randrange(1, 900)
            part, at = stream[at : at + size], at + size
            end.parts.append(part)
            network.later(dice.randrange(0, 800) * MS, lambda end=end: end.say(end.parts.pop(0)))  # type: ignore[misc]
        network.later(1000 * MS, end.close)

    def strike() -> None:
        network.diverted = True
        arm(network.splicer, 1, fault="rewrite", fields={63: "rewritten"}, count=None, match={"direction": "both"})

    network.later(when * MS, strike)
    network.run(lambda: all(end.peer_closed and end.quiet for end in network.ends.values()), seconds=600)
    expected: dict[Side, bytes] = {}
    for side in SIDES:
        struck = {one.message: one.delivered for one in network.strikes if one.to == OTHER[side]}
        expected[OTHER[side]] = b"".join(struck.get(said, said) for said in says[side])
    settled(network, expected)
    if when == 0 and drawn["loss"] == drawn["mess"] == 0 and diverted:
        assert len(network.strikes) == 16


@settings(max_examples=60)
@given(DRAWN, st.sampled_from(["swallow", "deliver"]), st.integers(1, 6))
def test_a_forged_answer_stands_in_for_the_true_one(drawn: dict[str, Any], then: str, nth: int) -> None:
    """One request after the other on one connection, the forged answer before the true one or in its place."""
    dice = random.Random(drawn["seed"])
    network = network_of(drawn, dice)
    arm(network.splicer, 1, fault="forge", then=then, match={"moment": f"{nth}th 0200"})
    network.open()
    terminal, host = network.ends["terminal"], Host(network.ends["acquirer"])
    expected = b""
    for number in range(1, 7):
        request = message("0200", number, dice.choice([0, 100, 900]))
        terminal.say(request)
        network.run(lambda number=number: len(whole(bytes(terminal.got))) >= number, seconds=300)  # type: ignore[misc]
        assert len(whole(bytes(terminal.got))) >= number
        if number == nth:
            forged = whole(bytes(terminal.got))[number - 1]
            told = decode(forged)
            assert (told.mti, told.get(39), told.get(11)) == ("0210", "97", f"{number:06d}")
            expected += forged + (answer_to(request) if then == "deliver" else b"")
            network.run(lambda: host.answered >= nth and all_quiet(network), seconds=300)
            size = len(expected)
            network.run(lambda size=size: len(terminal.got) >= size, seconds=300)  # type: ignore[misc]
        else:
            expected += answer_to(request)
        if then == "deliver" and number >= nth:
            break  # from here on an answer belongs to the request before
    for end in network.ends.values():
        end.close()
    settled(network, {"terminal": expected, "acquirer": bytes(terminal.data)})


@settings(max_examples=60)
@given(DRAWN, st.sampled_from(["cut close", "cut reset", "rst before", "rst after"]), st.sampled_from(SIDES))
def test_both_ends_of_a_connection_end_as_the_fault_says(drawn: dict[str, Any], kind: str, side: Side) -> None:
    dice = random.Random(drawn["seed"])
    network = network_of(drawn, dice)
    said = [message(MTI[side], number, dice.choice([0, 300])) for number in range(1, 4)]
    name, _, how = kind.partition(" ")
    after = "after " if how == "after" else ""
    extra = {"after_bytes": 11, "then": how, "pause_s": dice.choice([0.0, 0.2])} if name == "cut" else {}
    arm(network.splicer, 1, fault=name, **extra, match={"moment": f"{after}second {MTI[side]}"})
    network.open()
    sender, receiver = network.ends[side], network.ends[OTHER[side]]
    for one in said:
        sender.say(one)
    keep = {"close": 11, "reset": 11, "before": 0, "after": len(said[1])}[how]

    def ended() -> bool:
        return sender.reset and (receiver.peer_closed if how == "close" else receiver.reset)

    # what still is to be said makes each end hear of it, whatever was lost
    for wait in range(1, 40):
        network.later(wait * 500 * MS, lambda: None if receiver.reset else receiver.acknowledge())
    assert network.run(ended, seconds=300), f"{kind}: {sender.reset}, {receiver.reset}, {receiver.peer_closed}"
    got = bytes(receiver.got)
    whole_cut = (said[0] + said[1])[: len(said[0]) + keep]
    if drawn["loss"] or drawn["mess"] or drawn["twice"]:
        assert whole_cut.startswith(got), "more than it should"
    else:
        assert got == whole_cut
    if how == "close":
        assert got == whole_cut
        receiver.close()
        assert network.run(lambda: receiver.quiet or receiver.reset, seconds=300)


def test_packets_say_which_messages_they_carry_and_which_are_a_handshake() -> None:
    network = network_of(CALM, random.Random(1))
    network.splicer.watch(True)
    network.open()
    network.run(lambda: False, seconds=1)
    assert [packet.connecting for packet in network.passing] == [True, True, True]
    network.passing.clear()
    first, second = message("0200", 1), message("0200", 2, 990)
    network.ends["terminal"].cuts = [20, len(first) + 5]
    network.ends["terminal"].say(first + second[:100])
    network.run(lambda: False, seconds=1)
    assert [packet.carries for packet in network.passing if packet.segment and packet.segment.payload] == [
        (first,), (first,)
    ], "the beginning of the second one is kept back, and so goes with it"
    network.ends["terminal"].say(second[100:])
    network.run(lambda: False, seconds=1)
    with_bytes = [packet for packet in network.passing if packet.segment and packet.segment.payload]
    assert {one for packet in with_bytes[2:] for one in packet.carries} == {second}
    assert bytes(network.ends["acquirer"].got) == first + second


def test_what_nobody_changes_passes_byte_for_byte() -> None:
    network = network_of(CALM, random.Random(2))
    network.splicer.watch(True)
    sent: dict[Side, list[bytes]] = {side: [] for side in SIDES}
    for side in SIDES:
        end, send = network.ends[side], network.ends[side].send
        end.send = partial(_noted, sent[side], send)
    network.open()
    for number in range(20):
        for side in SIDES:
            network.ends[side].say(message(MTI[side], number, 300))
            network.run(lambda: False, seconds=0.1)
    for end in network.ends.values():
        end.close()
    network.run(lambda: False, seconds=2)
    for side in SIDES:
        assert network.arrived[OTHER[side]] == sent[side]


def _noted(frames: list[bytes], send: Callable[[bytes], None], frame: bytes) -> None:
    frames.append(frame)
    send(frame)


def test_half_a_message_is_let_go_when_the_rest_does_not_come() -> None:
    dice = random.Random(3)
    network = Network(TcpSplicer(), dice)
    arm(network.splicer, 1, fault="hold", match={"moment": "0200"})
    network.open()
    half = message("0200", 1)[:30]
    network.ends["terminal"].say(half)
    assert network.run(lambda: bytes(network.ends["acquirer"].got) == half, seconds=10)
    assert network.now - 1_000_000 * MS > 3_000 * MS
    network.ends["terminal"].say(message("0200", 1)[30:])
    assert network.run(lambda: bytes(network.ends["acquirer"].got) == message("0200", 1), seconds=10)
    assert network.strikes == []


def test_a_sender_of_tiny_segments_is_not_stopped_by_what_is_kept_back() -> None:
    """It may have no more than ten segments under way, and its message has a hundred."""
    network = network_of(CALM, random.Random(4))
    arm(network.splicer, 1, fault="rewrite", fields={63: None}, match={"moment": "0200"})
    network.open()
    long = message("0200", 1, 300)
    network.ends["terminal"].cuts = list(range(0, len(long), 3))
    network.ends["terminal"].say(long)
    expected = message("0200", 1)
    assert network.run(lambda: bytes(network.ends["acquirer"].got) == expected, seconds=1)


@pytest.mark.parametrize("side", ["terminal", "acquirer"])
def test_a_reset_at_one_end_leaves_the_other_in_the_dark(side: Side) -> None:
    network = network_of(CALM, random.Random(5))
    arm(network.splicer, 1, fault="rst", side=side, match={"moment": "0210"})
    network.open()
    network.ends["acquirer"].say(message("0210", 1))
    network.run(lambda: network.ends[side].reset, seconds=5)
    network.run(lambda: False, seconds=20)
    assert network.ends[side].reset and not network.ends[OTHER[side]].reset
    assert network.ends["terminal"].got == b"" and network.splicer.busy(1)
    network.splicer.heal(1, network.now)
    network.ends[OTHER[side]].say(message(MTI[OTHER[side]], 2))
    assert network.run(lambda: network.ends[OTHER[side]].reset, seconds=60), "healed, it hears of it"


def test_when_the_injector_leaves_connections_that_need_it_end() -> None:
    network = network_of(CALM, random.Random(6))
    arm(network.splicer, 1, fault="replace", hex=message("0210", 97, 300).hex(), match={"moment": "0210"})
    network.open()
    network.ends["acquirer"].say(message("0210", 1))
    network.run(lambda: network.ends["acquirer"].quiet, seconds=5)
    for sending in network.splicer.leave().send:
        network.ends[sending.to].take(sending.frame)
    assert all(end.reset for end in network.ends.values())
    assert network.splicer.leave().send == []


def test_when_the_injector_leaves_other_connections_live_on() -> None:
    network = network_of(CALM, random.Random(7))
    arm(network.splicer, 1, fault="hold", release_s=0.1, match={"moment": "0210"})
    network.open()
    network.ends["acquirer"].say(message("0210", 1))
    network.run(lambda: network.ends["acquirer"].quiet, seconds=5)
    assert network.splicer.leave().send == []


def test_of_connections_that_need_nothing_only_some_are_remembered() -> None:
    splicer = TcpSplicer()
    splicer.watch(True)
    for port in range(50000, 50100):
        frame = make_frame("terminal", 1, 0, SYN, 1000)
        frame = frame[:34] + port.to_bytes(2, "big") + frame[36:]
        splicer.take(Packet(frame, port, "terminal", parse(frame, t=0, packet=0)), port)
    assert len(splicer._connections) == 16
    assert {terminal[1] for terminal, _ in splicer._connections} == set(range(50084, 50100)), "the latest"
