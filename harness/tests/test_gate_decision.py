"""How a gate decides: from the first run, what was run again, and the baseline."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.campaigns.gate_decision import (
    AT_MOST_AGAIN,
    NOWHERE,
    change,
    compare,
    is_mandatory,
    requirements,
    run_again,
    status,
    to_run_again,
)
from harness.gate import OF_STATUS
from harness.requirements import catalogue
from harness.tests.gate_runs import ON, ended, run_of
from harness.verdicts import RunVerdict

MANDATORY = next(rule for rule, one in catalogue().items() if not one.can_be_waived)
RULES = st.sampled_from(["MON-03", "MSG-01", "NET-05"])
VERDICTS = st.sampled_from(["PASS", "FAIL", "INCONCLUSIVE", "ERROR"])
OUTCOMES = st.sampled_from(["passed", "failed", "error", "unfinished", "skipped"])


def decided(first: RunVerdict, again: RunVerdict | None = None, *, partial: bool = False) -> tuple[int, dict[str, str]]:
    """The status, and the verdict on each requirement."""
    tests = run_again(first, again, partial=partial)
    found = requirements(first, again, partial=partial)
    statuses = [again.status] if again else []
    told = status([first.status], statuses, found, tests, first.reasons, partial=partial)
    return told, {one.id: one.verdict for one in found}


PASSED, FAILED = ended("a", MON_03="PASS"), ended("a", "failed", MON_03="FAIL")
OPEN, NO_OCCASION = ended("a", MON_03="INCONCLUSIVE"), ended("a", MON_03="-")
OTHER = ended("b", "failed", MON_03="FAIL")
TABLE = [
    ("all passed", [PASSED], None, 0, "PASS"),
    ("a FAIL that comes again", [FAILED], [FAILED], 1, "FAIL"),
    ("a FAIL that was not run again", [FAILED], None, 1, "FAIL"),
    ("a FAIL that does not come again", [FAILED], [PASSED], 4, "FLAKY"),
    ("a FAIL whose test then fails by itself", [FAILED], [ended("a", "failed")], 1, "FAIL"),
    ("one of two FAILs comes again", [FAILED, OTHER], [PASSED, OTHER], 1, "FAIL"),
    ("undecided, then decided", [OPEN], [PASSED], 4, "FLAKY"),
    ("undecided twice", [OPEN], [OPEN], 4, "INCONCLUSIVE"),
    ("undecided, then a FAIL", [OPEN], [FAILED], 1, "FAIL"),
    ("no occasion", [NO_OCCASION], [NO_OCCASION], 4, "INCONCLUSIVE"),
    ("a bench that failed", [ended("a", "error", MON_03="ERROR")], [PASSED], 3, "ERROR"),
    ("a test that failed by itself once", [ended("a", "failed", MON_03="PASS")], [PASSED], 4, "PASS"),
    ("a FAIL that had no occasion the second time", [FAILED], [NO_OCCASION], 1, "FAIL"),
    ("a FAIL that was left open the second time", [FAILED], [OPEN], 1, "FAIL"),
    ("skipped: it was not run", [ended("b", "skipped"), PASSED], None, 4, "PASS"),
    ("the runner died in it, and not the second time", [ended("a", "unfinished", MON_03="PASS")], [PASSED], 4, "PASS"),
]


@pytest.mark.parametrize(("name", "first", "again", "expected", "verdict"), TABLE, ids=[row[0] for row in TABLE])
def test_the_table_of_decisions(name, first, again, expected, verdict) -> None:  # type: ignore[no-untyped-def]
    told, verdicts = decided(run_of(first), run_of(again) if again else None)
    assert (told, verdicts.get("MON-03")) == (expected, verdict)
    assert told in OF_STATUS


def test_a_finding_between_tests_can_not_be_run_again_and_blocks() -> None:
    first = run_of([ended("a", MON_03="PASS")], loose={"MON-03": "FAIL"})
    assert decided(first, run_of([ended("a", MON_03="PASS")]))[0] == 1


def test_a_choice_of_tests_is_not_asked_for_what_it_had_no_occasion_for() -> None:
    """But what it saw and could not decide counts, and so does a test that failed by itself."""
    quick = run_of([ended("a", MON_03="PASS", NET_05="-")])
    assert decided(quick, partial=True) == (0, {"MON-03": "PASS"})
    assert to_run_again(quick, partial=True) == []
    assert decided(quick)[0] == 4
    assert decided(run_of([ended("a", MON_03="INCONCLUSIVE")]), partial=True)[0] == 4
    assert decided(run_of([ended("a", "failed", NET_05="-")]), partial=True)[0] == 4
    assert decided(run_of([]), partial=True)[0] == 4, "nothing decided is no release"


def test_a_run_that_was_no_success_for_another_reason_is_none() -> None:
    """A log cut short, tests that never ran: nothing in the tables says so, the status does."""
    assert decided(run_of([ended("a", MON_03="PASS")], status=4))[0] == 4
    assert decided(run_of([ended("a", MON_03="PASS")], status=3))[0] == 3


@given(st.dictionaries(RULES, VERDICTS), OUTCOMES, st.dictionaries(RULES, VERDICTS), OUTCOMES)
def test_a_rerun_never_turns_a_failure_green(  # type: ignore[no-untyped-def]
    rules, outcome, rules_again, outcome_again
) -> None:
    first = run_of([ended("a", outcome, **{k.replace("-", "_"): v for k, v in rules.items()})])
    again = run_of([ended("a", outcome_again, **{k.replace("-", "_"): v for k, v in rules_again.items()})])
    alone, _ = decided(first)
    told, verdicts = decided(first, again)
    assert (told == 0) <= (alone == 0)
    if "FAIL" in rules.values():
        assert {verdicts[rule] for rule, verdict in rules.items() if verdict == "FAIL"} <= {"FAIL", "FLAKY"}
    if {"FLAKY", "INCONCLUSIVE", "ERROR", "FAIL"} & set(verdicts.values()):
        assert told != 0


def test_what_is_run_again_shows_each_broken_requirement_first() -> None:
    failed = [ended(f"a{n}", "failed", MON_03="FAIL") for n in range(60)]
    run = run_of([*failed, ended("last", "failed", MSG_01="FAIL"), ended("good", MON_01="PASS")])
    ids = to_run_again(run)
    assert len(ids) == AT_MOST_AGAIN
    assert {"a0", "last"} <= set(ids[:2])
    assert "good" not in ids


def test_mandatory_is_what_no_model_may_be_excused_from() -> None:
    assert is_mandatory(MANDATORY) and is_mandatory("XXX-99")
    assert any(not is_mandatory(rule) for rule in catalogue())


CHANGES = [
    (None, "PASS", "new"), (None, "FAIL", "new failure"), ("PASS", "FAIL", "new failure"),
    ("FAIL", "FAIL", "still failing"), ("INCONCLUSIVE", "FAIL", "new failure"), ("FAIL", "PASS", "fixed"),
    ("FAIL", "INCONCLUSIVE", "gone"), ("PASS", "ERROR", "gone"), ("FAIL", "NOT APPLICABLE", "gone"),
    ("PASS", "NOT APPLICABLE", "gone"), ("INCONCLUSIVE", "INCONCLUSIVE", "same"), (None, "NOT APPLICABLE", "new"),
    ("NOT APPLICABLE", "NOT APPLICABLE", "same"), ("PASS", "PASS", "same"),
    ("PASS", "FLAKY", "flaky"), ("FAIL", "FLAKY", "flaky"),
]  # fmt: skip


@pytest.mark.parametrize(("before", "now", "expected"), CHANGES)
def test_changes_of_a_requirement(before: str | None, now: str, expected: str) -> None:
    assert change(before, now) == expected


def test_the_comparison_by_requirement_and_by_test() -> None:
    baseline = run_of(
        [ended("kept", "failed", MON_03="FAIL"), ended("mended", "failed", MSG_01="FAIL"), ended("good", NET_05="PASS"),
         ended("dropped", MON_01="PASS"), ended("shaky", MON_02="PASS")],
        name="before", version="1.9.0",
    )  # fmt: skip
    first = run_of([
        ended("kept", "failed", MON_03="FAIL"), ended("mended", MSG_01="PASS"), ended("good", "failed", NET_05="FAIL"),
        ended("shaky", "failed", MON_02="FAIL"), ended("added", MON_07="PASS"),
    ])  # fmt: skip
    again = run_of([
        ended("kept", "failed", MON_03="FAIL"), ended("good", "failed", NET_05="FAIL"), ended("shaky", MON_02="PASS"),
    ])  # fmt: skip
    tests = run_again(first, again)
    found = requirements(first, again, baseline)
    told = compare(found, first, tests, baseline)
    assert (told.baseline, told.firmware, told.not_compared) == ("before", ["new 1.9.0"], 1)
    assert told.requirements == {
        "still failing": [f"MON-03 on {ON}"], "fixed": [f"MSG-01 on {ON}"], "new failure": [f"NET-05 on {ON}"],
        "flaky": [f"MON-02 on {ON}"], "gone": [f"MON-01 on {ON}"],
    }  # fmt: skip
    assert told.tests == {
        "still failing": ["kept"], "fixed": ["mended"], "new failure": ["good"], "flaky": ["shaky"], "new": ["added"],
    }  # fmt: skip


def test_a_test_that_is_skipped_now_is_not_fixed_and_one_in_two_logs_is_its_worst() -> None:
    baseline = run_of([ended("gone", "failed", MON_03="FAIL"), ended("twice", MSG_01="PASS")])
    first = run_of([
        ended("gone", "skipped"), ended("twice", "unfinished", MSG_01="PASS"), ended("twice", MSG_01="PASS"),
    ])  # fmt: skip
    told = compare(requirements(first, None, baseline), first, run_again(first, None), baseline)
    assert told.tests == {"still failing": ["gone"], "new failure": ["twice"]}
    assert told.requirements == {"gone": [f"MON-03 on {ON}"]}
    assert compare([], first, [], baseline, partial=True).requirements == {}, "a choice of tests tells of it itself"


def test_a_choice_of_tests_must_decide_what_it_is_known_to_decide() -> None:
    quick = run_of([ended("a", MON_03="PASS", NET_05="-")])
    found = requirements(quick, None, partial=True, promised=["NET-05", "MON-03"])
    assert {one.id: (one.verdict, one.on) for one in found}["NET-05"] == ("INCONCLUSIVE", NOWHERE)
    assert status([4, 4], [], found, [], quick.reasons, partial=True) == 4


def test_what_no_bench_of_the_inventory_can_decide_is_no_release() -> None:
    run = run_of([ended("a", MON_03="PASS")])
    found = requirements(run, None, untried=["FWU-01", "MON-03"])
    assert {one.id: one.verdict for one in found} == {"MON-03": "PASS", "FWU-01": "INCONCLUSIVE"}
    assert status([0, 0], [], found, []) == 4


def test_a_run_whose_exit_status_alone_tells_is_no_release_of_a_choice_either() -> None:
    """What failed outside any history has no line among the verdict's reasons."""
    good = run_of([ended("a", MON_03="PASS")])
    assert status([4, 0], [], requirements(good, None, partial=True), [], [], partial=True) == 4


def test_a_bench_that_never_got_the_image_is_no_release() -> None:
    good = run_of([ended("a", MON_03="PASS")])
    found = requirements(good, None)
    assert (status([0, 0], [], found, []), status([0, 0], [], found, [], troubles=["bench-1: no"])) == (0, 4)
