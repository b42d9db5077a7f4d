"""A run started from the command line: pytest in a lab of its own, with our display."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import BadInput
from harness.i18n import _

if TYPE_CHECKING:
    from harness.lab.inventory import Lab

UNDECIDED = 4  # the highest status that a run ends with by itself
DISPLAY = ("-qq", "--no-header", "--tb=no", "-rN", "-p", "harness.campaigns.display")  # ours in place of pytest's lines


@dataclass(frozen=True)
class Request:
    """What is to be run. ``seed`` and ``part``: of the transaction cases (docs/suites.md);
    ``from_versions``: from which tests of updates begin, joined by commas;
    ``by_update``: each bench's first unit has one of these, and is updated; ``quick``: only the tests of
    suites/quick.txt;
    ``replay``, ``replay_test``: a stored run, and which of its tests (None: all); ``workers`` None: as many as
    there are benches; ``nightly``: the tests for the night too. ``language`` is that of what is printed, None: the
    locale's."""

    lab: str
    suites: Sequence[str]
    results: str
    firmware: str | None = None
    select: str | None = None
    workers: int | None = None
    seed: str | None = None
    part: str | None = None
    replay: str | None = None
    replay_test: str | None = None
    from_versions: str | None = None
    by_update: bool = False
    quick: bool = False
    nightly: bool = False
    language: str | None = None


def check(request: Request) -> None:
    """What can be said at once. Raises BadInput."""
    from harness.campaigns.cases import part_of
    from harness.campaigns.plan import check_from_images, check_results, check_startable, open_lab
    from harness.lab import rootless, stress
    from harness.lab.firmware_images import split

    for suite in request.suites:
        if not Path(suite.split("::")[0]).exists():
            raise BadInput(
                _("there is no suite {suite}").format(suite=suite),
                remedy=_("start hil97 run in the project's folder, or name a path"),
            )
    if request.part is not None:
        part_of(request.part)
    lab = open_lab(Path(request.lab), request.firmware)
    check_startable(lab)
    stress.check_all(lab.emulated)
    check_from_images(lab, split(request.from_versions), by_update=request.by_update)
    check_results(Path(request.results), None)
    rootless.probe()


def outside_of(lab: Lab) -> dict[str, str]:
    """Who is left outside of the lab for its real instruments, if it has any: the environment by which it is found."""
    if not lab.real_instruments:
        return {}
    from harness.instruments.guard import outside

    return outside.leave()


def launch(request: Request, name: str) -> int:
    """One run, named so. Its exit status; where pytest was killed, what was seen is judged here."""
    from harness.campaigns.finish import finish_killed
    from harness.campaigns.plan import check_results, open_lab
    from harness.lab import contained, scratch

    check_results(Path(request.results), name)
    lab = open_lab(Path(request.lab), request.firmware)
    benches = len(lab.emulated)
    workers = min(benches, request.workers if request.workers is not None else benches)
    command = [sys.executable, "-m", "pytest", *request.suites, "--lab", request.lab, "-n", str(workers)]
    # schemathesis comes with the extra `tests`, and costs a second of every process that does not use it
    command += ["--results", request.results, *DISPLAY, "-p", "no:cacheprovider", "-p", "no:schemathesis"]
    command += ["--run-name", name]
    options = (
        ("--firmware", request.firmware), ("-k", request.select), ("--seed", request.seed), ("--cases", request.part),
        ("--replay", request.replay), ("--replay-test", request.replay_test), ("--from", request.from_versions),
    )
    command += ["--nightly"] if request.nightly else []
    for option, value in options:
        if value:
            command += [option, value]
    flags = (("--quick", request.quick), ("--by-update", request.by_update))
    command += [flag for flag, wanted in flags if wanted]
    language = {"HIL97_LANG": request.language} if request.language else {}
    status = contained.run_contained(command, dict(os.environ) | language | outside_of(lab))
    scratch.sweep()
    return status if status <= UNDECIDED else finish_killed(Path(request.results, name))
