"""A stored run as the reports see it: values read from its folder, complete or not.

Everything a report says comes from here: the verdicts (``verdicts.json``; where a killed run left none they are made
from the histories, which is the same thing), ``run.json`` (how it was started) and the log of each bench. What a killed
run leaves still opens; :attr:`Run.problems` says what is missing.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

from harness import run_info, verdicts
from harness.errors import BadInput
from harness.history import reader
from harness.history.events import AnyEvent, RunClosed, RunOpened
from harness.judge_run import judge_run
from harness.reports.bilingual import Both, _
from harness.run_info import RunInfo
from harness.verdicts import FindingRecord, GroupRecord, RequirementRecord, RunVerdict, TestRecord

SEVERITY = ("FAIL", "ERROR", "INCONCLUSIVE", "SKIPPED", "PASS", "NOT APPLICABLE")  # the gravest first
OF_STATUS = {0: "PASS", 1: "FAIL", 3: "ERROR", 4: "INCONCLUSIVE"}
NOT_GOOD = ("FAIL", "ERROR", "INCONCLUSIVE")


def worst(found: Iterable[str]) -> str:
    """The gravest of some verdicts; INCONCLUSIVE where there is none: nothing decided is not passed."""
    return min(found, key=SEVERITY.index, default="INCONCLUSIVE")


@dataclass(frozen=True)
class BenchLog:
    """One log. A bench that was opened twice in a run has two (``folder`` tells them apart; relative to the run)."""

    name: str
    folder: str
    opened: RunOpened
    events: tuple[AnyEvent, ...]

    @cached_property
    def closed(self) -> bool:
        return any(isinstance(event, RunClosed) for event in self.events)

    @cached_property
    def by_seq(self) -> Mapping[int, AnyEvent]:
        return {event.seq: event for event in self.events}

    @cached_property
    def by_span(self) -> Mapping[str | None, Sequence[AnyEvent]]:
        spans: dict[str | None, list[AnyEvent]] = {}
        for event in self.events:
            spans.setdefault(event.span, []).append(event)
        return spans

    def covers(self, t: int) -> bool:
        """Did it run at ``t``?"""
        return bool(self.events) and self.events[0].t <= t <= self.events[-1].t


@dataclass(frozen=True)
class Judged:
    """A finding with the rule and the group it is about."""

    rule: str
    group: str
    record: FindingRecord


@dataclass(frozen=True)
class Test:
    """One test on one bench. ``undecided``: rules that it had to decide, or that it left undecided for all."""

    __test__ = False

    record: TestRecord
    findings: tuple[Judged, ...]
    undecided: tuple[str, ...]

    @property
    def harness_s(self) -> float:
        """The part of its duration that was ours, not the terminal's or the host's."""
        return max(0.0, self.record.duration_s - self.record.waiting_s)

    @cached_property
    def verdict(self) -> str:
        """Of the findings in it, and of how it ended: a failed test without a FAIL has decided nothing."""
        found = [f.record.verdict for f in self.findings if f.record.verdict in ("FAIL", "ERROR")]
        own = {"failed": "INCONCLUSIVE", "unfinished": "INCONCLUSIVE", "error": "ERROR", "skipped": "SKIPPED"}
        ended = own.get(self.record.outcome)
        left = ["INCONCLUSIVE"] if self.undecided else []
        return worst([*found, *left, *([ended] if ended else [])] or ["PASS"])

    @property
    def needs_reading(self) -> bool:
        return self.verdict in NOT_GOOD


@dataclass(frozen=True)
class Run:
    """A run. ``loose``: findings between tests that are not PASS; ``never_ran``: tests that were planned."""

    folder: Path
    info: RunInfo
    verdict: RunVerdict | None
    benches: tuple[BenchLog, ...]
    tests: tuple[Test, ...]
    loose: tuple[Judged, ...]
    never_ran: tuple[str, ...]
    problems: tuple[Both, ...]

    @property
    def name(self) -> str:
        return self.verdict.run if self.verdict and self.verdict.run else self.folder.name

    @property
    def groups(self) -> Sequence[GroupRecord]:
        return self.verdict.groups if self.verdict else ()

    @property
    def finished(self) -> bool:
        """It came to its end by itself: every log has its end, and no test is without one."""
        return (
            bool(self.benches)
            and all(bench.closed for bench in self.benches)
            and all(test.record.outcome != "unfinished" for test in self.tests)
        )

    @property
    def outcome(self) -> str:
        """The run's verdict in one word; ERROR, too, where the run says that it ended with the status of one."""
        judged = OF_STATUS[self.verdict.status] if self.verdict else "INCONCLUSIVE"
        stated = OF_STATUS.get(self.info.status, "ERROR")
        return judged if judged != "PASS" else stated

    @property
    def began(self) -> datetime | None:
        """The earliest bench's opening."""
        return min((datetime.fromisoformat(bench.opened.wall) for bench in self.benches), default=None)

    @property
    def seconds(self) -> float:
        """From the first event of any bench to the last."""
        times = [t for bench in self.benches for t in (bench.events[0].t, bench.events[-1].t)]
        return (max(times) - min(times)) / 1e9 if times else 0.0

    @property
    def judge_command(self) -> str:
        return f"hil97 judge {shlex.quote(_short(self.folder))}"

    def log_at(self, bench: str, t: int) -> BenchLog | None:
        """The log of ``bench`` that was written at ``t``."""
        logs = [log for log in self.benches if log.name == bench]
        return next((log for log in logs if log.covers(t)), logs[0] if logs else None)

    def requirement(self, group: str, rule: str) -> RequirementRecord | None:
        found = (r for g in self.groups if g.group == group for r in g.requirements if r.id == rule)
        return next(found, None)

    @property
    def coverage_options(self) -> list[tuple[str, str]]:
        """The options of ``hil97 run`` that give this run's transaction cases; none where it had the usual ones."""
        coverage = self.info.coverage
        values = (("--seed", coverage.seed, "hil97"), ("--cases", coverage.part, "pairwise"))
        return [(option, value) for option, value, usual in values if value not in ("", usual)]

    def rerun(self, test: str) -> str:
        """The one line that runs just this test again."""
        stated = next((one.rerun for one in self.info.tests or () if one.test == test), None)
        if stated:
            return stated
        lab, firmware = self.info.lab, _option(self.info.arguments, "--firmware")
        options = [f"--lab {shlex.quote(_short(Path(lab)))}"] if lab else []
        options += [f"--firmware {shlex.quote(firmware)}"] if firmware else []
        options += [f"{name} {shlex.quote(value)}" for name, value in self.coverage_options]
        return " ".join(["hil97 run", *options, _quoted(test)])


