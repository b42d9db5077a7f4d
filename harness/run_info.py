"""What ``run.json`` holds, version 1, as far as it is used after the run: by judge, replay, reports and gate.

Written by :mod:`harness.campaigns.plan`; what else stands in it is passed over.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from harness import stored_json
from harness.errors import BadInput

VERSION = 1
FILE = "run.json"
Word = Annotated[str, Field(pattern=r"^[^\x00]*$")]  # may become a path


class _Value(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class PlannedTest(_Value):
    """``rerun``: the line that runs just this test again, where it is not the usual one."""

    test: str
    rerun: str | None = None


class Coverage(_Value):
    """Which transaction cases: ``seed`` of the set, ``part`` of all."""

    seed: str = ""
    part: str = ""


class LeftOut(_Value):
    """``tests`` of ``of`` that an option left out; ``requirements`` that all of them declare."""

    tests: int = 0
    of: int = 0
    requirements: list[str] = []


class ImageFile(_Value):
    path: Word
    name: str = ""
    version: str = ""
    sha256: str = ""


class PlannedBench(_Value):
    bench: str = ""
    physical_like: bool = False
    firmware: ImageFile | None = None


class Replayed(_Value):
    """The run that was driven again: its name, and its folder as it was given."""

    run: str
    folder: str


class RunInfo(_Value):
    """``declared`` and ``tests``: None where the run ended before its tests were known. ``outside``: what failed
    outside any bench; ``stopped``: why it was ended before its last test; ``status``: its exit status."""

    version: Annotated[int, Field(ge=0, le=VERSION)] = VERSION
    run: str = ""
    lab: Word = ""
    arguments: list[Word] = []
    opened: str = ""
    status: Annotated[int, Field(ge=0, le=255)] = 0
    coverage: Coverage = Coverage()
    replay: Replayed | None = None
    declared: dict[str, list[str]] | None = None
    tests: list[PlannedTest] | None = None
    outside: list[str] = []
    stopped: str = ""
    left_out: LeftOut = LeftOut()
    untried: list[str] = []
    benches: list[PlannedBench] = []
    from_images: Annotated[dict[str, ImageFile], Field(alias="from")] = {}


def read(run_dir: Path) -> RunInfo | None:
    """``run.json`` of a run's folder; None where there is none. BadInput where it is damaged or of a newer version."""
    path = run_dir / FILE
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadInput(f"can't be read: {error.strerror}", where=str(path)) from None
    return stored_json.parsed(RunInfo, data, str(path), newest=VERSION, key="version", strict=True)
