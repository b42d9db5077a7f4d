"""The self-test: what it makes of a run's verdicts, and two defects through the real ``hil97 run``."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

import harness
from harness.campaigns import selftest
from harness.campaigns.cases import KINDS
from harness.campaigns.plan import open_lab
from harness.campaigns.selftest import (
    FILE,
    GATED,
    OUTSIDE_A_GATE,
    Outcome,
    Plan,
    Result,
    all_names,
    chosen,
    judged,
    self_test,
    source_of,
    table,
)
from harness.cli import main
from harness.emulator.shipped import version_sources
from harness.emulator.source import Source
from harness.errors import BadInput
from harness.history.events import Firmware
from harness.reports import selftest_page
from harness.requirements import catalogue
from harness.verdicts import (
    Evidence,
    FindingRecord,
    FindingVerdict,
    GroupRecord,
    RequirementRecord,
    RequirementVerdict,
    RunVerdict,
)

ROOT = Path(harness.__file__).resolve().parents[1]
TILL = "suites/registration/test_97_on_each_transaction.py::test_sale_by_cashier_link"
CODES = "suites/registration/test_codes_that_are_not_97.py::test_merchant_not_registered_03"


def source(*consequences: str, breaks: str = "MON-03", elsewhere: tuple[str, ...] = ()) -> Source:
    whys = dict.fromkeys(consequences, "a reason")
    return Source("bad", "a bad one", ("HT-200",), 1, {}, breaks, whys, dict.fromkeys(elsewhere, "a reason"))


def finding(*events: int, bench: str = "self-test", verdict: FindingVerdict = "FAIL") -> FindingRecord:
    reason = "it is so"
    return FindingRecord(
        verdict=verdict, reason=reason, bench=bench, t=1, test="t", evidence=Evidence(events=list(events))
    )


def verdicts(status: int = 1, **findings: list[FindingRecord]) -> RunVerdict:
    """``MON_03=[...]``; a requirement FAILs where a finding does."""
    records = []
    for name, found in findings.items():
        failed = any(one.verdict == "FAIL" for one in found)
        told: RequirementVerdict = "FAIL" if failed else "PASS"
        rule = name.replace("_", "-")
        records.append(RequirementRecord(id=rule, declared=True, verdict=told, reason="", findings=found))
    group = GroupRecord(
        group="g", model="HT-200", firmware=Firmware(name="bad", version="1.0.0", sha256="00"), profile="p",
        kind="emulated", benches=["self-test"], requirements=records,
    )
    return RunVerdict.model_validate(
        {"run": "r", "hil97": "0", "status": status, "reasons": ["why"], "groups": [group], "tests": [], "benches": []}
    )


CAUGHT = [
    (source(), verdicts(MON_03=[finding(1, 2)], MSG_01=[finding(9, verdict="PASS")]), "caught"),
    (source("MON-07"), verdicts(MON_03=[finding(1, 2)], MON_07=[finding(2, 3)]), "caught"),
    (source("MON-07"), verdicts(MON_03=[finding(1, 2)]), "caught"),
    (source("MON-07", "REC-03"), verdicts(MON_03=[finding(1)], MON_07=[finding(1, 2)], REC_03=[finding(2)]), "caught"),
    (source("MON-07", elsewhere=("MON-07",)), verdicts(MON_03=[finding(1)], MON_07=[finding(7)]), "caught"),
    (source("MON-07"), verdicts(MON_03=[finding(1)], MON_07=[finding(7)]), "unexpected"),
    (source("MON-07"), verdicts(MON_03=[finding(1)], MON_07=[finding(1), finding(7)]), "unexpected"),
    (source("MON-07"), verdicts(MON_03=[finding(1)], MON_07=[finding(1, bench="other")]), "unexpected"),
    (source(), verdicts(MON_03=[finding(1, 2)], MON_07=[finding(2, 3)]), "unexpected"),
    (source(), verdicts(MON_03=[finding(1, verdict="INCONCLUSIVE")]), "missed"),
    (source("MON-07"), verdicts(MON_07=[finding(1)]), "missed"),
    (source(), verdicts(status=0), "missed"),
    (source(breaks=""), verdicts(status=0), "clean"),
    (source(breaks=""), verdicts(MSG_02=[finding(1)]), "unexpected"),
    (source(breaks=""), verdicts(status=4), "undecided"),
    (source(breaks=""), verdicts(status=3), "error"),
]


def test_what_a_gate_does_not_look_for_is_told() -> None:
    """By the suites themselves: what their tests and the cases of the standard inventory declare."""
    declared = set()
    for suite in GATED:
        for path in (ROOT / "suites" / suite).rglob("*.py"):
            marks = re.findall(r"mark\.declares\((.*?)\)", path.read_text(encoding="utf-8"), re.DOTALL)
            declared |= set(re.findall(r"[A-Z]{3}-\d\d", " ".join(marks)))
    entries = open_lab(ROOT / "lab_config" / "emulated.yaml").emulated
    profiles = {entry.profile.name: entry.profile for entry in entries}
    for kind in KINDS.values():
        if kind.suite.parts[1] in GATED:
            for one in kind.pairwise(entries, "hil97"):
                declared |= set(one.declares(profiles[one.profile]))
    broken = {source_of(name).breaks for name in all_names()} - {""}
    assert broken - declared == OUTSIDE_A_GATE
    found = judged(source(breaks="SEC-01"), verdicts(status=0), model="HT-200")
    assert "SEC-01  missed" in table([found]) and "(in no suite of a gate)" in table([found])
    assert "of a gate" not in table([judged(source(), verdicts(status=0), model="HT-200")])


@pytest.mark.parametrize(("firmware", "verdict", "expected"), CAUGHT)
def test_what_counts_as_caught(firmware: Source, verdict: RunVerdict, expected: Result) -> None:
    outcome = judged(firmware, verdict)
    assert outcome.result == expected
    assert outcome.good is (expected in ("caught", "clean"))


@pytest.mark.parametrize(("status", "expected"), [(0, "clean"), (4, "undecided"), (3, "error"), (143, "error")])
def test_a_reference_whose_run_ended_otherwise_than_its_verdicts_is_not_clean(status: int, expected: Result) -> None:
    """A test that fails outside any bench is in no verdict."""
    assert judged(source(breaks=""), verdicts(status=0), exit_status=status).result == expected


def test_the_outcome_names_what_is_wrong() -> None:
    outcome = judged(source("MON-07", "REC-03"), verdicts(MON_03=[finding(1)], MON_07=[finding(1), finding(7, 8)]))
    assert (outcome.unexpected, outcome.absent) == (("MON-07",), ("REC-03",))
    seen = [(one.requirement, one.findings, one.apart) for one in outcome.failures]
    assert seen == [("MON-03", 1, 0), ("MON-07", 2, 1)]
    text = table([outcome])
    assert "MON-07 (1 of 2 at other events): it is so" in text
    assert "events 1" in text


def test_names_and_folders_are_checked_before_anything_runs(tmp_path: Path) -> None:
    plan = Plan(tmp_path, ROOT / "lab_config", "HT-200")
    with pytest.raises(BadInput, match="no shipped firmware 'perfect'"):
        self_test(["perfect"], plan)
    with pytest.raises(BadInput, match="is there already"):
        self_test(["reference"], plan)
    elsewhere = Plan(tmp_path / "runs", ROOT / "lab_config", "HT-200", suites=(str(tmp_path / "suites"),))
    with pytest.raises(BadInput, match="there are no suites here"):
        self_test(["reference"], elsewhere)
    with pytest.raises(BadInput, match="there is no model HT-999; known: HT-100"):
        self_test(["reference"], Plan(tmp_path / "runs", ROOT / "lab_config", "HT-999"))
    with pytest.raises(BadInput, match="There is no such folder"):
        self_test(["reference"], Plan(tmp_path / "runs", tmp_path / "lab_config", "HT-200"))
    assert list(tmp_path.iterdir()) == []


def test_bad_usage_has_status_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["firmware", "self-test", "perfect", "--results", str(tmp_path / "r")]) == 2
    assert "same-text-for-03" in capsys.readouterr().err
    assert main(["firmware", "self-test", "-n", "0"]) == 2


def test_a_defect_is_shown_what_can_show_it_and_ends_there() -> None:
    """By what it breaks, and where it sits; the reference is shown all."""
    plan = Plan(Path("runs"), ROOT / "lab_config", "HT-200")
    assert chosen(source(), plan) == ["-m", "not long", "--only", "MON-03", "--stop-at", "MON-03"]
    sits = replace(source(), cases=("refund", "balance"))
    assert chosen(sits, plan)[2:4] == ["--only", "MON-03,refund,balance"]
    for whole in (chosen(source(breaks=""), plan), chosen(sits, replace(plan, whole=True))):
        assert whole == ["-m", "not long"]
    assert chosen(replace(source(), needs=("long",)), plan)[:2] == ["-m", "long"]


def collected(*arguments: str) -> list[str]:
    """The ids of the tests that pytest would run."""
    command = [sys.executable, "-m", "pytest", "suites/transactions", "--lab", "lab_config/emulated.yaml", "-n", "0"]
    command += ["--collect-only", "-q", "-p", "no:schemathesis", "-p", "no:cacheprovider", *arguments]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert said.returncode == 0, said.stdout + said.stderr
    return [line for line in said.stdout.splitlines() if "::" in line]


def test_only_what_is_asked_for_is_collected_the_most_promising_first() -> None:
    """Tests that declare the requirement; of the cases those of the transactions named, or else those that declare it
    too. What declares little else comes first."""
    every, some = collected(), collected("--only", "MON-12")
    cases = [one for one in some if "test_97_and_back[" in one]
    assert cases and set(some) < set(every)
    assert {one.split("[")[1].split("-")[0] for one in cases} <= {"sale", "pre.authorisation"}
    assert some.index(cases[0]) == len(some) - len(cases), "the cases come last where no transaction is named"

    named = collected("--only", "MON-12,balance")
    balances = [one for one in every if "test_97_and_back[balance-" in one]
    assert balances and sorted(named[: len(balances)]) == sorted(balances), "here they come first"
    assert named[len(balances):] == some[: -len(cases)]


def test_a_case_that_nobody_plays_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selftest, "load_source", lambda _path: replace(source(), cases=("refund", "donation")))
    with pytest.raises(BadInput, match="no transaction case plays donation"):
        self_test(["same-text-for-03"], Plan(tmp_path / "runs", ROOT / "lab_config", "HT-200"))


def test_a_model_that_a_defect_names_goes_before_the_plans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bench of the run is of it."""
    monkeypatch.setattr("subprocess.run", lambda *_arguments, **_more: subprocess.CompletedProcess([], 2))
    plan = Plan(tmp_path, ROOT / "lab_config", "HT-100")
    for named, expected in (("HT-200", "HT-200"), ("", "HT-100")):
        outcome = selftest.run_one(replace(source(), model=named), plan)
        assert (outcome.result, outcome.model) == ("error", expected)
        assert f"model: {expected}" in (tmp_path / "bad.yaml").read_text(encoding="utf-8")


