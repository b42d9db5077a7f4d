"""The last lines of a run on the terminal."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from harness import i18n
from harness.reports import page, summary
from harness.tests.golden import World
from harness.tests.reports_runs import bad_day, node, quiet_day, two_groups, write_run


def told(folder: Path, width: int = 160) -> str:
    console = Console(file=io.StringIO(), width=width)
    summary.print_summary(folder, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_groups_findings_and_the_page(tmp_path: Path) -> None:
    folder = two_groups(tmp_path / "run")
    page.write(folder)
    text = told(folder)
    assert "bench-1, bench-2" in text
    assert "✗ fail" in text
    assert "MSG-02" in text
    assert "bench-2: suites/registration/test_never_registered.py::test_no_answer_is_not_97[@HT-100]" in text
    assert text.rstrip().endswith("index.html")
    assert "5 tests" in text
    assert "harness share" in text


def test_a_good_run_is_three_lines_or_so(tmp_path: Path) -> None:
    text = told(write_run(tmp_path / "run", {"bench-1": quiet_day()}))
    assert "✓ pass" in text
    assert "MON-01" not in text
    assert "Page:" not in text


def test_a_test_that_ended_badly_without_a_finding_says_what_it_said(tmp_path: Path) -> None:
    world = World(bench="bench-1")
    with world.test(node("died", world), declares=[]):
        world.acknowledge()
    world.close()
    died = {"outcome": "error", "message": "the board died"}
    world.events = [e.model_copy(update=died) if e.kind == "test.closed" else e for e in world.events]
    text = told(write_run(tmp_path / "run", {"bench-1": world}))
    assert "! bench error" in text
    assert "the board died" in text


def test_a_killed_run_names_the_command(tmp_path: Path) -> None:
    world = bad_day()
    del world.events[-1]
    text = told(write_run(tmp_path / "run", {"bench-2": world}, judged=False, tests=[{"test": "a::b"}]))
    assert "hil97 judge" in text
    assert "1 tests never ran" in text


def test_in_chinese(tmp_path: Path) -> None:
    before = i18n._("en")
    i18n.set_language("zh")
    try:
        text = told(two_groups(tmp_path / "run"))
    finally:
        i18n.set_language(before)
    assert "✗ 失败" in text
    assert "仅当本笔交易收到确定的 97 时" in text
