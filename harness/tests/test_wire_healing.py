"""Healing is certain: whatever dies, the link carries traffic again, and nothing is left on the machine."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.errors import BenchError
from harness.history.events import FaultHealed
from harness.tests.injector_helpers import DIVERTS, Bed, bed
from harness.tests.lab_helpers import connection, eventually, make_sure_of_a_lab, receive
from harness.wire import netns
from harness.wire.faults import Match
from harness.wire.faults.arp_spoof import ArpSpoof
from harness.wire.faults.delay import Delay
from harness.wire.faults.drop import Drop
from harness.wire.faults.partition import Partition
from harness.wire.injector_client import InjectorClient
from harness.wire.topology import ACQUIRER_ADDRESS, Topology

_tokens = itertools.count()


@pytest.fixture(params=DIVERTS)
def wire(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bed]:
    with bed(tmp_path, request.param) as made:
        yield made


@contextlib.contextmanager
def probe(topology: Topology) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Datagrams: each arrives or does not, nobody repeats them."""
    with netns.inside(topology.terminal_fd):
        terminal = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with netns.inside(topology.acquirer_fd):
        acquirer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with terminal, acquirer:
        acquirer.bind((ACQUIRER_ADDRESS, 5353))
        acquirer.settimeout(0.05)
        terminal.connect((ACQUIRER_ADDRESS, 5353))
        yield terminal, acquirer


def arrives(ends: tuple[socket.socket, socket.socket]) -> bool:
    """Whether a datagram sent now arrives soon."""
    token = f"{next(_tokens)}".encode()
    ends[0].send(token)
    try:
        while ends[1].recv(10) != token:  # one of before, late
            continue
    except TimeoutError:
        return False
    return True


def carries(ends: tuple[socket.socket, socket.socket]) -> bool:
    """The link carries; waited for, since a busy machine may be slow."""
    eventually(lambda: arrives(ends), "the link carries")
    return True


def devices(topology: Topology) -> set[str]:
    with netns.inside(topology.wire_fd):
        return {name for _, name in socket.if_nameindex()}


def nothing_left(topology: Topology) -> bool:
    return devices(topology) == {"lo", "br0", "t0", "a0"}


def is_nft(wire: Bed) -> bool:
    return wire.injector.divert == "nft"


def test_the_injector_is_killed(wire: Bed) -> None:
    with probe(wire.topology) as ends:
        assert carries(ends)
        number = wire.injector.arm(Partition())
        assert not arrives(ends)
        os.kill(wire.injector.pid, signal.SIGKILL)
        assert carries(ends), "the link carries again"
        eventually(lambda: nothing_left(wire.topology), "the divert interfaces are gone")
        for _ in range(5):
            assert carries(ends)
    eventually(lambda: wire.injector.healed(number) is not None, "it is told")
    ended = wire.injector.healed(number)
    assert ended is not None and ended.why == "died"
    with pytest.raises(BenchError, match="killed by SIGKILL"):
        wire.injector.check()


def test_a_connection_lives_through_the_death_of_the_injector(wire: Bed) -> None:
    with connection(wire.topology) as (terminal, acquirer):
        wire.injector.arm(Delay(delay_ms=300.0))
        terminal.sendall(b"0200")
        os.kill(wire.injector.pid, signal.SIGKILL)
        assert receive(acquirer, 4) == b"0200", "what died with it is repeated by TCP"
        acquirer.sendall(b"0210")
        assert receive(terminal, 4) == b"0210"


def test_the_guardian_is_killed(wire: Bed) -> None:
    """Nobody would heal the link after the injector now: it heals at once, and has another guardian."""
    with probe(wire.topology) as ends:
        number = wire.injector.arm(Partition())
        os.kill(int(wire.injector._pipe.greeting["guardian"]), signal.SIGKILL)
        eventually(lambda: wire.injector.healed(number) is not None, "it is healed")
        ended = wire.injector.healed(number)
        assert ended is not None and ended.why == "died"
        assert carries(ends)
        wire.injector.arm(Partition())
        assert not arrives(ends)
        os.kill(wire.injector.pid, signal.SIGKILL)
        assert carries(ends), "the new guardian heals"
        eventually(lambda: nothing_left(wire.topology), "the divert interfaces are gone")


