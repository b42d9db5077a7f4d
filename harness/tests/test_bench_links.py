"""Whole benches whose link is not one plain connection a message."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from harness.acquirer.certificates import Certificates
from harness.bench.bench import SESSION_KEYS, Bench
from harness.bench.ready import HOST_PORT, TPDU, conclude, make_ready
from harness.campaigns.plan import RunPlan
from harness.campaigns.span import TestSpan
from harness.history.events import HostJournal, WireBytes, WireConnection, WireFrame
from harness.lab.inventory import load_lab
from harness.terminal.cards import MAGNETIC
from harness.tests.links_helpers import certificates
from harness.wire.topology import ACQUIRER_ADDRESS, BACKUP_ADDRESS

INVENTORY = """
catalogue: {catalogue}
benches:
  - {{name: one, kind: emulated, model: HT-100, profile: unionpay-direct, firmware: reference, time_scale: 20}}
"""

Open = Callable[[str], Bench]


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> RunPlan:
    folder = tmp_path_factory.mktemp("lab")
    path = folder / "lab.yaml"
    path.write_text(INVENTORY.format(catalogue=Path(__file__).resolve().parents[2] / "lab_config"), encoding="utf-8")
    made = RunPlan.make(load_lab(path), folder / "results")
    made.write([])
    return made


@pytest.fixture
def opened(plan: RunPlan, tmp_path: Path) -> Iterator[Open]:
    """Opens and makes ready one bench with that link."""
    benches: list[Bench] = []

    def open_(link: str) -> Bench:
        ordinary = plan.bench_plan("one")
        profile = ordinary.profile.model_copy(update={"link": link})
        benches.append(Bench(replace(ordinary, profile=profile, folder=tmp_path / link)).open())
        make_ready(benches[-1])
        return benches[-1]

    yield open_
    for bench in benches:
        bench.close()


@pytest.mark.parametrize("link", ["tcp_standing", "tls", "http"])
def test_ninety_seven_and_back(opened: Open, link: str) -> None:
    bench = opened(link)
    span = TestSpan(bench, link, "97 and back", ["MON-01"])
    span.begin()
    assert bench.terminal.sale(10_00, card=MAGNETIC, pin=True).ok
    bench.host.deregister()
    declined = bench.terminal.sale(11_00, card=MAGNETIC)
    assert (declined.ok, declined.code) == (False, "97")
    bench.host.register()
    conclude(bench)
    bench.sync()
    judged = span.end(None)
    assert judged.outcome == "passed", judged
    frames = [event.hex for event in bench.history.events if isinstance(event, WireFrame)]
    rows = [event for event in bench.history.events if isinstance(event, HostJournal)]
    assert frames == [row.hex for row in rows] and len(frames) > 8
    assert not [event for event in bench.history.events if isinstance(event, WireBytes)]
    assert (bench.plan.folder / SESSION_KEYS).exists() == (link == "tls")
    named = {"tls": "[TLS 1.3]", "http": "[HTTP]"}.get(link)
    assert all(named is None or row.note.endswith(named) for row in rows)
    opening = [event for event in bench.history.events if isinstance(event, WireConnection) and event.state == "open"]
    assert (len(opening) < 3) == (link == "tcp_standing")


@pytest.mark.parametrize("link", ["tcp_standing", "tls"])
def test_a_standing_or_secured_link_survives_the_cable_and_the_power(opened: Open, link: str) -> None:
    bench = opened(link)
    bench.cable.unplug()
    assert not bench.terminal.echo().ok
    bench.cable.heal()
    assert bench.once_connected(bench.terminal.echo).ok
    bench.power.cycle()
    bench.terminal.await_idle(20.0)
    assert bench.once_connected(bench.terminal.sign_in).ok
    assert bench.terminal.sale(1_00, card=MAGNETIC).ok
    conclude(bench)


def test_the_second_address(opened: Open) -> None:
    """Where the first does not listen, the second is used; and a 97 from there is as definite."""
    bench = opened("tcp")
    assert bench.terminal.set_second_host(BACKUP_ADDRESS, HOST_PORT).ok
    assert bench.terminal.set_host(ACQUIRER_ADDRESS, 9, TPDU).ok
    assert bench.terminal.sale(1_00, card=MAGNETIC).ok
    bench.host.deregister()
    since = len(bench.history.events)
    assert bench.terminal.sale(2_00, card=MAGNETIC).code == "97"
    bench.sync()
    after = bench.history.events[since:]
    assert [event.state for event in after if isinstance(event, WireConnection)][:2] == ["opening", "open"]
    rows = [event for event in after if isinstance(event, HostJournal)]
    assert rows and all(row.note.endswith(f"[at {BACKUP_ADDRESS}:{HOST_PORT}]") for row in rows)
    bench.host.register()
    assert bench.terminal.set_host(ACQUIRER_ADDRESS, HOST_PORT, TPDU).ok
    conclude(bench)


def test_a_host_whose_certificate_is_another_authoritys_is_no_host(opened: Open, tmp_path: Path) -> None:
    """A communication error to the operator, never a code; told as such by the tap."""
    bench = opened("tls")
    ours, others = Certificates(bench.certificates).ca, certificates(tmp_path / "other").ca
    bench.host.deregister()
    assert bench.terminal.set_tls("CA", others).ok
    failed = bench.terminal.sign_in()
    assert (failed.ok, failed.connected) == (False, False) and "连接失败" in failed.text
    bench.sync()
    scraps = [event.reason for event in bench.history.events if isinstance(event, WireBytes)]
    assert scraps and set(scraps) == {"TLS alert: unknown authority"}
    notes = [event.note for event in bench.history.events if isinstance(event, HostJournal)]
    assert any("unknown ca" in note for note in notes)
    assert bench.terminal.set_tls("CA", ours).ok
    assert bench.terminal.sign_in().code == "97"
    bench.host.register()
    conclude(bench)
