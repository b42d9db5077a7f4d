"""A whole emulated bench amid emulated instruments: what they do is felt, and what happens to them is the bench's."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.bench.bench import Bench
from harness.campaigns.keeper import BenchKeeper
from harness.campaigns.plan import RunPlan
from harness.campaigns.span import TestSpan
from harness.errors import BadInput, BenchError
from harness.history.events import BenchFailed, OperationCompleted, Power, UnitReplaced
from harness.history.instrument_events import InstrumentOpened, InstrumentsSafe, InstrumentTrouble, Readings
from harness.judge_run import judge_run
from harness.lab.inventory import load_lab
from harness.tests.fake_instruments import FakeInstrument, drivers_installed
from harness.tests.lab_helpers import eventually
from harness.tests.system_helpers import SystemLab, ended
from harness.tests.test_system_killed import MIDDLE

CATALOGUE = Path(__file__).resolve().parents[2] / "lab_config"
INSTRUMENTS = "{chamber: {driver: scpi-chamber}, supply: {driver: scpi-supply}, burst: {driver: scpi-burst}}"
INVENTORY = f"""
catalogue: {CATALOGUE}
benches:
  - {{name: one, kind: emulated, model: HT-100, profile: unionpay-direct, time_scale: 20, instruments: {INSTRUMENTS}}}
  - {{name: two, kind: emulated, model: HT-200, profile: unionpay-direct, time_scale: 20}}
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
def opened(plan: RunPlan) -> Iterator[Bench]:
    with Bench(plan.bench_plan("one")).opened() as bench:
        yield bench


def await_power(bench: Bench, state: str, since: int) -> Power:
    found = bench.history.wait_for(
        lambda e: isinstance(e, Power) and e.state == state, 20, f"the terminal to be {state}", since=since
    )
    assert isinstance(found, Power)
    return found


def safe_file(bench: Bench) -> dict[str, object]:
    return dict(json.loads((bench.plan.folder / "instruments.safe.json").read_text(encoding="utf-8")))


def test_all_is_open_before_a_terminal_stands_there(opened: Bench) -> None:
    events = opened.history.events
    stands = next(e.seq for e in events if isinstance(e, UnitReplaced))
    at_hand = [e for e in events if isinstance(e, InstrumentOpened)]
    assert {e.instrument for e in at_hand} == {"chamber", "supply", "burst"}
    assert max(e.seq for e in at_hand) < stands and all(e.emulated for e in at_hand)


def test_the_terminal_feels_the_supply_and_a_tests_end_gives_it_back(opened: Bench) -> None:
    assert opened.instruments is not None
    span = TestSpan(opened, "t::low", "a supply that is too low", [])
    span.begin()
    since = opened.history.seq
    opened.instruments.supply.set_voltage(100)
    assert await_power(opened, "off", since).reason == "brown_out"
    opened.instruments.supply.await_("voltage_v", 95, 105, 5, "the supply to be low")
    judged = span.end(None)  # safe again before it is concluded, or the terminal could not do its part
    assert judged.outcome == "passed", judged.message
    assert await_power(opened, "on", since).reason == "brown_out"
    safe = [e for e in opened.history.events if isinstance(e, InstrumentsSafe)][-1]
    assert (safe.why, safe.unsafe) == ("test_ended", {}) and safe_file(opened)["unsafe"] == {}
    measured = {(e.instrument, e.span) for e in opened.history.events if isinstance(e, Readings)}
    assert ("supply", "t::low") in measured


def test_what_surrounds_a_terminal_is_measured_when_a_test_is_over(opened: Bench) -> None:
    """What it does last is framed by readings, whatever comes after; else it would be undecided."""
    span = TestSpan(opened, "t::last", "an ordinary day", [])
    span.begin()
    assert span.end(None).outcome == "passed"
    events = opened.history.events
    last = max(event.seq for event in events if isinstance(event, OperationCompleted))
    behind = {event.instrument for event in events if isinstance(event, Readings) and event.seq > last}
    assert {"chamber", "supply"} <= behind


