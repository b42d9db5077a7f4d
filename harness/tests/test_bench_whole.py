"""A whole emulated bench with its real processes: driven as suites drive it, hurt as suites never should."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.acquirer.download_books import Kind
from harness.bench.bench import Bench
from harness.bench.ready import conclude, make_ready
from harness.campaigns.plan import RunPlan
from harness.campaigns.span import TestSpan
from harness.errors import BenchError
from harness.history.events import AnyEvent, BenchFailed, Power, RunOpened, TestClosed, UnitReplaced, WireFrame
from harness.judge_run import judge_run
from harness.lab.inventory import load_lab
from harness.protocol.frames import decode
from harness.terminal.cards import CHIP, MAGNETIC
from harness.terminal.contracts import Order, Via
from harness.terminal.dialect import parameters

INVENTORY = """
catalogue: {catalogue}
benches:
  - {{name: one, kind: emulated, model: HT-100, profile: unionpay-direct, firmware: reference, time_scale: 20}}
  - {{name: two, kind: emulated, model: HT-200, profile: unionpay-direct, firmware: reference, physical_like: true}}
  - {{name: three, kind: emulated, model: HT-200, profile: unionpay-direct, firmware: reference, time_scale: 20}}
"""


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> RunPlan:
    folder = tmp_path_factory.mktemp("lab")
    catalogue = Path(__file__).resolve().parents[2] / "lab_config"
    path = folder / "lab.yaml"
    path.write_text(INVENTORY.format(catalogue=catalogue), encoding="utf-8")
    made = RunPlan.make(load_lab(path), folder / "results")
    made.write([])
    return made


@pytest.fixture(scope="module")
def shared(plan: RunPlan) -> Iterator[Bench]:
    """One bench for all tests that leave it in order."""
    with Bench(plan.bench_plan("one")).opened() as opened:
        yield opened


@pytest.fixture
def ready(shared: Bench) -> Bench:
    make_ready(shared)
    return shared


def test_ninety_seven_and_back(ready: Bench) -> None:
    assert ready.terminal.sale(10_00, card=MAGNETIC, pin=True).ok
    ready.host.deregister()
    declined = ready.terminal.sale(11_00, card=CHIP, via="cashier")
    assert (declined.ok, declined.code) == (False, "97")
    ready.host.register()
    assert ready.terminal.sign_in().ok
    conclude(ready)
    assert not ready.terminal.money_moved


def test_keys_typed_by_the_operator(plan: RunPlan) -> None:
    """A physical-like bench gets its master key by the keypad, and works with it."""
    with Bench(plan.bench_plan("two")).opened() as opened:
        make_ready(opened)
        assert opened.terminal.sale(1_00, card=CHIP).ok
        conclude(opened)


def test_two_merchants_on_one_terminal(plan: RunPlan) -> None:
    """97 for the one leaves the other alone; both are made ready, settled and read at the end, also on a new unit."""
    with Bench(plan.bench_plan("three")).opened() as opened:
        make_ready(opened)
        first, second = opened.host.merchants
        assert (second.tid, second.mid) == opened.plan.identities[1] != (first.tid, first.mid)
        second.deregister()
        assert opened.terminal.select_merchant(2).ok
        assert opened.terminal.sale(2_00, card=MAGNETIC).code == "97"
        assert opened.terminal.select_merchant(1).ok
        assert opened.terminal.sale(1_00, card=MAGNETIC).ok
        second.register()
        conclude(opened)
        assert [entry.amount for entry in first.read_ledger()] == [1_00] and second.read_ledger() == []
        opened.replace_unit("to see it provisioned again")
        make_ready(opened)
        assert opened.terminal.select_merchant(2).ok and opened.terminal.sale(3_00, card=MAGNETIC).ok
        conclude(opened)
        assert [entry.amount for entry in second.read_ledger()] == [3_00]
        frames = [decode(bytes.fromhex(e.hex)) for e in opened.history.events if isinstance(e, WireFrame)]
        assert {frame.get(41) for frame in frames if frame.mti == "0330"} == {first.tid, second.tid}


MANAGEMENT: dict[str, tuple[Kind | None, str]] = {  # operation -> what the host asks for, and the code that ends it
    "parameter_download": ("parameters", "360"), "status_upload": ("status", "362"),
    "capk_update": ("ca_keys", "371"),
    "ic_parameter_update": ("ic_parameters", "381"), "blacklist_update": ("blacklist", "391"),
    "software_update": ("software", "397"), "sign_off": (None, "002"),
}


@pytest.mark.parametrize("name", MANAGEMENT)
@pytest.mark.parametrize("via", ["keypad", "cashier"])
def test_network_management_from_keypad_and_till_and_with_97(ready: Bench, name: str, via: Via) -> None:
    done = ready.terminal.perform(Order(name, via=via))
    assert done.ok, done
    ready.host.deregister()
    declined = ready.terminal.perform(Order(name, via=via))
    assert (declined.ok, declined.code) == (False, "97")
    ready.host.register()
    conclude(ready)


def test_what_the_host_asks_for_the_terminal_does_by_itself(ready: Bench) -> None:
    demanded = {kind: code for kind, code in MANAGEMENT.values() if kind}
    for kind in demanded:
        ready.host.demand_download(kind)
    since = ready.history.seq
    assert ready.terminal.sign_in().ok
    for code in demanded.values():
        ready.history.wait_for(partial(_answers, code), 20.0, f"the answer to {code}", since=since)
    assert ready.host.downloads_due() == [] and ready.host.terminal_status()["MODEL"] == "HT-100"
    conclude(ready)


def _answers(network_code: str, event: AnyEvent) -> bool:
    if not isinstance(event, WireFrame):
        return False
    frame = decode(bytes.fromhex(event.hex))
    return frame.is_response and frame.network_code == network_code


def test_a_profile_reaches_the_terminal(plan: RunPlan) -> None:
    """Every point in which it differs from what a terminal is out of the box."""
    original = plan.bench_plan("one")
    changed = original.profile.model_copy(update={"operator": "01 ", "f60_digits": 11, "sign_in_network_code": "004"})
    with Bench(replace(original, profile=changed, folder=original.folder.with_name("one.dialect"))).opened() as opened:
        make_ready(opened)
        assert parameters(changed) == {"operator": "01 ", "f60_digits": "11", "sign_in_network_code": "004"}
        service = opened.terminal.service
        assert service is not None
        for name, value in parameters(changed).items():
            assert service.ask(f"PARAM {name}?") == f"OK {name}={value}"
        assert opened.terminal.sale(1_00, card=MAGNETIC).ok
        conclude(opened)


def test_a_unit_that_does_not_come_back_is_replaced(ready: Bench) -> None:
    """A key that the host no longer knows: power cycles don't help, loading does not either, a new unit does."""
    units = sum(isinstance(event, UnitReplaced) for event in ready.history.events)
    wrong = "0123456789ABCDEF" * 2
    assert ready.terminal.load_tmk(wrong).ok
    ready.terminal.load_tmk = lambda key: type(ready.terminal).load_tmk(ready.terminal, wrong)  # type: ignore[method-assign]
    make_ready(ready)
    assert sum(isinstance(event, UnitReplaced) for event in ready.history.events) == units + 1
    assert ready.terminal.sale(1_00, card=MAGNETIC).ok
    conclude(ready)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300))
