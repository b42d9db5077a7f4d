"""What a guard must not leave behind: a chamber on its way to where somebody left it, a late call, an untrue word."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.errors import BenchError
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
