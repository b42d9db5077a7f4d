# SPDX-License-Identifier: GPL-2.0-only
"""Each way of diverting, in a real kernel: what rules mean, that they replace each other, and what it says when it
can't. nftables by its library and by its program."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable, Iterator

import pytest

from harness.errors import BadInput
from harness.tests.injector_helpers import NFT_NEEDED, has_nft
from harness.tests.lab_helpers import connection, eventually, make_sure_of_a_lab, receive
from harness.wire import netns
from harness.wire.injector import diverting, nft
from harness.wire.injector.devices import Devices
from harness.wire.injector.divert import Divert, Rule, rules
from harness.wire.injector.divert_netlink import NetlinkDivert
from harness.wire.injector.divert_nft import NftDivert
from harness.wire.topology import ACQUIRER_ADDRESS, BACKUP_ADDRESS, Topology

_HAS_PROGRAM = shutil.which("nft", path="/usr/sbin:/sbin:/usr/bin:/bin") is not None
needs_nft = pytest.mark.skipif(not has_nft() and not NFT_NEEDED, reason="no nftables here")
WAYS = [
    pytest.param(NetlinkDivert, id="netlink"),
    pytest.param(lambda devices: NftDivert(devices, nft.Library()), id="nft library", marks=needs_nft),
    pytest.param(
        lambda devices: NftDivert(devices, nft.Program()), id="nft program",
        marks=pytest.mark.skipif(not _HAS_PROGRAM and not NFT_NEEDED, reason="no nft program here"),
    ),
]
Wired = tuple[Topology, Devices, Divert]


@pytest.fixture
def topology() -> Iterator[Topology]:
    make_sure_of_a_lab()
    with Topology.build() as built:
        yield built


@pytest.fixture(params=WAYS)
def wired(topology: Topology, request: pytest.FixtureRequest) -> Iterator[Wired]:
    way: Callable[[Devices], Divert] = request.param
    with netns.inside(topology.wire_fd):
        devices = Devices({"terminal": "t0", "acquirer": "a0"})
        divert = way(devices)
        yield topology, devices, divert
        divert.close()
        devices.close()


def send(topology: Topology, address: str, port: int) -> None:
    with netns.inside(topology.terminal_fd), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"?", (address, port))


def ports_of(frames: list[bytes]) -> list[int]:
    return [int.from_bytes(frame[36:38], "big") for frame in frames if frame[12:14] == b"\x08\x00"]


def test_only_what_a_rule_means_is_diverted(wired: Wired) -> None:
    topology, devices, divert = wired
    with connection(topology) as (terminal, acquirer):  # the neighbours know each other from here on
        divert.put(frozenset(rules("to_acquirer", "udp", ACQUIRER_ADDRESS, 53)))
        for address, port in ((ACQUIRER_ADDRESS, 53), (ACQUIRER_ADDRESS, 54), (BACKUP_ADDRESS, 53)):
            send(topology, address, port)
        terminal.sendall(b"0200")
        assert receive(acquirer, 4) == b"0200"
    assert ports_of([*devices.drain("terminal", 100)]) == [53]
    assert [*devices.drain("acquirer", 100)] == []


def test_new_rules_replace_old_ones_and_none_divert_nothing(wired: Wired) -> None:
    topology, devices, divert = wired
    with connection(topology):
        for port in (53, 54, 55):
            divert.put(frozenset(rules("to_acquirer", "udp", None, port)))
            for each in (53, 54, 55):
                send(topology, ACQUIRER_ADDRESS, each)
            assert ports_of([*devices.drain("terminal", 100)]) == [port]
        divert.put(frozenset())
        send(topology, ACQUIRER_ADDRESS, 55)
        assert [*devices.drain("terminal", 100)] == []


@pytest.mark.parametrize("rule", [
    Rule("terminal"), Rule("terminal", "arp"), Rule("terminal", "arp", BACKUP_ADDRESS), Rule("terminal", "ip"),
    Rule("terminal", "ip", BACKUP_ADDRESS), Rule("terminal", "udp"), Rule("terminal", "tcp", BACKUP_ADDRESS, 8583),
], ids=str)
def test_the_kernel_takes_every_kind_of_rule_and_means_it(wired: Wired, rule: Rule) -> None:
    from harness.wire.injector.reading import compiled

    topology, devices, divert = wired
    with connection(topology):
        divert.put(frozenset([rule]))
        with netns.inside(topology.terminal_fd), socket.socket() as nobody:
            nobody.setblocking(False)
            nobody.connect_ex((BACKUP_ADDRESS, 8583))  # asks for the card first
        send(topology, ACQUIRER_ADDRESS, 53)
        frames: list[bytes] = []

        def came() -> bool:
            frames.extend(devices.drain("terminal", 100))
            return bool(frames) or rule.kind == "tcp" or rule.address == BACKUP_ADDRESS
        eventually(came, "something is diverted")
    assert [frame for frame in frames if not compiled(rule)(frame, "terminal")] == []


def test_large_segments_come_in_pieces_with_true_checksums(wired: Wired) -> None:
    """Offloads stay on at both ends; the divert devices cut and sum up."""
    from scapy.layers.inet import IP, TCP
    from scapy.layers.l2 import Ether

    topology, devices, divert = wired
    with connection(topology) as (terminal, _):
        divert.put(frozenset(rules("to_acquirer", "tcp")))
        terminal.sendall(bytes(8000))
        frames: list[bytes] = []

        def came() -> bool:
            frames.extend(devices.drain("terminal", 100))
            return sum(len(frame) - 66 for frame in frames) >= 8000
        eventually(came, "all of it")
    assert max(map(len, frames)) <= 1514
    for frame in frames:
        packet = Ether(frame)
        del packet[IP].chksum, packet[TCP].chksum
        assert bytes(packet) == frame


def test_nothing_is_left_of_it(wired: Wired) -> None:
    topology, devices, divert = wired
    divert.put(frozenset(rules("both", "all")))
    divert.close()
    divert.close()
    devices.close()
    assert {name for _, name in socket.if_nameindex()} == {"lo", "br0", "t0", "a0"}
    with connection(topology) as (terminal, acquirer):
        terminal.sendall(b"0200")
        assert receive(acquirer, 4) == b"0200"


@needs_nft
def test_what_nft_refuses_is_an_error_and_changes_nothing(topology: Topology) -> None:
    with netns.inside(topology.wire_fd):
        ways: list[nft.Nft] = [nft.Library(), *([nft.Program()] if _HAS_PROGRAM else [])]
        for one in ways:
            one.run("add table netdev good")
            with pytest.raises(OSError, match=r"[Ee]rror|No such"):
                one.run("add chain netdev bad c\nadd table netdev worse")
            with pytest.raises(OSError):
                one.run("list table netdev worse")
            one.run("delete table netdev good")
            one.close()


def test_without_nft_auto_takes_netlink(topology: Topology, monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> nft.Nft:
        raise OSError("there is no nft, neither as a library nor as a program")

    monkeypatch.setattr("harness.wire.injector.divert_nft.open_nft", none)
    with netns.inside(topology.wire_fd):
        devices = Devices({"terminal": "t0", "acquirer": "a0"})
        divert = diverting.open_divert("auto", devices)
        assert divert.name == "netlink"
        divert.close()
        with pytest.raises(BadInput, match="neither as a library nor as a program"):
            diverting.open_divert("nft", devices)
        devices.close()
