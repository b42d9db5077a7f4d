"""Whole runs through real processes: what they leave, how they exit, and that judging again says the same."""

from __future__ import annotations

import json
import re
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from harness.tests.system_helpers import ROOT, SystemLab

SMALL = ("suites/registration/test_97_on_each_transaction.py", "suites/robot", "-k", "echo or cable")


def outcomes_in(verdicts: bytes) -> dict[str, str]:
    return {test["test"]: test["outcome"] for test in json.loads(verdicts)["tests"]}


@pytest.mark.parametrize("workers", ["0", "1", "4"])
def test_a_small_run_and_judged_again(system_lab: SystemLab, workers: str) -> None:
    ran = system_lab.hil97(*system_lab.arguments("-n", workers, *SMALL))
    folder = system_lab.results / "run"
    verdicts = (folder / "verdicts.json").read_bytes()

    told = json.loads(verdicts)
    outcomes = outcomes_in(verdicts)
    assert set(outcomes.values()) == {"passed"}, f"{ran.text}\n{system_lab.evidence()}"
    assert sum("test_echo" in test for test in outcomes) == 2 and sum(".robot" in test for test in outcomes) == 2
    assert told["status"] == 4  # an echo alone decides no rule about money, which its module declares
    undecided = {r["id"] for g in told["groups"] for r in g["requirements"] if r["declared"] and r["verdict"] != "PASS"}
    assert undecided == {"MON-01", "MON-02", "MON-07"} & undecided and undecided
    assert ran.status == told["status"], ran.text
    assert "index.html" in ran.text

    page = (folder / "index.html").read_text(encoding="utf-8")
    assert "test_echo" in page and "has not ended" not in page
    suites = ET.parse(folder / "junit.xml").getroot()
    assert len(list(suites.iter("testcase"))) == len(outcomes)
    assert "A cable that was pulled out is not 97" in (folder / "robot" / "log.html").read_text(encoding="utf-8")
    assert (system_lab.results / "latest").resolve() == folder
    system_lab.assert_nothing_left(system_lab.holdings())

    (folder / "verdicts.json").unlink()
    again = system_lab.hil97("judge", str(folder))
    assert (folder / "verdicts.json").read_bytes() == verdicts
    assert again.status == ran.status


def test_everything_declared_passes_and_the_status_is_0(system_lab: SystemLab) -> None:
    ran = system_lab.hil97(*system_lab.arguments("suites/robot", "-k", "cable"))
    assert ran.status == 0, f"{ran.text}\n{system_lab.evidence()}"
    assert system_lab.hil97("judge", str(system_lab.results / "run")).status == 0


def test_the_programmers_way(system_lab: SystemLab) -> None:
    lab, results = str(system_lab.inventory), str(system_lab.results)
    ran = system_lab.run("pytest", "suites", "-k", "echo", "--lab", lab, "--results", results, "-p", "no:cacheprovider")
    assert ran.status == 4, ran.text
    assert re.search(r"\b[1-9]\d* passed", ran.text)
    assert "failed" not in ran.text
    assert set(outcomes_in((system_lab.results / "latest" / "verdicts.json").read_bytes()).values()) == {"passed"}


def test_the_robot_way(system_lab: SystemLab, tmp_path: Path) -> None:
    """Plain ``robot``, as in the README, in a folder like the project's (a copy, so that results don't mix)."""
    project = tmp_path / "project"
    for part in ("suites/robot", "fixtures", "lab_config"):
        shutil.copytree(ROOT / part, project / part, ignore=shutil.ignore_patterns("__pycache__"))
    ran = system_lab.run("robot", "--test", "A cable*", "suites/robot/registration.robot", cwd=project)
    assert ran.status == 0, ran.text
    assert "1 test, 1 passed, 0 failed" in ran.text
    latest = project / "results" / "latest"
    assert set(outcomes_in((latest / "verdicts.json").read_bytes()).values()) == {"passed"}
    assert (latest / "index.html").is_file() and (latest / "junit.xml").is_file()
    system_lab.assert_nothing_left(system_lab.holdings())


def test_a_test_without_a_lab_says_so(tmp_path: Path, system_lab: SystemLab) -> None:
    test = tmp_path / "test_elsewhere.py"
    test.write_text("def test_it(bench):\n    pass\n", encoding="utf-8")
    ran = system_lab.run("pytest", str(test), "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT),
                         "--confcutdir", str(ROOT), "-p", "harness.pytest_plugin", "-p", "fixtures.bench",
                         "-p", "no:cacheprovider")  # fmt: skip
    assert ran.status != 0 and "passed" not in ran.text and "skipped" not in ran.text
    assert "this test needs a bench, and no lab was given" in ran.text


@pytest.mark.parametrize(
    ("arguments", "chinese"),
    [
        (["run", "--help"], "退出码"),
        (["run", "-n", "x"], "不是测试台数量"),
        (["run", "no/such/suite"], "没有测试套件"),
        (["judge", "no-such-run"], "没有这次运行"),
        (["frame", "decode", "0Z"], "只能"),
        (["lab", "check", "lab_config/emulated.yaml"], "测试台"),
    ],
)
def test_the_commands_speak_chinese(system_lab: SystemLab, arguments: list[str], chinese: str) -> None:
    assert chinese in system_lab.hil97("--lang", "zh", *arguments).text


def test_a_run_speaks_chinese(system_lab: SystemLab) -> None:
    ran = system_lab.hil97("--lang", "zh", *system_lab.arguments("suites/robot", "-k", "cable"))
    assert "页面" in ran.text and "通过" in ran.text


def test_what_fails_outside_any_bench_is_no_success(system_lab: SystemLab, tmp_path: Path) -> None:
    """A test without a bench has no history: its failure is told all the same."""
    (tmp_path / "test_plain.py").write_text("def test_plain():\n    assert not 'true'\n", encoding="utf-8")
    plain = str(tmp_path / "test_plain.py")
    ran = system_lab.hil97(*system_lab.arguments("-n", "2", "suites/robot", plain, "-k", "cable or plain"))
    assert ran.status == 4, ran.text
    told = json.loads((system_lab.results / "run" / "verdicts.json").read_bytes())
    assert any("outside any bench" in reason and "test_plain" in reason for reason in told["reasons"])
    assert system_lab.hil97("judge", str(system_lab.results / "run")).status == 4


def test_a_suite_that_cannot_be_imported_is_no_success(system_lab: SystemLab, tmp_path: Path) -> None:
    (tmp_path / "test_gone.py").write_text("import a_module_that_is_not_there\n", encoding="utf-8")
    gone = str(tmp_path / "test_gone.py")
    ran = system_lab.hil97(*system_lab.arguments("-n", "2", "suites/robot", gone, "-k", "cable"))
    assert ran.status != 0, ran.text
    assert "a_module_that_is_not_there" in ran.text
