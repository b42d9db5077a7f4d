"""Two network cards of a lab host, played by veth pairs: bridged for a bench, and given back whatever happens."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pyroute2 import IPRoute

from harness.errors import BadInput, BenchError
from harness.lab.process import child_environment
from harness.tests.lab_helpers import eventually, make_sure_of_a_lab
from harness.wire import netns
from harness.wire.cards import Card, check_cards, read_card
from harness.wire.physical import PhysicalWire, bridge_name, restore

TERMINAL, ACQUIRER = "enp2s0", "enp3s0"
BENCH = "counter-1"
BRIDGE = bridge_name(BENCH)


@pytest.fixture(scope="module", autouse=True)
def _lab() -> None:
    make_sure_of_a_lab()


@dataclass(frozen=True)
class LabHost:
    """Three machines: the terminal's, the lab host with its two cards, the acquirer's; and a folder for records."""

    terminal_fd: int
    host_fd: int
    acquirer_fd: int
    folder: Path

    def cards(self) -> list[tuple[str, bool, str]]:
        """Name, up and master of both, as the kernel has them now."""
        with netns.inside(self.host_fd):
            return [(card.name, card.up, card.master) for card in (read_card(TERMINAL), read_card(ACQUIRER))]

    def bridges(self) -> list[str]:
        with netns.inside(self.host_fd):
            return [name for _, name in socket.if_nameindex() if name.startswith("hil97-")]

    def carries(self) -> bool:
        """Whether a byte gets from the terminal to the acquirer and back."""
        return _echoes(self.terminal_fd, self.acquirer_fd)

    def open(self, **values: object) -> PhysicalWire:
        with netns.inside(self.host_fd):
            return PhysicalWire.open(
                BENCH, TERMINAL, ACQUIRER, log=self.folder / "caretaker.log", folder=self.folder, **values,  # type: ignore[arg-type]
            )


@pytest.fixture
def host(tmp_path: Path) -> Iterator[LabHost]:
    with contextlib.ExitStack() as stack:
        descriptors = [netns.create() for _ in range(3)]
        for descriptor in descriptors:
            stack.callback(os.close, descriptor)
        terminal, middle, acquirer = descriptors
        for end, card, address in ((terminal, TERMINAL, "10.97.0.2"), (acquirer, ACQUIRER, "10.97.0.1")):
            with netns.inside(end), IPRoute() as route:
                route.link("add", ifname="eth0", kind="veth", peer={"ifname": card, "net_ns_fd": middle})
                index = socket.if_nametoindex("eth0")
                route.addr("add", index=index, address=address, prefixlen=24)
                route.link("set", index=index, state="up")
        yield LabHost(terminal, middle, acquirer, tmp_path)


def _echoes(terminal_fd: int, acquirer_fd: int) -> bool:
    with netns.inside(acquirer_fd):
        server = socket.create_server(("10.97.0.1", 0))
    with netns.inside(terminal_fd):
        client = socket.socket()
    with server, client:
        server.settimeout(5)
        client.settimeout(0.4)
        try:
            client.connect(server.getsockname())
        except OSError:
            return False
        accepted, _ = server.accept()
        with accepted:
            client.sendall(b"97")
            return accepted.recv(2) == b"97"


def _set(fd: int, name: str, **values: object) -> None:
    with netns.inside(fd), IPRoute() as route:
        route.link("set", index=socket.if_nametoindex(name), **values)


# -- as long as it is open ---------------------------------------------------------------------------------------------


def test_cards_are_bridged_and_given_back(host: LabHost) -> None:
    before = host.cards()
    assert before == [(TERMINAL, False, ""), (ACQUIRER, False, "")]
    assert not host.carries()
    with host.open() as wire:
        assert (wire.terminal_port, wire.acquirer_port, wire.bridge) == (TERMINAL, ACQUIRER, BRIDGE)
        assert host.cards() == [(TERMINAL, True, BRIDGE), (ACQUIRER, True, BRIDGE)]
        eventually(host.carries, "traffic between the cards")
        wire.check()
    assert host.cards() == before and host.bridges() == []
    assert list(host.folder.glob("wire-*.json")) == []
    wire.close()


def test_a_card_that_was_up_stays_up(host: LabHost) -> None:
    _set(host.host_fd, ACQUIRER, state="up")
    host.open().close()
    assert host.cards() == [(TERMINAL, False, ""), (ACQUIRER, True, "")]


def test_the_terminals_cable_is_pulled_by_its_card(host: LabHost) -> None:
    with host.open() as wire:
        eventually(host.carries, "traffic between the cards")
        wire.link(False)
        assert not wire.has_carrier() and not host.carries()
        wire.link(True)
        eventually(wire.has_carrier, "the carrier")
        eventually(host.carries, "traffic between the cards")
    with pytest.raises(BenchError, match="taken down"):
        wire.link(True)


# -- what it will not touch --------------------------------------------------------------------------------------------


def _refused(host: LabHost, **values: object) -> str:
    before = host.cards()
    with pytest.raises(BadInput) as error:
        host.open(**values)
    assert host.cards() == before and host.bridges() == [], "a refusal touches nothing"
    return str(error.value)


def test_a_card_with_the_default_route_is_refused(host: LabHost) -> None:
    with netns.inside(host.host_fd), IPRoute() as route:
        index = socket.if_nametoindex(ACQUIRER)
        route.link("set", index=index, state="up")
        route.addr("add", index=index, address="192.0.2.7", prefixlen=24)
        route.route("add", dst="default", gateway="192.0.2.1")
    said = _refused(host, expected=["192.0.2.7"])
    assert f"{ACQUIRER} carries a default route" in said and "nothing was touched" in said


def test_a_card_with_a_strange_address_is_refused_and_with_an_expected_one_taken(host: LabHost) -> None:
    with netns.inside(host.host_fd), IPRoute() as route:
        route.addr("add", index=socket.if_nametoindex(TERMINAL), address="192.0.2.8", prefixlen=24)
    assert f"{TERMINAL} has an address that the inventory does not expect: 192.0.2.8/24" in _refused(host)
    with host.open(expected=["192.0.2.8"]):
        assert host.cards()[0] == (TERMINAL, True, BRIDGE)
    with netns.inside(host.host_fd):
        assert read_card(TERMINAL).addresses == ("192.0.2.8/24",)


def test_a_card_that_would_lose_an_address_is_refused(host: LabHost) -> None:
    """The kernel forgets IPv6 addresses where IPv6 is switched off, as it is on a bench's cards."""
    with netns.inside(host.host_fd), IPRoute() as route:
        index = socket.if_nametoindex(ACQUIRER)
        route.link("set", index=index, state="up")
        route.addr("add", index=index, address="fd97::8", prefixlen=64)
    assert f"{ACQUIRER} has an IPv6 address, which it would lose" in _refused(host, expected=["fd97::8"])
    with netns.inside(host.host_fd):
        assert read_card(ACQUIRER).addresses == ("fd97::8/64",)