def test_the_page_has_the_table_of_firmwares_and_findings(tmp_path: Path) -> None:
    """In both languages, each row with a link to its run; what is wrong is said."""
    good = judged(source("MON-07"), verdicts(MON_03=[finding(1)], MON_07=[finding(1)]), run="runs/bad")
    wrong = judged(source(), verdicts(MSG_02=[finding(1)]), run="runs/bad")
    page = selftest_page.write([asdict(good), asdict(wrong)], tmp_path).read_text(encoding="utf-8")
    for words in ("1 of 2 firmwares", "2 个固件中 1 个", "a bad one", 'href="bad/index.html"', "it is so", "missed"):
        assert words in page
    assert "✗" in page.partition("</title>")[0]
    clean = selftest_page.write([asdict(good)], tmp_path).read_text(encoding="utf-8")
    assert "✓" in clean.partition("</title>")[0]


def test_another_version_of_the_reference_is_shown_what_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    plan = Plan(Path("runs"), ROOT / "lab_config", "HT-200")
    other = replace(source(breaks=""), name="reference-2.0.0")
    assert selftest._suites(other, plan) == ["suites/firmware", "suites/recovery"]
    for one in (replace(other, name="reference"), source()):
        assert selftest._suites(one, plan) == ["suites"]


def test_all_of_them_are_the_reference_and_every_defect() -> None:
    names = all_names()
    assert names[0] == "reference"
    left_out = {f"reference-{version}" for version in version_sources()} - set(names)
    assert left_out == {"reference-0.8.0", "reference-1.0.0"}
    assert all(source_of(name).name == name for name in names)
    assert len(names) > len([one for one in catalogue().values() if one.decided])


