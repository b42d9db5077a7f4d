"""What ``verdicts.json`` holds, version 2; documented in docs/verdicts.md. Written by :mod:`harness.judge_run` only.

Times ``t`` are nanoseconds of the same clock as in the histories. Nothing in it depends on when or where it is judged.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from harness.diagnosis.records import DiagnosisRecord
from harness.errors import BadInput, writing
from harness.history.base import Moment, Seconds
from harness.history.events import Firmware
from harness.stored_json import parsed

VERSION = 2  # 1 had no diagnoses, and is read as having none
FILE = "verdicts.json"
BenchKind = Literal["emulated", "physical-like", "physical"]
FindingVerdict = Literal["PASS", "FAIL", "INCONCLUSIVE", "ERROR"]
RequirementVerdict = Literal["PASS", "FAIL", "INCONCLUSIVE", "NOT APPLICABLE", "ERROR"]
TestOutcome = Literal["passed", "failed", "error", "skipped", "unfinished"]


class _Value(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Evidence(_Value):
    """Where to look. ``events``: seq in the bench's history. The rest is found from those: ``frames`` as numbered by
    the tap, ``packets`` in wire.pcapng, ``journal``: jid in the acquirer's journal (of a frame: the line with the same
    bytes), ``images`` of screens and slips, relative to the bench's folder."""

    events: list[int]
    frames: list[int] = []
    packets: list[int] = []
    journal: list[int] = []
    images: list[str] = []


class FindingRecord(_Value):
    """One occasion of a requirement, judged. ``test``: the test under way, null between tests."""

    verdict: FindingVerdict
    reason: str
    bench: str
    t: Moment
    test: str | None
    evidence: Evidence


class RequirementRecord(_Value):
    """``declared``: some test of this group, or the run's table, must decide it; then only PASS or an allowed
    NOT APPLICABLE is success."""

    id: str
    declared: bool
    verdict: RequirementVerdict
    reason: str
    findings: list[FindingRecord]


class GroupRecord(_Value):
    """What a verdict is about: equal benches. ``benches`` are those that took part."""

    group: str
    model: str
    firmware: Firmware
    profile: str
    kind: BenchKind
    benches: list[str]
    requirements: list[RequirementRecord]


class TestRecord(_Value):
    """``rules``: of every requirement with a finding inside this test, the worst verdict. ``unfinished``: the runner
    died in it. ``diagnoses``: of a test that did not pass, from outside and with the acquirer's view."""

    __test__ = False  # no test class for pytest

    bench: str
    group: str
    test: str
    title: str
    outcome: TestOutcome
    message: str
    declares: list[str]
    rules: dict[str, FindingVerdict]
    t: Moment
    duration_s: Seconds
    waiting_s: Seconds
    diagnoses: list[DiagnosisRecord] = []


class BenchRecord(_Value):
    """``closed``: the log ends with run.closed. ``failures``: what failed of the bench itself."""

    bench: str
    group: str
    history: str
    closed: bool
    failures: list[str]


class RunVerdict(_Value):
    """A judged run. ``status`` is the exit status; ``reasons`` say why it is not 0."""

    schema_version: Annotated[int, Field(ge=0, le=VERSION)] = VERSION
    run: str
    hil97: str
    status: Literal[0, 1, 3, 4]
    reasons: list[str]
    groups: list[GroupRecord]
    tests: list[TestRecord]
    benches: list[BenchRecord]

    def to_json(self) -> str:
        """The exact text of ``verdicts.json``."""
        return json.dumps(self.model_dump(mode="json"), ensure_ascii=False, indent=1) + "\n"

    def write(self, run_dir: Path) -> Path:
        """Replace ``verdicts.json`` in one step."""
        path = run_dir / FILE
        half = run_dir / f".{FILE}.new"
        with writing(path):
            half.write_text(self.to_json(), encoding="utf-8")
            return half.replace(path)


def read(run_dir: Path) -> RunVerdict:
    """The verdicts of a judged run; BadInput where there are none, or they are damaged or of a newer version."""
    path = run_dir / FILE
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadInput(
            f"can't be read: {error.strerror}", where=str(path), remedy="judge the run first: hil97 judge RUN"
        ) from None
    return parsed(RunVerdict, data, str(path), newest=VERSION, remedy="judge the run again: hil97 judge RUN")