def test_a_card_of_another_bridge_is_refused(host: LabHost) -> None:
    with netns.inside(host.host_fd), IPRoute() as route:
        route.link("add", ifname="br7", kind="bridge")
        route.link("set", index=socket.if_nametoindex(TERMINAL), master=socket.if_nametoindex("br7"))
    assert f"{TERMINAL} belongs to br7 already" in _refused(host)


def test_a_card_that_is_not_there_is_named_with_those_that_are(host: LabHost) -> None:
    with netns.inside(host.host_fd), pytest.raises(BadInput, match=f"no network card enp9s0; there are: .*{TERMINAL}"):
        PhysicalWire.open(BENCH, "enp9s0", ACQUIRER, log=host.folder / "log", folder=host.folder)


def test_one_card_for_both_ends_is_refused() -> None:
    card = Card("enp2s0", 2, True, False, (), "", False)
    with pytest.raises(BadInput, match="one card is named for both ends"):
        check_cards(card, card)
    loopback = Card("lo", 1, True, True, ("127.0.0.1/8",), "", False)
    with pytest.raises(BadInput, match="lo is the loopback interface; lo has an address"):
        check_cards(card, loopback)


# -- who ends, and how -------------------------------------------------------------------------------------------------

_OWNER = """
import sys
from pathlib import Path
from harness.lab.kernel import CLONE_NEWNET, setns
from harness.wire.physical import PhysicalWire
setns(int(sys.argv[1]), CLONE_NEWNET)
folder = Path(sys.argv[2])
wire = PhysicalWire.open(sys.argv[3], sys.argv[4], sys.argv[5], log=folder / "caretaker.log", folder=folder)
print(wire._caretaker.pid, flush=True)
sys.stdin.read()
if sys.argv[6] == "exception":
    raise SystemExit(7)
wire.close()
"""


