"""``hil97 gate`` through real processes, without a terminal, in a project that has few suites."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness import gate
from harness.emulator.build import build
from harness.emulator.shipped import REFERENCE_SOURCE, TEST_KEY, defect_sources
from harness.tests.system_helpers import ROOT, Ended, SystemLab

DEFECT, RULE = "same-text-for-03", "MSG-03"
SUITE = "suites/registration/test_codes_that_are_not_97.py"
TEST = f"{SUITE}::test_merchant_not_registered_03"


@dataclass
class Project:
    """A folder with one suite, where the commands are started."""

    folder: Path
    lab: SystemLab

    @classmethod
    def make(cls, folder: Path, lab: SystemLab) -> Project:
        (folder / SUITE).parent.mkdir(parents=True)
        (folder / SUITE).write_bytes((ROOT / SUITE).read_bytes())
        (folder / "suites" / "quick.txt").write_text(f"# one\n{TEST}  # {RULE}\n", encoding="utf-8")
        plugins = (ROOT / "conftest.py").read_text(encoding="utf-8")
        (folder / "conftest.py").write_text(plugins, encoding="utf-8")
        (folder / "pytest.ini").write_text("[pytest]\naddopts = --import-mode=importlib\n", encoding="utf-8")
        return cls(folder, lab)

    def gate(self, *arguments: str, name: str = "run") -> Ended:
        """No tty, no TERM: as in a CI job."""
        where = ["--results", str(self.folder / "results"), "--run-name", name]
        return self.lab.run(
            "harness.cli", "--lang", "en", "gate", *arguments, *where, cwd=self.folder, more={"TERM": "", "CI": "true"}
        )

    def of(self, image: Path, *more: str, name: str = "run") -> Ended:
        lab = ["--lab", str(self.lab.inventory)]
        return self.gate(str(image), "--from", "1.0.0", *lab, "--quick", *more, name=name)


@pytest.fixture
def project(tmp_path: Path, system_lab: SystemLab) -> Project:
    return Project.make(tmp_path / "project", system_lab)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("images")
    for name, source in (("reference", REFERENCE_SOURCE), (DEFECT, defect_sources()[DEFECT])):
        build(source, "1.0.1", TEST_KEY, folder / f"{name}.img")
    return {path.stem: path for path in folder.glob("*.img")}


def test_the_reference_is_released(project: Project, images: dict[str, Path]) -> None:
    ended = project.of(images["reference"])
    folder = project.folder / "results" / "run"
    record = gate.read(folder)
    assert (ended.status, record.decision, record.status) == (0, "released", 0), ended.text + project.lab.evidence()
    assert "released: reference 1.0.1" in ended.text and "\x1b" not in ended.text
    assert record.came_by == "update" and [one.version for one in record.from_versions] == ["1.0.0"]
    assert record.quick and record.left_out.suites and record.bundle is None
    assert {one.id: one.verdict for one in record.requirements}[RULE] == "PASS"
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert 'id="h-gate"' in page and "suites/quick.txt" in page
    assert 'name="run.gate"' in (folder / "junit.xml").read_text(encoding="utf-8")
    updates = [json.loads(line) for path in folder.glob("benches/*/history.jsonl") for line in path.open("rb")]
    told = [(one["name"], one["version"]) for one in updates if one["kind"] == "firmware.told"]
    assert ("reference", "1.0.1") in told, "its first unit came with the old version, and was updated"


def test_a_defect_is_blocked_and_its_bundle_brings_the_finding_back(
    project: Project, images: dict[str, Path], tmp_path: Path
) -> None:
    ended = project.of(images[DEFECT])
    folder = project.folder / "results" / "run"
    record = gate.read(folder)
    assert (ended.status, record.decision) == (1, "blocked"), ended.text + project.lab.evidence()
    found = {one.id: one for one in record.requirements}
    assert found[RULE].verdict == "FAIL" and TEST in found[RULE].tests[0]
    assert [(one.first, one.again, one.flaky) for one in record.tests] == [("failed", "failed", False)]
    assert RULE in ended.text and "bundle.zip" in ended.text

    elsewhere = Project.make(tmp_path / "elsewhere", project.lab)
    bundle = tmp_path / "from-a-colleague.zip"
    bundle.write_bytes((folder / "bundle.zip").read_bytes())
    with zipfile.ZipFile(bundle) as archive:
        assert any(name.endswith("history.jsonl") for name in archive.namelist())
    project.folder.rename(tmp_path / "gone")
    again = elsewhere.gate("--reproduce", str(bundle), name="again")
    assert again.status == 1, again.text
    assert "reproduced: " in again.text and RULE in again.text


def test_bad_input_is_one_message_and_status_2(project: Project, images: dict[str, Path]) -> None:
    image = str(images["reference"])
    lab = ["--lab", str(project.lab.inventory)]
    for arguments, said in (
        ([*lab, "none.img", "--from", "1.0.0"], "there is no such image"),
        ([*lab, image], "no version to update from"),
        ([*lab, image, "--from", "2.0.0"], "nobody can update to it from 2.0.0"),
        ([*lab, image, "--from", "1.0.0", "--baseline", str(project.folder / "suites")], "no stored run"),
        ([*lab, "--from", "1.0.0"], "one image is to be named, and 0 are"),
        (["--reproduce", image], "no bundle of a gate"),
        ([image, "--reproduce", image], "takes its image from the bundle"),
        (["--self-test", "perfect"], "--self-test does not take --run-name"),
    ):
        assert said in project.gate(*arguments).refused()
    assert not (project.folder / "results").exists()