def test_wild_bytes_on_the_cashier_link(ready: Bench, data: bytes) -> None:
    """Whatever comes, the terminal lives, and answers the next honest command."""
    assert ready.terminal.cashier is not None
    ready.terminal.cashier.send_raw(data)
    ready.terminal.cashier.send_raw(bytes(4))
    assert ready.terminal.read_counters()["signed_in"] == "1"
    assert not [e for e in ready.history.events if isinstance(e, Power) and e.reason == "watchdog"]


def test_the_cashier_link_serves_after_wild_bytes(ready: Bench) -> None:
    assert ready.terminal.cashier is not None
    ready.terminal.cashier.send_raw(b"\x02\x09\x99" + b"\xff" * 50)
    ready.power.cycle()
    ready.terminal.await_idle(20)
    make_ready(ready)
    assert ready.terminal.sale(1_00, card=MAGNETIC, via="cashier").ok
    conclude(ready)


def test_power_cut_at_each_of_the_next_flash_operations(ready: Bench) -> None:
    """Cut during a sale, again and again: identity, key and batch are always whole, and the day ends balanced."""
    for operation in range(1, 8):
        ready.power.cut_at(operation)
        try:
            ready.terminal.begin_sale(1_00 + operation, card=MAGNETIC)
            ready.power.wait_cut(10)
        finally:
            ready.power.disarm()
            ready.power.on()
        ready.terminal.await_idle(20)
        assert ready.once_connected(ready.terminal.sign_in).ok
    conclude(ready)
    entries = ready.host.read_ledger()
    assert all(entry.reversals <= 1 for entry in entries)


def test_a_dead_acquirer_is_the_benchs_fault(plan: RunPlan) -> None:
    """ERROR, never the terminal's FAIL; and the history says so."""
    bench = Bench(plan.bench_plan("one"))
    with bench.opened():
        span = TestSpan(bench, "t", "a test", ["MSG-01"])
        span.begin()
        acquirer = next(child for child in bench._children if child.name == "acquirer")
        os.kill(acquirer.pid, signal.SIGKILL)
        acquirer.wait(5)
        with pytest.raises(BenchError, match="acquirer"):
            bench.check()
        judged = span.end(AssertionError("the sale failed"))
        assert judged.outcome == "error"
        assert any(isinstance(event, BenchFailed) for event in bench.history.events)


def test_a_span_takes_what_it_needs_from_before(ready: Bench) -> None:
    span = TestSpan(ready, "window", "a test", [])
    span.begin()
    assert ready.terminal.echo().ok
    assert span.end(None).outcome == "passed"
    seen = span.window()
    assert isinstance(seen[0], RunOpened)
    assert any(isinstance(event, TestClosed) and event.test == "window" for event in seen)
    assert any(isinstance(event, WireFrame) and event.hex[26:30] == "0820" for event in seen)
    before = {event.kind for event in seen if event.span != "window"}
    operations = {"operation.invoked", "operation.completed"}
    known = operations | {"run.opened", "key", "unit.replaced", "firmware.told", "host.ledger"}
    assert before <= known


def test_what_was_left_can_be_judged(plan: RunPlan, shared: Bench) -> None:
    """The log of a bench that is still open is a partial result: judged, and never a success."""
    assert shared.history.events
    verdict = judge_run(plan.folder)
    assert verdict.status != 0
    assert [bench.closed for bench in verdict.benches if bench.history.endswith("one/history.jsonl")] == [False]
