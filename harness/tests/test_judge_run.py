"""A judged run: how findings become verdicts, exit status and ``verdicts.json``."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness import verdicts
from harness.checkers.finding import Finding, checkers
from harness.checkers.reading import Reading
from harness.errors import BadInput
from harness.history.events import AnyEvent, TestOpened
from harness.judge import judge_bench
from harness.judge_run import judge_run
from harness.requirements import catalogue, load
from harness.tests.golden import World, dropped
from harness.tests.histories.steps import meet_97
from harness.tests.judging import changed, is_screen

DECLARED = ["MSG-01", "MSG-05", "MON-02"]


def world_of(bench: str = "bench-1", model: str = "HT-100", **how: Any) -> World:
    return World(model, bench=bench, **how)


def a_sale_answered_97(world: World, declares: list[str] = DECLARED) -> World:
    with world.test("suites/test_sale.py::test_97", declares=declares):
        world.sign_in()
        world.sale(500, "97")
        world.sale(600)
        world.settle()
        world.ledger()
    world.close()
    return world


def stored(tmp_path: Path, *worlds: World, run: dict[str, Any] | None = None) -> Path:
    """A run's folder from some worlds' logs."""
    for world in worlds:
        store(tmp_path, world.events)
    if run is not None:
        (tmp_path / "run.json").write_text(json.dumps(run))
    return tmp_path


def store(run_dir: Path, events: list[AnyEvent]) -> None:
    folder = run_dir / "benches" / events[0].bench  # type: ignore[union-attr]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "history.jsonl").write_text("".join(e.model_dump_json() + "\n" for e in events), encoding="utf-8")
    path = run_dir / "run.json"
    known = json.loads(path.read_text())["tests"] if path.exists() else []
    known += [{"test": e.test} for e in events if isinstance(e, TestOpened)]
    path.write_text(json.dumps({"version": 1, "tests": known}), encoding="utf-8")


def requirement(verdict: verdicts.RunVerdict, rule: str, group: int = 0) -> verdicts.RequirementRecord:
    return next(r for r in verdict.groups[group].requirements if r.id == rule)


def test_all_declared_pass(tmp_path: Path) -> None:
    verdict = judge_run(stored(tmp_path, a_sale_answered_97(world_of())))
    assert (verdict.status, verdict.reasons) == (0, [])
    passed = requirement(verdict, "MSG-01")
    assert (passed.verdict, passed.declared) == ("PASS", True)
    evidence = passed.findings[0].evidence
    assert len(evidence.frames) == 2
    assert len(evidence.journal) == 2
    assert evidence.images
    assert evidence.packets


def test_a_fail_anywhere_is_1(tmp_path: Path) -> None:
    world = a_sale_answered_97(world_of(), declares=["MSG-04"])
    store(tmp_path, changed(world.events, is_screen("应答码:97"), lines=["交易失败"]))
    verdict = judge_run(tmp_path)
    assert verdict.status == 1
    assert requirement(verdict, "MSG-01").verdict == "FAIL"
    assert verdict.tests[0].rules["MSG-01"] == "FAIL"
    assert "MSG-01" in verdict.reasons[0]


def test_a_declared_rule_without_an_occasion_is_4(tmp_path: Path) -> None:
    verdict = judge_run(stored(tmp_path, a_sale_answered_97(world_of(), declares=[*DECLARED, "MSG-04"])))
    assert verdict.status == 4
    assert requirement(verdict, "MSG-04").reason == "no occasion"


def test_the_runs_own_table_declares_too(tmp_path: Path) -> None:
    run = {"run": "night", "declared": {"HT-100": ["MSG-04"]}}
    verdict = judge_run(stored(tmp_path, a_sale_answered_97(world_of()), run=run))
    assert (verdict.run, verdict.status) == ("night", 4)


def test_a_declared_group_of_which_no_bench_ran_is_4(tmp_path: Path) -> None:
    run = {"run": "night", "declared": {"HT-200": ["MSG-01"]}}
    verdict = judge_run(stored(tmp_path, a_sale_answered_97(world_of()), run=run))
    assert verdict.status == 4
    assert any("HT-200" in reason for reason in verdict.reasons)


def test_an_unknown_requirement_is_never_success(tmp_path: Path) -> None:
    verdict = judge_run(stored(tmp_path, a_sale_answered_97(world_of(), declares=["MSG-99"])))
    assert verdict.status == 4
    assert "no such requirement" in requirement(verdict, "MSG-99").reason


def test_a_model_may_declare_some_requirements_not_applicable(tmp_path: Path) -> None:
    declaration = {"not_applicable": {"MSG-04": "no till can be connected", "MSG-07": "too hard"}}
    declares = [*DECLARED, "MSG-04"]
    verdict = judge_run(stored(tmp_path, a_sale_answered_97(world_of(declaration=declaration), declares=declares)))
    assert requirement(verdict, "MSG-04").verdict == "NOT APPLICABLE"
    assert requirement(verdict, "MSG-07").verdict == "INCONCLUSIVE"
    assert verdict.status == 0


def test_a_failed_bench_makes_what_is_lacking_an_error(tmp_path: Path) -> None:
    world = world_of()
    with world.test("t::a", declares=["MSG-01", "MSG-04"]):
        world.sign_in()
        world.sale(500, "97")
        world.bench_failed("the tap ended")
    world.close()
    verdict = judge_run(stored(tmp_path, world))
    assert requirement(verdict, "MSG-04").verdict == "ERROR"
    assert requirement(verdict, "MSG-01").verdict == "PASS"
    assert verdict.status == 3


def without_the_97s_answer(events: list[AnyEvent]) -> list[AnyEvent]:
    """As if the tap had been dead already: what the terminal shows of the 97 has no cause on the wire."""
    sale = next(e for e in Reading.of(events).exchanges if e.code == "97")
    return [e for e in events if e is not sale.response and e is not sale.request]


@pytest.mark.parametrize("failed_in", ["body", "between"])
def test_what_a_failed_bench_lost_is_no_fail_of_the_terminal(tmp_path: Path, failed_in: str) -> None:
    def log(*, failing: bool) -> list[AnyEvent]:
        world = world_of()
        with world.test("t::before", declares=["MSG-01"]):
            world.sign_in()
            world.sale(400, "97")
        with world.test("t::a", declares=["MSG-01"]):
            world.wait(1)
            world.sale(500, "97")
            if failing and failed_in == "body":
                world.bench_failed("the tap ended")
        if failing and failed_in == "between":
            world.bench_failed("the tap ended")
        world.close()
        shown = [e for e in world.events if is_screen("应答码:97")(e)]
        return changed(world.events, lambda e: e is shown[-1], lines=["交易失败"])

    store(tmp_path, log(failing=False))
    assert judge_run(tmp_path).status == 1
    store(tmp_path, log(failing=True))
    verdict = judge_run(tmp_path)
    if failed_in == "between":  # after t::a the bench was still known to work
        assert verdict.status == 1
        return
    assert verdict.status == 3, verdict.reasons
    assert requirement(verdict, "MSG-01").verdict == "ERROR"
    assert "the bench failed (the tap ended): would be FAIL: 97 to sale" in requirement(verdict, "MSG-01").reason
    assert verdict.tests[0].rules["MSG-01"] == "PASS"


def test_a_fail_before_the_bench_failed_stays_one(tmp_path: Path) -> None:
    world = world_of()
    with world.test("t::bad", declares=["MSG-01"]):
        world.sign_in()
        world.sale(500, "97")
        world.wait(5)
    with world.test("t::b", declares=["MSG-01"]):
        world.bench_failed("the tap ended")
    world.close()
    store(tmp_path, bad(world.events))
    verdict = judge_run(tmp_path)
    assert verdict.status == 1
    assert verdict.tests[0].rules["MSG-01"] == "FAIL"


def test_a_span_judged_alone_blames_the_bench_too() -> None:
    world = world_of()
    with world.test("t::a"):
        world.sign_in()
        world.sale(500, "97")
        world.bench_failed("the tap ended")
    assert not [f for f in judge_bench(bad(world.events)) if f.verdict == "FAIL"]
    assert [f for f in judge_bench(bad(world.events)) if (f.rule, f.verdict) == ("MSG-01", "ERROR")]


def test_a_tap_that_died_unnoticed_is_not_the_terminals_fault() -> None:
    """The screen's 97 has no cause any more: MSG-02, as long as nobody knows of the failure."""
    world = world_of()
    with world.test("t::a"):
        world.sign_in()
        world.sale(500, "97")
        alive = without_the_97s_answer(world.events)
        world.bench_failed("the tap ended")
    assert [f for f in judge_bench(alive) if (f.rule, f.verdict) == ("MSG-02", "FAIL")]
    assert not [f for f in judge_bench(without_the_97s_answer(world.events)) if f.verdict == "FAIL"]


