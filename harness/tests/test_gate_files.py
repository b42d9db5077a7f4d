"""gate.json, the page's section, JUnit and the bundle: what is written and how damaged ones are refused."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import harness
from harness import gate
from harness.campaigns import gate_bundle
from harness.campaigns.gate import Wanted, check
from harness.emulator.build import build
from harness.emulator.image_set import flawed
from harness.emulator.shipped import REFERENCE_SOURCE, TEST_KEY
from harness.errors import BadInput
from harness.gate import Again, Comparison, GateRecord, Installed, LeftOut, Requirement, Times
from harness.history.events import Firmware
from harness.reports import gate as section
from harness.tests.gate_runs import ON

ROOT = Path(harness.__file__).resolve().parents[1]
LAB = ROOT / "lab_config" / "emulated.yaml"
TEST = "suites/x.py::test_y[a-@HT-100]"


def record(**more: Any) -> GateRecord:
    values: dict[str, Any] = {
        "hil97": "0", "run": "run", "image": Firmware(name="new", version="2.0.0", sha256="ab" * 32),
        "from_versions": [Firmware(name="old", version="1.0.0", sha256="cd" * 32)], "came_by": "update",
        "decision": "blocked", "status": 1, "reasons": ["MON-03 FAIL"], "quick": False, "seed": "hil97",
        "lab": str(LAB), "tests": [Again(test=TEST, first="failed", again="failed", flaky=False)], "comparison": None,
        "requirements": [Requirement(id="MON-03", on=ON, mandatory=True, verdict="FAIL", reason="bench-1: lost",
                                     tests=[TEST])],
        "left_out": LeftOut(), "times": Times(opened="2026-01-01", closed="2026-01-01", seconds=3.0, first_s=2.0,
                                              again_s=1.0),
    }  # fmt: skip
    return GateRecord(**(values | more))


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    comparison = Comparison(baseline="b", firmware=["old 1.0.0"], requirements={"new failure": [f"MON-03 on {ON}"]},
                            tests={"flaky": [TEST]}, not_compared=2)
    one = record(comparison=comparison, bundle="bundle.zip", again="again")
    one.write(tmp_path)
    assert gate.read(tmp_path) == one
    assert json.loads((tmp_path / "gate.json").read_text())["schema_version"] == gate.VERSION


def test_what_is_no_record_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="can't be read"):
        gate.read(tmp_path)
    path = record().write(tmp_path)
    text = path.read_text(encoding="utf-8")
    for bad, why in ((text[:40], "damaged"), ("[]", "damaged"), (text.replace('"run"', '"ran"'), "damaged"),
                     (text.replace('"schema_version": 1', '"schema_version": 2'), "knows versions up to 1")):
        path.write_text(bad, encoding="utf-8")
        with pytest.raises(BadInput, match=why):
            gate.read(tmp_path)
        assert section.section(tmp_path) is None, "the run's page is made without it"


def test_the_documentation_names_every_key() -> None:
    text = (ROOT / "docs" / "gate.md").read_text(encoding="utf-8")
    for model in (GateRecord, Installed, Requirement, Again, Comparison, LeftOut, Times):
        missing = [name for name in model.model_fields if f"`{name}`" not in text]
        assert missing == [], f"docs/gate.md does not tell of {model.__name__}"


def test_the_lines_on_the_terminal_say_the_decision_and_why(tmp_path: Path) -> None:
    flaky = [Again(test="suites/x.py::test_z", first="failed", again="passed", flaky=True)]
    text = "\n".join(section.lines(record(tests=flaky, left_out=LeftOut(suites=["install"])), tmp_path))
    for words in ("blocked: new 2.0.0", "updated from 1.0.0", "MON-03 fail, HT-100", "flaky: suites/x.py::test_z",
                  "no suites install"):
        assert words in text


def test_where_no_requirement_says_why_the_runs_own_reasons_are_told(tmp_path: Path) -> None:
    one = record(status=4, decision="undecided", requirements=[], tests=[], reasons=["2 of 5 tests never ran"])
    assert "2 of 5 tests never ran" in "\n".join(section.lines(one, tmp_path))
    one.write(tmp_path)
    found = section.section(tmp_path)
    assert found is not None and found.reasons == ("2 of 5 tests never ran",)


# -- the bundle -------------------------------------------------------------------------------------------------------


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A gate's folder with two benches, of which one saw the test that failed."""
    folder = tmp_path / "results" / "run"
    for bench, test in (("bench-1", TEST), ("bench-2", "another")):
        where = folder / "benches" / bench
        where.mkdir(parents=True)
        (where / "history.jsonl").write_text(json.dumps({"kind": "test.opened", "test": test}) + "\n")
        (where / "wire.pcapng").write_bytes(b"pcap")
    images = {"new": tmp_path / "new.img", "old": tmp_path / "old.img"}
    for name, path in images.items():
        path.write_bytes(name.encode())
    info = {"benches": [{"bench": "bench-1", "firmware": {"path": str(images["new"])}}],
            "from": {"1.0.0": {"name": "old", "version": "1.0.0", "sha256": "", "path": str(images["old"])}}}
    for name, content in (("run.json", info), ("verdicts.json", {})):
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
    one = record(bundle="bundle.zip")
    one.write(folder)
    gate_bundle.write(folder, one, info)
    return folder


