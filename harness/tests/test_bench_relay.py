"""A relay's contact in the cable of a whole emulated bench: opened it is a cable that is out, and a test's end closes
it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.bench.bench import Bench
from harness.campaigns.plan import RunPlan
from harness.campaigns.span import TestSpan
from harness.errors import BenchError
from harness.history.events import WireLink
from harness.history.instrument_events import InstrumentsSafe
from harness.instruments.client import Relay
from harness.instruments.contracts import NETWORK_CONTACT
from harness.lab.inventory import load_lab
from harness.terminal.cards import MAGNETIC
from harness.terminal.contracts import Completion
from harness.wire import netns
from harness.wire.interface import Interface
from harness.wire.topology import END

CATALOGUE = Path(__file__).resolve().parents[2] / "lab_config"
KEYS = "kind: emulated, profile: unionpay-direct, time_scale: 20, instruments: {relay: {driver: modbus-relay}}"
INVENTORY = f"""
catalogue: {CATALOGUE}
benches:
  - {{name: cable, model: HT-100, {KEYS}}}
  - {{name: antenna, model: HT-300, {KEYS}}}
"""


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> RunPlan:
    folder = tmp_path_factory.mktemp("lab")
    path = folder / "lab.yaml"
    path.write_text(INVENTORY, encoding="utf-8")
    made = RunPlan.make(load_lab(path), folder / "results")
    made.write([])
    return made


@pytest.fixture
def opened(plan: RunPlan, request: pytest.FixtureRequest) -> Iterator[Bench]:
    with Bench(plan.bench_plan(request.param)).opened() as running:
        yield running


def relay(bench: Bench) -> Relay:
    assert bench.instruments is not None
    return bench.instruments.relay


def links(bench: Bench) -> list[str]:
    return [event.state for event in bench.history.events if isinstance(event, WireLink)]


def has_carrier(bench: Bench) -> bool:
    with netns.inside(bench._topology.terminal_fd):
        plug = Interface(END)
    try:
        return plug.has_carrier()
    finally:
        plug.close()


def sale(bench: Bench) -> Completion:
    return bench.terminal.sale(10_00, card=MAGNETIC)


@pytest.mark.parametrize("opened", ["cable"], indirect=True)
def test_an_open_contact_is_a_cable_that_is_out_and_a_tests_end_closes_it(opened: Bench) -> None:
    span = TestSpan(opened, "t::contact", "a contact opens", [])
    span.begin()
    before = time.monotonic_ns()
    relay(opened).open_contact(NETWORK_CONTACT)
    assert not has_carrier(opened) and links(opened) == ["down"], "it is so when the call returns"
    pulled = next(event for event in opened.history.events if isinstance(event, WireLink))
    assert before < pulled.t < time.monotonic_ns()
    refused = sale(opened)
    assert not refused.ok and not refused.connected and refused.code != "97"
    relay(opened).close_contact(NETWORK_CONTACT)
    assert has_carrier(opened) and links(opened) == ["down", "up"]
    assert opened.once_connected(lambda: sale(opened)).ok
    relay(opened).open_contact(NETWORK_CONTACT)
    opened.cable.heal()
    assert not has_carrier(opened), "healing leaves it to who opened it"
    judged = span.end(None)
    assert judged.outcome == "passed", judged.message
    assert has_carrier(opened) and links(opened) == ["down", "up"] * 2
    safe = next(e for e in opened.history.events if isinstance(e, InstrumentsSafe) and e.why == "test_ended")
    closed = [event for event in opened.history.events if isinstance(event, WireLink)][-1]
    assert closed.seq < safe.seq, "safe is said once the cable is in"


@pytest.mark.parametrize("opened", ["cable"], indirect=True)
def test_plug_and_contact_are_in_series(opened: Bench) -> None:
    opened.cable.unplug()
    relay(opened).open_contact(NETWORK_CONTACT)
    relay(opened).close_contact(NETWORK_CONTACT)
    assert not has_carrier(opened)
    relay(opened).open_contact(NETWORK_CONTACT)
    opened.cable.plug()
    assert not has_carrier(opened)
    relay(opened).close_contact(NETWORK_CONTACT)
    assert has_carrier(opened) and links(opened) == ["down", "up"]
    relay(opened).open_contact(NETWORK_CONTACT + 1)
    assert has_carrier(opened), "another contact is in no cable"


@pytest.mark.parametrize("opened", ["cable"], indirect=True)
def test_a_guard_that_is_asked_for_all_safe_plugs(opened: Bench) -> None:
    relay(opened).open_contact(NETWORK_CONTACT)
    assert opened.instruments is not None
    opened.instruments.safe()
    assert has_carrier(opened) and links(opened) == ["down", "up"]


@pytest.mark.parametrize("opened", ["antenna"], indirect=True)
def test_at_a_terminal_with_a_modem_it_is_in_the_cable_of_the_antenna(opened: Bench) -> None:
    span = TestSpan(opened, "t::antenna", "a contact opens", [])
    span.begin()
    relay(opened).open_contact(NETWORK_CONTACT)
    opened.modem.await_session(False, 10)
    opened.cable.heal()
    assert not opened.modem.session
    refused = sale(opened)
    assert not refused.ok and not refused.connected and refused.code != "97"
    relay(opened).close_contact(NETWORK_CONTACT)
    opened.modem.await_session(True, 10)
    assert opened.once_connected(lambda: sale(opened)).ok
    relay(opened).open_contact(NETWORK_CONTACT)
    judged = span.end(None)
    assert judged.outcome == "passed", judged.message
    relay(opened).open_contact(NETWORK_CONTACT)  # and the bench is closed so
    assert not opened.failed
    opened.close()
    assert not opened.failed


@pytest.mark.parametrize("opened", ["cable"], indirect=True)
def test_instruments_that_have_died_are_said_to_have(opened: Bench) -> None:
    assert opened.instruments is not None
    guard = opened.instruments.line.child.pid
    (servers,) = Path(f"/proc/{guard}/task/{guard}/children").read_text(encoding="ascii").split()
    os.kill(int(servers), signal.SIGKILL)
    with pytest.raises(BenchError, match="instrument relay: "):
        relay(opened).open_contact(NETWORK_CONTACT)
    with pytest.raises(BenchError, match=r"the emulated instruments do not answer: .*[Bb]roken pipe|closed"):
        opened.instruments.true_state()
    assert opened.failed
