"""The end of a run: judged, reported, summed up in an exit status."""

from __future__ import annotations

import html
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from harness.campaigns.plan import RunPlan
from harness.errors import BenchError
from harness.i18n import _
from harness.i18n_errors import translated

if TYPE_CHECKING:
    from rich.console import Console

TESTS_FAILED, INTERRUPTED, USAGE, NOTHING_COLLECTED = 1, 2, 4, 5  # pytest's own exit statuses


def write_placeholder(plan: RunPlan) -> None:
    """A page from the first second on: whoever opens it learns how to see what a killed run left."""
    text = html.escape(f"Run {plan.run} has not ended (or was killed). What was seen so far: hil97 judge {plan.folder}")
    (plan.folder / "index.html").write_text(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>hil97 {plan.run}</title><p>{text}</p></html>\n',
        encoding="utf-8",
    )


def finish(plan: RunPlan, pytest_status: int) -> int:
    """Judge, write every report, print the summary. Returns the exit status of the run (see ``hil97 run --help``)."""
    from harness.judge_run import judge_run
    from harness.reports import junit, page, summary

    if not seen(plan.folder):
        plan.discard()
        if pytest_status in (USAGE, NOTHING_COLLECTED):
            text = _("hil97: no test was selected, so nothing was judged\n  next: look at the suites and -k that were "
                     "asked for, and at `suites` and `without` of the benches in {lab}")
            print(text.format(lab=plan.lab.path), file=sys.stderr)
            return 2
        print(_("hil97: no bench was opened, so nothing was judged"), file=sys.stderr)
        return 2 if pytest_status == INTERRUPTED else 3  # collection errors and Ctrl-C; or benches that would not open
    merge_robot(plan.folder)
    verdict = judge_run(plan.folder)
    verdict.write(plan.folder)
    status: int = verdict.status
    if pytest_status != 0 and status == 0:
        status = 4 if pytest_status == TESTS_FAILED else 3
    plan.close(status)
    page.write(plan.folder)
    junit.write(plan.folder)
    summary.print_summary(plan.folder, _console())
    return status


def cannot_write(folder: Path, error: OSError) -> int:
    """Says that the end of a run could not be written, on a full disk say. The exit status: an ERROR of ours."""
    told = BenchError(
        f"the results of this run can't be written: {error.strerror}", evidence=str(folder),
        remedy=f"make room on this disk; what was recorded is kept, and judged by: hil97 judge {folder}",
    )
    print(f"hil97: {translated(told)}", file=sys.stderr)
    return 3


def finish_killed(folder: Path) -> int:
    """The same for a run whose pytest was killed: what was seen is judged. The exit status, which is never 0."""
    from harness.judge_run import judge_run
    from harness.reports import junit, page, summary

    if not seen(folder):
        print(_("hil97: the run was killed before anything was seen"), file=sys.stderr)
        return 3
    try:
        merge_robot(folder)
        verdict = judge_run(folder)
        verdict.write(folder)
        page.write(folder)
        junit.write(folder)
    except OSError as error:
        return cannot_write(folder, error)
    summary.print_summary(folder, _console())
    return verdict.status or 3


def _console() -> Console:
    """Wide enough for reasons where nobody says how wide it is (a log file, a CI job)."""
    from rich.console import Console

    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=140)


def seen(folder: Path) -> bool:
    """Whether any bench of the run has a history."""
    return any((folder / "benches").glob("*/history.jsonl"))


def merge_robot(folder: Path) -> None:
    """The outputs of single Robot tests as one ``robot/log.html`` and ``report.html``."""
    outputs = sorted((folder / "robot").glob("output-*.xml"))
    if not outputs:
        return
    import io

    from robot.rebot import rebot

    rebot(
        *[str(path) for path in outputs],
        outputdir=str(folder / "robot"),
        output="output.xml",
        log="log.html",
        report="report.html",
        name="hil97",
        stdout=io.StringIO(),
        stderr=io.StringIO(),
    )
