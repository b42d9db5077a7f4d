"""Faults of the line's services: real injector, real DHCP and name server, the terminal's real client and resolver."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.errors import BadInput
from harness.history.events import FaultStruck
from harness.site.client import SiteClient
from harness.tests.injector_helpers import DIVERTS, WatchedInjector
from harness.tests.lab_helpers import make_sure_of_a_lab
from harness.tests.net_terminal import NAME, NetTerminal, site
from harness.wire.faults import read
from harness.wire.injector_client import FaultEvent
from harness.wire.topology import REMOTE_ADDRESS, Topology


class Bed:
    """A line with its services, an injector on it, and a terminal that is not started yet."""

    def __init__(self, topology: Topology, services: SiteClient, injector: WatchedInjector) -> None:
        self.topology, self.services, self.injector = topology, services, injector

    def arm(self, **fault: Any) -> int:
        return self.injector.arm(read(fault))

    def strikes(self, number: int) -> list[FaultStruck]:
        """Those so far, of which there is one at least."""
        self.injector.await_strike(number, 5.0)
        return [*self.injector.strikes(number)]

    def terminal(self, **values: Any) -> NetTerminal:
        return NetTerminal(self.topology, **({"network": "dhcp"} | values))

    def asked(self, service: str) -> list[tuple[str, str]]:
        self.services.sync()
        return [(one.asked, one.said) for one in self.services.told if one.service == service]


@pytest.fixture(scope="module", params=DIVERTS)
def line(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Topology, WatchedInjector]]:
    make_sure_of_a_lab()
    folder = tmp_path_factory.mktemp("services")
    events: list[FaultEvent] = []
    with Topology.build(addressed=False) as topology:
        injector = WatchedInjector.start(
            netns_fd=topology.wire_fd, log=folder / "injector.log", divert=request.param, on_event=events.append
        )
        yield topology, injector
        injector.close()


@pytest.fixture
def bed(line: tuple[Topology, WatchedInjector], tmp_path: Path) -> Iterator[Bed]:
    topology, injector = line
    with site(topology, tmp_path) as services:
        yield Bed(topology, services, injector)
    injector.heal()


def bound(terminal: NetTerminal) -> bool:
    return " BOUND " in terminal.report


def test_an_idle_injector_hears_nothing_of_it(bed: Bed) -> None:
    terminal = bed.terminal()
    assert terminal.do(terminal.network.ready()) == ""
    assert terminal.resolve() == (REMOTE_ADDRESS,)


@pytest.mark.parametrize(("answer", "what"), [
    ("no_offer", "the offer is lost"), ("silent", "the offer is lost"), ("nak", "the ACK comes as a NAK"),
])
def test_no_lease_while_it_lasts_and_one_by_itself_afterwards(bed: Bed, answer: str, what: str) -> None:
    number = bed.arm(fault="dhcp", answer=answer)
    terminal = bed.terminal()
    assert terminal.do(terminal.network.ready()) == "网络未就绪"
    assert {strike.what for strike in bed.strikes(number)} == {what}
    bed.injector.heal()
    terminal.until(lambda: bound(terminal))


def test_only_so_often(bed: Bed) -> None:
    number = bed.arm(fault="dhcp", answer="nak", count=1)
    terminal = bed.terminal()
    terminal.until(lambda: bound(terminal))
    assert len(bed.strikes(number)) == 1


def test_a_slow_server_is_waited_for(bed: Bed) -> None:
    """Later than the terminal waits for one answer: it asks again, and takes the late one."""
    number = bed.arm(fault="dhcp", answer="slow", delay_s=4)
    terminal = bed.terminal()
    terminal.until(lambda: bound(terminal), 30)
    assert bed.strikes(number)[0].what == "the offer comes 4 s late"


def test_a_router_that_leads_nowhere(bed: Bed) -> None:
    """The address is there, the name server is at the line, the acquirer behind the router is not reached."""
    bed.arm(fault="dhcp", answer="wrong_router")
    terminal = bed.terminal(host=NAME, port=8583)
    terminal.until(lambda: bound(terminal))
    assert "router=10.97.0.97 " in terminal.report
    assert terminal.resolve() == (REMOTE_ADDRESS,)
    began = time.monotonic()
    assert terminal.do(terminal.line.links.open(terminal.state)) == "连接失败"
    assert time.monotonic() - began > 1.0, "nobody refused: nobody is there"


def test_a_lease_is_not_prolonged_by_a_server_that_is_not_heard(bed: Bed, tmp_path: Path) -> None:
    bed.services.close()
    with site(bed.topology, tmp_path, lease_s=120, renew_s=10, rebind_s=60) as services:
        terminal = bed.terminal()
        terminal.until(lambda: bound(terminal))
        number = bed.arm(fault="dhcp", answer="silent")
        terminal.until(lambda: "SELECTING" in terminal.report)
        assert bed.strikes(number)[0].what == "the ACK is lost"
        bed.injector.heal()
        terminal.until(lambda: bound(terminal))
        services.sync()


def test_a_nak_at_renewal_takes_the_address_away_and_a_new_lease_is_got(bed: Bed, tmp_path: Path) -> None:
    bed.services.close()
    with site(bed.topology, tmp_path, lease_s=600, renew_s=10) as services:
        terminal = bed.terminal()
        terminal.until(lambda: bound(terminal))
        bed.arm(fault="dhcp", answer="nak", count=1)
        terminal.until(lambda: "SELECTING" in terminal.report or "REQUESTING" in terminal.report)
        terminal.until(lambda: bound(terminal))
        services.sync()
        assert [one.asked for one in services.told if one.service == "dhcp"].count("discover") == 2


@pytest.mark.parametrize(("answer", "what"), [
    ("nxdomain", f"{NAME}: no such name"), ("servfail", f"{NAME}: the server fails"), ("drop", "the question is lost"),
    ("wrong", f"{NAME}: a wrong address, 10.97.0.97"),
])
def test_a_name_server_that_fails(bed: Bed, answer: str, what: str) -> None:
    terminal = bed.terminal(host=NAME, port=8583)
    terminal.until(lambda: bound(terminal))
    number = bed.arm(fault="dns", answer=answer)
    told = terminal.do(terminal.line.links.open(terminal.state))
    assert told == ("连接失败" if answer == "wrong" else "域名解析失败")
    assert {strike.what for strike in bed.strikes(number)} == {what}
    assert not bed.asked("dns"), "the server hears nothing of it"
    bed.injector.heal()
    terminal.until(lambda: terminal.resolve() == (REMOTE_ADDRESS,))


@pytest.mark.parametrize(("delay_s", "found"), [(1.5, True), (15.0, False)])
def test_a_name_server_that_is_slow(bed: Bed, delay_s: float, found: bool) -> None:
    terminal = bed.terminal()
    terminal.until(lambda: bound(terminal))
    bed.arm(fault="dns", answer="slow", delay_s=delay_s)
    assert bool(terminal.resolve()) == found


def test_what_can_not_be_meant() -> None:
    with pytest.raises(BadInput, match="dns strikes questions"):
        read({"fault": "dns", "match": {"direction": "to_terminal"}})
    with pytest.raises(BadInput, match="dhcp strikes what the server says"):
        read({"fault": "dhcp", "match": {"direction": "to_acquirer"}})
