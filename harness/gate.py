"""What ``gate.json`` holds, version 1; documented in docs/gate.md. Written by :mod:`harness.campaigns.gate` only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from harness.errors import BadInput
from harness.history.events import Firmware
from harness.stored_json import parsed
from harness.verdicts import FindingVerdict, TestOutcome

VERSION = 1
FILE = "gate.json"
Decision = Literal["released", "blocked", "undecided", "error"]
OF_STATUS: dict[int, Decision] = {0: "released", 1: "blocked", 3: "error", 4: "undecided"}
Verdict = Literal["PASS", "FAIL", "FLAKY", "INCONCLUSIVE", "NOT APPLICABLE", "ERROR"]
Change = Literal["new failure", "fixed", "still failing", "flaky", "new", "gone", "same"]


class _Value(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Requirement(_Value):
    """A requirement on equal benches. ``on``: model, profile and kind of these. ``mandatory``: can't be waived.
    FLAKY: the failing or undecided tests passed when they were run again; that is no PASS. ``tests``: those that
    showed it, where it is neither PASS nor NOT APPLICABLE. ``change``: against the baseline, null without one."""

    id: str
    on: str
    mandatory: bool
    verdict: Verdict
    reason: str
    tests: list[str] = []
    change: Change | None = None


class Installed(_Value):
    """A bench's log in which tests ran: how its first unit came to the image, the version that its factory had put on
    it, and what did not go as it was to ("": nothing)."""

    log: str
    came_by: Literal["update", "factory"]
    before: str
    trouble: str = ""


class Again(_Value):
    """A test that did not pass, or left undecided what it had to decide. ``first`` and ``again``: how it ended;
    ``again`` null where it was not run again. ``flaky``: it did pass then. ``rules``: the worst verdict of each
    requirement in it, the first time."""

    test: str
    first: TestOutcome
    again: TestOutcome | None
    flaky: bool
    rules: dict[str, FindingVerdict] = {}


class Comparison(_Value):
    """Against the run ``baseline`` of ``firmware`` (name and version of each). Lines are "MON-03 on MODEL, PROFILE,
    KIND" under ``requirements`` and ids under ``tests``, by change; what is the same and good is not listed.
    ``not_compared``: how many tests of the baseline this gate did not run."""

    baseline: str
    firmware: list[str]
    requirements: dict[Change, list[str]]
    tests: dict[Change, list[str]]
    not_compared: int


class LeftOut(_Value):
    """What a gate did not look at. ``tests`` of ``of``; ``requirements`` that the whole gate decides and this one did
    not; ``suites`` that this version has not; ``factory``: benches that had the image from the factory, not by an
    update; ``why`` in a line each, for people."""

    tests: int = 0
    of: int = 0
    requirements: list[str] = []
    suites: list[str] = []
    factory: list[str] = []
    why: list[str] = []


class Times(_Value):
    """``opened`` and ``closed`` in ISO 8601 with zone; seconds of the whole gate, of its run, of what was run again."""

    opened: str
    closed: str
    seconds: float
    first_s: float
    again_s: float


class GateRecord(_Value):
    """A decision about an image. ``status`` is the exit status, ``reasons`` say why it is not 0. ``came_by``: how the
    benches got the image, "factory" where none got it by an update; ``installed``: of each, as its history tells.
    ``again``: folder of the run of what was run again, relative; ``bundle``: the file by which the finding comes back
    elsewhere."""

    schema_version: Annotated[int, Field(ge=0, le=VERSION)] = VERSION
    hil97: str
    run: str
    image: Firmware
    from_versions: list[Firmware]
    came_by: Literal["update", "factory"]
    installed: list[Installed] = []
    decision: Decision
    status: Literal[0, 1, 3, 4]
    reasons: list[str]
    quick: bool
    seed: str
    lab: str
    requirements: list[Requirement]
    tests: list[Again]
    comparison: Comparison | None
    left_out: LeftOut
    times: Times
    again: str | None = None
    bundle: str | None = None

    def to_json(self) -> str:
        """The exact text of ``gate.json``."""
        return json.dumps(self.model_dump(mode="json"), ensure_ascii=False, indent=1) + "\n"

    def write(self, run_dir: Path) -> Path:
        """Replace ``gate.json`` in one step."""
        half = run_dir / f".{FILE}.new"
        half.write_text(self.to_json(), encoding="utf-8")
        return half.replace(run_dir / FILE)


def read(run_dir: Path) -> GateRecord:
    """The gate's decision in a run's folder; BadInput where there is none, or it is damaged or of a newer version."""
    path = run_dir / FILE
    try:
        data = path.read_bytes()
    except OSError as error:
        why = f"can't be read: {error.strerror}"
        raise BadInput(why, where=str(path), remedy="name the folder of a gate") from None
    return parsed(GateRecord, data, str(path), newest=VERSION)
