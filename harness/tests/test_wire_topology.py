"""Namespaces and cables for real: traffic, isolation, a cable pulled, nothing left behind."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyroute2 import IPRoute

from harness.errors import BenchError
from harness.tests.lab_helpers import connection, eventually, make_sure_of_a_lab, receive, tcp_socket
from harness.wire import netns
from harness.wire.interface import Interface
from harness.wire.topology import ACQUIRER_ADDRESS, ACQUIRER_PORT, TERMINAL_PORT, Topology, _port_state


@pytest.fixture(scope="module", autouse=True)
def _lab() -> None:
    make_sure_of_a_lab()


@pytest.fixture
def topology() -> Iterator[Topology]:
    with Topology.build() as built:
        yield built


def bridge_forwards(topology: Topology) -> bool:
    """Whether both ports are in the kernel's state 3, BR_STATE_FORWARDING: what was lost before costs a second."""
    with netns.inside(topology.wire_fd), IPRoute() as route:
        links = [route.get_links(socket.if_nametoindex(name))[0] for name in (TERMINAL_PORT, ACQUIRER_PORT)]
    return [_port_state(link) for link in links] == [3, 3]


def names(fd: int) -> set[str]:
    with netns.inside(fd):
        return {name for _, name in socket.if_nameindex()}


# -- namespaces --------------------------------------------------------------------------------------------------------


def test_a_new_namespace_is_empty_and_the_caller_stays_where_it_is() -> None:
    before = netns.identity()
    fd = netns.create()
    assert netns.identity() == before != netns.identity(fd)
    assert names(fd) == {"lo"}
    os.close(fd)


def test_inside_comes_back_even_from_an_error() -> None:
    before = netns.identity()
    fd = netns.create()
    with pytest.raises(ZeroDivisionError), netns.inside(fd):
        assert netns.identity() == netns.identity(fd)
        raise ZeroDivisionError
    assert netns.identity() == before
    os.close(fd)


def test_descriptors_are_not_inherited_by_chance() -> None:
    fd = netns.create()
    assert not os.get_inheritable(fd)
    os.close(fd)


# -- cables ------------------------------------------------------------------------------------------------------------


def test_traffic_passes_as_soon_as_it_is_built(topology: Topology) -> None:
    assert bridge_forwards(topology)
    with connection(topology) as (terminal, acquirer):
        terminal.sendall(b"0200")
        assert receive(acquirer, 4) == b"0200"
        acquirer.sendall(b"0210" * 50000)
        assert receive(terminal, 200000) == b"0210" * 50000


def test_benches_do_not_meet() -> None:
    with (
        Topology.build() as one,
        Topology.build() as other,
        connection(one),
        tcp_socket(other.terminal_fd, 5.0) as stranger,
        pytest.raises(ConnectionRefusedError),
    ):
        stranger.connect((ACQUIRER_ADDRESS, 8583))


def test_the_wire_is_quiet(topology: Topology) -> None:
    """No IPv6 noise: the capture holds what the bench did."""
    for fd in (topology.terminal_fd, topology.wire_fd, topology.acquirer_fd):
        with netns.inside(fd):
            inet6 = Path("/proc/thread-self/net/if_inet6")
            assert (
                not inet6.exists()
                or [line for line in inet6.read_text().splitlines() if not line.endswith(" lo")] == []
            )


def test_a_pulled_cable_is_seen_at_the_plug_and_stops_everything(topology: Topology) -> None:
    with netns.inside(topology.terminal_fd):
        plug = Interface("eth0")
    with connection(topology) as (terminal, acquirer):
        assert plug.has_carrier()
        topology.link(False)
        assert not plug.has_carrier()
        assert plug.is_up(), "the terminal has not switched its interface off: it lost its carrier"
        acquirer.sendall(b"late")
        terminal.settimeout(0.3)
        with pytest.raises(TimeoutError):
            terminal.recv(4)
        topology.link(True)
        assert plug.has_carrier()
        terminal.settimeout(10.0)
        assert receive(terminal, 4) == b"late", "the connection lives on, as it does on a real cable"
    plug.close()


def test_a_connection_with_the_cable_pulled_gets_nowhere(topology: Topology) -> None:
    topology.link(False)
    with tcp_socket(topology.terminal_fd, 0.5) as terminal, pytest.raises(OSError):
        terminal.connect((ACQUIRER_ADDRESS, 8583))


def test_pulling_and_plugging_again_and_again(topology: Topology) -> None:
    with netns.inside(topology.terminal_fd):
        plug = Interface("eth0")
    for _ in range(20):
        topology.link(False)
        assert not plug.has_carrier()
        topology.link(True)
        assert plug.has_carrier()
        assert bridge_forwards(topology)
    plug.close()
    with connection(topology) as (terminal, acquirer):
        terminal.sendall(b"x")
        assert receive(acquirer, 1) == b"x"


def test_pulling_twice_is_pulled_and_a_closed_wire_says_so(topology: Topology) -> None:
    topology.link(False)
    topology.link(False)
    topology.close()
    topology.close()
    with pytest.raises(BenchError, match="taken down"):
        topology.link(True)


def test_nothing_is_left_when_it_is_closed() -> None:
    topology = Topology.build()
    witness = os.dup(topology.wire_fd)
    assert names(witness) >= {"t0", "a0", "br0"}
    topology.close()
    eventually(lambda: not names(witness) & {"t0", "a0"}, "the kernel takes down the ends, and with them their peers")
    os.close(witness)


def test_nothing_is_left_when_its_process_is_killed() -> None:
    program = (
        "import os, sys, time\nfrom harness.tests.lab_helpers import make_sure_of_a_lab\nmake_sure_of_a_lab()\n"
        "from harness.wire.topology import Topology\ntopology = Topology.build()\n"
        "print(os.readlink('/proc/self'), topology.wire_fd, flush=True)\ntime.sleep(600)"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    pid, number = process.stdout.readline().split()
    witness = os.open(f"/proc/{pid}/fd/{number}", os.O_RDONLY)
    assert names(witness) >= {"t0", "a0", "br0"}
    process.kill()
    process.wait()
    process.stdout.close()
    eventually(lambda: not names(witness) & {"t0", "a0"}, "terminal and acquirer namespaces gone with their process")
    os.close(witness)
