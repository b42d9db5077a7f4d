"""Faults on messages between real kernels: what arrives, and that the connection can be used afterwards."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from harness.errors import BadInput
from harness.protocol.frames import decode
from harness.tests.injector_helpers import DIVERTS, Bed, bed
from harness.tests.lab_helpers import connection, receive
from harness.tests.splicer_sockets import Host, approve, message, read_message
from harness.wire import faults

ROUNDS = 25


@pytest.fixture(scope="module", params=DIVERTS)
def wire(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bed]:
    with bed(tmp_path_factory.mktemp("splicer"), request.param) as made:
        yield made


@pytest.fixture(autouse=True)
def _healed(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "wire" in request.fixturenames:
        made = request.getfixturevalue("wire")
        made.injector.heal()


@contextmanager
def exchange(wire: Bed) -> Iterator[tuple[socket.socket, Host]]:
    """A terminal's socket, and a host that approves."""
    with connection(wire.topology) as (terminal, acquirer):
        host = Host(acquirer, approve)
        try:
            yield terminal, host
        finally:
            host.leave(acquirer)


def arm(wire: Bed, **values: Any) -> int:
    return wire.injector.arm(faults.read(values))


def ask(terminal: socket.socket, number: int) -> bytes:
    terminal.sendall(message("0200", number))
    return read_message(terminal)


def usable(terminal: socket.socket, number: int = 900, times: int = 5) -> None:
    """Several exchanges on the same connection, larger ones too."""
    for turn in range(number, number + times):
        request = message("0200", turn, 700 if turn % 2 else 0)
        terminal.sendall(request)
        assert read_message(terminal) == approve(request)


@pytest.mark.parametrize("filler", [40, 10, 400])
def test_replacements_are_accepted_every_time_and_the_connection_goes_on(wire: Bed, filler: int) -> None:
    """Of the same length, shorter, longer: on one standing connection, armed in its middle again and again."""
    other = message("0210", 97, filler, F39="97")
    with exchange(wire) as (terminal, _):
        usable(terminal)
        for turn in range(ROUNDS):
            fault = arm(wire, fault="replace", hex=other.hex(), match={"moment": "response to 0200"})
            assert ask(terminal, turn) == other
            struck = wire.injector.await_strike(fault, 5.0)
            assert bytes.fromhex(struck.message) == approve(message("0200", turn))
            assert bytes.fromhex(struck.delivered) == other
            assert ask(terminal, 500 + turn) == approve(message("0200", 500 + turn))
        usable(terminal)


def test_a_message_is_held_until_healed_and_what_is_behind_it_waits_too(wire: Bed) -> None:
    with exchange(wire) as (terminal, _):
        fault = arm(wire, fault="hold", match={"moment": "first 0210"})
        terminal.sendall(message("0200", 1))
        wire.injector.await_strike(fault, 5.0)
        terminal.sendall(message("0200", 2))
        terminal.settimeout(0.6)  # the host repeats its answer meanwhile
        with pytest.raises(TimeoutError):
            terminal.recv(1)
        terminal.settimeout(10.0)
        wire.injector.heal(fault)
        assert [read_message(terminal) for _ in range(2)] == [approve(message("0200", n)) for n in (1, 2)]
        usable(terminal)


def test_whoever_changed_a_message_does_not_decide_when_it_goes(wire: Bed) -> None:
    """Two faults strike it: one changes it, one holds it. The first ends, by itself or healed; the message stays."""
    with exchange(wire) as (terminal, _):
        changes = arm(wire, fault="rewrite", fields={"39": "97"}, count=2, match={"moment": "0210"})
        holds = arm(wire, fault="hold", match={"moment": "0210"})
        terminal.sendall(message("0200", 1))
        wire.injector.await_strike(holds, 5.0)
        wire.injector.heal(changes)
        wire.injector.sync()
        assert wire.injector.healed(holds) is None
        terminal.settimeout(0.3)
        with pytest.raises(TimeoutError):
            terminal.recv(1)
        terminal.settimeout(10.0)
        wire.injector.heal(holds)
        assert decode(read_message(terminal)).get(39) == "97"
        usable(terminal)


def test_a_message_is_held_for_a_time(wire: Bed) -> None:
    with exchange(wire) as (terminal, _):
        arm(wire, fault="hold", release_s=0.5, match={"moment": "0200"})
        began = time.monotonic()
        assert ask(terminal, 1) == approve(message("0200", 1))
        assert time.monotonic() - began >= 0.5
        usable(terminal)


