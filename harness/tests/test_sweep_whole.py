"""The power-cut sweep on real updates: good versions end every cut as old or new, one that deletes what was stored
before it is confirmed does not, and boards confirm both."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from harness.campaigns.sweep import Stage
from harness.campaigns.sweep.__main__ import to_json
from harness.campaigns.sweep.run import Job, Report
from harness.campaigns.sweep.stored import load
from harness.emulator.build import build, build_source
from harness.emulator.shipped import TEST_KEY, TEST_PUBLIC_KEY, version_sources
from harness.emulator.source import load_source
from harness.tests.emulator_bench import ROOT, model

OLD, NEW = "1.0.0", "2.0.0"  # another data format
_CONFIRMED = """            if trial:
                board.boot.confirm()
                trial = False
            migration.finish(stores[0].files, board.feed_watchdog)
"""
_TOO_EARLY = """            migration.finish(stores[0].files, board.feed_watchdog)
            if trial:
                board.boot.confirm()
                trial = False
"""


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """By version; ``bad`` deletes the old data before it is confirmed, ``never`` is never confirmed."""
    folder = tmp_path_factory.mktemp("images")
    made = {name: folder / f"{name}.img" for name in (OLD, NEW, "bad", "never")}
    for version in (OLD, NEW):
        build(version_sources()[version], version, TEST_KEY, made[version])
    source = load_source(version_sources()[NEW])
    for name, edited in (("bad", _TOO_EARLY), ("never", _CONFIRMED.replace("board.boot.confirm()", "board.reboot()"))):
        text, origin = source.files["app/main.py"]
        assert text.count(_CONFIRMED) == 1
        files = source.files | {"app/main.py": (text.replace(_CONFIRMED, edited), origin)}
        build_source(replace(source, files=files), NEW, TEST_KEY, made[name])
    return made


def swept(folder: Path, images: dict[str, Path], new: str, *stages: Stage, cold: int) -> Report:
    """In a process of its own, as a bench has it done."""
    job = Job(model("HT-200"), TEST_PUBLIC_KEY, images[new], images[OLD], stages=stages, everything=False, cold=cold)
    report = folder / "report.jsonl"
    done = subprocess.run(
        [sys.executable, "-m", "harness.campaigns.sweep"], input=to_json(job, report), text=True, capture_output=True,
        cwd=ROOT, timeout=240, check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "record 0 1"
    return load(report)


def test_a_good_version_passes_and_boards_say_the_same(tmp_path: Path, images: dict[str, Path]) -> None:
    stages: tuple[Stage, ...] = ("transfer", "commit", "trial", "migration", "confirmation")
    report = swept(tmp_path, images, NEW, *stages, cold=12)
    assert not report.bad and not report.disagreeing
    found = {stage: set(report.count(stage)) for stage in stages}
    assert found == {"transfer": {"old"}, "commit": {"old"}, "trial": {"new"}, "migration": {"old"},
                     "confirmation": {"old", "new"}}
    assert sum(result.cold is not None for result in report.results) == 12
    assert len(report.results) == 2 * sum(report.by_stage[stage] for stage in stages[1:]) + 60
    held = report.before.held
    assert held["2.tid"] and held["2.tmk_kcv"] != held["tmk_kcv"] and held["reversal"] != "none"
    assert held["sales"] == "3/11434" and held["voids"] == "1/9700" and held["undelivered"] == "1"


def test_a_return_that_is_cut_goes_on(tmp_path: Path, images: dict[str, Path]) -> None:
    report = swept(tmp_path, images, NEW, "return", cold=4)
    assert set(report.count("return")) == {"old"} and not report.disagreeing
    assert report.by_stage["return"] > 300  # both ways back erase a slot


def test_data_that_goes_before_the_confirmation_is_found(tmp_path: Path, images: dict[str, Path]) -> None:
    report = swept(tmp_path, images, "bad", "migration", "confirmation", cold=8)
    assert report.bad and not report.disagreeing
    assert Counter(result.stage for result in report.bad)["migration"] >= 2
    assert all("does not stand idle" in result.reason or "was '97000001'" in result.reason for result in report.bad)


def test_what_is_no_update_is_refused(tmp_path: Path, images: dict[str, Path]) -> None:
    wanted = Job(model("HT-100"), TEST_PUBLIC_KEY, images["never"], images[OLD], cold=0)
    for job, said in (
        (wanted, "the update does not come to its end: 1.0.0 runs afterwards"),
        (replace(wanted, new=images[OLD]), "ERR 74"),
        (replace(wanted, new=tmp_path / "none.img"), "No such file"),
        (replace(wanted, flash=images[OLD]), "a flash file has more than"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "harness.campaigns.sweep"], input=to_json(job, tmp_path / "report"), text=True,
            capture_output=True, cwd=ROOT, timeout=120, check=False,
        )
        assert done.returncode == 2 and said in done.stderr and "Traceback" not in done.stderr, done.stderr


def test_what_is_refused_is_named_as_it_was(tmp_path: Path, images: dict[str, Path]) -> None:
    """Not the command's copy, which is gone when the message is read."""
    for new, old in ((OLD, NEW), (str(images[OLD]), str(images[NEW]))):
        done = subprocess.run(
            [sys.executable, "-m", "harness.cli", "--lang", "en", "firmware", "sweep", new, "--from", old],
            text=True, capture_output=True, cwd=ROOT, timeout=120, check=False,
        )
        assert done.returncode == 2
        assert done.stderr.startswith(f"hil97: {new}: the terminal does not take the image: ERR 74"), done.stderr


def test_the_command_prints_a_table(tmp_path: Path, images: dict[str, Path]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "harness.cli", "firmware", "sweep", str(images["bad"]), "--from", str(images[OLD]),
         "--stage", "confirmation", "--stage", "migration", "--confirm", "0", "-o", str(tmp_path / "cuts.jsonl")],
        text=True, capture_output=True, cwd=ROOT, timeout=240, check=False,
    )
    assert done.returncode == 1, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("1.0.0 to 2.0.0: ") and lines[1].split() == [
        "stage", "operations", "cuts", "old", "new", "neither"]
    assert "0 of 0 confirmed by a real board, seed 1" in lines
    kept = [json.loads(line) for line in (tmp_path / "cuts.jsonl").read_text("utf-8").splitlines()]
    assert {line["outcome"] for line in kept[1:]} >= {"neither", "new"}
