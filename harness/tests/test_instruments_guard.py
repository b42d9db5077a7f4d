"""The guard: a real process, a real line to it, and instruments over real sockets."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.bench.instruments import open_instruments
from harness.errors import BenchError, TerminalTimeout
from harness.history.instrument_events import (
    InstrumentOpened,
    InstrumentSet,
    InstrumentsSafe,
    InstrumentTrouble,
    Readings,
)
from harness.history.recorder import Recorder
from harness.instruments.client import LimitRefused
from harness.lab.instrument_entry import Limit
from harness.tests.fake_instruments import FakeInstrument
from harness.tests.guard_rig import AROUND, Rig, made
from harness.tests.lab_helpers import eventually


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    with made(tmp_path, monkeypatch) as one:
        yield one


def test_all_are_opened_safe_and_named(rig: Rig) -> None:
    rig.fakes["burst"].values["armed"] = 1
    instruments = rig.open()
    opened = {e.instrument: e for e in rig.of(InstrumentOpened) if isinstance(e, InstrumentOpened)}
    assert set(opened) == {"chamber", "supply", "burst"} == set(instruments.names)
    chamber = opened["chamber"].quantities["temperature_c"]
    assert (chamber.low, chamber.high) == (-20, 65)  # the model's 0 to 45, and 20 K; not the driver's -40 to 150
    assert opened["burst"].identity == "HIL97,FAKE-BURST" and not opened["burst"].emulated
    assert rig.fakes["burst"].values["armed"] == 0
    assert not rig.failures


def test_what_is_done_and_read_is_in_the_history(rig: Rig) -> None:
    instruments = rig.open()
    instruments.chamber.set_climate(temperature_c=40)
    done = rig.of(InstrumentSet)[-1]
    assert isinstance(done, InstrumentSet)
    assert (done.instrument, done.method, done.args["temperature_c"]) == ("chamber", "set_climate", "40")
    assert rig.fakes["chamber"].values["ramp"] == 10  # no faster than the bench allows, though nothing was said
    rig.fakes["chamber"].values["temperature_c"] = 39.9
    assert instruments.chamber.await_("temperature_c", 39, 41, 5, "the chamber to be warm") == 39.9
    with pytest.raises(TerminalTimeout, match="to be hot"):
        instruments.chamber.await_("temperature_c", 60, 65, 0.3, "the chamber to be hot")
    assert instruments.supply.read() == {"voltage_v": 220, "output_on": 1}


def test_readings_are_recorded_on_change_and_now_and_then(rig: Rig) -> None:
    rig.open()
    chamber = rig.fakes["chamber"].values
    for degrees in (30.0, 30.05, 31.0):
        chamber["temperature_c"] = degrees
        if degrees != 30.05:
            eventually(lambda: any(
                e.values["temperature_c"] == degrees for e in rig.of(Readings)  # noqa: B023 - asked at once
                if isinstance(e, Readings) and e.instrument == "chamber"
            ), f"a reading of {degrees}")
    read = [e for e in rig.of(Readings) if isinstance(e, Readings) and e.instrument == "chamber"]
    assert 30.05 not in {e.values["temperature_c"] for e in read}  # within the resolution
    eventually(lambda: len(rig.of(Readings)) > 0 and _spread(rig) <= 5.5 and _spread(rig) > 4.5, "one after 5 s")


def _spread(rig: Rig) -> float:
    """Seconds between the last two readings of the supply, which never change."""
    read = [e.t for e in rig.of(Readings) if isinstance(e, Readings) and e.instrument == "supply"]
    return (read[-1] - read[-2]) / 1e9 if len(read) > 1 else 0.0


@pytest.mark.parametrize(
    ("method", "arguments", "told"),
    [
        ("set_climate", {"temperature_c": 66}, "temperature_c 66 °C is above the limit of 65 °C"),
        ("set_climate", {"temperature_c": -21}, "below the limit of -20"),
        ("set_climate", {"temperature_c": 40, "ramp_k_per_min": 10.5}, "ramp_k_per_min 10.5 K/min is above"),
        ("set_climate", {"temperature_c": float("nan")}, "no number"),
    ],
)
def test_a_chamber_is_not_driven_beyond_its_limits(
    rig: Rig, method: str, arguments: dict[str, float], told: str
) -> None:
    instruments = rig.open()
    with pytest.raises(LimitRefused, match=told):
        instruments.chamber._do(method, **arguments)
    assert rig.fakes["chamber"].told == [{"output_on": 0}]  # made safe at first, nothing since
    assert not rig.failures and not rig.of(InstrumentSet)
    instruments.chamber.set_climate(temperature_c=65)  # the limit itself is allowed


def test_limits_of_the_other_kinds(rig: Rig) -> None:
    rig.limits["burst"] = {"level_kv": Limit(high=2)}
    instruments = rig.open()
    with pytest.raises(LimitRefused, match="voltage_v 265 V is above the limit of 264 V"):
        instruments.supply.set_voltage(265)
    with pytest.raises(LimitRefused, match=r"level_kv 2\.5 kV is above the limit of 2 kV"):
        instruments.burst.arm(level_kv=2.5)
    with pytest.raises(LimitRefused, match="there is no explode of a burst"):
        instruments.burst._do("explode")
    with pytest.raises(LimitRefused, match="level_kv is missing"):
        instruments.burst._do("arm")
    with pytest.raises(LimitRefused, match="no float"):
        instruments.burst._do("arm", level_kv="2")
    assert rig.fakes["burst"].values["armed"] == 0


def test_not_with_the_door_open(rig: Rig) -> None:
    instruments = rig.open()
    rig.fakes["chamber"].values["door_open"] = 1
    with pytest.raises(LimitRefused, match="the door is open"):
        instruments.chamber.set_climate(temperature_c=40)
    assert rig.fakes["chamber"].values["output_on"] == 0
    rig.fakes["chamber"].values["door_open"] = 0
    instruments.chamber.set_climate(temperature_c=40)
    rig.fakes["chamber"].values["door_open"] = 1
    eventually(lambda: rig.fakes["chamber"].values["output_on"] == 0, "the chamber to be stopped")
    eventually(lambda: bool(rig.failures), "the bench to have failed")
    assert "door was opened while it was driven" in rig.failures[0]


def test_a_chamber_that_runs_away_is_stopped(rig: Rig) -> None:
    instruments = rig.open()
    instruments.chamber.set_climate(temperature_c=60)
    rig.fakes["chamber"].values["temperature_c"] = 69.5  # an overshoot is borne
    instruments.chamber.await_("temperature_c", 69, 70, 5, "the overshoot")
    assert not rig.failures
    rig.fakes["chamber"].values["temperature_c"] = 70.5
    eventually(lambda: rig.fakes["chamber"].values["output_on"] == 0, "the chamber to be stopped")
    eventually(lambda: bool(rig.failures), "the bench to have failed")
    assert "it reads temperature_c 70.5 °C, and its limit is 65 °C; it was stopped" in rig.failures[0]


def test_the_end_of_a_test_makes_safe(rig: Rig) -> None:
    instruments = rig.open()
    instruments.begin_test("t", 60)
    instruments.chamber.set_climate(temperature_c=40)
    instruments.supply.set_voltage(190)
    instruments.burst.arm(level_kv=1)
    instruments.end_test()
    assert [fake.values["output_on"] for fake in (rig.fakes["chamber"], rig.fakes["supply"])] == [0, 1]
    assert rig.fakes["supply"].values["voltage_v"] == 220 and rig.fakes["burst"].values["armed"] == 0
    safe = rig.of(InstrumentsSafe)[-1]
    assert isinstance(safe, InstrumentsSafe)
    assert (safe.why, safe.unsafe, sorted(safe.instruments)) == ("test_ended", {}, ["burst", "chamber", "supply"])
    assert rig.safe_file()["unsafe"] == {} and not rig.failures


def test_a_test_that_hangs_is_ended_for_the_instruments(rig: Rig) -> None:
    instruments = rig.open()
    instruments.begin_test("the long one", 0.5)
    instruments.burst.arm(level_kv=1)
    eventually(lambda: rig.fakes["burst"].values["armed"] == 0, "the generator to be disarmed")
    eventually(lambda: bool(rig.failures), "the bench to have failed")
    assert "the test the long one is past its deadline" in rig.failures[0]
    with pytest.raises(LimitRefused, match="past its deadline"):
        instruments.burst.arm(level_kv=1)
    eventually(lambda: any(isinstance(e, InstrumentsSafe) and e.why == "hung" for e in rig.history.events), "the event")
    instruments.begin_test("the next", 60)
    instruments.burst.arm(level_kv=1)


@pytest.mark.parametrize(
    ("break_it", "told"),
    [
        (lambda fake: fake.values.update(temperature_c=float("nan")), "no number"),
        (lambda fake: fake.values.update(humidity_pct=140), "140 for humidity_pct, which can only be 0 to 100"),
        (lambda fake: fake.unplug(), "dropped the connection|can't be reached"),
        (lambda fake: setattr(fake, "delay_s", 1.5), "did not answer: timed out"),
    ],
)
def test_an_instrument_that_fails_is_the_benchs_failure(rig: Rig, break_it: object, told: str) -> None:
    rig.open()
    break_it(rig.fakes["chamber"])  # type: ignore[operator]
    eventually(lambda: bool(rig.failures), "the bench to have failed")
    trouble = rig.of(InstrumentTrouble)[0]
    assert isinstance(trouble, InstrumentTrouble)
    assert trouble.instrument == "chamber" and re.search(told, trouble.what), trouble
    assert trouble.remedy and "instrument chamber" in rig.failures[0]


def test_an_error_of_an_instrument_is_raised_where_it_was_caused(rig: Rig) -> None:
    instruments = rig.open()
    rig.fakes["supply"].error = "-222,data out of range"
    with pytest.raises(BenchError, match=r"bench b: instrument supply: set_voltage: .*-222,data out of range") as said:
        instruments.supply.set_voltage(100)
    assert "see its manual" in str(said.value) and rig.failures
    rig.fakes["supply"].error = ""


def test_another_device_than_the_inventory_has(rig: Rig) -> None:
    rig.identity["chamber"] = "WEISS"
    with pytest.raises(BenchError, match="answers 'HIL97,FAKE-CHAMBER', and the inventory has 'WEISS'") as said:
        rig.open()
    assert "instrument chamber" in str(said.value) and "supply" not in str(said.value)


def test_a_device_whose_identity_no_log_can_hold(rig: Rig) -> None:
    """It took the guard down, and with it all that the other instruments do."""
    rig.fakes["chamber"].identity = "\ud800"
    with pytest.raises(BenchError, match="which is no identity") as said:
        rig.open()
    assert "instrument chamber" in str(said.value)


def test_a_lost_network_during_the_restore_and_back(rig: Rig) -> None:
    instruments = rig.open()
    instruments.chamber.set_climate(temperature_c=40)
    instruments.burst.arm(level_kv=1)
    rig.fakes["chamber"].unplug()
    instruments.line.close()  # the worker goes
    eventually(lambda: rig.fakes["burst"].values["armed"] == 0, "the reachable ones to be safe")
    eventually(lambda: "chamber" in dict(rig.safe_file()["unsafe"]), "the file to name it")  # type: ignore[call-overload]
    assert instruments.line.child.alive() and "chamber: " in rig.log() and "trying again" in rig.log()
    assert rig.fakes["chamber"].values["output_on"] == 1
    rig.fakes["chamber"].plug()
    eventually(lambda: rig.fakes["chamber"].values["output_on"] == 0, "the chamber to be safe")
    assert instruments.line.child.wait(5)
    assert rig.safe_file()["unsafe"] == {} and rig.safe_file()["why"] == "runner_died"


def test_an_unreachable_instrument_at_the_end_of_a_test(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.instruments.client.SAFE_S", 0.5)
    instruments = rig.open()
    instruments.begin_test("t", 60)
    rig.fakes["supply"].unplug()
    with pytest.raises(BenchError, match=r"instrument supply is not safe: .*can't be reached"):
        instruments.end_test()
    rig.fakes["supply"].plug()
    eventually(lambda: not rig.safe_file()["unsafe"], "the supply to be safe again", 15)


def test_two_guards_do_not_share_a_real_instrument(rig: Rig, tmp_path: Path) -> None:
    rig.open()
    with pytest.raises(BenchError, match="is another guard's: process"), Recorder(tmp_path / "other.jsonl") as history:
        other = tmp_path / "other"
        other.mkdir()
        open_instruments(
            bench="c", run="s", folder=other, scratch=other, entries=rig.entries, surroundings=AROUND, seed=1,
            history=history, fail=rig.failures.append,
        )


def test_a_large_answer(rig: Rig) -> None:
    rig.fakes["camera"] = FakeInstrument("HIL97,FAKE-CAMERA")
    instruments = rig.open()
    assert len(instruments.camera.snapshot()) == 300004
    assert not rig.of(InstrumentSet)


def test_a_supply_whose_safe_state_is_beyond_its_limits_is_not_opened(rig: Rig) -> None:
    rig.limits["supply"] = {"voltage_v": Limit(high=210)}
    with pytest.raises(BenchError, match="supply is left at nominal_v 220 V, above the limit of 210 V"):
        rig.open()
    assert rig.fakes["supply"].told == [] and "above the limit of 210 V" in rig.log()


WORKER = """
import json, sys, time
from pathlib import Path
from harness.bench.instruments import open_instruments
from harness.history.recorder import Recorder
from harness.lab.instrument_entry import InstrumentEntry
folder = Path(sys.argv[1])
(folder / "scratch").mkdir(exist_ok=True)
entries = [InstrumentEntry(**one) for one in json.loads(sys.argv[2])]
instruments = open_instruments(
    bench="b", run="r", folder=folder, scratch=folder / "scratch", entries=entries, surroundings=None, seed=1,
    history=Recorder(folder / "history.jsonl"), fail=print, silence_s=float(sys.argv[3]))