def test_the_bundle_has_all_that_another_machine_needs(run: Path, tmp_path: Path) -> None:
    bundle = gate_bundle.unpack(run / "bundle.zip", tmp_path / "there")
    there = tmp_path / "there"
    assert (there / bundle.image).read_bytes() == b"new"
    assert [(there / one).read_bytes() for one in bundle.from_images] == [b"old"]
    assert (bundle.tests, bundle.requirements, bundle.seed) == ([TEST], ["MON-03"], "hil97")
    assert (bundle.quick, bundle.by_update) == (False, True)
    from harness.lab.inventory import load_lab

    lab = load_lab(there / bundle.lab)
    assert [(one.name, one.label) for one in lab.benches] == [(one.name, one.label) for one in load_lab(LAB).benches]
    names = {str(path.relative_to(there)) for path in there.rglob("*") if path.is_file()}
    assert {"README.md", "run/gate.json", "run/run.json", "run/verdicts.json", "run/benches/bench-1/history.jsonl",
            "run/benches/bench-1/wire.pcapng"} <= names
    assert not any("bench-2" in name for name in names), "only the benches concerned"
    readme = (there / "README.md").read_text(encoding="utf-8")
    assert "hil97 gate --reproduce bundle.zip" in readme and "MON-03" in readme
    assert str(tmp_path) not in readme


def test_what_is_no_bundle_is_refused_and_leaves_nothing(run: Path, tmp_path: Path) -> None:
    there = tmp_path / "there"
    whole = (run / "bundle.zip").read_bytes()
    bad = tmp_path / "bad.zip"

    def refused(why: str) -> None:
        with pytest.raises(BadInput, match=why):
            gate_bundle.unpack(bad, there)
        assert not there.exists()

    refused("can't be read")
    for data in (b"", b"no zip at all", whole[: len(whole) // 2]):
        bad.write_bytes(data)
        refused("no bundle of a gate")
    with zipfile.ZipFile(bad, "w") as archive:
        archive.writestr("README.md", "")
    refused("holds no bundle.json")
    index = json.loads(zipfile.ZipFile(run / "bundle.zip").read("bundle.json"))
    for change, why in (({"version": 2}, "knows versions up to 1"), ({"tests": 7}, "damaged"), ({}, "lacks images/")):
        with zipfile.ZipFile(bad, "w") as archive:
            archive.writestr("bundle.json", json.dumps(index | change))
        refused(why)
    with zipfile.ZipFile(bad, "w") as archive:
        archive.writestr("bundle.json", json.dumps(index))
        archive.writestr("../outside", "")
    refused("leads out of it")
    outside = tmp_path / "outside.img"
    outside.write_bytes(b"of this machine")
    for name in (str(outside), "images/../../outside.img"):
        for named in ({"image": name}, {"lab": name}, {"from_images": [name]}):
            with zipfile.ZipFile(run / "bundle.zip") as good, zipfile.ZipFile(bad, "w") as archive:
                for one in good.namelist():
                    archive.writestr(one, json.dumps(index | named) if one == "bundle.json" else good.read(one))
            refused(f"leads out of it: '{name}'")


@given(st.binary(max_size=400))
def test_wild_bytes_are_no_bundle(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = tmp_path_factory.mktemp("wild")
    (folder / "b.zip").write_bytes(data)
    with pytest.raises(BadInput):
        gate_bundle.unpack(folder / "b.zip", folder / "there")


# -- bad input --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("image") / "new.img"
    build(REFERENCE_SOURCE, "1.0.1", TEST_KEY, path)
    return path


def test_bad_input_is_said_before_anything_runs(image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    good = Wanted(image, "1.0.0", str(LAB))
    assert check(good).version == "1.0.1"
    damaged = tmp_path / "damaged.img"
    data = bytearray(image.read_bytes())
    data[5000] ^= 1
    damaged.write_bytes(data)
    other, large, old = tmp_path / "other.img", tmp_path / "large.img", tmp_path / "old.img"
    for flaw, path in (("wrong_model", other), ("oversized", large)):
        assert flawed(image, flaw, path) is not None
    build(REFERENCE_SOURCE, "0.9.0", TEST_KEY, tmp_path / "of-all.img")
    assert flawed(tmp_path / "of-all.img", "wrong_model", old) is not None
    (tmp_path / "tail.img").write_bytes(image.read_bytes() + bytes(20))
    few = tmp_path / "few"
    (few / "recovery").mkdir(parents=True)
    assert check(replace(good, suites=few, quick=True)).version == "1.0.1", "a choice of tests tells what it lacks"
    for change, why in (
        ({"image": tmp_path / "none.img"}, "there is no such image"),
        ({"image": damaged}, r"offset \d+: the firmware image is refused"),
        ({"image": tmp_path / "tail.img"}, rf"tail.img: offset {len(data)}: .*bytes after the end of the image"),
        ({"image": large}, r"large.img: offset \d+: .*do not fit"),
        ({"image": Path("/proc/self/mem")}, r"^/proc/self/mem: .*can't be read"),
        ({"image": other}, r"other.img: .*does not fit HT-100: for "),
        ({"from_versions": str(old)}, r"old.img: .*does not fit HT-100: for "),
        ({"from_versions": ""}, "no version to update from"),
        ({"from_versions": "7.7.7"}, "neither a released version nor an image file"),
        ({"from_versions": "1.0.0,2.0.0"}, "nobody can update to it from 2.0.0"),
        ({"from_versions": str(image)}, "nobody can update to it from 1.0.1"),
        ({"baseline": tmp_path}, "no stored run"),
        ({"suites": tmp_path / "suites"}, "there are no suites here"),
        ({"suites": few}, "no suite install, firmware, registration, network here"),
    ):
        with pytest.raises(BadInput, match=why):
            check(replace(good, **change))
