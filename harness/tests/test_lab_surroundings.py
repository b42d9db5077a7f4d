"""What a model declares of its surroundings: what can't be so is refused with its place, before a bench is opened."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from harness.cli import main
from harness.lab import catalogue
from harness.lab.inventory import load_lab
from harness.terminal.model import Model
from harness.tests.test_lab_inventory import CONFIG, GOOD, PHYSICAL, write

ON_DC = "voltage_v: {low: 8.5, high: 9.9, nominal: 9}"


def lab_with(folder: Path, changes: dict[str, str], text: str = GOOD) -> Path:
    """An inventory whose model HT-100 says something else: pattern -> what is there now."""
    shutil.copytree(CONFIG, folder / "catalogue")
    model = folder / "catalogue" / "models" / "HT-100.yaml"
    said = model.read_text(encoding="utf-8")
    for old, new in changes.items():
        assert len(re.findall(old, said)) == 1, old
        said = re.sub(old, new, said)
    model.write_text(said, encoding="utf-8")
    return write(folder, text.replace(str(CONFIG), "catalogue"))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("temperature_c: {low: 0", "temperature_c: {low: .nan", ":50:24: surroundings.temperature_c.low: input should"),
        ("temperature_c: {low: 0", "temperature_c: {low: -.inf", ":50:24: surroundings.temperature_c.low: input"),
        ("temperature_c: {.*}", "temperature_c: {low: 50, high: -10, nominal: 23}", ":50:24: `low` must be below"),
        ("temperature_c: {.*}", "temperature_c: {low: 50, high: 50, nominal: 50}", ":50:24: `low` must be below `high"),
        ("high: 45", "high: 500", ":50:33: temperature_c is from -70 to 150, not 500"),
        ("temperature_c: {low: 0", "temperature_c: {low: -300", ":50:24: temperature_c is from -70 to 150, not -300"),
        ("humidity_pct: {low: 10", "humidity_pct: {low: -1", ":51:23: humidity_pct is from 0 to 100, not -1"),
        ("high: 242", "high: 24200", ":52:31: voltage_v is from 0 to 300, not 24200"),
        ("nominal: 220", "nominal: 110", ":52:45: `nominal` 110 is not within the range, 198 to 242"),
        ("burst, level: 1", "burst, level: -1", ":54:28: surroundings.immunity[1].level: input should be greater than"),
        ("burst, level: 1", "burst, level: .inf", "surroundings.immunity[1].level: input should be a finite number"),
        ("residual_pct: 70", "residual_pct: 101", ".residual_pct: input should be less than or equal to 100, not 101"),
        ("residual_pct: 70", "residual_pct: .nan", ".residual_pct: input should be a finite number"),
        ("brown_out_v: 150", "brown_out_v: 1e9", "surroundings.emulated.brown_out_v: input should be less than or"),
        ("brown_out_v: 150", "brown_out_v: 198", ":70:74: brown_out_v 198 must be below the low end of voltage_v, 198"),
        ("printer_stops_c: 60", "printer_stops_c: .nan", "emulated.printer_stops_c: input should be a finite number"),
        ("printer_stops_c: 60", "printer_stops_c: 1e6", "emulated.printer_stops_c: input should be less than or equal"),
        ("_per_k: 20", "_per_k: .inf", "emulated.screen_slow_ms_per_k: input should be a finite number"),
        ("_per_k: 20", "_per_k: 1e9", "emulated.screen_slow_ms_per_k: input should be less than or equal to 10000"),
        ("hold_up_ms: 20", "hold_up_ms: 20, worn_misses: 2", "emulated.worn_misses: input should be less than"),
        ("hold_up_ms: 20", "hold_up_ms: 20, battery_low_pct: 101", "emulated.battery_low_pct: input should be less"),
        ("\nsurroundings:\n", "\nsurroundings:\n  back_s: 0\n", ":50:11: surroundings.back_s: input should be greater"),
        ("\nsurroundings:\n", "\nsurroundings:\n  back_s: .nan\n", ":50:11: surroundings.back_s: input should be a"),
    ],
)  # fmt: skip
def test_what_can_not_be_so_is_pointed_at(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, told: str
) -> None:
    file = lab_with(tmp_path, {old: new})
    assert main(["lab", "check", str(file)]) == 2
    said = capsys.readouterr().err
    assert told in said and said.count("HT-100.yaml:") == 1 and "^" in said and "Traceback" not in said


def test_a_low_supply_is_no_mistake_of_a_real_terminal_but_one_of_an_emulated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What an emulated unit does where nothing is said of it is for mains."""
    changes = {"voltage_v: {.*}": ON_DC, "\n  emulated: {.*}": ""}
    for name, text, status in (("real", PHYSICAL, 0), ("emulated", GOOD, 2)):
        (tmp_path / name).mkdir()
        assert main(["lab", "check", str(lab_with(tmp_path / name, changes, text))]) == status
    said = capsys.readouterr().err
    assert "lab.yaml:5:12: the emulated HT-100 resets below 150 V, and its supply may have 8.5 V" in said


@pytest.mark.parametrize("name", catalogue.names(CONFIG, Model))
def test_what_is_shipped_can_be_so(name: str) -> None:
    around = catalogue.load_named(CONFIG, Model, name).surroundings
    assert around is not None and not around.problems() and not around.stays_dark


@pytest.mark.parametrize(("scale", "told"), [
    ("0.05", "greater than or equal to 0.1, not 0.05"), ("1000000", "less than or equal to 100, not 1000000"),
    (".nan", "a finite number"), (".inf", "a finite number"),
])  # fmt: skip
def test_time_is_scaled_within_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], scale: str, told: str
) -> None:
    file = write(tmp_path, f"{GOOD}    time_scale: {scale}\n")
    assert main(["lab", "check", str(file)]) == 2
    assert f"lab.yaml:8:17: benches[1].time_scale: input should be {told}" in capsys.readouterr().err


@pytest.mark.parametrize("scale", ["0.1", "100"])
def test_the_ends_of_the_time_scale_are_allowed(tmp_path: Path, scale: str) -> None:
    assert load_lab(write(tmp_path, f"{GOOD}    time_scale: {scale}\n")).benches[0].time_scale == float(scale)
