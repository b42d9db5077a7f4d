"""The verdict on a stored run: the findings of all its logs merged by group, and the exit status.

* 0  every declared requirement PASS (or NOT APPLICABLE by the model's declaration), every test passed, every log whole
* 1  a FAIL anywhere
* 3  no FAIL, but an ERROR: a bench or a checker failed, or a test ended in error
* 4  neither, but something is undecided: a declared requirement, a failed test without a FAIL, a log cut short, no
  test, or no word of which tests were to run
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness import __version__, run_info
from harness.checkers.finding import Finding
from harness.checkers.firmware import missing_pairs
from harness.checkers.observed import check_header
from harness.checkers.reading import Reading
from harness.checkers.recovery import untried
from harness.diagnosis.records import of_span
from harness.errors import BadInput
from harness.history import reader
from harness.history.events import (
    AnyEvent,
    BenchFailed,
    HostJournal,
    RunClosed,
    RunOpened,
    Screen,
    Slip,
    TestClosed,
    TestOpened,
    WireFrame,
)
from harness.judge import judge
from harness.protocol.transactions import STORED
from harness.requirements import Feature, catalogue
from harness.run_info import RunInfo
from harness.terminal.model import Model
from harness.verdicts import (
    BenchKind,
    BenchRecord,
    Evidence,
    FindingRecord,
    FindingVerdict,
    GroupRecord,
    RequirementRecord,
    RequirementVerdict,
    RunVerdict,
    TestRecord,
)

BENCHES = "benches"
HISTORY = "history.jsonl"
_GRAVITY: dict[FindingVerdict, int] = {"PASS": 0, "INCONCLUSIVE": 1, "ERROR": 2, "FAIL": 3}


@dataclass(frozen=True)
class _Bench:
    """One judged log."""

    header: RunOpened
    path: str
    reading: Reading
    findings: tuple[Finding, ...]

    @property
    def events(self) -> tuple[AnyEvent, ...]:
        return self.reading.events

    @property
    def name(self) -> str:
        return self.header.bench

    @property
    def kind(self) -> BenchKind:
        if self.header.physical:
            return "physical"
        return "physical-like" if self.header.physical_like else "emulated"

    @property
    def key(self) -> tuple[str, str, str, str, str]:
        """What makes benches equal."""
        header = self.header
        return header.group, header.model, header.firmware.sha256, str(header.profile.get("name", "")), self.kind

    @property
    def failures(self) -> list[str]:
        return [e.what for e in self.events if isinstance(e, BenchFailed)]

    @property
    def closed(self) -> bool:
        return any(isinstance(e, RunClosed) for e in self.events)


def judge_run(run_dir: Path) -> RunVerdict:
    """Judge every log under ``run_dir/benches``. BadInput where there is none, or one is damaged."""
    logs = sorted((run_dir / BENCHES).glob(f"*/{HISTORY}"))
    if not logs:
        raise BadInput(
            f"no {BENCHES}/*/{HISTORY} here: this is no stored run", where=str(run_dir),
            remedy="name a folder under results/, e.g. hil97 judge results/<run>",
        )
    info = run_info.read(run_dir)
    unplanned = _unplanned(info)
    info = info or RunInfo()
    benches: list[_Bench] = []
    empty: list[str] = []
    for path in logs:
        events = reader.read(path)
        header = reader.header_of(events, path)
        if header is None:
            empty.append(f"{path.parent.name}: the log is empty, the runner died before anything was seen")
            continue
        check_header(header, path)
        reading = Reading.of(events)
        benches.append(_Bench(header, str(path.relative_to(run_dir)), reading, tuple(judge(reading))))
    opened = {e.test for bench in benches for e in bench.events if isinstance(e, TestOpened)}
    empty += unplanned
    planned = [one.test for one in info.tests or ()]
    never = [test for test in planned if test not in opened]
    if never:
        why = f" ({info.stopped})" if info.stopped else ""
        empty.append(f"{len(never)} of {len(planned)} tests never ran{why}, the first of them {never[0]}")
    empty += [f"outside any bench: {line}" for line in info.outside]
    run = info.run or (benches[0].header.run if benches else run_dir.name)
    return _verdict(run, benches, info.declared or {}, empty)


def _unplanned(info: RunInfo | None) -> list[str]:
    """Why it is not known which tests were to run, in one line; nothing where it is. Who was killed before the tests
    were collected, and whose run.json is lost, has not shown that nothing is missing."""
    if info is None:
        return ["run.json is missing, so it is not known which tests were to run"]
    return ["run.json has no tests, so it is not known which were to run"] if info.tests is None else []


def _verdict(
    run: str, benches: Sequence[_Bench], declared: dict[str, list[str]], empty: Sequence[str]
) -> RunVerdict:
    keys = sorted({bench.key for bench in benches})
    same = [key[0] for key in keys]  # a group's name that stands for unequal benches is made longer
    names = {k: k[0] if same.count(k[0]) == 1 else f"{k[0]} ({', '.join((k[1], k[2][:8], *k[3:]))})" for k in keys}
    groups = [
        _group(names[key], [bench for bench in benches if bench.key == key], declared.get(key[0], []))
        for key in keys
    ]
    tests = [test for bench in benches for test in _tests(bench, names[bench.key])]
    records = [
        BenchRecord(
            bench=bench.name, group=names[bench.key], history=bench.path, closed=bench.closed,
            failures=bench.failures,
        )
        for bench in benches
    ]
    absent = sorted(set(declared) - {bench.header.group for bench in benches})
    status, reasons = _status(groups, tests, records, [*empty, *(f"{group}: no bench of it ran" for group in absent)])
    version = benches[0].header.hil97 if benches else __version__
    return RunVerdict(
        run=run, hil97=version, status=status, reasons=reasons, groups=groups, tests=tests, benches=records
    )


def _group(name: str, benches: Sequence[_Bench], table: Sequence[str]) -> GroupRecord:
    header = benches[0].header
    declared = {rule for bench in benches for e in bench.events if isinstance(e, TestOpened) for rule in e.declares}
    declared.update(table)
    known = list(catalogue())
    rules = [*known, *sorted(declared - set(known))]
    waived = not_applicable(benches[0].reading.model)
    failures = [f"{bench.name}: {what}" for bench in benches for what in bench.failures]
    records = {rule: _records(rule, benches) for rule in rules}
    requirements = []
    for rule in rules:
        verdict, reason = _merged(rule, records[rule], waived.get(rule, ""), failures)
        if rule == "REC-08" and verdict == "PASS" and (rest := untried(bench.reading for bench in benches)):
            reason += f"; {rest}"  # a pairwise set shows a part; a soak all of it
        if rule == "FWU-09" and verdict == "PASS" and (pairs := missing_pairs(bench.reading for bench in benches)):
            verdict, reason = "INCONCLUSIVE", f"{reason}; not decided: {', '.join(pairs)}"
        requirements.append(
            RequirementRecord(
                id=rule, declared=rule in declared, verdict=verdict, reason=reason, findings=records[rule]
            )
        )
    return GroupRecord(
        group=name, model=header.model, firmware=header.firmware, profile=str(header.profile.get("name", "")),
        kind=benches[0].kind, benches=sorted(bench.name for bench in benches), requirements=requirements,
    )


LACKING: dict[Feature, tuple[Callable[[Model], bool], str]] = {
    "offline": (lambda m: not STORED & set(m.transactions), "it accepts nothing offline"),
    "chip": (lambda m: "chip" not in m.entry, "it reads no inserted chip"),
    "identities": (lambda m: m.identities < 2, "it has one identity"),
    "backup_host": (lambda m: not m.backup_host, "it knows no second host"),
}


def not_applicable(model: Model) -> dict[str, str]:
    """Requirement -> the reason why the model is not asked: what it says itself, or what it has not."""
    found = dict(model.not_applicable)
    for rule, requirement in catalogue().items():
        lacks, why = LACKING[requirement.only_with] if requirement.only_with else (None, "")
        if lacks is not None and lacks(model):
            found.setdefault(rule, why)
    return found


def _merged(
    rule: str, findings: Sequence[FindingRecord], waived: str, failures: Sequence[str]
) -> tuple[RequirementVerdict, str]:
    """One verdict from all occasions, and its reason in one line."""
    by: dict[FindingVerdict, list[FindingRecord]] = {verdict: [] for verdict in _GRAVITY}
    for finding in findings:
        by[finding.verdict].append(finding)

    def first(verdict: FindingVerdict) -> str:
        others = f" (and {len(by[verdict]) - 1} more)" if len(by[verdict]) > 1 else ""
        return f"{by[verdict][0].bench}: {by[verdict][0].reason}{others}"

    if by["FAIL"]:
        return "FAIL", first("FAIL")
    requirement = catalogue().get(rule)
    if requirement is None:
        return "INCONCLUSIVE", "there is no such requirement in the catalogue"
    if waived and requirement.can_be_waived:
        return "NOT APPLICABLE", f"declared by the model: {waived}"
    if by["ERROR"]:
        return "ERROR", first("ERROR")
    undecided = first("INCONCLUSIVE") if by["INCONCLUSIVE"] else ""
    if not undecided and not findings:
        undecided = "no occasion" if requirement.decided else "this version has no checker for it"
    if undecided and failures and requirement.decided:
        return "ERROR", f"the bench failed ({failures[0]}), and its evidence is lacking: {undecided}"
    if undecided:
        refused = " (the model declares it not applicable, which this requirement does not allow)" if waived else ""
        return "INCONCLUSIVE", undecided + refused
    count = len(by["PASS"])
    return "PASS", f"{count} occasion{'s' if count != 1 else ''}"


def _records(rule: str, benches: Sequence[_Bench]) -> list[FindingRecord]:
    return [
        FindingRecord(
            verdict=finding.verdict, reason=finding.reason, bench=bench.name, t=finding.t, test=finding.span,
            evidence=_evidence(finding.evidence, bench.reading),
        )
        for bench in benches
        for finding in bench.findings
        if finding.rule == rule
    ]


def _evidence(seqs: Iterable[int], reading: Reading) -> Evidence:
    named = [reading.by_seq[seq] for seq in seqs if seq in reading.by_seq]
    frames = [e for e in named if isinstance(e, WireFrame)]
    journal = {e.jid for e in named if isinstance(e, HostJournal)}
    journal.update(line.jid for line in map(reading.journal_of, frames) if line)
    return Evidence(
        events=[e.seq for e in named],
        frames=[e.frame for e in frames],
        packets=sorted({packet for e in frames for packet in e.packets}),
        journal=sorted(journal),
        images=[e.image for e in named if isinstance(e, Screen | Slip)],
    )


def _tests(bench: _Bench, group: str) -> list[TestRecord]:
    closed = {e.test: e for e in bench.reading.all(TestClosed)}
    last = {e.span: e.t for e in bench.events}  # in order of time: the last one stays
    found: dict[str | None, dict[str, FindingVerdict]] = {}
    for finding in bench.findings:
        rules = found.setdefault(finding.span, {})
        rules[finding.rule] = max(rules.get(finding.rule, "PASS"), finding.verdict, key=_GRAVITY.__getitem__)
    records = []
    for opened in bench.reading.all(TestOpened):
        end = closed.get(opened.test)
        records.append(
            TestRecord(
                bench=bench.name, group=group, test=opened.test, title=opened.title,
                outcome=end.outcome if end else "unfinished", message=end.message if end else "the runner died in it",
                declares=opened.declares, rules=found.get(opened.test, {}), t=opened.t,
                duration_s=end.duration_s if end else round((last.get(opened.test, opened.t) - opened.t) / 1e9, 3),
                waiting_s=end.waiting_s if end else 0.0,
                diagnoses=of_span(bench.events, opened.test, bench.findings),
            )
        )
    return records


def _status(
    groups: Sequence[GroupRecord], tests: Sequence[TestRecord], benches: Sequence[BenchRecord], missing: Sequence[str]
) -> tuple[Literal[0, 1, 3, 4], list[str]]:
    """The exit status, and every reason why it is not 0, gravest first."""
    failed, errors, undecided = [], [], list(missing)
    for group in groups:
        for requirement in group.requirements:
            line = f"{group.group}: {requirement.id} {requirement.verdict}: {requirement.reason}"
            if requirement.verdict == "FAIL":
                failed.append(line)
            elif requirement.verdict == "ERROR" and (
                requirement.declared or any(f.verdict == "ERROR" for f in requirement.findings)
            ):
                errors.append(line)
            elif requirement.verdict == "INCONCLUSIVE" and requirement.declared:
                undecided.append(line)
    for test in tests:
        first = test.message.strip().splitlines()[0] if test.message.strip() else ""
        line = f"{test.bench}: {test.test} {test.outcome}{f': {first}' if first else ''}"
        if test.outcome == "error":
            errors.append(line)
        elif test.outcome in ("failed", "unfinished"):
            undecided.append(line)
    errors += [f"{bench.bench}: the bench failed: {what}" for bench in benches for what in bench.failures]
    undecided += [f"{b.bench}: the log was not closed (the runner died)" for b in benches if not b.closed]
    if not tests:
        undecided.append("no test was run")
    status: Literal[0, 1, 3, 4] = 1 if failed else 3 if errors else 4 if undecided else 0
    return status, [*failed, *errors, *undecided]