def test_a_swallowed_answer_is_acknowledged_and_the_next_one_arrives(wire: Bed) -> None:
    with exchange(wire) as (terminal, host):
        fault = arm(wire, fault="swallow", match={"moment": "0210 with F11=000001"})
        terminal.sendall(message("0200", 1))
        wire.injector.await_strike(fault, 5.0)
        assert ask(terminal, 2) == approve(message("0200", 2))
        usable(terminal)
        assert len(host.heard) == 7


def test_a_swallowed_request_never_reaches_the_host(wire: Bed) -> None:
    with exchange(wire) as (terminal, host):
        fault = arm(wire, fault="swallow", match={"moment": "0200"})
        terminal.sendall(message("0200", 1))
        wire.injector.await_strike(fault, 5.0)
        assert ask(terminal, 2) == approve(message("0200", 2))
        assert host.heard == [message("0200", 2)]
        usable(terminal)


@pytest.mark.parametrize("then", ["swallow", "deliver"])
def test_a_forged_answer_comes_before_the_true_one(wire: Bed, then: str) -> None:
    with exchange(wire) as (terminal, host):
        for turn in range(1, 6):
            arm(wire, fault="forge", code="97", mac="wrong", then=then, match={"moment": "0200"})
            forged = decode(ask(terminal, turn))
            assert (forged.mti, forged.get(39), forged.get(11), forged.get(64)) == (
                "0210", "97", f"{turn:06d}", "00000000"
            )
            if then == "deliver":
                assert read_message(terminal) == approve(message("0200", turn))
        usable(terminal)
        assert len(host.heard) == 10


@pytest.mark.parametrize("when", ["instead", "before", "after"])
def test_an_earlier_message_is_replayed(wire: Bed, when: str) -> None:
    earlier = message("0210", 77, 11)
    with exchange(wire) as (terminal, _):
        arm(wire, fault="replay", hex=earlier.hex(), when=when, match={"moment": "second 0210"})
        assert ask(terminal, 1) == approve(message("0200", 1))
        true = approve(message("0200", 2))
        terminal.sendall(message("0200", 2))
        expected = {"instead": [earlier], "before": [earlier, true], "after": [true, earlier]}[when]
        assert [read_message(terminal) for _ in expected] == expected
        usable(terminal)


def test_a_cut_message_ends_with_a_fin(wire: Bed) -> None:
    with exchange(wire) as (terminal, host):
        usable(terminal)
        arm(wire, fault="cut", after_bytes=17, then="close", match={"moment": "0210"})
        assert ask(terminal, 1) == approve(message("0200", 1))[:17]
        host.join()
        assert host.ended == "reset"
    with exchange(wire) as (terminal, host):
        usable(terminal)


def test_a_cut_message_ends_with_a_reset_at_both_ends(wire: Bed) -> None:
    with exchange(wire) as (terminal, host):
        arm(wire, fault="cut", after_bytes=-1, then="reset", pause_s=0.2, match={"moment": "0210"})
        terminal.sendall(message("0200", 1))
        got = b""
        with pytest.raises(ConnectionResetError):
            while True:
                got += terminal.recv(4096)
        assert got == approve(message("0200", 1))[:-1]
        host.join()
        assert host.ended == "reset"


def test_a_cut_message_heals(wire: Bed) -> None:
    with exchange(wire) as (terminal, _):
        fault = arm(wire, fault="cut", after_bytes=5, then="heal", pause_s=600, match={"moment": "0210"})
        terminal.sendall(message("0200", 1))
        begun = receive(terminal, 5)
        terminal.settimeout(0.3)
        with pytest.raises(TimeoutError):
            terminal.recv(1)
        terminal.settimeout(10.0)
        wire.injector.heal(fault)
        answer = approve(message("0200", 1))
        assert begun + receive(terminal, len(answer) - 5) == answer
        usable(terminal)


def test_a_message_comes_byte_by_byte(wire: Bed) -> None:
    with exchange(wire) as (terminal, _):
        arm(wire, fault="dribble", size=1, gap_ms=2.0, match={"moment": "0210"})
        before = segments_with_data(terminal)
        answer = ask(terminal, 1)
        assert answer == approve(message("0200", 1))
        assert segments_with_data(terminal) - before >= len(answer)
        usable(terminal)


