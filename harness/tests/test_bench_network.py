"""Whole benches whose terminal gets its address by DHCP, its acquirer by name, or its network by a modem."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from harness.bench.bench import Bench
from harness.bench.network import NAME, Network
from harness.bench.ready import conclude, make_ready
from harness.campaigns.plan import RunPlan
from harness.campaigns.span import TestSpan
from harness.history.events import Radio, Service, WireLink
from harness.lab.inventory import load_lab
from harness.terminal.cards import MAGNETIC

INVENTORY = """
catalogue: {catalogue}
benches:
  - {{name: HT-100, kind: emulated, model: HT-100, profile: unionpay-direct, time_scale: 20}}
  - {{name: HT-300, kind: emulated, model: HT-300, profile: unionpay-direct, time_scale: 20}}
"""
Open = Callable[[str, Network], Bench]


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
    benches: list[Bench] = []

    def open_(model: str, network: Network) -> Bench:
        benches.append(Bench(replace(plan.bench_plan(model), network=network, folder=tmp_path / "bench")).open())
        make_ready(benches[-1])
        return benches[-1]

    yield open_
    for bench in benches:
        bench.close()


@pytest.mark.parametrize(("model", "network", "told"), [
    ("HT-100", Network("dhcp", "name"), "OK NET DHCP BOUND 10.97.0.2/24 router=10.97.0.1"),
    ("HT-100", Network("static", "name"), "OK NET STATIC 10.97.0.2/24 router=10.97.0.1"),
    ("HT-100", Network(), "OK NET STATIC 10.97.0.2/24 router=none"),
    ("HT-300", Network("dhcp"), "OK NET DHCP BOUND 10.97.0.2/24 router=10.97.0.1"),
])
def test_ninety_seven_and_back_over_cable_and_power(opened: Open, model: str, network: Network, told: str) -> None:
    bench = opened(model, network)
    span = TestSpan(bench, "network", "97 and back", ["MON-01"])
    span.begin()
    bench.terminal.read_network()
    said = [event.text for event in bench.history.events if isinstance(event, Service)]
    assert said[-1].startswith(told)
    assert any(text.startswith(f"OK HOST {network.host} ") for text in said)
    assert bench.terminal.sale(10_00, card=MAGNETIC, pin=True).ok
    bench.host.deregister()
    assert bench.terminal.sale(11_00, card=MAGNETIC).code == "97"
    bench.host.register()
    bench.cable.unplug()
    assert not bench.terminal.echo().ok
    bench.cable.heal()
    bench.power.cycle()
    bench.terminal.await_idle(20.0)
    assert bench.once_connected(bench.terminal.sign_in).ok
    conclude(bench)
    judged = span.end(None)
    assert judged.outcome == "passed", judged
    if network.resolve == "name":
        assert bench.site is not None
        assert {one.asked for one in bench.site.told if one.service == "dns"} == {NAME}
    assert (bench.site is None) == (network == Network())


def test_what_happens_to_the_radio_is_in_the_history(opened: Open) -> None:
    bench = opened("HT-300", Network("dhcp"))
    since = len(bench.history.events)
    bench.modem.signal("weak")
    bench.modem.drop_session()
    bench.modem.await_session(True, 20.0)
    bench.cable.unplug()
    bench.modem.await_session(False, 5.0)
    bench.cable.plug()
    bench.modem.await_session(True, 20.0)
    events = bench.history.events[since:]
    assert [event.state for event in events if isinstance(event, WireLink)] == ["down", "up", "down", "up"]
    radio = [event for event in events if isinstance(event, Radio)]
    assert radio[0].signal == "weak" and radio[-1].signal == "good" and radio[-1].session
    assert "none" in {event.signal for event in radio}


def test_a_bench_whose_services_died_has_failed(opened: Open) -> None:
    bench = opened("HT-100", Network("dhcp"))
    assert bench.site is not None
    bench.site.child.process.kill()
    bench.site.child.wait(5.0)
    with pytest.raises(Exception, match="the site process was killed by SIGKILL"):
        bench.check()
