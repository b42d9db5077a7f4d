"""Each fault on packets, against a real TCP connection (or ARP, or UDP) in real namespaces."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyroute2 import IPRoute, NetlinkError

from harness.tests.injector_helpers import Bed, bed
from harness.tests.lab_helpers import PORT, connection, receive, tcp_socket
from harness.wire import netns
from harness.wire.faults import Fault, Match, catalogue
from harness.wire.faults.arp_loss import ArpLoss
from harness.wire.faults.arp_spoof import ArpSpoof
from harness.wire.faults.bandwidth import Bandwidth
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
from harness.wire.topology import _END_INDEX as END_INDEX
from harness.wire.topology import ACQUIRER_ADDRESS, BACKUP_ADDRESS

OUT = Match(direction="to_acquirer")
BACK = Match(direction="to_terminal")
CONNECTING = Match.model_validate({"moment": "connecting"})
Ends = tuple[socket.socket, socket.socket]


@pytest.fixture(scope="module")
def wire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bed]:
    with bed(tmp_path_factory.mktemp("faults"), "auto") as made:
        yield made


@pytest.fixture(autouse=True)
def _healed(wire: Bed) -> Iterator[None]:
    yield
    wire.injector.heal()


@contextlib.contextmanager
def armed(wire: Bed, fault: Fault) -> Iterator[int]:
    number = wire.injector.arm(fault)
    yield number
    wire.injector.heal(number)


def exchange(ends: Ends, request: bytes = b"0200", answer: bytes = b"0210") -> None:
    """A message there and one back, whole."""
    terminal, acquirer = ends
    terminal.sendall(request)
    assert receive(acquirer, len(request)) == request
    acquirer.sendall(answer)
    assert receive(terminal, len(answer)) == answer


def silent(end: socket.socket, seconds: float = 0.15) -> bool:
    """Whether nothing comes, and nobody closes, for that long."""
    return not select.select([end], [], [], seconds)[0]


def is_reset(end: socket.socket, sends: bytes = b"") -> bool:
    """Whether the end has been reset (rather than closed, or left alone) within its time-out. It is told only once."""
    try:
        if sends:
            end.sendall(sends)
        while end.recv(4096):
            pass
    except ConnectionResetError:
        return True
    return False


@contextlib.contextmanager
def datagrams(wire: Bed) -> Iterator[Ends]:
    """UDP sockets: what TCP would repair shows there."""
    with netns.inside(wire.topology.terminal_fd):
        terminal = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with netns.inside(wire.topology.acquirer_fd):
        acquirer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with terminal, acquirer:
        terminal.settimeout(10.0)
        acquirer.settimeout(10.0)
        acquirer.bind((ACQUIRER_ADDRESS, 5353))
        terminal.connect((ACQUIRER_ADDRESS, 5353))
        terminal.send(b"warm")
        assert acquirer.recv(10) == b"warm"
        yield terminal, acquirer


def drained(end: socket.socket) -> list[bytes]:
    """What has come, and comes shortly."""
    got = []
    while not silent(end):
        got.append(end.recv(4096))
    return got


def test_every_fault_on_packets_is_tried_here() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    missing = [
        kind.__name__ for kind in catalogue().values() if kind.level == "packet" and f" {kind.__name__}(" not in text
        and f"({kind.__name__}(" not in text
    ]
    assert missing == []


# -- loss, time, order -------------------------------------------------------------------------------------------------


def test_drop_in_patterns(wire: Bed) -> None:
    with datagrams(wire) as (terminal, acquirer):
        with armed(wire, Drop(match=OUT, every_nth=3)):
            for number in range(9):
                terminal.send(b"%d" % number)
            assert drained(acquirer) == [b"0", b"1", b"3", b"4", b"6", b"7"]
        first = wire.injector.arm(Drop(match=OUT, first_n=2))
        for number in range(4):
            terminal.send(b"%d" % number)
        assert drained(acquirer) == [b"2", b"3"]
        ended = wire.injector.healed(first)
        assert ended is not None and ended.why == "used_up"
        with armed(wire, Drop(match=OUT, only=(2, 4))):
            for number in range(1, 6):
                terminal.send(b"%d" % number)
            assert drained(acquirer) == [b"1", b"3", b"5"]


@pytest.mark.parametrize(
    "fault", [Drop(match=OUT, percent=40.0, seed="a"), Drop(match=OUT, burst_enter=20.0, burst_leave=40.0, seed="b")],
    ids=["percent", "bursts"],
)
def test_the_same_seed_strikes_the_same_packets_and_a_replay_too(wire: Bed, fault: Drop) -> None:
    def fate(one: Drop) -> list[bytes]:
        with armed(wire, one):
            for number in range(50):
                terminal.send(b"%02d" % number)
            return drained(acquirer)

    with datagrams(wire) as (terminal, acquirer):
        first = fate(fault)
        assert 5 < len(first) < 45
        matches = tuple(strike.match for strike in wire.struck()[-(50 - len(first)) :])
        assert fate(fault) == first
        assert fate(fault.model_copy(update={"seed": "other"})) != first
        assert fate(fault.model_copy(update={"only": matches, "seed": "other"})) == first


def test_delay_is_as_long_as_said(wire: Bed) -> None:
    with connection(wire.topology) as ends, armed(wire, Delay(match=BACK, delay_ms=150.0)) as number:
        began = time.monotonic()
        exchange(ends)
        took = time.monotonic() - began
        struck = wire.injector.await_strike(number, 5.0)
    assert took >= 0.15
    assert struck.what == "late by 150.0 ms"


def test_delay_goes_on_when_it_is_healed(wire: Bed) -> None:
    with connection(wire.topology) as (terminal, acquirer):
        number = wire.injector.arm(Delay(match=OUT, delay_ms=600_000.0))
        terminal.sendall(b"0200")
        wire.injector.await_strike(number, 5.0)
        assert silent(acquirer)
        wire.injector.heal(number)
        assert receive(acquirer, 4) == b"0200"


def test_jitter_reorders_and_is_the_same_for_a_seed(wire: Bed) -> None:
    def order(seed: str) -> list[bytes]:
        with armed(wire, Delay(match=OUT, delay_ms=60.0, jitter_ms=50.0, seed=seed)) as number:
            for one in range(12):
                terminal.send(b"%d" % one)
            came = [acquirer.recv(10) for _ in range(12)]
            told.append([strike.what for strike in wire.injector.strikes(number)])
        return came

    told: list[list[str]] = []
    with datagrams(wire) as (terminal, acquirer):
        first = order("a")
        assert sorted(first, key=int) == [b"%d" % one for one in range(12)] != first
        order("a")
        order("b")
    assert told[0] == told[1] != told[2]


def test_a_used_up_delay_still_delivers_in_time(wire: Bed) -> None:
    with datagrams(wire) as (terminal, acquirer):
        number = wire.injector.arm(Delay(match=OUT, delay_ms=120.0, count=1))
        began = time.monotonic()
        terminal.send(b"late")
        wire.injector.await_strike(number, 5.0)
        assert wire.injector.healed(number) is None, "it is not over before the packet has gone"
        assert acquirer.recv(10) == b"late" and time.monotonic() - began >= 0.12
        wire.injector.sync()
        assert wire.injector.healed(number) is not None


def test_duplicate(wire: Bed) -> None:
    with datagrams(wire) as (terminal, acquirer):
        with armed(wire, Duplicate(match=OUT, copies=2, count=1)):
            terminal.send(b"a")
            terminal.send(b"b")
            assert drained(acquirer) == [b"a", b"a", b"a", b"b"]
        with armed(wire, Duplicate(match=OUT, gap_ms=30.0, count=1)):
            terminal.send(b"c")
            assert drained(acquirer) == [b"c", b"c"]
    with connection(wire.topology) as ends, armed(wire, Duplicate()):
        exchange(ends, b"0200" * 2000, b"0210" * 2000)  # TCP keeps one of each


def test_reorder(wire: Bed) -> None:
    with datagrams(wire) as (terminal, acquirer):
        with armed(wire, Reorder(match=OUT, gap=2, count=1)):
            for text in (b"a", b"b", b"c", b"d"):
                terminal.send(text)
            assert drained(acquirer) == [b"b", b"c", b"a", b"d"]
        with armed(wire, Reorder(match=OUT, wait_ms=40.0, count=1)):
            terminal.send(b"alone")
            assert acquirer.recv(10) == b"alone"
    with connection(wire.topology) as ends, armed(wire, Reorder(gap=1)):
        exchange(ends, b"0200" * 2000, b"0210" * 2000)


def test_corrupt_that_tcp_notices_and_corrupt_that_it_does_not(wire: Bed) -> None:
    with connection(wire.topology) as (terminal, acquirer):
        with armed(wire, Corrupt(match=OUT, offset=1, count=1)) as number:
            terminal.sendall(b"0200")
            assert receive(acquirer, 4) == b"0200", "the damaged segment is dropped and comes again"
            assert "byte 1" in wire.injector.await_strike(number, 5.0).what
        with armed(wire, Corrupt(match=OUT, offset=3, bits=8, fix_checksum=True, count=1)):
            terminal.sendall(b"0200")
            assert receive(acquirer, 4) == b"020\xcf"


def test_corrupt_where_the_seed_says(wire: Bed) -> None:
    def damaged(seed: str) -> bytes:
        with armed(wire, Corrupt(match=OUT, bits=3, fix_checksum=True, seed=seed)):
            terminal.send(bytes(64))
            return acquirer.recv(100)

    with datagrams(wire) as (terminal, acquirer):
        first = damaged("a")
        assert sum(byte.bit_count() for byte in first) == 3
        assert damaged("a") == first != damaged("b")


def test_bandwidth(wire: Bed) -> None:
    data = bytes(30_000)
    with connection(wire.topology) as (terminal, acquirer), armed(wire, Bandwidth(kbit_s=800.0, burst_bytes=1600)):
        began = time.monotonic()
        sending = threading.Thread(target=terminal.sendall, args=(data,))
        sending.start()
        assert receive(acquirer, len(data)) == data
        took = time.monotonic() - began
        sending.join()
    assert took >= 0.27, "28.4 kB beyond the burst at 100 kB/s"
    with connection(wire.topology) as ends, armed(wire, Bandwidth(kbit_s=800.0, queue_bytes=1600)) as number:
        exchange(ends, bytes(20_000), b"0210")
        assert any("queue is full" in strike.what for strike in wire.injector.strikes(number))


# -- connections -------------------------------------------------------------------------------------------------------


def connects(wire: Bed, seconds: float = 0.2, address: str = ACQUIRER_ADDRESS) -> bool:
    """Whether a connection is made that soon; a refusal is raised."""
    with tcp_socket(wire.topology.acquirer_fd) as listener, tcp_socket(wire.topology.terminal_fd, seconds) as terminal:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, PORT + 1))
        listener.listen()
        try:
            terminal.connect((address, PORT + 1))
        except TimeoutError:
            return False
        return True


def test_syn_blackhole_swallows_new_connections_only(wire: Bed) -> None:
    with connection(wire.topology) as ends, armed(wire, SynBlackhole()) as number:
        assert not connects(wire)
        exchange(ends)
        assert wire.injector.await_strike(number, 5.0).what == "the SYN is lost"
    assert connects(wire, 5.0)


def test_syn_blackhole_of_the_answer(wire: Bed) -> None:
    with armed(wire, SynBlackhole(match=BACK)):
        assert not connects(wire)


def test_timeout_silences_what_stands_and_spares_what_comes(wire: Bed) -> None:
    with connection(wire.topology) as ends, armed(wire, Timeout()):
        ends[0].sendall(b"0200")
        assert silent(ends[1])
        with connection(wire.topology, PORT + 1) as later:
            exchange(later)
        assert silent(ends[1])


def test_partition_and_its_peer(wire: Bed) -> None:
    with armed(wire, Partition(match=Match(address=ACQUIRER_ADDRESS))) as number:
        assert not connects(wire)
        assert connects(wire, 5.0, BACKUP_ADDRESS), "the other peer can be reached"
        assert wire.injector.await_strike(number, 5.0).direction == "to_acquirer"
    assert connects(wire, 5.0)


def test_partition_one_way(wire: Bed) -> None:
    with connection(wire.topology) as (terminal, acquirer), armed(wire, Partition(match=BACK)):
        terminal.sendall(b"0200")
        assert receive(acquirer, 4) == b"0200"
        acquirer.sendall(b"0210")
        assert silent(terminal)


def test_icmp_unreachable_is_believed(wire: Bed) -> None:
    with armed(wire, IcmpUnreachable(match=OUT, code="port")), pytest.raises(ConnectionRefusedError):
        connects(wire, 5.0)
    with armed(wire, IcmpUnreachable(match=OUT, code="host_prohibited")), pytest.raises(OSError, match="host"):
        connects(wire, 5.0)


def test_mtu_black_hole_lets_small_packets_pass(wire: Bed) -> None:
    with connection(wire.topology) as (terminal, acquirer), armed(wire, MtuBlackHole(match=BACK)) as number:
        exchange((terminal, acquirer))
        acquirer.sendall(bytes(1400))
        assert silent(terminal)
        assert wire.injector.await_strike(number, 5.0).what == "lost: 1452 bytes"


def test_a_router_that_says_how_much_it_carries_is_heard(wire: Bed) -> None:
    with connection(wire.topology) as (terminal, acquirer), armed(wire, MtuBlackHole(mtu=800, silent=False)):
        exchange((terminal, acquirer), bytes(range(256)) * 20, bytes(range(256)) * 20)


def test_slow_close(wire: Bed) -> None:
    slow = SlowClose(match=BACK, delay_s=0.5)
    with connection(wire.topology) as (terminal, acquirer), armed(wire, slow) as number:
        acquirer.sendall(b"0210")
        began = time.monotonic()
        acquirer.shutdown(socket.SHUT_WR)
        assert receive(terminal, 4) == b"0210"
        assert terminal.recv(1) == b"" and time.monotonic() - began >= 0.5
        assert len(wire.injector.strikes(number)) == 1, "repetitions of the FIN are one and the same"


def test_slow_close_of_a_segment_with_data(wire: Bed) -> None:
    slow = SlowClose(match=BACK, delay_s=3600.0)
    with connection(wire.topology) as (terminal, acquirer):
        number = wire.injector.arm(slow)
        acquirer.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)  # data and FIN leave together
        acquirer.sendall(b"0210")
        acquirer.shutdown(socket.SHUT_WR)
        assert receive(terminal, 4) == b"0210", "the data is not kept back"
        assert silent(terminal)
        assert len(wire.injector.await_strike(number, 5.0).packets) == 3, "one taken, two sent"
        wire.injector.heal(number)
        assert terminal.recv(1) == b""


# -- reset -------------------------------------------------------------------------------------------------------------


def test_a_refused_connection(wire: Bed) -> None:
    number = wire.injector.arm(Rst(match=CONNECTING))
    with pytest.raises(ConnectionRefusedError):
        connects(wire, 5.0)
    assert wire.injector.await_strike(number, 5.0).what == "refused"
    assert connects(wire, 5.0), "once"


def test_the_second_connection_is_refused(wire: Bed) -> None:
    wire.injector.arm(Rst(match=Match.model_validate({"moment": "second connecting"})))
    assert connects(wire, 5.0)
    with pytest.raises(ConnectionRefusedError):
        connects(wire, 5.0)


def test_reset_hits_both_ends_at_the_next_packet(wire: Bed) -> None:
    for _ in range(5):
        with connection(wire.topology) as (terminal, acquirer):
            exchange((terminal, acquirer))
            number = wire.injector.arm(Rst())
            assert is_reset(terminal, sends=b"0200") and is_reset(acquirer)
            assert wire.injector.await_strike(number, 5.0).what == "reset at terminal and acquirer"
        with connection(wire.topology) as ends:
            exchange(ends)


@pytest.mark.parametrize("used", [False, True], ids=["fresh", "used"])
def test_reset_of_a_connection_on_which_nothing_passes(wire: Bed, used: bool) -> None:
    with connection(wire.topology) as (terminal, acquirer):
        if used:
            exchange((terminal, acquirer), bytes(3000), bytes(50_000))
        number = wire.injector.arm(Rst())
        assert is_reset(terminal) and is_reset(acquirer)
        assert wire.injector.await_strike(number, 5.0).what == "reset at terminal and acquirer"


def test_reset_of_one_end(wire: Bed) -> None:
    with connection(wire.topology) as (terminal, acquirer):
        wire.injector.arm(Rst(side="acquirer"))
        assert is_reset(acquirer)
        assert silent(terminal), "it is not told"


def test_with_no_connection_the_next_one_is_reset(wire: Bed) -> None:
    number = wire.injector.arm(Rst())
    with tcp_socket(wire.topology.acquirer_fd) as listener, tcp_socket(wire.topology.terminal_fd) as terminal:
        listener.bind((ACQUIRER_ADDRESS, PORT + 2))
        listener.listen()
        with pytest.raises(ConnectionResetError):  # as soon as it is made, perhaps before that is known
            terminal.connect((ACQUIRER_ADDRESS, PORT + 2))
            terminal.recv(1)
    assert wire.injector.await_strike(number, 5.0)


def test_reset_in_full_flow(wire: Bed) -> None:
    """The number to hit moves while the reset is made."""
    with connection(wire.topology) as (terminal, acquirer):
        reading = threading.Thread(target=lambda: is_reset(terminal))
        reading.start()
        acquirer.sendall(bytes(200_000))
        wire.injector.arm(Rst())
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            for _ in range(100_000):
                acquirer.sendall(bytes(20_000))
        reading.join(10.0)
        assert not reading.is_alive()


# -- ARP ---------------------------------------------------------------------------------------------------------------


def forget_neighbours(wire: Bed) -> None:
    """As after a minute of silence: nobody knows anybody's card."""
    for fd in (wire.topology.terminal_fd, wire.topology.acquirer_fd):
        with netns.inside(fd), IPRoute() as route:
            for one in [*route.get_neighbours(ifindex=END_INDEX)]:
                with contextlib.suppress(NetlinkError):
                    route.neigh("del", dst=one.get_attr("NDA_DST"), ifindex=END_INDEX)


def test_arp_loss(wire: Bed) -> None:
    forget_neighbours(wire)
    with armed(wire, ArpLoss()) as number:
        assert not connects(wire)
        assert wire.injector.await_strike(number, 5.0).what == "ARP lost"
    assert connects(wire, 5.0)


def neighbour(wire: Bed, address: str) -> str:
    """The card that the terminal believes the address to be at."""
    with netns.inside(wire.topology.terminal_fd), IPRoute() as route:
        found = [one.get_attr("NDA_LLADDR") for one in route.get_neighbours(dst=address)]
    return str(found[0]) if found else ""


def test_arp_spoof_and_the_truth_afterwards(wire: Bed) -> None:
    forget_neighbours(wire)
    with armed(wire, ArpSpoof(match=BACK)) as number:
        assert not connects(wire)
        assert "02:97:97:97:97:97" in wire.injector.await_strike(number, 5.0).what
        assert neighbour(wire, ACQUIRER_ADDRESS) == "02:97:97:97:97:97"
    assert connects(wire, 1.0), "what was believed is put right, at once"


