"""Does the harness find what is wrong? Runs the suites on defective firmwares and compares what failed with what must.

Each defect is a run of its own (``hil97 run --firmware DEFECT``) on one emulated bench of an inventory made for it. It
is shown the tests that declare the requirement which it breaks, the most promising first, and ends at the first FAIL of
it. The reference is run as well, on all tests, and its other versions on those about updates and 97; they must be
clean.
``self-test.json`` holds the outcome of all (docs/defects.md).
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal, get_args

from harness import verdicts
from harness.campaigns.matrix import FOLLOW_UPS, REVERSAL_OF, UPLOADS
from harness.emulator.shipped import REFERENCE_SOURCE, REFERENCE_VERSION, defect_sources, version_sources
from harness.emulator.source import Source, load_source
from harness.errors import BadInput
from harness.lab.catalogue import load_named
from harness.protocol.transactions import REVERSIBLE
from harness.terminal.model import Model, Transaction
from harness.verdicts import FindingRecord, RunVerdict

REFERENCE = "reference"
FILE = "self-test.json"
VERSION = 1
RECOVERY_S = 10.0  # real seconds of a bench whose terminal time runs 20 times faster; the reference takes about one
PROFILE = "unionpay-direct"
_INVENTORY = """\
title: made by the self-test
catalogue: {catalogue}
benches:
  - name: self-test
    kind: emulated
    model: {model}
    profile: {profile}
    time_scale: 20
    limits: {{recovery_s: {recovery_s}}}
    identity: {{tid: "97000500", mid: "104110070119701"}}