def test_a_bench_that_fails_between_tests_is_no_success(tmp_path: Path) -> None:
    world = world_of()
    with world.test("t::a", declares=DECLARED):
        world.sign_in()
        world.sale(500, "97")
        world.sale(600)
        world.settle()
        world.ledger()
    world.bench_failed("the tap ended")
    world.close()
    verdict = judge_run(stored(tmp_path, world))
    assert verdict.status == 3
    assert "bench-1: the bench failed: the tap ended" in verdict.reasons


@pytest.mark.parametrize(("outcome", "status"), [("failed", 4), ("error", 3), ("skipped", 0)])
def test_a_test_that_failed_without_a_finding(tmp_path: Path, outcome: str, status: int) -> None:
    world = a_sale_answered_97(world_of())
    events = changed(world.events, lambda e: e.kind == "test.closed", outcome=outcome, message="boom\nmore")
    store(tmp_path, events)
    verdict = judge_run(tmp_path)
    assert verdict.status == status
    assert not status or any("boom" in reason for reason in verdict.reasons)


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_a_killed_run_is_judged_and_never_success(tmp_path: Path, cut: int) -> None:
    events = a_sale_answered_97(world_of()).events
    store(tmp_path, events[:-cut])
    log = tmp_path / "benches" / "bench-1" / "history.jsonl"
    log.write_bytes(log.read_bytes() + b'{"seq":9999,"t":1,"ki')
    assert judge_run(tmp_path).status != 0