def load(run_dir: Path) -> Run:
    """The run in ``run_dir``. Raises BadInput where the folder is no run."""
    run_dir = run_dir.resolve()
    if not run_dir.is_dir():
        raise BadInput("there is no such run", where=str(run_dir), remedy="name a folder under results/")
    problems: list[Both] = []
    info = _info(run_dir, problems)
    benches = _logs(run_dir, problems)
    if not benches and info is None:
        raise BadInput(
            "this folder holds no run: neither run.json nor benches/*/history.jsonl", where=str(run_dir),
            remedy="name a folder under results/",
        )
    verdict = _verdict(run_dir, problems)
    judged = [
        Judged(requirement.id, group.group, finding)
        for group in (verdict.groups if verdict else ())
        for requirement in group.requirements
        for finding in requirement.findings
    ]
    tests = _tests(verdict, judged) if verdict else ()
    known = {(test.record.bench, test.record.test) for test in tests}
    loose = tuple(j for j in judged if (j.record.bench, j.record.test) not in known and j.record.verdict != "PASS")
    ran = {name for _bench, name in known}
    info = info or RunInfo()
    never_ran = tuple(sorted({one.test for one in info.tests or ()} - ran))
    return Run(run_dir, info, verdict, benches, tests, loose, never_ran, tuple(problems))


def _info(run_dir: Path, problems: list[Both]) -> RunInfo | None:
    try:
        info = run_info.read(run_dir)
    except BadInput as error:
        problems.append(_("run.json can't be read: {error}").format(error=error))
        return None
    if info is None:
        problems.append(_("run.json is missing: how the run was started is not known."))
    elif info.tests is None:
        problems.append(_("run.json names no tests: whether all of them ran is not known."))
    return info


def _logs(run_dir: Path, problems: list[Both]) -> tuple[BenchLog, ...]:
    logs = []
    for path in sorted((run_dir / "benches").glob("*/history.jsonl")):
        folder = path.parent.relative_to(run_dir).as_posix()
        try:
            events = reader.read(path)
        except BadInput as error:
            problems.append(_("The history of {bench} is damaged: {error}").format(bench=path.parent.name, error=error))
            continue
        opened = next((event for event in events if isinstance(event, RunOpened)), None)
        if opened is None:
            problems.append(_("The history of {bench} is empty.").format(bench=path.parent.name))
            continue
        logs.append(BenchLog(opened.bench, folder, opened, tuple(events)))
    return tuple(logs)


def _verdict(run_dir: Path, problems: list[Both]) -> RunVerdict | None:
    try:
        if (run_dir / verdicts.FILE).exists():
            return verdicts.read(run_dir)
        return judge_run(run_dir)
    except BadInput as error:
        problems.append(_("There are no verdicts: {error}").format(error=error))
        return None


def _tests(verdict: RunVerdict, judged: Sequence[Judged]) -> tuple[Test, ...]:
    open_rules = {
        (group.group, requirement.id)
        for group in verdict.groups
        for requirement in group.requirements
        if requirement.declared and requirement.verdict == "INCONCLUSIVE"
    }
    by_test: dict[tuple[str, str | None], list[Judged]] = {}
    for one in judged:
        by_test.setdefault((one.record.bench, one.record.test), []).append(one)
    tests = []
    for record in verdict.tests:
        mine = sorted(by_test.get((record.bench, record.test), []), key=lambda j: (j.record.t, j.rule))
        concerned = sorted({*record.declares, *record.rules})
        undecided = tuple(
            rule for rule in concerned
            if (record.group, rule) in open_rules and record.rules.get(rule, "INCONCLUSIVE") == "INCONCLUSIVE"
        )
        tests.append(Test(record, tuple(mine), undecided))
    return tuple(sorted(tests, key=lambda test: (test.record.t, test.record.bench)))


def _option(arguments: Sequence[str], name: str) -> str | None:
    """The value of ``name value`` or ``name=value``."""
    for index, argument in enumerate(arguments):
        if argument == name and index + 1 < len(arguments):
            return arguments[index + 1]
        if argument.startswith(f"{name}="):
            return argument.partition("=")[2]
    return None


def _quoted(test: str) -> str:
    return "'" + test.replace("'", "'\\''") + "'"


def _short(path: Path) -> str:
    """Relative to where the reader most likely stands, if that is shorter."""
    try:
        return path.relative_to(Path.cwd()).as_posix()
    except ValueError:
        return str(path)