"""
_INSTRUMENTS = "    instruments: emulated\n"

KNOWN_CASES = frozenset(
    (*get_args(Transaction), *UPLOADS, *FOLLOW_UPS, *(REVERSAL_OF + name for name in REVERSIBLE))
)  # what the ``cases`` of a defect may name
ALL = ("suites",)
GATED = ("install", "firmware", "registration", "recovery", "network")  # what the gate runs
OUTSIDE_A_GATE = frozenset(
    ("MON-04", "MON-12", "SEC-01", "SEC-02", "SEC-03", "ENV-01", "ENV-02", "ENV-03", "ENV-04")
)  # what a defect breaks and no suite of a gate declares; its tests hold it to the suites
OF_VERSIONS = ("firmware", "recovery")  # of these, what the other versions of the reference are shown
Result = Literal["caught", "clean", "missed", "unexpected", "undecided", "error"]
GOOD: tuple[Result, ...] = ("caught", "clean")
_OF_STATUS: dict[int, Result] = {0: "clean", 1: "unexpected", 3: "error", 4: "undecided"}


@dataclass(frozen=True)
class Failure:
    """A requirement that FAILed in a run. ``reason`` of its first finding, on ``bench``, resting on ``events``.

    ``apart``: how many of its ``findings`` share no event, directly or through others, with a FAIL of the broken rule.
    """

    requirement: str
    findings: int
    apart: int
    bench: str
    test: str | None
    reason: str
    events: tuple[int, ...]


@dataclass(frozen=True)
class Outcome:
    """How the suites did on one firmware.

    caught: the broken requirement FAILs, and nothing else but its consequences, each at events of the same failure.
    missed: it does not FAIL. unexpected: something else FAILs, or a consequence at other events, unless the defect
    lists it under ``elsewhere``. For the reference clean: exit status 0; undecided: status 4. error: the run gave no
    verdicts, or (reference) the bench failed. ``model``: of the bench; ``title``: of the defect.
    ``unexpected`` names the requirements; ``absent`` the listed consequences that did not show.
    """

    firmware: str
    model: str
    breaks: str
    result: Result
    status: int | None
    failures: tuple[Failure, ...]
    unexpected: tuple[str, ...]
    absent: tuple[str, ...]
    seconds: float
    run: str
    detail: str = ""
    title: str = ""

    @property
    def good(self) -> bool:
        return self.result in GOOD


@dataclass(frozen=True)
class Plan:
    """What every run of a self-test has in common. ``model``: of the benches, but for defects that name theirs;
    ``suites``: paths, as for ``hil97 run``; ``whole``: every test on every firmware, to its end."""

    folder: Path
    catalogue: Path
    model: str
    suites: tuple[str, ...] = ALL
    whole: bool = False


def self_test(
    names: Sequence[str], plan: Plan, *, workers: int = 2, finished: Callable[[Outcome], None] = lambda _outcome: None
) -> list[Outcome]:
    """Runs the suites on each of ``names`` (shipped defects, or "reference"), ``workers`` at the same time.

    ``finished`` is called, from other threads, as each ends. Writes :data:`FILE` into ``plan.folder``. Raises
    :class:`BadInput` for a name that is none, a source that can't be built, a folder that exists, no suites.
    """
    for suite in (Path(suite.split("::")[0]) for suite in plan.suites):
        if not suite.exists():
            raise BadInput("there are no suites here", where=str(suite.absolute()),
                           remedy="start hil97 gate in the project's folder")
    sources = {name: source_of(name) for name in names}
    for model in dict.fromkeys(source.model or plan.model for source in sources.values()):
        load_named(plan.catalogue, Model, model)
    try:
        plan.folder.mkdir(parents=True)
    except FileExistsError:
        raise BadInput("is there already", where=str(plan.folder), remedy="name another folder") from None

    def run(name: str) -> Outcome:
        outcome = run_one(sources[name], plan)
        finished(outcome)
        return outcome

    # what takes longest is begun first
    order = sorted(sources, key=lambda name: (bool(sources[name].breaks), not sources[name].needs))
    with ThreadPoolExecutor(max_workers=max(1, workers)) as pool:
        by_name = dict(zip(order, pool.map(run, order), strict=True))
    outcomes = [by_name[name] for name in sources]
    write(outcomes, plan.folder)
    from harness.reports import selftest_page

    selftest_page.write([asdict(one) for one in outcomes], plan.folder)
    return outcomes


def run_one(source: Source, plan: Plan) -> Outcome:
    """One firmware through ``hil97 run``, and its outcome. No long tests, or only these where it needs them."""
    model = source.model or plan.model
    inventory = plan.folder / f"{source.name}.yaml"
    text = _INVENTORY.format(
        catalogue=json.dumps(str(plan.catalogue.resolve())), model=model, profile=PROFILE, recovery_s=RECOVERY_S
    )
    amid = source.name == REFERENCE or "instruments" in source.needs  # the others would only wait for them
    inventory.write_text(text + _INSTRUMENTS * amid, encoding="utf-8")
    command = [
        sys.executable, "-m", "harness.cli", "--lang", "en", "run", *_suites(source, plan), "--lab", str(inventory),
        "--firmware", source.name, "-n", "0", "--results", str(plan.folder), "--run-name", source.name,
    ]
    environment = dict(os.environ)
    given = environment.get("PYTEST_ADDOPTS", "")
    environment["PYTEST_ADDOPTS"] = f"{given} {shlex.join(chosen(source, plan))}".strip()
    began = time.monotonic()
    with (plan.folder / f"{source.name}.log").open("wb") as log:
        status = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment).returncode
    seconds = round(time.monotonic() - began, 1)
    folder = plan.folder / source.name
    try:
        verdict = verdicts.read(folder)
    except BadInput as error:
        return Outcome(
            source.name, model, source.breaks, "error", status, (), (), (), seconds, str(folder),
            f"{error}\nwhat the run said: {log.name}", source.title if source.breaks else "",
        )
    return judged(source, verdict, exit_status=status, model=model, seconds=seconds, run=str(folder))


def _suites(source: Source, plan: Plan) -> list[str]:
    """Where they are looked for: another version of the reference is shown what differs from version to version."""
    if plan.suites != ALL or plan.whole or source.name == REFERENCE or source.breaks:
        return list(plan.suites)
    return [f"{ALL[0]}/{name}" for name in OF_VERSIONS if Path(ALL[0], name).is_dir()]


def chosen(source: Source, plan: Plan) -> list[str]:
    """The options that choose the tests for one firmware."""
    options = ["-m", "long" if "long" in source.needs else "not long"]
    if source.breaks and not plan.whole:
        options += ["--only", ",".join((source.breaks, *source.cases)), "--stop-at", source.breaks]
    return options


def judged(
    source: Source, verdict: RunVerdict, *, exit_status: int | None = None, model: str = "", seconds: float = 0.0,
    run: str = "",
) -> Outcome:
    """The outcome of a run that has its verdicts. ``exit_status``: its own, where that is not theirs (a test that
    failed outside any bench). Pure."""
    status = verdict.status or exit_status or 0
    failures = failures_of(verdict, source.breaks)
    failed = {failure.requirement for failure in failures}
    allowed = {source.breaks, *source.consequences}
    unexpected = tuple(
        failure.requirement
        for failure in failures
        if failure.requirement not in allowed or (failure.apart and failure.requirement not in source.elsewhere)
    )
    result: Result
    if not source.breaks:
        result = _OF_STATUS.get(status, "error")
    elif source.breaks not in failed:
        result = "missed"
    else:
        result = "unexpected" if unexpected else "caught"
    absent = tuple(sorted(set(source.consequences) - failed))
    detail = "\n".join(verdict.reasons[:10]) if result in ("undecided", "error", "missed") else ""
    return Outcome(
        source.name, model, source.breaks, result, status, tuple(failures), unexpected, absent, seconds, run,
        detail, source.title if source.breaks else "",
    )


def failures_of(verdict: RunVerdict, breaks: str) -> list[Failure]:
    """What FAILed, ``breaks`` first, and how much of each has no event in common with the failure of ``breaks``."""
    found: dict[str, list[FindingRecord]] = {}
    for group in verdict.groups:
        for requirement in group.requirements:
            for finding in requirement.findings:
                if finding.verdict == "FAIL":
                    found.setdefault(requirement.id, []).append(finding)
    near = _connected([one for findings in found.values() for one in findings], found.get(breaks, ()))
    failures = [
        Failure(
            requirement, len(findings), sum(id(one) not in near for one in findings), findings[0].bench,
            findings[0].test, findings[0].reason, tuple(findings[0].evidence.events),
        )
        for requirement, findings in found.items()
    ]
    return sorted(failures, key=lambda failure: (failure.requirement != breaks, failure.requirement))


def _connected(findings: Iterable[FindingRecord], start: Iterable[FindingRecord]) -> set[int]:
    """The ids of the findings that rest on an event of ``start``, or on one of a finding that does, and so on."""
    at: dict[tuple[str, int], list[FindingRecord]] = {}
    for finding in findings:
        for event in finding.evidence.events:
            at.setdefault((finding.bench, event), []).append(finding)
    reached: set[int] = set()
    waiting = list(start)
    while waiting:
        finding = waiting.pop()
        if id(finding) in reached:
            continue
        reached.add(id(finding))
        for event in finding.evidence.events:
            waiting.extend(at.pop((finding.bench, event), ()))
    return reached


def write(outcomes: Sequence[Outcome], folder: Path) -> Path:
    """:data:`FILE`: version, one object a firmware."""
    path = folder / FILE
    content = {"version": VERSION, "good": all(one.good for one in outcomes), "outcomes": [asdict(o) for o in outcomes]}
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return path


def table(outcomes: Sequence[Outcome], words: Mapping[str, str] | None = None) -> str:
    """One line a firmware; below it what is wrong, if something is. ``words``: result -> how it is said, and "outside":
    that no suite of a gate declares what it breaks."""
    said = words or {}
    width = max((len(one.firmware) for one in outcomes), default=0)
    lines = []
    for one in outcomes:
        others = [failure.requirement for failure in one.failures if failure.requirement != one.breaks]
        also = f"  + {' '.join(others)}" if others else ""
        if one.breaks in OUTSIDE_A_GATE:
            also += f"  ({said.get('outside', 'in no suite of a gate')})"
        word = said.get(one.result, one.result)
        lines.append(f"{one.firmware:{width}}  {one.breaks or '-':6}  {word:10}  {one.seconds:6.1f} s{also}")
        if one.good:
            continue
        for failure in one.failures:
            if failure.requirement in one.unexpected:
                apart = f" ({failure.apart} of {failure.findings} at other events)" if failure.apart else ""
                where = f"{failure.bench}, events {', '.join(map(str, failure.events[:8]))}"
                lines.append(f"    {failure.requirement}{apart}: {failure.reason}\n      {failure.test}\n      {where}")
        lines += [f"    {line}" for line in one.detail.splitlines()]
        lines.append(f"    {one.run}")
    return "\n".join(lines)


def all_names() -> list[str]:
    """The reference, its other versions, then every shipped defect."""
    return [REFERENCE, *_versions(), *defect_sources()]


def _versions() -> dict[str, Path]:
    """reference-2.0.0 -> its source; without the reference itself, and the oldest, which nobody updates to."""
    offered = list(version_sources().items())[1:]
    return {f"{REFERENCE}-{v}": path for v, path in offered if v != REFERENCE_VERSION}


def source_of(name: str) -> Source:
    """The shipped firmware of that name. BadInput where there is none, or it names a case that nobody plays."""
    path = REFERENCE_SOURCE if name == REFERENCE else (defect_sources() | _versions()).get(name)
    if path is None:
        raise BadInput(f"there is no shipped firmware {name!r}", remedy=f"there are {', '.join(all_names())}")
    source = replace(load_source(path), name=name)
    unknown = sorted(set(source.cases) - KNOWN_CASES)
    if unknown:
        raise BadInput(f"no transaction case plays {', '.join(unknown)}", where=str(path))
    return source