def test_a_run_without_tests_is_no_success(tmp_path: Path) -> None:
    world = world_of()
    world.close()
    verdict = judge_run(stored(tmp_path, world))
    assert verdict.status == 4
    assert "no test was run" in verdict.reasons


def test_an_empty_log_is_no_success_and_no_folder_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no stored run"):
        judge_run(tmp_path)
    (tmp_path / "benches" / "bench-1").mkdir(parents=True)
    (tmp_path / "benches" / "bench-1" / "history.jsonl").write_bytes(b"")
    assert judge_run(tmp_path).status == 4


def test_equal_benches_share_the_load(tmp_path: Path) -> None:
    first = a_sale_answered_97(world_of("bench-1"), declares=["MSG-01", "MSG-04"])
    second = world_of("bench-2")
    with second.test("t::till", declares=["MSG-04"]):
        second.sign_in()
        second.sale(500, "97", via="cashier")
    second.close()
    other = a_sale_answered_97(world_of("bench-3", "HT-200"), declares=["MSG-04"])
    verdict = judge_run(stored(tmp_path, first, second, other))
    groups = [(g.group, g.benches) for g in verdict.groups]
    assert groups == [("HT-100", ["bench-1", "bench-2"]), ("HT-200", ["bench-3"])]
    assert requirement(verdict, "MSG-04").verdict == "PASS"
    assert requirement(verdict, "MSG-04").findings[0].bench == "bench-2"
    assert requirement(verdict, "MSG-04", 1).verdict == "INCONCLUSIVE"
    assert verdict.status == 4


def test_a_pass_of_rec_08_says_what_no_bench_of_the_group_tried(tmp_path: Path) -> None:
    worlds = []
    for bench, name in (("bench-1", "sale"), ("bench-2", "echo")):
        world = world_of(bench)
        with world.test("t::back", declares=["REC-08"]):
            meet_97(world)
            if name == "sale":
                world.sale(500, "97")
            world.register_terminal()
            world.sign_in()
            world.sale(600)
        world.close()
        worlds.append(world)
    one = requirement(judge_run(stored(tmp_path / "one", worlds[1])), "REC-08")
    both = requirement(judge_run(stored(tmp_path / "both", *worlds)), "REC-08")
    assert one.verdict == both.verdict == "PASS"
    untried = [record.reason.split("; ")[1] for record in (one, both)]
    assert all(told.startswith("not tried: without a reboot after 97 on balance, ") for told in untried)
    assert [" sale," in told for told in untried] == [True, False]


def test_unequal_benches_are_never_one_group(tmp_path: Path) -> None:
    worlds = [a_sale_answered_97(world_of(f"bench-{n}", physical_like=n == 2)) for n in (1, 2)]
    verdict = judge_run(stored(tmp_path, *worlds))
    assert [g.kind for g in verdict.groups] == ["emulated", "physical-like"]
    assert len({g.group for g in verdict.groups}) == 2


def test_the_same_bytes_again(tmp_path: Path) -> None:
    run_dir = stored(tmp_path, a_sale_answered_97(world_of()), run={"run": "night"})
    first = judge_run(run_dir)
    assert first.write(run_dir).read_text(encoding="utf-8") == judge_run(run_dir).to_json()
    assert verdicts.read(run_dir) == first


def test_a_checker_that_fails_is_our_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(reading: object) -> list[Finding]:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("harness.judge.checkers", lambda: {"MSG-01": (broken,)})
    found = judge_bench(world_of().events)
    assert [(f.rule, f.verdict) for f in found] == [("MSG-01", "ERROR")]
    assert "ZeroDivisionError: oops" in found[0].reason


