"""Verdicts of runs that never were, for the tests of the gate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.history.events import Firmware
from harness.verdicts import Evidence, FindingRecord, GroupRecord, RequirementRecord, RunVerdict, TestRecord

GROUP = "HT-100/new/unionpay-direct"
ON = "HT-100, unionpay-direct, emulated"


def ended(name: str, outcome: str = "passed", **rules: str) -> TestRecord:
    """``MON_03="FAIL"``: its worst verdict of that requirement, which it declares. "-": declared, without a finding."""
    found = {rule.replace("_", "-"): verdict for rule, verdict in rules.items()}
    seen = {rule: verdict for rule, verdict in found.items() if verdict != "-"}
    return TestRecord.model_validate({
        "bench": "bench-1", "group": GROUP, "test": name, "title": name, "outcome": outcome, "message": "",
        "declares": sorted(found), "rules": seen, "t": 1, "duration_s": 1.0, "waiting_s": 0.5,
    })





def run_of(
    tests: Sequence[TestRecord], *, status: int | None = None, name: str = "run", version: str = "2.0.0",
    loose: Mapping[str, str] | None = None,
) -> RunVerdict:
    """A run of these tests on one bench. ``loose``: findings between tests, requirement -> verdict."""
    findings: dict[str, list[FindingRecord]] = {}
    declared: set[str] = set()
    for test in tests:
        declared.update(test.declares)
        for rule, verdict in test.rules.items():
            findings.setdefault(rule, []).append(_finding(rule, verdict, test.test))
    for rule, between in (loose or {}).items():
        findings.setdefault(rule, []).append(_finding(rule, between, None))
    rules = sorted({*findings, *declared})
    requirements = [_requirement(rule, findings.get(rule, []), rule in declared) for rule in rules]
    worst = {one.verdict for one in requirements}
    bad = any(test.outcome not in ("passed", "skipped") for test in tests)
    told = 1 if "FAIL" in worst else 3 if "ERROR" in worst else 4 if bad or "INCONCLUSIVE" in worst else 0
    firmware = Firmware(name="new", version=version, sha256="ab" * 32)
    group: dict[str, Any] = {
        "group": GROUP, "model": "HT-100", "firmware": firmware, "profile": "unionpay-direct", "kind": "emulated",
        "benches": ["bench-1"], "requirements": requirements,
    }
    reasons = [f"{GROUP}: {one.id} {one.verdict}: {one.reason}" for one in requirements if one.verdict != "PASS"]
    return RunVerdict.model_validate({
        "run": name, "hil97": "0", "status": told if status is None else status, "reasons": reasons,
        "groups": [GroupRecord.model_validate(group)] if requirements else [], "tests": list(tests), "benches": [],
    })


def _finding(rule: str, verdict: str, test: str | None) -> FindingRecord:
    return FindingRecord.model_validate({
        "verdict": verdict, "reason": f"{rule} was {verdict}", "bench": "bench-1", "t": 1, "test": test,
        "evidence": Evidence(events=[1]),
    })


def _requirement(rule: str, findings: list[FindingRecord], declared: bool) -> RequirementRecord:
    for verdict in ("FAIL", "ERROR", "INCONCLUSIVE"):
        first = next((one for one in findings if one.verdict == verdict), None)
        if first is not None:
            return RequirementRecord(
                id=rule, declared=declared, verdict=first.verdict, reason=first.reason, findings=findings
            )
    if not findings:
        return RequirementRecord(
            id=rule, declared=declared, verdict="INCONCLUSIVE", reason="no occasion", findings=[]
        )
    return RequirementRecord(id=rule, declared=declared, verdict="PASS", reason="1 occasion", findings=findings)
