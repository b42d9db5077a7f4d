"""What a gate runs, runs again, and reproduces: the runs that it asks for, and what it makes of one that lies."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import harness
from harness.campaigns.gate import Wanted, gate, reproduce
from harness.campaigns.launch import Request
from harness.emulator.build import build
from harness.emulator.shipped import REFERENCE_SOURCE, TEST_KEY
from harness.gate import GateRecord
from harness.lab.firmware_images import existing, make_from
from harness.tests.gate_runs import ended, run_of
from harness.verdicts import RunVerdict

ROOT = Path(harness.__file__).resolve().parents[1]
CASE = "suites/network/test_troubles.py::test_trouble_on_the_line[reorder-@HT-100]"
GOOD = [ended("a", MON_03="PASS")]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("image") / "new.img"
    build(REFERENCE_SOURCE, "1.0.1", TEST_KEY, path)
    return path


class Runs:
    """Runs that never were: each leaves the next of ``verdicts`` and ends with the next of ``statuses``."""

    def __init__(self, *verdicts: RunVerdict, statuses: tuple[int, ...] = (), info: dict[str, object] | None = None):
        self.asked: list[Request] = []
        self._verdicts, self._statuses, self._info = list(verdicts), list(statuses), info or {}

    def __call__(self, request: Request, name: str) -> int:
        self.asked.append(request)
        folder = Path(request.results, name)
        folder.mkdir(parents=True, exist_ok=True)
        verdict = self._verdicts.pop(0)
        copied = folder / "new.img"
        copied.write_bytes(Path(str(request.firmware)).read_bytes())
        info = {"benches": [{"bench": "bench-1", "firmware": {"path": str(copied)}}], **self._info}
        (folder / "run.json").write_text(json.dumps(info), encoding="utf-8")
        verdict.write(folder)
        return self._statuses.pop(0) if self._statuses else verdict.status

    def gate(self, image: Path, results: Path, *, quick: bool = False) -> GateRecord:
        lab = ROOT / "lab_config" / "emulated.yaml"
        wanted = Wanted(image, "1.0.0", str(lab), results=str(results), quick=quick, suites=ROOT / "suites")
        record = gate(wanted, "run", launch=self, told=lambda _what, _count: None)
        assert record is not None
        return record


@pytest.mark.parametrize("quick", [True, False])
def test_what_is_run_again_and_reproduced_is_what_was_run(quick: bool, image: Path, tmp_path: Path) -> None:
    """The cases of a quick gate are others than those of a whole one; the old version is updated each time."""
    failed = run_of([ended(CASE, "failed", MON_03="FAIL")])
    old = {name: vars(one) for name, one in make_from(["1.0.0"], tmp_path).items()}
    runs = Runs(failed, failed, failed, info={"from": old})
    record = runs.gate(image, tmp_path / "results", quick=quick)
    first, again = runs.asked
    assert record.decision == "blocked" and again.suites == [CASE]
    assert (first.quick, again.quick, first.by_update, again.by_update) == (quick, quick, True, True)
    assert str(again.firmware) == str(tmp_path / "results" / "run" / "new.img"), "the run's own copy"
    bundle = tmp_path / "results" / "run" / "bundle.zip"
    told = reproduce(bundle, "there", results=str(tmp_path / "results"), launch=runs)
    assert told is not None and told[0] == told[1] == ["MON-03"]
    once_more = runs.asked[2]
    assert (once_more.quick, once_more.by_update, once_more.suites) == (quick, True, [CASE])
    assert existing(Path(str(once_more.firmware))).version == "1.0.1"


def test_a_quick_gate_says_what_its_tests_had_no_occasion_for(image: Path, tmp_path: Path) -> None:
    """Also where it left out no test; what its tests are known to decide is undecided instead."""
    run = run_of([ended("a", MON_03="PASS", INS_05="-", NET_06="-")])
    record = Runs(run).gate(image, tmp_path / "one", quick=True)
    assert (record.decision, record.left_out.requirements) == ("released", ["INS-05", "NET-06"])
    listed = "suites/network/test_second_host.py::test_97_is_no_reason_to_ask_elsewhere[@HT-100]"
    record = Runs(run, info={"tests": [{"test": listed}]}).gate(image, tmp_path / "two", quick=True)
    assert {one.id: one.verdict for one in record.requirements}["NET-06"] == "INCONCLUSIVE"
    assert record.status == 4 and "NET-06" not in record.left_out.requirements


def test_what_no_bench_can_try_is_undecided_where_a_model_is_asked_for_it(image: Path, tmp_path: Path) -> None:
    runs = Runs(run_of(GOOD), info={"untried": ["FWU-05"]})
    record = runs.gate(image, tmp_path / "results")
    assert (record.status, record.left_out.requirements) == (4, [])
    assert any(line.startswith("FWU-05 INCONCLUSIVE on no bench") for line in record.reasons)


@pytest.mark.parametrize("quick", [True, False])
def test_an_exit_status_that_the_verdicts_do_not_know_of_counts(quick: bool, image: Path, tmp_path: Path) -> None:
    runs = Runs(run_of(GOOD), statuses=(4,))
    assert runs.gate(image, tmp_path / "results", quick=quick).status == 4


def test_what_was_run_again_and_was_refused_turns_nothing(image: Path, tmp_path: Path) -> None:
    """A second run that could not begin (status 2) leaves no verdicts: the FAIL stands."""
    failed = run_of([ended(CASE, "failed", MON_03="FAIL")])

    class Refused(Runs):
        def __call__(self, request: Request, name: str) -> int:
            return 2 if name == "again" else super().__call__(request, name)

    assert Refused(failed).gate(image, tmp_path / "results").decision == "blocked"