def test_another_unit_stands_amid_the_same_instruments(opened: Bench) -> None:
    assert opened.instruments is not None
    opened.replace_unit("to see that it feels the same")
    since = opened.history.seq
    opened.power.on()
    await_power(opened, "on", since)
    opened.instruments.supply.output(False)
    assert await_power(opened, "off", since).reason == "brown_out"


def test_what_nobody_can_do_is_an_error_and_not_the_terminals(opened: Bench) -> None:
    """A profile that was changed under a run, say: the test is an ERROR, and the bench goes on."""
    span = TestSpan(opened, "t::typhoon", "a profile that there is not", [])
    span.begin()
    with pytest.raises(BadInput, match="there is no stress profile typhoon") as caught:
        opened.stress("typhoon")
    judged = span.end(caught.value)
    assert (judged.outcome, judged.message) == ("error", str(caught.value)), judged
    assert not opened.failed
    verdict = judge_run(opened.plan.folder.parents[1])
    assert [one.outcome for one in verdict.tests if one.test == "t::typhoon"] == ["error"]
    assert verdict.status == 3, verdict.reasons
    again = TestSpan(opened, "t::calm", "the next test", [])
    again.begin()
    assert again.end(None).outcome == "passed"


@pytest.mark.parametrize("fault", ["drop", "impossible", "refuse"])
def test_an_instrument_that_fails_is_an_error_and_the_lab_goes_on(plan: RunPlan, fault: str) -> None:
    keeper = BenchKeeper(plan)
    try:
        bench = keeper.bench("HT-100-instruments")
        assert bench.instruments is not None
        span = TestSpan(bench, f"t::{fault}", "an instrument that fails", [])
        span.begin()
        bench.instruments.fault("chamber", fault)
        eventually(lambda: bool(bench.failed), "the bench to have failed")
        bench.instruments.fault("chamber", "heal")
        judged = span.end(None)
        assert judged.outcome == "error", judged
        assert "instrument chamber" in bench.failed and "next: " in bench.failed
        troubles = [e for e in bench.history.events if isinstance(e, InstrumentTrouble)]
        assert troubles[0].instrument == "chamber" and troubles[0].remedy
        again = keeper.bench("HT-100-instruments")
        assert again is not bench and not again.failed
        folder = bench.plan.folder
    finally:
        keeper.close_all()
    verdict = judge_run(plan.folder)
    assert not [one for one in verdict.reasons if "FAIL" in one], verdict.reasons
    assert any(isinstance(e, BenchFailed) for e in bench.history.events) and folder.exists()


def test_a_call_beyond_a_limit_is_an_error_of_the_test_that_leaves_everything_as_it_was(opened: Bench) -> None:
    assert opened.instruments is not None
    span = TestSpan(opened, "t::hot", "too hot", [])
    span.begin()
    with pytest.raises(BenchError, match="above the limit of 65") as refused:
        opened.instruments.chamber.set_climate(temperature_c=80)
    assert not opened.failed
    state = opened.instruments.true_state()["instruments"]["chamber"]
    assert state["safe"] is True
    assert span.end(refused.value).outcome == "error"


def test_a_test_past_its_deadline_is_an_error(opened: Bench) -> None:
    assert opened.instruments is not None
    span = TestSpan(opened, "t::hangs", "a test that hangs", [], deadline_s=0.0)
    with pytest.raises(BenchError):
        span.begin()
        opened.history.wait_for(lambda e: isinstance(e, BenchFailed), 20, "the deadline", since=0)
        raise BenchError(opened.failed)
    assert "the test t::hangs is past its deadline" in opened.failed
    assert span.end(BenchError(opened.failed)).outcome == "error"


def test_a_guard_that_dies_is_an_error(opened: Bench) -> None:
    assert opened.instruments is not None
    os.kill(opened.instruments.line.child.pid, signal.SIGKILL)
    eventually(lambda: bool(opened.failed), "the bench to have failed")
    with pytest.raises(BenchError, match="guard process was killed by SIGKILL") as told:
        opened.check()
    assert "hil97 lab safe" in str(told.value)