def test_two_defects_are_caught_by_the_real_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Side by side, each on a bench of its own; and the reference on the same tests, which they do not fail."""
    monkeypatch.chdir(ROOT)
    for name in ("PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER", "PYTEST_CURRENT_TEST"):
        monkeypatch.delenv(name, raising=False)
    plan = Plan(tmp_path / "runs", ROOT / "lab_config", "HT-200", (TILL, CODES))
    ended: list[Outcome] = []
    outcomes = self_test(["tells-the-till-no-answer", "same-text-for-03"], plan, finished=ended.append)
    assert [(one.firmware, one.result, one.status) for one in outcomes] == [
        ("tells-the-till-no-answer", "caught", 1), ("same-text-for-03", "caught", 1),
    ], table(outcomes)
    assert {failure.requirement for failure in outcomes[1].failures} == {"MSG-03", "MSG-02"}
    run = json.loads((plan.folder / "same-text-for-03" / "run.json").read_text(encoding="utf-8"))
    assert run["stopped"] == "stopped at the first FAIL of MSG-03"
    assert sorted(one.firmware for one in ended) == ["same-text-for-03", "tells-the-till-no-answer"]

    stored = json.loads((plan.folder / FILE).read_text(encoding="utf-8"))
    assert (stored["version"], stored["good"]) == (1, True)
    first = stored["outcomes"][0]
    history = [json.loads(line) for line in (Path(first["run"]) / "benches/self-test/history.jsonl").open("rb")]
    named = [event for event in history if event["seq"] in first["failures"][0]["events"]]
    assert any(event["kind"] == "cashier" and event["fields"].get("DF07") == "Z2" for event in named)


def test_the_wrong_defect_is_not_taken_for_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests that have no occasion for what it breaks: missed, with exit status 1 in the end."""
    monkeypatch.chdir(ROOT)
    for name in ("PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER", "PYTEST_CURRENT_TEST"):
        monkeypatch.delenv(name, raising=False)
    plan = Plan(tmp_path / "runs", ROOT / "lab_config", "HT-200", (CODES,), whole=True)
    outcomes = self_test(["tells-the-till-no-answer"], plan)
    assert [one.result for one in outcomes] == ["missed"]
    assert json.loads((plan.folder / FILE).read_text(encoding="utf-8"))["good"] is False
