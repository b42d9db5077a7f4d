"""The terminal's DHCP client and resolver in real namespaces, against the site's real services."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.emulator.firmware.app import dhcp
from harness.site.client import SiteClient
from harness.tests.lab_helpers import make_sure_of_a_lab
from harness.tests.net_terminal import NAME, NetTerminal, site
from harness.wire.topology import REMOTE_ADDRESS, Topology


@pytest.fixture
def wire() -> Iterator[Topology]:
    make_sure_of_a_lab()
    with Topology.build(addressed=False) as topology:
        yield topology


def said(services: SiteClient, service: str = "dhcp") -> list[tuple[str, str]]:
    services.sync()
    return [(one.asked, one.said) for one in services.told if one.service == service]


def lease_of(terminal: NetTerminal) -> str:
    return " ".join(terminal.report.split()[1:3])


def bound(terminal: NetTerminal) -> bool:
    return lease_of(terminal) == "BOUND 10.97.0.2/24"


def test_an_address_a_router_and_a_name_server(wire: Topology, tmp_path: Path) -> None:
    with site(wire, tmp_path) as services:
        terminal = NetTerminal(wire, network="dhcp")
        assert terminal.do(terminal.network.ready()) == ""
        assert terminal.report.startswith("DHCP BOUND 10.97.0.2/24 router=10.97.0.1 lease=")
        assert terminal.report.endswith("dns=10.97.0.1")
        assert said(services) == [("discover", "offer"), ("request", "ack")]
        assert terminal.resolve() == (REMOTE_ADDRESS,)
        assert terminal.resolve() == (REMOTE_ADDRESS,)
        assert said(services, "dns") == [(NAME, REMOTE_ADDRESS)], "the second time it is remembered"
        assert terminal.resolve("elsewhere.hil97.test") == ()
        terminal.change(host=NAME)
        assert terminal.report.endswith(f"dns=10.97.0.1 host={REMOTE_ADDRESS}")


def test_the_acquirer_behind_the_router_is_reached_by_name(wire: Topology, tmp_path: Path) -> None:
    """Nobody listens there: that is told at once, so there was a way to it."""
    with site(wire, tmp_path):
        terminal = NetTerminal(wire, network="dhcp", host=NAME, port=8583)
        assert terminal.do(terminal.line.links.open(terminal.state)) == "连接失败"
        terminal.change(network="static", address="10.97.0.2/24", dns="10.97.0.1")
        terminal.until(lambda: terminal.report.startswith("STATIC"))
        assert terminal.do(terminal.line.links.open(terminal.state)) == "连接失败"


def test_without_a_server_there_is_no_network_and_it_comes_by_itself(wire: Topology, tmp_path: Path) -> None:
    terminal = NetTerminal(wire, network="dhcp", host="10.97.1.1", port=8583)
    assert terminal.do(terminal.line.links.open(terminal.state)) == "网络未就绪"
    with site(wire, tmp_path):
        terminal.until(lambda: bound(terminal))


def test_who_wants_the_network_now_does_not_wait_for_the_back_off(
    wire: Topology, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dhcp, "BACK_OFF_S", (3600.0,))
    terminal = NetTerminal(wire, network="dhcp", time_scale=1.0)
    terminal.until(lambda: "SELECTING" in terminal.report)
    with site(wire, tmp_path):
        assert terminal.do(terminal.network.ready()) == ""


def test_a_lease_is_renewed_with_its_server_again_and_again(wire: Topology, tmp_path: Path) -> None:
    with site(wire, tmp_path, lease_s=60, renew_s=10) as services:
        terminal = NetTerminal(wire, network="dhcp")
        terminal.until(lambda: said(services).count(("request", "ack")) >= 4)
        terminal.until(lambda: bound(terminal))
        assert said(services).count(("discover", "offer")) == 1


def test_without_its_server_a_lease_is_asked_of_any_and_then_is_over(wire: Topology, tmp_path: Path) -> None:
    terminal = NetTerminal(wire, network="dhcp")
    with site(wire, tmp_path, lease_s=120, renew_s=10, rebind_s=60):
        terminal.until(lambda: bound(terminal))
    seen: list[str] = []

    def over() -> bool:
        state = terminal.report.split()[1]
        if state not in seen:
            seen.append(state)
        return state == "SELECTING"

    terminal.until(over)
    assert [state for state in seen if state != "INIT"] == ["BOUND", "RENEWING", "REBINDING", "SELECTING"]
    assert terminal.network._interface is not None and terminal.network._interface.addresses() == []
    with site(wire, tmp_path):
        terminal.until(lambda: bound(terminal))


def test_after_the_cable_was_out_the_lease_is_confirmed_or_given_up(wire: Topology, tmp_path: Path) -> None:
    with site(wire, tmp_path) as services:
        terminal = NetTerminal(wire, network="dhcp")
        terminal.until(lambda: bound(terminal))
        wire.link(False)
        terminal.until(lambda: "NO CARRIER" in terminal.report)
        wire.link(True)
        terminal.until(lambda: bound(terminal))
        assert said(services) == [("discover", "offer"), ("request", "ack"), ("request", "ack")]
        wire.link(False)
        terminal.until(lambda: "NO CARRIER" in terminal.report)
    with site(wire, tmp_path, gives="10.97.0.77/24") as services:  # another network
        wire.link(True)
        terminal.until(lambda: lease_of(terminal) == "BOUND 10.97.0.77/24")
        assert said(services) == [("request", "nak"), ("discover", "offer"), ("request", "ack")]


def test_settings_may_change_at_any_time(wire: Topology, tmp_path: Path) -> None:
    with site(wire, tmp_path):
        terminal = NetTerminal(wire)
        assert terminal.report == "NONE dns=none"
        assert terminal.do(terminal.network.ready()) == "网络未就绪"
        terminal.change(network="dhcp")
        terminal.until(lambda: bound(terminal))
        terminal.change(network="static", address="10.97.0.5/24", router="10.97.0.1")
        terminal.until(lambda: terminal.network._interface is not None
                       and terminal.network._interface.addresses() == [(bytes([10, 97, 0, 5]), 24)])
        assert terminal.report == "STATIC 10.97.0.5/24 router=10.97.0.1 dns=none"
        terminal.change(network="", address="", router="")
        terminal.until(lambda: not terminal.network._interface.addresses())  # type: ignore[union-attr]


def test_a_lost_question_is_asked_again(wire: Topology, tmp_path: Path) -> None:
    """No name server at first: the kernel says so, three times at once. Later there is one."""
    terminal = NetTerminal(wire, network="static", address="10.97.0.2/24", router="10.97.0.1", dns="10.97.0.1")
    terminal.until(lambda: terminal.network._applied is not None)
    assert terminal.resolve() == ()
    with site(wire, tmp_path, gives=None) as services:
        assert terminal.resolve() == (REMOTE_ADDRESS,)
        assert said(services, "dns") == [(NAME, REMOTE_ADDRESS)]