def segments_with_data(end: socket.socket) -> int:
    """That its kernel received: tcpi_data_segs_in of linux/tcp.h."""
    return int(struct.unpack_from("=I", end.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 156), 152)[0])


@pytest.mark.parametrize("side", ["both", "terminal", "acquirer"])
def test_a_reset_before_the_answer(wire: Bed, side: str) -> None:
    with exchange(wire) as (terminal, host):
        arm(wire, fault="rst", side=side, match={"moment": "response to 0200"})
        terminal.sendall(message("0200", 1))
        if side == "acquirer":
            host.join()
            terminal.settimeout(0.3)
            with pytest.raises(TimeoutError):
                terminal.recv(1)
        else:
            with pytest.raises(ConnectionResetError):
                terminal.recv(1)
        if side == "both":
            host.join()
        assert host.ended == ("" if side == "terminal" else "reset")


def test_a_reset_after_the_answer(wire: Bed) -> None:
    with exchange(wire) as (terminal, host):
        arm(wire, fault="rst", match={"moment": "after 0210"})
        terminal.sendall(message("0200", 1))
        assert read_message(terminal) == approve(message("0200", 1))
        with pytest.raises(ConnectionResetError):
            terminal.recv(1)
        host.join()
        assert host.ended == "reset"


def test_fields_are_rewritten_and_the_connection_goes_on(wire: Bed) -> None:
    with exchange(wire) as (terminal, _):
        arm(wire, fault="rewrite", fields={39: "97", 63: None}, count=3, match={"moment": "0210"})
        for turn in range(3):
            answer = decode(ask(terminal, turn))
            assert (answer.get(39), 63 in answer) == ("97", False)
        usable(terminal)


def test_messages_that_share_a_segment_are_told_apart(wire: Bed) -> None:
    with exchange(wire) as (terminal, _):
        arm(wire, fault="swallow", match={"moment": "third 0200"})
        terminal.sendall(b"".join(message("0200", n) for n in range(1, 6)))
        assert [read_message(terminal) for _ in range(4)] == [approve(message("0200", n)) for n in (1, 2, 4, 5)]
        usable(terminal)


def test_a_message_in_many_segments_is_one(wire: Bed) -> None:
    with exchange(wire) as (terminal, host):
        arm(wire, fault="rewrite", fields={63: None}, match={"moment": "0200"})
        terminal.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        request = message("0200", 1, 300)
        for at in range(0, len(request), 7):
            terminal.sendall(request[at : at + 7])
        assert read_message(terminal) == approve(message("0200", 1))
        assert host.heard == [message("0200", 1)]
        usable(terminal)


def test_messages_are_replaced_while_packets_are_lost_and_come_twice(wire: Bed) -> None:
    """By faults on packets, which come behind those on messages."""
    other = message("0210", 97, 400, F39="97")
    with exchange(wire) as (terminal, _):
        arm(wire, fault="drop", percent=15, seed="lossy")
        arm(wire, fault="duplicate", percent=30, seed="twice")
        fault = arm(wire, fault="replace", hex=other.hex(), count=None, match={"moment": "0210"})
        for turn in range(8):
            assert ask(terminal, turn) == other
        wire.injector.heal(fault)
        usable(terminal)


def test_what_cannot_be_is_refused(wire: Bed) -> None:
    for values, why in (
        ({"fault": "rewrite", "mac": "recompute", "fields": {39: "00"}}, "no master key"),
        ({"fault": "forge", "match": {"moment": "0210"}}, "no request"),
        ({"fault": "hold", "match": {"moment": "0210", "direction": "to_acquirer"}}, "goes to_terminal"),
    ):
        with pytest.raises(BadInput, match=why):
            arm(wire, **values)


def test_a_standing_connection_whose_numbers_differ_ends_with_the_injector(tmp_path: Path) -> None:
    with bed(tmp_path) as own:
        with exchange(own) as (terminal, host):
            arm(own, fault="replace", hex=message("0210", 97, 400).hex(), match={"moment": "0210"})
            assert ask(terminal, 1) == message("0210", 97, 400)
            usable(terminal)
            own.injector.close()
            with pytest.raises(ConnectionResetError):
                terminal.recv(1)
            host.join()
            assert host.ended == "reset"
        with exchange(own) as (terminal, _):
            usable(terminal)