def test_injector_and_guardian_are_killed_together(wire: Bed) -> None:
    """nft: the kernel heals. netlink: the link stays dead, and the next injector finds it and heals it."""
    with probe(wire.topology) as ends:
        wire.injector.arm(Partition())
        os.kill(wire.injector.pid, signal.SIGSTOP)
        os.kill(int(wire.injector._pipe.greeting["guardian"]), signal.SIGKILL)
        os.kill(wire.injector.pid, signal.SIGKILL)
        if is_nft(wire):
            assert carries(ends), "the kernel heals"
        eventually(lambda: not wire.injector._pipe.child.alive(), "it is dead")
        again = InjectorClient.start(
            netns_fd=wire.topology.wire_fd, log=wire.folder / "again.log", divert=wire.injector.divert
        )
        assert carries(ends)
        again.arm(Drop(count=1))
        again.close()
        assert carries(ends)
        assert nothing_left(wire.topology)


def test_the_end_of_stdin_heals(wire: Bed) -> None:
    with probe(wire.topology) as ends:
        number = wire.injector.arm(Partition())
        wire.injector.close()
        assert carries(ends)
        assert nothing_left(wire.topology)
    ended = wire.injector.healed(number)
    assert ended is not None and ended.why == "asked"


def test_what_is_kept_when_stdin_ends_is_delivered(wire: Bed) -> None:
    with probe(wire.topology) as (terminal, acquirer):
        number = wire.injector.arm(Delay(delay_ms=600_000.0, match=Match(direction="to_acquirer")))
        terminal.send(b"kept")
        wire.injector.await_strike(number, 10.0)
        wire.injector.close()
        acquirer.settimeout(10.0)
        assert acquirer.recv(10) == b"kept"


def test_a_polite_signal_heals(wire: Bed) -> None:
    with probe(wire.topology) as ends:
        wire.injector.arm(Partition())
        os.kill(wire.injector.pid, signal.SIGTERM)
        assert carries(ends), "the link carries again"
        eventually(lambda: nothing_left(wire.topology), "the divert interfaces are gone")


