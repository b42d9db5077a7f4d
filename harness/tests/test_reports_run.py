"""Runs as the reports read them: whole, killed, damaged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.errors import BadInput
from harness.reports import run as runs
from harness.tests.golden import World
from harness.tests.reports_runs import bad_day, node, quiet_day, two_groups, write_run


def test_a_whole_run(tmp_path: Path) -> None:
    run = runs.load(two_groups(tmp_path / "run"))
    assert run.finished
    assert [bench.name for bench in run.benches] == ["bench-1", "bench-2", "bench-3"]
    assert run.outcome == "FAIL"
    assert {test.record.bench for test in run.tests} == {"bench-1", "bench-2", "bench-3"}
    assert not run.problems
    assert run.seconds > 60


def test_the_test_that_shows_97_fails_and_the_one_before_it_does_not(tmp_path: Path) -> None:
    run = runs.load(write_run(tmp_path / "run", {"bench-2": bad_day()}))
    verdicts = {test.record.test.partition("::")[2]: test.verdict for test in run.tests}
    assert verdicts["test_no_answer_is_not_97[@HT-100]"] == "FAIL"
    assert verdicts["test_sign_in_and_sell[@HT-100]"] == "PASS"


def test_without_verdicts_it_is_judged_on_the_way(tmp_path: Path) -> None:
    judged = runs.load(two_groups(tmp_path / "judged"))
    (judged.folder / "verdicts.json").unlink()
    again = runs.load(judged.folder)
    assert again.verdict == judged.verdict


def test_a_killed_run_opens_and_is_not_finished(tmp_path: Path) -> None:
    world = quiet_day()
    del world.events[-1]  # run.closed
    run = runs.load(write_run(tmp_path / "run", {"bench-1": world}, judged=False, torn=["bench-1"]))
    assert not run.finished
    assert run.outcome != "PASS"
    assert run.tests[0].record.outcome == "unfinished"
    assert run.tests[0].verdict == "INCONCLUSIVE"
    assert "hil97 judge" in run.judge_command


def test_a_run_killed_before_anything_was_seen_still_says_so(tmp_path: Path) -> None:
    run = runs.load(write_run(tmp_path / "run", {}, judged=False, tests=[{"test": "suites/a.py::b"}]))
    assert run.never_ran == ("suites/a.py::b",)
    assert run.verdict is None
    assert run.outcome == "INCONCLUSIVE"
    assert any("no stored run" in problem.en for problem in run.problems)


def test_a_damaged_history_is_named_and_the_others_are_shown(tmp_path: Path) -> None:
    folder = two_groups(tmp_path / "run")
    history = folder / "benches" / "bench-2" / "history.jsonl"
    history.write_text("{}\n" + history.read_text(encoding="utf-8"), encoding="utf-8")
    run = runs.load(folder)
    assert [bench.name for bench in run.benches] == ["bench-1", "bench-3"]
    assert any("bench-2" in problem.en and "history.jsonl:1" in problem.en for problem in run.problems)


def test_damaged_run_json_is_named(tmp_path: Path) -> None:
    folder = two_groups(tmp_path / "run")
    (folder / "run.json").write_text("{", encoding="utf-8")
    run = runs.load(folder)
    assert any("run.json" in problem.en for problem in run.problems)
    assert run.tests


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="holds no run"):
        runs.load(tmp_path)
    with pytest.raises(BadInput, match="no such run"):
        runs.load(tmp_path / "nowhere")


def test_a_bench_opened_twice_keeps_its_two_logs_apart(tmp_path: Path) -> None:
    first, second = quiet_day(), World(bench="bench-1")
    second.t = first.t + 10**10
    second.events = [event.model_copy(update={"t": event.t + second.t}) for event in second.events]
    with second.test(node("later", second), declares=["MON-01"]):
        second.sign_in()
    second.close()
    folder = write_run(tmp_path / "run", {"bench-1": first, "bench-1.2": second})
    run = runs.load(folder)
    folders = {test.record.test.partition("::")[2]: log.folder for test in run.tests
               if (log := run.log_at(test.record.bench, test.record.t))}  # fmt: skip
    assert folders == {
        "test_sale_after_97[@HT-100]": "benches/bench-1", "test_later[@HT-100]": "benches/bench-1.2",
    }  # fmt: skip


def test_the_line_that_runs_a_test_again(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", {"bench-1": quiet_day()}, lab="labs/my lab.yaml", arguments=["suites"])
    assert runs.load(folder).rerun("suites/x.py::y[@HT-100]") == (
        "hil97 run --lab 'labs/my lab.yaml' 'suites/x.py::y[@HT-100]'"
    )


@pytest.mark.parametrize(
    "arguments", [["suites", "--firmware", "books-declines"], ["--firmware=books-declines", "suites"]]
)
def test_the_line_keeps_the_firmware(tmp_path: Path, arguments: list[str]) -> None:
    folder = write_run(tmp_path / "run", {"bench-1": quiet_day()}, arguments=arguments)
    assert " --firmware books-declines 'suites/x.py::y'" in runs.load(folder).rerun("suites/x.py::y")


def test_a_stated_line_is_taken_as_it_is(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", {"bench-1": quiet_day()}, tests=[{"test": "a::b", "rerun": "make it so"}])
    assert runs.load(folder).rerun("a::b") == "make it so"


def test_the_exit_status_of_an_interrupted_run_is_no_pass(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", {"bench-1": quiet_day()}, status=3)
    verdicts = json.loads((folder / "verdicts.json").read_text(encoding="utf-8"))
    verdicts["status"] = 0
    (folder / "verdicts.json").write_text(json.dumps(verdicts), encoding="utf-8")
    assert runs.load(folder).outcome == "ERROR"
