"""The tap on a real wire: what it tells, what its capture file holds, and how it ends."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.errors import BenchError
from harness.history.events import WireBytes, WireConnection, WireFrame
from harness.tests.injector_helpers import bed
from harness.tests.lab_helpers import connection, eventually, make_sure_of_a_lab, receive, tcp_socket
from harness.wire import netns
from harness.wire.faults import Match
from harness.wire.faults.corrupt import Corrupt
from harness.wire.interface import Interface
from harness.wire.tap_client import TapClient, WireEvent
from harness.wire.topology import ACQUIRER_ADDRESS, Topology

READ_BACK = """
import json, sys
from scapy.utils import PcapNgReader
with PcapNgReader(sys.argv[1]) as packets:
    print(json.dumps([[str(packet.sniffed_on), int(packet.time * 1000000), bytes(packet).hex()] for packet in packets]))
"""


class Tapped:
    """A wire with a tap, and what the tap told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.topology = Topology.build()
        self.events: list[WireEvent] = []
        self.tap = TapClient.start(
            netns_fd=self.topology.wire_fd,
            pcapng=folder / "wire.pcapng",
            log=folder / "tap.log",
            on_event=self.events.append,
        )

    def close(self) -> None:
        self.tap.close()
        self.topology.close()

    @property
    def frames(self) -> list[WireFrame]:
        return [event for event in self.events if isinstance(event, WireFrame)]

    @property
    def states(self) -> list[tuple[str, str | None]]:
        return [(event.state, event.by) for event in self.events if isinstance(event, WireConnection)]

    @property
    def scraps(self) -> list[WireBytes]:
        return [event for event in self.events if isinstance(event, WireBytes)]

    def packets(self) -> list[tuple[str, int, bytes]]:
        """The capture as scapy reads it: interface, time in us, packet."""
        result = subprocess.run(
            [sys.executable, "-c", READ_BACK, str(self.tap.pcapng)],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return [(interface, t, bytes.fromhex(packet)) for interface, t, packet in json.loads(result.stdout)]


@pytest.fixture
def tapped(tmp_path: Path) -> Iterator[Tapped]:
    make_sure_of_a_lab()
    made = Tapped(tmp_path)
    yield made
    made.close()


def message(size: int = 60) -> bytes:
    return size.to_bytes(2, "big") + random.Random(size).randbytes(size)


def test_frames_and_connections_with_times_and_packets(tapped: Tapped) -> None:
    began = time.monotonic_ns()
    with connection(tapped.topology) as (terminal, acquirer):
        request, response = message(60), message(90)
        terminal.sendall(request[:7])
        assert receive(acquirer, 7) == request[:7]
        terminal.sendall(request[7:])
        receive(acquirer, 55)
        acquirer.sendall(response)
        assert receive(terminal, 92) == response
        ended = time.monotonic_ns()
        tapped.tap.sync()
        assert [(one.direction, one.hex) for one in tapped.frames] == [
            ("to_acquirer", request.hex().upper()),
            ("to_terminal", response.hex().upper()),
        ]
    tapped.tap.sync()
    assert tapped.states == [
        ("opening", "terminal"),
        ("open", None),
        ("closed", "acquirer"),
        ("closed", "terminal"),
    ] or tapped.states[2:] == [("closed", "terminal"), ("closed", "acquirer")]
    first, second = tapped.frames
    assert began < first.t_first < first.t < second.t < ended
    assert len(first.packets) == 2 and len(second.packets) == 1
    packets = tapped.packets()
    assert packets[first.packets[0] - 1][2].endswith(request[:7])
    assert packets[first.packets[1] - 1][2].endswith(request[7:])
    assert packets[second.packets[0] - 1][2].endswith(response)


def test_the_capture_is_a_pcapng_with_wall_clock_times_of_the_terminals_port(tapped: Tapped) -> None:
    before = time.time_ns() // 1000
    with connection(tapped.topology) as (terminal, _):
        terminal.sendall(message())
    tapped.tap.sync()
    packets = tapped.packets()
    assert {interface for interface, _, _ in packets} == {"t0"}
    times = [t for _, t, _ in packets]
    assert before - 1000 <= times[0] <= times[-1] <= time.time_ns() // 1000
    assert times == sorted(times)


def test_sync_means_that_everything_is_told(tapped: Tapped) -> None:
    """Whoever has an answer in hand finds it in the history, at once and every time."""
    with connection(tapped.topology) as (terminal, acquirer):
        for number in range(1, 101):
            terminal.sendall(message(21 + number))
            receive(acquirer, 23 + number)
            tapped.tap.sync()
            assert len(tapped.frames) == number


def test_a_retransmission_is_told_once(tapped: Tapped) -> None:
    """The acquirer's cable is out: the request passes the tap again and again and is one frame."""
    with netns.inside(tapped.topology.wire_fd):
        port = Interface("a0")
    with connection(tapped.topology) as (terminal, acquirer):
        port.set_up(False)
        request = message()
        terminal.sendall(request)

        def copies() -> int:
            tapped.tap.sync()
            return sum(packet.endswith(request) for _, _, packet in tapped.packets())

        eventually(lambda: copies() >= 3, "TCP sends the request again", 20.0)
        port.set_up(True)
        assert receive(acquirer, 62) == request
        acquirer.sendall(message(30))
        receive(terminal, 32)
    tapped.tap.sync()
    assert [one.hex for one in tapped.frames] == [request.hex().upper(), message(30).hex().upper()]
    assert tapped.scraps == []
    port.close()


def test_the_tap_lives_on_when_the_cable_is_pulled(tapped: Tapped) -> None:
    with connection(tapped.topology) as (terminal, acquirer):
        for number in range(3):
            tapped.topology.link(False)
            tapped.tap.sync()
            tapped.topology.link(True)
            terminal.sendall(message(30 + number))
            receive(acquirer, 32 + number)
    tapped.tap.sync()
    tapped.tap.check()
    assert [one.hex for one in tapped.frames] == [message(30 + number).hex().upper() for number in range(3)]


def test_a_whole_batch_in_segments_longer_than_the_cable_carries(tapped: Tapped) -> None:
    """Segmentation offload hands over up to 64 KiB at once, with checksums that nobody has filled in."""
    batch = b"".join(message(1000 + number) for number in range(200))
    with connection(tapped.topology) as (terminal, acquirer):
        sender = threading.Thread(target=terminal.sendall, args=(batch,))
        sender.start()
        assert receive(acquirer, len(batch)) == batch
        sender.join()
        tapped.tap.sync()
        assert bytes.fromhex("".join(one.hex for one in tapped.frames)) == batch
    assert len(tapped.frames) == 200


def test_a_refused_connection_and_a_reset(tapped: Tapped) -> None:
    with tcp_socket(tapped.topology.terminal_fd) as terminal, pytest.raises(ConnectionRefusedError):
        terminal.connect((ACQUIRER_ADDRESS, 9))
    with connection(tapped.topology) as (terminal, acquirer):
        terminal.sendall(b"\x00\x30half")
        receive(acquirer, 6)
        acquirer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        acquirer.close()
        with pytest.raises(ConnectionResetError):
            receive(terminal, 1)
    tapped.tap.sync()
    assert tapped.states == [
        ("opening", "terminal"),
        ("refused", "acquirer"),
        ("opening", "terminal"),
        ("open", None),
        ("reset", "acquirer"),
    ]
    (cut,) = tapped.scraps
    assert cut.reason == "cut short after 6 of 50 bytes: the connection was reset by the acquirer"


def test_wild_frames_on_the_cable_do_not_disturb(tapped: Tapped) -> None:
    with netns.inside(tapped.topology.terminal_fd):
        wild = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    wild.bind(("eth0", 0))
    chance = random.Random(97)
    for _ in range(300):
        head = bytes(12) + chance.choice([b"\x08\x00", b"\x81\x00", b"\x86\xdd", b"\x08\x06"])
        wild.send(head + chance.choice([b"\x45", b"\x4f", b""]) + chance.randbytes(chance.randint(1, 200)))
    wild.close()
    with connection(tapped.topology) as (terminal, acquirer):
        terminal.sendall(message())
        receive(acquirer, 62)
        tapped.tap.sync()
    tapped.tap.check()
    assert [one.hex for one in tapped.frames] == [message().hex().upper()]
    assert len(tapped.packets()) >= 300


def test_closing_tells_what_was_unfinished(tapped: Tapped) -> None:
    with connection(tapped.topology) as (terminal, acquirer):
        terminal.sendall(b"\x00\x30half")
        receive(acquirer, 6)
        tapped.tap.close()
    (cut,) = tapped.scraps
    assert cut.reason == "cut short after 6 of 50 bytes: the capture ended"


def test_after_kill_9_the_capture_is_readable_and_the_death_is_told(tapped: Tapped) -> None:
    with connection(tapped.topology) as (terminal, acquirer):
        terminal.sendall(message())
        receive(acquirer, 62)
        tapped.tap.sync()
        os.kill(tapped.tap.pid, signal.SIGKILL)
        with pytest.raises(BenchError, match="the tap process was killed by SIGKILL"):
            tapped.tap.sync()
    assert any(packet.endswith(message()) for _, _, packet in tapped.packets())


def test_what_can_not_be_recorded_is_told(tmp_path: Path) -> None:
    make_sure_of_a_lab()

    def full(event: WireEvent) -> None:
        raise BenchError("the disk is full")

    with Topology.build() as topology:
        tap = TapClient.start(
            netns_fd=topology.wire_fd, pcapng=tmp_path / "w.pcapng", log=tmp_path / "log", on_event=full
        )
        with connection(topology), pytest.raises(BenchError, match="the disk is full"):
            tap.sync()
        tap.close()


def test_a_tap_without_its_interface_says_so(tmp_path: Path) -> None:
    make_sure_of_a_lab()
    fd = netns.create()
    with pytest.raises(BenchError, match=r"the tap on t0 failed: .*No such device"):
        TapClient.start(netns_fd=fd, pcapng=tmp_path / "w.pcapng", log=tmp_path / "log", on_event=print)
    os.close(fd)


def test_bad_requests_are_answered(tmp_path: Path) -> None:
    make_sure_of_a_lab()
    with Topology.build() as topology:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "harness.wire.tap",
                "--netns-fd",
                str(topology.wire_fd),
                "--interface",
                "t0",
                "--pcapng",
                str(tmp_path / "w.pcapng"),
                "--terminal",
                "10.97.0.2",
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=[topology.wire_fd],
        )
        output, _ = process.communicate(
            b'nonsense\n[1]\n{"id": 3, "op": "dance"}\n\xff\n{"id": 4, "op": "sync"}\n', timeout=30
        )
    assert [(one.get("re"), one.get("ok")) for one in map(json.loads, output.splitlines()[1:])] == [
        (None, False),
        (None, False),
        (3, False),
        (None, False),
        (4, True),
    ]
    assert process.returncode == 0


def test_what_the_receivers_kernel_throws_away_counts_for_nothing(tmp_path: Path) -> None:
    """A damaged copy with a wrong checksum passes first; the frame is what TCP repeats, with that packet's number."""
    told: list[WireEvent] = []
    with bed(tmp_path) as wire:
        tap = TapClient.start(
            netns_fd=wire.topology.wire_fd, pcapng=tmp_path / "wire.pcapng", log=tmp_path / "tap.log",
            on_event=told.append,
        )
        try:
            with connection(wire.topology) as (terminal, acquirer):
                response = message(90)
                fault = wire.injector.arm(Corrupt(match=Match(direction="to_terminal"), count=1, bits=3, offset=40))
                acquirer.sendall(response)
                assert receive(terminal, len(response)) == response
                wire.injector.await_strike(fault, 10.0)
                tap.sync()
        finally:
            tap.close()
    frames = [event for event in told if isinstance(event, WireFrame)]
    assert [(one.direction, one.hex) for one in frames] == [("to_terminal", response.hex().upper())]
    assert not [event for event in told if isinstance(event, WireBytes)]
