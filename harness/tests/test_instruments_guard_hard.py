"""What a guard must survive: a full disk, a folder that is gone, a driver and a test that do the impossible."""

from __future__ import annotations

import shutil
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


def drive(rig: Rig) -> None:
    instruments = rig.opened[0]
    instruments.chamber.set_climate(temperature_c=40)
    instruments.supply.set_voltage(200)
    instruments.burst.arm(level_kv=1)
    assert rig.fakes["chamber"].values["output_on"] == 1 and rig.fakes["burst"].values["armed"] == 1


def all_safe(rig: Rig) -> bool:
    chamber, supply, burst = (rig.fakes[name].values for name in ("chamber", "supply", "burst"))
    return (chamber["output_on"], supply["voltage_v"], burst["armed"]) == (0, 220, 0)


def test_a_full_disk_keeps_nothing_from_being_made_safe(rig: Rig) -> None:
    """Often why the runner died."""
    rig.open()
    drive(rig)
    log = rig.folder / "logs" / "instruments.log"
    log.unlink()
    log.symlink_to("/dev/full")
    rig.opened[0].line.close()
    eventually(lambda: all_safe(rig), "all to be safe", 10)
    eventually(lambda: not rig.opened[0].line.child.alive(), "the guard to end", 10)
    log.unlink()


def test_nor_does_a_folder_that_is_gone(rig: Rig) -> None:
    rig.open()
    drive(rig)
    shutil.move(rig.folder / "logs", rig.folder / "elsewhere")
    rig.opened[0].line.close()
    eventually(lambda: all_safe(rig), "all to be safe", 10)
    eventually(lambda: not rig.opened[0].line.child.alive(), "the guard to end", 10)
    shutil.move(rig.folder / "elsewhere", rig.folder / "logs")


def test_an_instrument_that_is_lost_while_the_disk_is_full_is_tried_again(rig: Rig) -> None:
    instruments = rig.open()
    drive(rig)
    log = rig.folder / "logs" / "instruments.log"
    log.unlink()
    log.symlink_to("/dev/full")
    rig.fakes["chamber"].unplug()
    eventually(lambda: any("chamber" in one for one in rig.failures), "the loss to be told", 10)
    rig.fakes["chamber"].plug()
    eventually(lambda: rig.fakes["chamber"].values["output_on"] == 0, "the chamber to be made safe", 15)
    log.unlink()
    instruments.safe()


@pytest.mark.parametrize("degrees", [10**400, -(10**400)], ids=["huge", "hugely-negative"])
def test_a_number_that_is_none_is_refused_and_the_chamber_is_still_made_safe(rig: Rig, degrees: int) -> None:
    instruments = rig.open()
    drive(rig)
    with pytest.raises(BenchError, match="chamber"):
        instruments.chamber.set_climate(temperature_c=degrees)
    instruments.safe()
    assert all_safe(rig)


def test_what_a_driver_returns_may_be_anything(rig: Rig) -> None:
    instruments = rig.open()
    drive(rig)
    rig.fakes["burst"].values["odd"] = 1
    with pytest.raises(BenchError, match=r"burst: ready: its driver returned what can't be told on: set"):
        instruments.burst.ready()
    instruments.safe()
    assert all_safe(rig)


def test_an_instrument_that_hangs_holds_nobody_else_up(rig: Rig) -> None:
    """Its own reading takes eight seconds; the chamber is watched on meanwhile, and stopped when its door opens."""
    rig.options["supply"] = {"timeout_s": 30}
    instruments = rig.open()
    instruments.chamber.set_climate(temperature_c=40)
    chamber, supply = rig.fakes["chamber"], rig.fakes["supply"]
    supply.delay_s = 8.0
    asked = supply.asked
    eventually(lambda: supply.asked > asked or chamber.asked > 0, "the supply to hang", 5)
    before = chamber.asked
    eventually(lambda: chamber.asked > before + 10, "the chamber to be read on", 5)
    chamber.values["door_open"] = 1
    eventually(lambda: chamber.values["output_on"] == 0, "the chamber to be stopped", 3)
    supply.delay_s = 0.0
    chamber.values["door_open"] = 0


def test_how_often_each_was_read_is_in_the_log(rig: Rig) -> None:
    rig.open()
    burst = rig.fakes["burst"]
    before = burst.asked
    eventually(lambda: burst.asked > before + 10, "ten readings", 10)
    rig.opened[0].line.close()
    eventually(lambda: "guard ended" in rig.log(), "the guard to end", 10)
    (line,) = [one for one in rig.log().splitlines() if "burst: let go, read " in one]
    assert int(line.rpartition(" read ")[2].split()[0]) >= 10
