"""A stress profile on a bench: where the wire is stopped, and how much of a standard is done."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from harness.bench.bench import Bench
from harness.bench.ready import make_ready
from harness.bench.stress import DID_IT, Pace, await_reading, held_at, pace_of
from harness.campaigns.plan import RunPlan
from harness.errors import BadInput, BenchError, TerminalTimeout
from harness.history.events import FaultHealed, FaultStruck, Power
from harness.history.instrument_events import Disturbed, InstrumentSet, StressStep
from harness.instruments.client import Proxy
from harness.lab.inventory import load_lab
from harness.lab.stress import Step
from harness.terminal.cards import MAGNETIC
from harness.wire.faults.spoken import parse


@pytest.mark.parametrize(("moment", "words"), [
    ("the response to 0200", "hold at 0210"), ("0400", "hold at 0400"), ("second 0800", "hold at second 0800"),
    ("after the response to 0200", "hold at 0210"),
    ("connecting", "drop count=1 at connecting"),
])
def test_the_wire_is_stopped_at_every_moment(moment: str, words: str) -> None:
    assert parse(held_at(moment)) == parse(words)


def step(**keys: Any) -> Step:
    return Step(1, "esd", "esd", 4, "B", True, **keys)


def test_dips_keep_their_milliseconds_and_long_interruptions_are_cut_on_emulated_instruments() -> None:
    quick = pace_of(emulated=True, real_time=False, time_scale=20)
    assert [quick.dip_ms(one) for one in (10, 20, 500, 5000)] == [10, 20, 500, 250]
    assert quick.times(step(count=3)) == 2 and quick.seconds(7200) == 0.25
    assert pace_of(emulated=False, real_time=False, time_scale=1).dip_ms(5000) == 5000


def test_real_instruments_get_all_that_is_written() -> None:
    real = pace_of(emulated=False, real_time=True, time_scale=1)
    assert real.seconds(7200) == 7200 and real.times(step(count=10)) == 10 and real.at_most == 2
    assert pace_of(emulated=True, real_time=False, time_scale=20) == Pace(20, 0.25, 2, None)


class NeverThere:
    """An instrument that takes every command and reads nothing of it."""

    name, bench = "gun", "b"

    def await_(self, quantity: str, low: float, high: float, deadline_s: float, what: str) -> float:
        raise TerminalTimeout(what, deadline_s, bench=self.bench)


def test_an_instrument_that_does_not_do_it_is_the_benchs_failure_and_not_the_terminals() -> None:
    with pytest.raises(BenchError, match=r"bench b: instrument gun did not get there in 30 s: one esd more") as said:
        await_reading(cast(Proxy, NeverThere()), "pulses", (1, math.inf), 30, "one esd more", DID_IT)
    assert "front panel" in said.value.remedy


# -- on a whole bench --------------------------------------------------------------------------------------------------

INVENTORY = f"""
catalogue: {Path(__file__).resolve().parents[2] / "lab_config"}
benches:
  - name: amid
    kind: emulated
    model: HT-100
    profile: unionpay-direct
    instruments: {{{{chamber: {{{{driver: scpi-chamber}}}}, supply: {{{{driver: scpi-supply}}}}}}}}
    time_scale: 20
  - {{{{name: alone, kind: emulated, model: HT-100, profile: unionpay-direct, time_scale: 20}}}}
""".replace("{{", "{").replace("}}", "}")


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> RunPlan:
    folder = tmp_path_factory.mktemp("lab")
    path = folder / "lab.yaml"
    path.write_text(INVENTORY, encoding="utf-8")
    made = RunPlan.make(load_lab(path), folder / "results")
    made.write([])
    return made


@pytest.fixture(scope="module")
def amid(plan: RunPlan) -> Iterator[Bench]:
    with Bench(plan.bench_plan("amid")).opened() as bench:
        make_ready(bench)
        yield bench


def test_a_quantity_is_reached_when_its_step_comes_and_the_bench_is_safe_afterwards(amid: Bench) -> None:
    assert amid.instruments is not None
    since = amid.history.seq
    with amid.stress("hot") as stress:
        for under_way in stress:
            step = under_way.step
            assert abs(amid.instruments.chamber.read()[step.what] - step.value) < 6
            assert under_way.meet(lambda: amid.terminal.begin_sale(10_00, card=MAGNETIC)).ok
    told = [e.state for e in amid.history.since(since) if isinstance(e, StressStep)]
    assert told == ["begun", "reached", "ended"] * 2
    state = amid.instruments.true_state()
    assert all(one["safe"] for one in state.get("instruments", state).values() if isinstance(one, dict))


def test_a_test_that_broke_off_in_the_cold_is_nothing_to_the_next(amid: Bench) -> None:
    with pytest.raises(ZeroDivisionError), amid.stress("cold") as stress:
        for _ in stress:
            raise ZeroDivisionError
    with amid.stress("hot", only=[1]) as stress:
        assert len([*stress]) == 1


def test_a_test_that_breaks_off_in_a_step_leaves_the_supply_as_it_should_be(amid: Bench) -> None:
    assert amid.instruments is not None
    with pytest.raises(ZeroDivisionError), amid.stress("supply-range") as stress:
        for _ in stress:
            raise ZeroDivisionError
    assert abs(amid.instruments.supply.read()["voltage_v"] - 220) < 4


def test_an_interruption_strikes_while_the_answer_is_held(amid: Bench) -> None:
    since = amid.history.seq
    with amid.stress("dips", during="the response to 0200", only=[4]) as stress:
        for under_way in stress:
            told = under_way.meet(lambda: amid.terminal.begin_sale(11_00, card=MAGNETIC))
            under_way.come_back()
    assert told.outcome == "unknown"
    events = amid.history.since(since)
    at = {type(e): e.t for e in events if isinstance(e, FaultStruck | FaultHealed)}
    dipped = next(e.t for e in events if isinstance(e, InstrumentSet) and e.method == "dip")
    begun, ended = (e for e in events if isinstance(e, Disturbed))
    assert at[FaultStruck] < begun.t < dipped < ended.t < at[FaultHealed] and begun.values["duration_ms"] == 250
    assert [e.reason for e in events if isinstance(e, Power)] == ["brown_out", "brown_out"]
    assert amid.once_connected(lambda: amid.terminal.sale(12_00, card=MAGNETIC)).ok


def test_who_lacks_what_it_takes_is_told(amid: Bench, plan: RunPlan) -> None:
    with pytest.raises(BadInput, match="there is no stress profile typhoon; known: "):
        amid.stress("typhoon")
    alone = Bench(plan.bench_plan("alone"))
    with pytest.raises(BenchError, match="needs instruments, and the bench has none"):
        alone.stress("hot")