def test_a_bench_without_instruments_has_no_guard(plan: RunPlan) -> None:
    with Bench(plan.bench_plan("two")).opened() as opened:
        assert opened.instruments is None
        assert not (opened.plan.folder / "logs" / "instruments.log").exists()
        span = TestSpan(opened, "t::plain", "no instruments", [])
        span.begin()
        assert span.end(None).outcome == "passed"


def with_instruments(lab: SystemLab) -> None:
    text = lab.inventory.read_text(encoding="utf-8")
    lab.inventory.write_text(text.replace("time_scale: 20", f"time_scale: 20\n    instruments: {INSTRUMENTS}"))


def test_kill_9_of_a_worker_of_a_run(system_lab: SystemLab) -> None:
    """Its guard sees it, makes all safe and ends; another worker takes over with a guard of its own."""
    with_instruments(system_lab)
    process = system_lab.start("harness.cli", *system_lab.arguments(*MIDDLE, "-n", "2"))
    system_lab.await_test_under_way(process)
    held = system_lab.holdings()
    os.kill(system_lab.parent_of(r"harness\.emulator.*HT97000000"), signal.SIGKILL)
    log = system_lab.results / "run" / "benches" / "left" / "logs" / "instruments.log"
    eventually(lambda: "guard ended" in log.read_text(encoding="utf-8"), "the guard of the dead worker to end", 30)
    state = json.loads((log.parent.parent / "instruments.safe.json").read_text(encoding="utf-8"))
    assert (state["why"], state["unsafe"], len(state["safe"])) == ("runner_died", {}, 3)
    seconds = re.findall(r"all safe \(runner_died\) after ([\d.]+) s", log.read_text(encoding="utf-8"))
    assert len(seconds) == 1
    end = ended(process)
    assert end.status == 4, end.text
    system_lab.assert_nothing_left(held)


def test_kill_9_of_a_run_leaves_no_guard(system_lab: SystemLab) -> None:
    """What is emulated goes with the run: there is nothing to be made safe, and nobody who tries."""
    with_instruments(system_lab)
    process = system_lab.start("harness.cli", *system_lab.arguments(*MIDDLE, "-n", "0"))

    def guarded() -> bool:
        return any("harness.instruments.guard" in one for one in system_lab.processes().values())

    eventually(guarded, "a guard", 60)
    held = system_lab.holdings()
    process.kill()
    ended(process)
    system_lab.assert_nothing_left(held, scratch=False)


def test_kill_9_of_a_run_with_a_real_instrument(system_lab: SystemLab, tmp_path: Path) -> None:
    """Its guard is outside of the lab: it reaches what is on the computer's own network, and outlives the run."""
    generator = FakeInstrument("HIL97,FAKE-BURST")
    with drivers_installed(tmp_path / "fakes"):
        text = system_lab.inventory.read_text(encoding="utf-8")
        burst = f"{{burst: {{driver: fake-burst, address: '{generator.address}'}}}}"
        system_lab.inventory.write_text(text.replace("20\n", f"20\n    instruments: {burst}\n", 1), encoding="utf-8")
        process = system_lab.start("harness.cli", *system_lab.arguments(*MIDDLE, "-n", "2"))
        system_lab.await_test_under_way(process)
        held = system_lab.holdings()
        generator.values["armed"] = 1  # as the test might have done
        process.kill()
        eventually(lambda: generator.values["armed"] == 0, "the generator to be disarmed")
        ended(process)
        system_lab.assert_nothing_left(held, scratch=False)
    state = json.loads((system_lab.results / "run/benches/left/instruments.safe.json").read_text(encoding="utf-8"))
    assert (state["why"], state["unsafe"], state["safe"]) == ("runner_died", {}, ["burst"])
    assert not list((system_lab.runtime / "hil97").glob("guards-*"))
