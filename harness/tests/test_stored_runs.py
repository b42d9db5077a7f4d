"""What stands in a run's folder, damaged by hand: each command says so once, with the file, and ends with 2."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness import gate, run_info, stored_json, verdicts
from harness.bench.door import CARD
from harness.campaigns import gate_bundle
from harness.campaigns.gate import baseline_of
from harness.cli import lab_answer, main
from harness.errors import BadInput
from harness.history import reader
from harness.judge_run import judge_run
from harness.lab import lease
from harness.reports import run as runs
from harness.tests.reports_runs import quiet_day, write_run

DEEP = "[" * 100_000
FAR = f"1{'0' * 400}"
LOG = Path("benches", "bench-1", "history.jsonl")


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("stored") / "run", {"bench-1": quiet_day()})


@pytest.fixture
def run(stored: Path, tmp_path: Path) -> Path:
    return shutil.copytree(stored, tmp_path / "run")


@pytest.fixture
def refused(run: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """What a command says that refuses the run, in a line; its remedy is left out."""

    def said(command: str, *words: str) -> str:
        named = ["diagnose", words[0] if words else "bench-1", "--run"] if command == "diagnose" else [command]
        assert main(["--lang", "en", *named, str(run)]) == 2
        told = capsys.readouterr().err
        assert "Traceback" not in told and len(told) < 600, told
        return told.splitlines()[0]

    return said


def lines(run: Path, change: Callable[[list[str]], list[str]]) -> None:
    path = run / LOG
    path.write_text("".join(change(path.read_text(encoding="utf-8").splitlines(keepends=True))), encoding="utf-8")


# -- deep nests --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["judge", "diagnose", "replay"])
def test_a_deep_nest_in_a_log_is_a_line_that_is_no_event(
    run: Path, refused: Callable[..., str], command: str
) -> None:
    lines(run, lambda log: [*log[:3], f"{DEEP}\n", *log[3:]])
    assert f"{LOG}:4: this line is no event: invalid JSON" in refused(command)


@pytest.mark.parametrize("command", ["judge", "replay"])
def test_a_deep_nest_in_run_json_is_refused(run: Path, refused: Callable[..., str], command: str) -> None:
    (run / "run.json").write_text(DEEP)
    assert "run.json: is damaged: recursion limit exceeded at line 1" in refused(command)


def test_a_deep_nest_is_refused_wherever_json_is_read(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("verdicts.json", "gate.json", "run.json"):
        (run / name).write_text(DEEP)
    with pytest.raises(BadInput, match=r"verdicts\.json: is damaged"):
        baseline_of(run)
    with pytest.raises(BadInput, match=r"gate\.json: is damaged"):
        gate.read(run)
    told = [problem.en for problem in runs.load(run).problems]
    assert any("run.json" in one for one in told) and any("verdicts.json" in one for one in told)
    with zipfile.ZipFile(run / "bundle.zip", "w") as archive:
        archive.writestr("bundle.json", DEEP)
    with pytest.raises(BadInput, match=r"bundle\.zip, bundle\.json: is damaged"):
        gate_bundle.unpack(run / "bundle.zip", run / "there")
    for name, text in (("scratch-1", DEEP), ("scratch-2", '{"bench": "bench-1"}')):
        (run / name).mkdir()
        (run / name / CARD).write_text(text)
    monkeypatch.setattr(lease, "runtime_folder", lambda: run)
    assert lab_answer.open_benches() == ["bench-1"]


# -- run.json ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["judge", "replay"])
@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"version": 1, "tests": 5, "declared": {}}', "is damaged: tests: input should be a valid array"),
        ('{"version": 1, "run": [], "lab": 7, "tests": []}', "is damaged: run: input should be a valid string"),
        ('{"version": 1, "lab": 7}', "is damaged: lab: input should be a valid string"),
        ('{"lab": "a\\u0000"}', "is damaged: lab: string should match pattern"),
        ('{"arguments": 5}', "is damaged: arguments: input should be a valid array"),
        ('{"tests": [{"test": 1}]}', "is damaged: tests.0.test: input should be a valid string"),
        ('{"declared": {"g": 1}}', "is damaged: declared.g: input should be a valid array"),
        ('{"run": "\\ud800"}', "is damaged: unexpected end of hex escape at line 1"),
        ('{"nobody asks": "\\ud800"}', "is damaged: unexpected end of hex escape at line 1"),
        ("[]", "is damaged: input should be an object"),
        ("{", "is damaged: EOF while parsing an object at line 1 column 1"),
        ('{"version": 99}', "version 99 of the format; this hil97 knows versions up to 1"),
        (f'{{"version": {FAR}}}', "is damaged: version: input should be less than or equal to 1"),
    ],
)  # fmt: skip
def test_a_wrong_run_json_is_one_message(
    run: Path, refused: Callable[..., str], command: str, text: str, why: str
) -> None:
    (run / "run.json").write_text(text)
    assert refused(command).partition("run.json: ")[2].startswith(why)


def test_what_nobody_reads_may_stand_in_run_json(run: Path) -> None:
    info = {"version": 1, "run": "night", "tests": [{"test": "t::a", "more": 7}], "python": [], "status": 4}
    (run / "run.json").write_text(json.dumps(info))
    read = run_info.read(run)
    assert read is not None and (read.run, read.status, read.tests) == ("night", 4, [run_info.PlannedTest(test="t::a")])
    (run / "run.json").unlink()
    assert run_info.read(run) is None
    (run / "run.json").mkdir()
    with pytest.raises(BadInput, match=r"run\.json: can't be read"):
        run_info.read(run)


@pytest.mark.parametrize(("text", "why"), [(None, "run.json is missing"), ('{"run": "night"}', "has no tests")])
def test_a_run_of_which_nobody_knows_its_tests_is_no_pass(
    run: Path, capsys: pytest.CaptureFixture[str], text: str | None, why: str
) -> None:
    assert judge_run(run).status == 0
    (run / "run.json").unlink()
    if text:
        (run / "run.json").write_text(text)
    verdict = judge_run(run)
    (reason,) = verdict.reasons
    assert verdict.status == 4 and why in reason
    assert main(["--lang", "en", "judge", str(run)]) == 4
    assert "which tests were to run is not known" in capsys.readouterr().out


# -- events ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value"), [("t", FAR), ("t", str(10**20)), ("t", "-1"), ("seq", "-1"), ("seq", FAR), ("t", "1" * 5000)]
)
def test_a_time_or_number_that_none_can_be_is_no_event(
    run: Path, refused: Callable[..., str], field: str, value: str
) -> None:
    def spoiled(log: list[str]) -> list[str]:
        event = json.loads(log[1])
        return [log[0], log[1].replace(f'"{field}":{event[field]},', f'"{field}":{value},'), *log[2:]]

    lines(run, spoiled)
    told = refused("judge")
    assert f"{LOG}:2: this line is no event: " in told and "0" * 50 not in told and "1" * 50 not in told


@pytest.mark.parametrize(("version", "why"), [("99", "written with event schema 99"), (FAR, "this line is no event")])
def test_a_log_of_a_newer_version_is_refused(
    run: Path, refused: Callable[..., str], version: str, why: str
) -> None:
    lines(run, lambda log: [log[0].replace('"schema_version":1,', f'"schema_version":{version},'), *log[1:]])
    assert f"{LOG}:1: {why}" in refused("judge")


@pytest.mark.parametrize("value", ["1e999", "-1.0"])
def test_a_test_lasts_a_time_that_can_be_told(run: Path, refused: Callable[..., str], value: str) -> None:
    lines(run, lambda log: [line.replace('"waiting_s":', f'"waiting_s":{value},"x":') for line in log])
    assert "test.closed.waiting_s: input should be" in refused("judge")


@pytest.mark.parametrize("wall", ["", "yesterday", "2025-06-01T04:00:00"])
def test_a_run_began_at_some_time(run: Path, refused: Callable[..., str], wall: str) -> None:
    lines(run, lambda log: [json.dumps(json.loads(log[0]) | {"wall": wall}) + "\n", *log[1:]])
    assert f"{LOG}:1: this line is no event: run.opened.wall: value error, " in refused("judge")


@pytest.mark.parametrize("command", ["judge", "diagnose"])
@pytest.mark.parametrize("name", ["profile", "declaration"])
def test_what_a_log_is_judged_by_must_be_whole(
    run: Path, refused: Callable[..., str], command: str, name: str
) -> None:
    lines(run, lambda log: [json.dumps(json.loads(log[0]) | {name: {}}) + "\n", *log[1:]])
    assert f"{LOG}: run.opened has no usable {name}: name: field required" in refused(command)


# -- what a log lacks --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["judge", "diagnose", "replay"])
def test_a_log_that_says_not_what_it_is_about_is_refused(
    run: Path, refused: Callable[..., str], command: str
) -> None:
    lines(run, lambda log: log[1:])
    assert f"{LOG}: has no run.opened event, so nothing says what it is about" in refused(command)


def test_a_test_that_was_never_opened_is_not_driven_again(run: Path, refused: Callable[..., str]) -> None:
    lines(run, lambda log: [line for line in log if '"test.opened"' not in line])
    assert f"{LOG}: has events of a test whose test.opened event is missing: suites/" in refused("replay")


def test_diagnose_tells_an_empty_log_from_none(run: Path, refused: Callable[..., str]) -> None:
    (run / "benches" / "bench-2").mkdir()
    assert "this run has no bench bench-2" in refused("diagnose", "bench-2")
    lines(run, lambda log: [])
    assert "the log is empty: nothing was seen" in refused("diagnose")
    (run / LOG).unlink()
    for bench in ("bench-1", "bench-9"):
        assert "this run has no histories: no bench was opened" in refused("diagnose", bench)


# -- verdicts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"status": 7}, "status: input should be 0, 1, 3 or 4"), ({"groups": [{}]}, "groups.0.group: field required"),
        ({"schema_version": 10**400}, "schema_version: input should be less than or equal to 2"),
        ({"x" * 500: 1}, f"{'x' * 60}...: extra inputs are not permitted"),
        ({"a\nb": 1}, "'a\\nb': extra inputs are not permitted"),
    ],
)  # fmt: skip
def test_wrong_verdicts_are_told_by_their_first_field(run: Path, change: dict[str, Any], why: str) -> None:
    path = run / verdicts.FILE
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | change), encoding="utf-8")
    with pytest.raises(BadInput) as refused:
        baseline_of(run)
    assert str(refused.value).splitlines() == [
        f"{path}: is damaged: {why}", "  judge the run again: hil97 judge RUN"
    ]  # fmt: skip


def test_a_mark_of_the_byte_order_is_passed_over(run: Path) -> None:
    for name in ("run.json", "verdicts.json"):
        (run / name).write_bytes(b"\xef\xbb\xbf" + (run / name).read_bytes())
    assert run_info.read(run) is not None and verdicts.read(run).status == 0
    assert stored_json.read(run / "run.json")["version"] == 1


def test_an_empty_log_has_no_header_and_is_not_refused(run: Path) -> None:
    assert reader.header_of(reader.read(run / LOG), run / LOG) is not None
    assert reader.header_of([], run / LOG) is None