instruments.begin_test("t", 600)
instruments.chamber.set_climate(temperature_c=40)
instruments.supply.set_voltage(190)
instruments.burst.arm(level_kv=1)
print("driving", flush=True)
time.sleep(600)
"""


def worker(rig: Rig, silence_s: float) -> subprocess.Popen[str]:
    """A process that has driven all three away from their safe state, and does nothing more."""
    rig.limits |= {  # nobody says what the model declares
        "chamber": {"temperature_c": Limit(low=-20, high=65), "humidity_pct": Limit(low=0, high=100)},
        "supply": {"voltage_v": Limit(low=0, high=264)},
    }
    entries = json.dumps([one.model_dump() for one in rig.entries])
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(rig.folder), entries, str(silence_s)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "driving\n"
    assert rig.fakes["burst"].values["armed"] == 1 and rig.fakes["chamber"].values["output_on"] == 1
    return process


def all_safe(rig: Rig) -> bool:
    values = {name: fake.values for name, fake in rig.fakes.items()}
    return (
        values["chamber"]["output_on"] == 0 and values["burst"]["armed"] == 0
        and (values["supply"]["voltage_v"], values["supply"]["output_on"]) == (230, 1)
    )


def test_kill_9_of_the_runner_three_times(rig: Rig) -> None:
    for number in range(3):
        process = worker(rig, 60)
        process.kill()
        began = time.monotonic()
        eventually(lambda: all_safe(rig), f"all safe after kill -9, time {number + 1}", 10)
        seconds = time.monotonic() - began
        process.wait()
        eventually(lambda: "guard ended" in rig.log().splitlines()[-1], "the guard to end")
        assert rig.safe_file()["why"] == "runner_died"
        assert seconds < 10


def test_a_worker_that_is_not_heard_of(rig: Rig) -> None:
    process = worker(rig, 0.6)
    os.kill(process.pid, signal.SIGSTOP)
    try:
        eventually(lambda: all_safe(rig), "all safe although the worker lives")
        assert "has not been heard of for 0.6 s" in rig.log()
    finally:
        process.kill()
        process.wait()
    eventually(lambda: "guard ended" in rig.log().splitlines()[-1], "the guard to end")