_WORKER = """
import os, signal, sys
from pathlib import Path
from harness.wire.faults.partition import Partition
from harness.wire.injector_client import InjectorClient
injector = InjectorClient.start(netns_fd=int(sys.argv[1]), log=Path(sys.argv[2]), divert=sys.argv[3])
injector.arm(Partition())
print("armed", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("divert", DIVERTS)
def test_the_worker_is_killed(tmp_path: Path, divert: str) -> None:
    make_sure_of_a_lab()
    with Topology.build() as topology, probe(topology) as ends:
        worker = subprocess.Popen(
            [sys.executable, "-c", _WORKER, str(topology.wire_fd), str(tmp_path / "log"), divert],
            pass_fds=(topology.wire_fd,), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )
        with worker:
            assert worker.stdout is not None and worker.stdout.readline() == b"armed\n"
            assert not arrives(ends)
            worker.kill()
        assert carries(ends), "the link carries again"
        eventually(lambda: nothing_left(topology), "the divert interfaces are gone")


@pytest.mark.parametrize("divert", DIVERTS)
def test_a_whole_process_group_is_killed(tmp_path: Path, divert: str) -> None:
    """As `kill -9 -GROUP` or the end of a CI job does it: the guardian is in a session of its own."""
    make_sure_of_a_lab()
    with Topology.build() as topology, probe(topology) as ends:
        worker = subprocess.Popen(
            [sys.executable, "-c", _WORKER, str(topology.wire_fd), str(tmp_path / "log"), divert],
            pass_fds=(topology.wire_fd,), stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
        )
        with worker:
            assert worker.stdout is not None and worker.stdout.readline() == b"armed\n"
            os.killpg(worker.pid, signal.SIGKILL)
        assert carries(ends), "the link carries again"
        eventually(lambda: nothing_left(topology), "the divert interfaces are gone")


@pytest.mark.parametrize("divert", DIVERTS)
def test_benches_do_not_feel_each_others_faults_and_deaths(tmp_path: Path, divert: str) -> None:
    with bed(tmp_path, divert, name="one") as one, bed(tmp_path, divert, name="other") as other, \
            probe(one.topology) as here, probe(other.topology) as there:
        assert carries(here) and carries(there)
        one.injector.arm(Partition())
        number = other.injector.arm(Partition())
        assert not arrives(here) and not arrives(there)
        other.injector.heal(number)
        assert not arrives(here) and carries(there)
        other.injector.arm(Partition())
        os.kill(one.injector.pid, signal.SIGKILL)
        assert carries(here), "the link carries again"
        assert not arrives(there), "the other's fault is still armed"


def test_a_second_injector_on_the_same_wire_is_refused(wire: Bed) -> None:
    with pytest.raises(BenchError, match="another injector is at work on t0"):
        InjectorClient.start(netns_fd=wire.topology.wire_fd, log=wire.folder / "second.log")
    number = wire.injector.arm(Drop(count=1))
    with probe(wire.topology) as ends:
        assert carries(ends), "one datagram lost, the next not"
    assert wire.injector.await_strike(number, 5.0)


def test_who_was_lied_to_about_a_neighbour_is_told_the_truth_by_the_guardian(wire: Bed) -> None:
    with probe(wire.topology) as ends:
        number = wire.injector.arm(ArpSpoof(match=Match(direction="to_terminal")))
        assert not arrives(ends)
        wire.injector.await_strike(number, 10.0)
        os.kill(wire.injector.pid, signal.SIGKILL)
        assert carries(ends), "the terminal finds the acquirer again"


def test_healed_is_told_once_for_each(wire: Bed) -> None:
    numbers = [wire.injector.arm(Drop(percent=0)) for _ in range(3)]
    wire.injector.heal(numbers[0])
    os.kill(wire.injector.pid, signal.SIGKILL)
    eventually(lambda: wire.injector.healed(numbers[2]) is not None, "it is told")
    healed = [event for event in wire.events if isinstance(event, FaultHealed)]
    assert [(one.fault_id, one.why) for one in healed] == [
        (numbers[0], "asked"), (numbers[1], "died"), (numbers[2], "died"),
    ]


_ORDINARY = """
import os, signal, sys
from pathlib import Path
from harness.lab import rootless
rootless.enter_in_place()
from harness.tests.injector_helpers import bed
from harness.tests.test_wire_healing import arrives, carries, nothing_left, probe
from harness.tests.lab_helpers import eventually
from harness.wire.faults.partition import Partition
with bed(Path(sys.argv[1]), sys.argv[2]) as made, probe(made.topology) as ends:
    assert made.injector.divert == sys.argv[2]
    carries(ends)
    number = made.injector.arm(Partition())
    assert not arrives(ends)
    made.injector.heal(number)
    carries(ends)
    made.injector.arm(Partition())
    assert not arrives(ends)
    os.kill(made.injector.pid, signal.SIGKILL)
    carries(ends)
    eventually(lambda: nothing_left(made.topology), "the divert interfaces are gone")
print("healed")
"""


@pytest.mark.parametrize("divert", DIVERTS)
def test_all_of_it_without_root(divert: str) -> None:
    """As an ordinary user, in a lab that its process has entered."""
    somebody: dict[str, Any] = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path), "HOME": "/"}
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        try:
            done = subprocess.run(
                [sys.executable, "-B", "-c", _ORDINARY, folder, divert], env=environment, cwd="/",
                capture_output=True, text=True, timeout=120, **somebody,
            )
        except PermissionError:
            pytest.skip("no ordinary user can run this Python; whoever runs the tests as one tries it with all of them")
        assert done.stdout == "healed\n", done.stderr