@contextlib.contextmanager
def _owner(host: LabHost, how: str = "close") -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A process that has the cards, and its caretaker's process id."""
    process = subprocess.Popen(
        [sys.executable, "-c", _OWNER, str(host.host_fd), str(host.folder), BENCH, TERMINAL, ACQUIRER, how],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, pass_fds=[host.host_fd], env=child_environment(),
    )
    try:
        assert process.stdout is not None
        caretaker = int(process.stdout.readline())
        assert host.cards() == [(TERMINAL, True, BRIDGE), (ACQUIRER, True, BRIDGE)]
        yield process, caretaker
    finally:
        process.kill()
        process.communicate()


def _as_before(host: LabHost) -> bool:
    return host.cards() == [(TERMINAL, False, ""), (ACQUIRER, False, "")] and host.bridges() == []


@pytest.mark.parametrize("round_", range(3))
def test_kill_9_of_the_owner_gives_the_cards_back(host: LabHost, round_: int) -> None:
    with _owner(host) as (process, _):
        process.kill()
        eventually(lambda: _as_before(host), "the cards as they were")
    eventually(lambda: not list(host.folder.glob("wire-*.json")), "no record left")


def test_an_exception_gives_the_cards_back(host: LabHost) -> None:
    with _owner(host, "exception") as (process, _):
        process.communicate("")
        assert process.returncode == 7
        eventually(lambda: _as_before(host), "the cards as they were")


def test_kill_9_of_the_owner_is_noticed_though_a_child_of_it_holds_the_pipe(host: LabHost) -> None:
    """A worker forked by the owner has its end of the pipe too: the end of the owner counts."""
    with _owner(host) as (process, caretaker):
        held = Path(f"/proc/{process.pid}/fd")
        assert held.exists()
        writer = os.open(f"/proc/{caretaker}/fd/0", os.O_WRONLY)
        try:
            process.kill()
            eventually(lambda: _as_before(host), "the cards as they were")
        finally:
            os.close(writer)


def test_ctrl_c_and_a_plea_to_end_leave_the_caretaker_alone(host: LabHost) -> None:
    with _owner(host) as (process, caretaker):
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
            os.kill(caretaker, number)
        process.communicate("")
        assert process.returncode == 0 and _as_before(host)


def test_kill_9_of_the_caretaker_is_told_and_the_owner_gives_back(host: LabHost) -> None:
    wire = host.open()
    with netns.inside(host.host_fd):
        assert wire._caretaker is not None
        wire._caretaker.kill()
        wire._caretaker.wait()
        with pytest.raises(BenchError, match="caretaker"):
            wire.check()
        wire.close()
    assert _as_before(host)


def test_kill_9_of_both_is_put_right_by_the_next(host: LabHost) -> None:
    with _owner(host) as (process, caretaker):
        os.kill(caretaker, signal.SIGKILL)
        process.kill()
        process.wait()
    assert host.bridges() == [BRIDGE], "nobody was left to do it"
    with host.open():
        eventually(host.carries, "traffic between the cards")
    assert _as_before(host)


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    record = tmp_path / "wire-hil97-00000000.json"
    assert restore(record) is False
    record.write_text('{"bridge": "hil97-0"}')
    with pytest.raises(BadInput, match=r"(?s)wire-hil97-00000000.*by hand"):
        restore(record)
