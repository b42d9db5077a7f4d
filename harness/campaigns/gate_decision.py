"""From verdicts to a gate's decision: the first run, what was run again, and the baseline. Pure.

A rerun never turns a failure green. What failed or stayed undecided and then passed is FLAKY, which is no release; what
FAILs in either run blocks, unless the requirement PASSed in each test that showed it when that was run again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Literal

from harness.gate import Again, Change, Comparison, Requirement, Verdict
from harness.requirements import catalogue
from harness.verdicts import GroupRecord, RequirementRecord, RunVerdict, TestRecord

Status = Literal[0, 1, 3, 4]
Place = tuple[str, str]  # requirement, and on which benches
_GRAVITY: dict[str, int] = {"NOT APPLICABLE": 0, "PASS": 1, "INCONCLUSIVE": 2, "FLAKY": 3, "ERROR": 4, "FAIL": 5}
AT_MOST_AGAIN = 40  # tests; a gate of a firmware that fails everywhere must end too
NO_OCCASION = "no occasion"  # the judge's reason
NO_OCCASION_IN_LIST = "no occasion, where a test of suites/quick.txt has decided it before"
NO_TEST = "no test that decides it can run on any of these benches"
GOOD = ("passed",)  # of how tests end; one that was skipped has decided nothing
DECIDED = ("PASS", "FAIL")
NOWHERE = "no bench of this inventory"
_OPEN = ("INCONCLUSIVE", "ERROR", "FAIL")


def on(group: GroupRecord) -> str:
    """Which benches a verdict is about, the same for any firmware."""
    return f"{group.model}, {group.profile}, {group.kind}"


def bad_tests(run: RunVerdict, *, partial: bool = False) -> list[TestRecord]:
    """Tests that did not pass, and those that leave open what had to be decided, the gravest first. ``partial``: the
    run was a choice of tests, and what had no occasion in it was not to be decided."""
    open_rules = {
        (group.group, one.id)
        for group in run.groups for one in group.requirements
        if one.declared and one.verdict in _OPEN and (one.findings or not partial)
    }
    found = []
    for test in run.tests:
        failed = test.outcome not in GOOD or "FAIL" in test.rules.values()
        left = any(
            (test.group, rule) in open_rules and test.rules.get(rule, "INCONCLUSIVE") != "PASS"
            for rule in test.declares
        )
        if failed or left:
            found.append(test)
    return sorted(found, key=lambda test: ("FAIL" not in test.rules.values(), test.outcome == "passed", test.t))


def to_run_again(run: RunVerdict, *, partial: bool = False) -> list[str]:
    """Ids of the tests to be run again, at most :data:`AT_MOST_AGAIN`: first one for each requirement that FAILs."""
    bad = bad_tests(run, partial=partial)
    first: dict[Place, str] = {}
    for test in bad:
        for rule, verdict in test.rules.items():
            if verdict == "FAIL":
                first.setdefault((rule, test.group), test.test)
    return list(dict.fromkeys([*first.values(), *(test.test for test in bad)]))[:AT_MOST_AGAIN]


def run_again(first: RunVerdict, again: RunVerdict | None, *, partial: bool = False) -> list[Again]:
    """What became of each test that did not pass."""
    later = {test.test: test for test in again.tests} if again else {}
    found: dict[str, Again] = {}
    for test in bad_tests(first, partial=partial):
        other = later.get(test.test)
        was = found.get(test.test)
        found[test.test] = Again(
            test=test.test, first=test.outcome, again=other.outcome if other else None,
            flaky=_turned(test, other) and (was is None or was.flaky), rules=test.rules,
        )
    return list(found.values())


def _turned(first: TestRecord, again: TestRecord | None) -> bool:
    """Whether what had gone wrong in it did not come again. A test that passed and only left open what others had to
    decide has nothing that could."""
    if again is None or again.outcome != "passed" or "FAIL" in again.rules.values():
        return False
    return first.outcome not in GOOD or bool({"FAIL", "ERROR", "INCONCLUSIVE"} & set(first.rules.values()))


def requirements(
    first: RunVerdict, again: RunVerdict | None, baseline: RunVerdict | None = None, *, partial: bool = False,
    promised: Collection[str] = (), untried: Collection[str] = (),
) -> list[Requirement]:
    """Every requirement that had to be decided, or was all the same, with its change against the baseline.
    ``partial``: the run was a choice of tests, and what had no occasion in it was not tried, but for what these tests
    are known to decide: ``promised``. ``untried``: what tests there are must decide, and none of them can run on a
    bench of this inventory."""
    flaky = {one.test for one in run_again(first, again) if one.flaky}
    now: dict[Place, tuple[Verdict, str, list[str]]] = {}
    for run in (first, again) if again else (first,):
        for group in run.groups:
            for one in group.requirements:
                if not (one.declared or one.verdict in ("FAIL", "PASS")) or (run is again and one.verdict != "FAIL"):
                    continue
                if partial and one.verdict == "INCONCLUSIVE" and not one.findings:
                    continue
                found = _judged(one, group, first, flaky if run is first else set(), again)
                place = (one.id, on(group))
                if place not in now or _GRAVITY[found[0]] > _GRAVITY[now[place][0]]:
                    now[place] = found
    for rules, why in ((promised, NO_OCCASION_IN_LIST), (untried, NO_TEST)):
        for rule in sorted(set(rules) - {rule for rule, _where in now}):
            now[rule, NOWHERE] = "INCONCLUSIVE", why, []
    before = verdicts_of(baseline) if baseline else None
    return [
        Requirement(
            id=rule, on=where, mandatory=is_mandatory(rule), verdict=verdict, reason=reason, tests=tests,
            change=None if before is None else change(before.get((rule, where)), verdict),
        )
        for (rule, where), (verdict, reason, tests) in sorted(now.items())
    ]


def _judged(
    record: RequirementRecord, group: GroupRecord, first: RunVerdict, flaky: set[str], again: RunVerdict | None
) -> tuple[Verdict, str, list[str]]:
    """FAIL stays FAIL unless every test that showed it passed later; undecided stays so unless it was decided later."""
    tests = list(dict.fromkeys(f.test for f in record.findings if f.verdict == record.verdict and f.test is not None))
    if record.verdict == "FAIL":
        loose = any(f.verdict == "FAIL" and f.test is None for f in record.findings)
        later_rules = {test.test: test.rules for test in again.tests} if again else {}
        passed = {test for test in tests if later_rules.get(test, {}).get(record.id) == "PASS"}
        if tests and not loose and set(tests) <= flaky & passed:
            return "FLAKY", f"FAIL once, then passed: {record.reason}", tests
        return "FAIL", record.reason, tests
    if record.verdict == "INCONCLUSIVE" and again is not None:
        later = {
            (one.id, on(other)): one.verdict for other in again.groups for one in other.requirements if one.declared
        }
        if later.get((record.id, on(group))) == "PASS":
            return "FLAKY", f"undecided once, then passed: {record.reason}", tests
    return record.verdict, record.reason, tests if record.verdict in _OPEN else []


def is_mandatory(rule: str) -> bool:
    """Whether no model may be excused from it. What the catalogue does not know is."""
    known = catalogue().get(rule)
    return known is None or not known.can_be_waived


def status(
    first: Sequence[int], again: Sequence[int], found: Iterable[Requirement], tests: Iterable[Again],
    reasons: Sequence[str] = (), *, partial: bool = False, troubles: Sequence[str] = (),
) -> Status:
    """The exit status: 1 a FAIL that stands, 3 no FAIL but a bench that failed, 4 neither but something undecided or
    flaky. ``first``, ``again``: the statuses of those runs (by their verdicts, and as they exited); ``reasons``: those
    of the first; ``troubles``: benches that did not get the image as they were to."""
    found = list(found)
    verdicts = {one.verdict for one in found}
    if "FAIL" in verdicts:
        return 1
    if "ERROR" in verdicts or 3 in (*first, *again):
        return 3
    if verdicts & {"INCONCLUSIVE", "FLAKY"} or any(one.first not in GOOD for one in tests):
        return 4
    if not found or troubles:
        return 4
    if partial and reasons and all(reason.endswith(f"INCONCLUSIVE: {NO_OCCASION}") for reason in reasons):
        return 0  # what had no occasion in a choice of tests was left out, and is told as that
    return 0 if set(first) == {0} else 4  # whatever else made the run no success


def verdicts_of(run: RunVerdict) -> dict[Place, str]:
    """The worst verdict on each requirement that was decided, or had to be."""
    found: dict[Place, str] = {}
    for group in run.groups:
        for one in group.requirements:
            if one.declared or one.findings:
                place = (one.id, on(group))
                found[place] = max(found.get(place, one.verdict), one.verdict, key=_GRAVITY.__getitem__)
    return found


def change(before: str | None, now: str) -> Change:
    """Of a verdict against the one before (None: there was none). What was decided and no longer is, or no longer has
    to be, is gone: a requirement that a model is excused from is not fixed."""
    if now == "FLAKY":
        return "flaky"
    if now == "FAIL":
        return "still failing" if before == "FAIL" else "new failure"
    if now == "PASS":
        return "fixed" if before == "FAIL" else "new" if before is None else "same"
    if before in DECIDED:
        return "gone"
    return "new" if before is None else "same"


def compare(
    found: Iterable[Requirement], first: RunVerdict, tests: Iterable[Again], baseline: RunVerdict, *,
    partial: bool = False,
) -> Comparison:
    """By requirement and by test; ``found`` has its changes already. Gone is also what the baseline decided, and
    nothing here tells of; of a choice of tests (``partial``) that is told as left out."""
    by_rule: dict[Change, list[str]] = {}
    found = list(found)
    for one in found:
        if one.change not in (None, "same", "new"):
            by_rule.setdefault(one.change, []).append(f"{one.id} on {one.on}")
    here = {(one.id, one.on) for one in found}
    absent = [place for place, verdict in verdicts_of(baseline).items() if verdict in DECIDED and place not in here]
    if absent and not partial:
        by_rule.setdefault("gone", []).extend(f"{rule} on {where}" for rule, where in sorted(absent))
    now, then = _bad_by_test(first), _bad_by_test(baseline)
    flaky = {one.test for one in tests if one.flaky}
    by_test: dict[Change, list[str]] = {}
    for name, failed in now.items():
        failed_then = then.get(name, False)
        what: Change = "same"
        if name in flaky:
            what = "flaky"
        elif failed:
            what = "still failing" if failed_then else "new failure"
        elif failed_then:
            what = "fixed"
        elif name not in then:
            what = "new"
        if what != "same":
            by_test.setdefault(what, []).append(name)
    firmware = sorted({f"{group.firmware.name} {group.firmware.version}" for group in baseline.groups})
    return Comparison(
        baseline=baseline.run, firmware=firmware, requirements=by_rule, tests=by_test,
        not_compared=len(set(then) - set(now)),
    )


def _bad_by_test(run: RunVerdict) -> dict[str, bool]:
    """Whether each test did not pass; one that stands in several logs did not if it did not in one of them."""
    found: dict[str, bool] = {}
    for test in run.tests:
        found[test.test] = found.get(test.test, False) or test.outcome not in GOOD or "FAIL" in test.rules.values()
    return found
