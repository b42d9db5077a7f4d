"""What a guard must not leave behind: a chamber on its way to where somebody left it, a late call, an untrue word."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from harness.errors import BenchError
from harness.instruments.guard import station
from harness.instruments.guard.limits import Limits
from harness.lab.instrument_entry import InstrumentEntry
from harness.tests.guard_rig import Rig, made
from harness.tests.lab_helpers import eventually


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    with made(tmp_path, monkeypatch) as one:
        yield one


def test_a_chamber_that_is_told_no_temperature_keeps_to_what_it_has(rig: Rig) -> None:
    """Its set point may stand where somebody left it: only what the guard sends is within the limits."""
    instruments = rig.open()
    chamber = rig.fakes["chamber"]
    chamber.values.update(wanted_c=140, temperature_c=67)
    instruments.chamber.set_climate(humidity_pct=60)
    assert chamber.values["wanted_c"] == 65
    instruments.chamber.set_climate(temperature_c=40)
    instruments.chamber.set_climate(humidity_pct=70)
    assert chamber.told[-1]["wanted_c"] is None  # it is on its way to 40
    instruments.safe()
    chamber.values.update(wanted_c=140, temperature_c=23)
    instruments.chamber.set_climate(humidity_pct=60)
    assert chamber.values["wanted_c"] == 23


def test_what_was_asked_before_it_was_made_safe_is_not_done_afterwards(rig: Rig) -> None:
    """A slow instrument: the test has given up its call and ended before the call's turn came."""
    instruments = rig.open()
    instruments.begin_test("t", 60)
    supply = rig.fakes["supply"]
    supply.delay_s = 0.7
    call = {"op": "call", "instrument": "supply", "method": "set_voltage"}
    for number, voltage in ((10_001, 200.0), (10_002, 190.0)):  # busy with the first when all is to be safe
        instruments.line._send({**call, "id": number, "args": {"voltage_v": voltage}})
    instruments.end_test()
    supply.delay_s = 0.0
    asked = supply.asked
    eventually(lambda: supply.asked > asked + 2, "it to be sampled again")
    assert supply.values["voltage_v"] == 220
    assert not any(told.get("voltage_v") == 190 for told in supply.told)


def test_what_was_never_open_is_not_called_safe(rig: Rig) -> None:
    """It may be on from before: the guard that could not reach it ends, and says what it does not know."""
    chamber = rig.fakes["chamber"]
    chamber.values["output_on"] = 1
    chamber.unplug()
    with pytest.raises(BenchError, match=r"instrument chamber: .*can't be reached"):
        rig.open()
    eventually(lambda: "guard ended" in rig.log(), "the guard to end")
    told = rig.safe_file()
    assert told["safe"] == ["supply", "burst"]
    assert str(dict(told["unsafe"])["chamber"]).startswith("it was never open: ")  # type: ignore[call-overload]
    assert "all safe but chamber (runner_died)" in rig.log()


class Unhurried:
    """A driver's class, its one instrument, and the only clock: ``waits``: seconds of each reading to come."""

    kind, safe = "power_switch", "on"
    quantities: ClassVar[dict[str, Any]] = {}

    def __init__(self, waits: Sequence[float]) -> None:
        self.waits, self.now = list(waits), 1.0

    def read(self) -> dict[str, float]:
        self.now += self.waits.pop(0)
        return {}

    def monotonic(self) -> float:
        return self.now

    def monotonic_ns(self) -> int:
        return int(self.now * 1e9)


class Told:
    """What a station reports: its troubles alone."""

    def __init__(self) -> None:
        self.troubles: list[str] = []

    def event(self, kind: str, **fields: Any) -> None:
        self.troubles += [fields["what"]] if kind == "trouble" else []

    def note(self, text: str) -> None:
        pass

    def changed(self, name: str) -> None:
        pass

    def settle(self, name: str) -> None:
        pass


@pytest.mark.parametrize(("waits", "too_slow"), [
    ((1.1, 0.1, 1.1, 0.1), False), ((0.1, 1.1, 1.1), True), ((1.1, 1.1), True), ((0.9, 0.9, 0.9), False),
])  # fmt: skip
def test_a_reading_that_was_slow_once_may_be_the_machine_s(
    waits: Sequence[float], too_slow: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, driver = Told(), Unhurried(waits)
    monkeypatch.setattr(station, "time", driver)
    entry = InstrumentEntry(name="slow", driver="unhurried")
    one = station.Station(entry, Unhurried, {}, Limits("power_switch", {}), told, sample_s=0.1, retry_s=1)
    one._driver = driver
    for _reading in waits:
        one._sample()
    assert any("1.1 s to read, which is too slow to be watched" in what for what in told.troubles) == too_slow