def test_findings_do_not_depend_on_the_order_of_the_file() -> None:
    events = a_sale_answered_97(world_of()).events
    assert judge_bench(list(reversed(events))) == judge_bench(events)


def test_judging_the_span_of_one_test_is_enough_for_its_findings() -> None:
    world = world_of()
    with world.test("t::first"):
        world.sign_in()
        world.sale(500, dropped())
    with world.test("t::second"):
        world.sale(500, "97")
    unit = {"run.opened", "key", "unit.replaced"}
    part = [e for e in world.events if e.kind in unit or e.span == "t::second"]
    found = {(f.rule, f.verdict) for f in judge_bench(part)}
    assert ("MSG-01", "PASS") in found
    assert not [rule for rule, verdict in found if verdict == "FAIL"]


@pytest.mark.parametrize("text", ["{", "[]", '{"declared": {"HT-100": "MSG-01"}}'])
def test_a_damaged_run_json_is_bad_input(tmp_path: Path, text: str) -> None:
    stored(tmp_path, a_sale_answered_97(world_of()))
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(BadInput, match=r"run\.json"):
        judge_run(tmp_path)


def test_damaged_and_newer_verdicts_are_refused(tmp_path: Path) -> None:
    run_dir = stored(tmp_path, a_sale_answered_97(world_of()))
    path = judge_run(run_dir).write(run_dir)
    data = json.loads(path.read_text())
    for text in ("{", "[]", "{}", json.dumps({**data, "schema_version": 99})):
        path.write_text(text)
        with pytest.raises(BadInput, match="hil97 judge"):
            verdicts.read(run_dir)


# -- the catalogue -------------------------------------------------------------------------------------------------


def test_the_catalogue_says_truly_what_is_decided() -> None:
    assert {rule for rule, r in catalogue().items() if r.decided} == set(checkers())


def test_every_requirement_is_complete_in_two_languages_and_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "requirements.md").read_text(encoding="utf-8")
    for rule, requirement in catalogue().items():
        assert requirement.text("en").endswith(".")
        assert requirement.text("zh").endswith("。")
        assert requirement.group in text
        assert rule[:3] == requirement.group


@pytest.mark.parametrize(
    "text",
    ["- {id: MSG-01}", "- 1", "a: [", "x", "- {id: MSG-1, can_be_waived: no, needs: [], decided: no, en: a, zh: b}"],
)
def test_a_damaged_catalogue_is_bad_input(text: str) -> None:
    with pytest.raises(BadInput, match="here"):
        load(text, "here")


# -- the command ---------------------------------------------------------------------------------------------------


def hil97(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "import sys; from harness.cli import main; sys.exit(main())", *arguments]
    root = str(Path(__file__).parents[2])
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=120, env={"PYTHONPATH": root, "HIL97_LANG": "en"}
    )


def bad(events: list[AnyEvent]) -> list[AnyEvent]:
    return changed(events, is_screen("应答码:97"), lines=["交易失败"])


@pytest.mark.parametrize(("spoil", "status"), [(None, 0), (bad, 1)])
def test_the_command_judges_again(
    tmp_path: Path, spoil: Callable[[list[AnyEvent]], list[AnyEvent]] | None, status: int
) -> None:
    run_dir = tmp_path / "results" / "night"
    events = a_sale_answered_97(world_of()).events
    store(run_dir, spoil(events) if spoil else events)
    done = hil97("judge", "night", cwd=tmp_path)
    assert done.returncode == status, done.stdout + done.stderr
    assert (run_dir / "index.html").exists()
    written = (run_dir / "verdicts.json").read_bytes()
    again = hil97("judge", str(run_dir), cwd=tmp_path)
    assert again.returncode == status
    assert (run_dir / "verdicts.json").read_bytes() == written
    assert not status or "MSG-01" in done.stdout


def test_the_command_names_what_it_cannot_judge(tmp_path: Path) -> None:
    done = hil97("judge", "nothing", cwd=tmp_path)
    assert done.returncode == 2
    assert "nothing" in done.stderr


def test_what_a_model_has_not_is_not_asked_of_it(tmp_path: Path) -> None:
    """Offline transactions, an inserted chip, a second identity: what it declares decides, no waiver is needed."""
    for declaration, expected in (
        ({"transactions": ["sign_in", "sale"], "entry": ["magnetic"]}, "NOT APPLICABLE"),
        ({"identities": 2}, "INCONCLUSIVE"),
    ):
        world = world_of(declaration=declaration)
        a_sale_answered_97(world, ["MON-04", "MON-12", "STA-08"])
        verdict = judge_run(stored(tmp_path / expected, world))
        for rule in ("MON-04", "MON-12", "STA-08"):
            assert requirement(verdict, rule).verdict == expected
