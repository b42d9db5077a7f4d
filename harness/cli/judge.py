"""``hil97 judge RUN``: judge a stored run again. Rewrites its verdicts and its page; exits as the run did."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from harness.errors import BadInput
from harness.i18n import _

RESULTS = Path("results")


def add_parser(subparsers: Any) -> None:
    """Registers ``judge``."""
    text = _("judge a stored run again")
    parser: argparse.ArgumentParser = subparsers.add_parser("judge", help=text)
    parser.add_argument("run_dir", metavar="RUN", help=_("folder of a run, or its name under results/"))
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Judge, write ``verdicts.json`` and the page, print a summary; the verdict's exit status."""
    from rich.console import Console

    from harness.judge_run import judge_run
    from harness.reports import page
    from harness.reports.summary import print_summary

    run_dir = find_run(args.run_dir)
    verdict = judge_run(run_dir)
    verdict.write(run_dir)
    page.write(run_dir)
    print_summary(run_dir, Console(highlight=False))
    return verdict.status


def find_run(name: str) -> Path:
    """The folder that ``name`` means: a path, or a run under results/. BadInput where there is neither."""
    for path in (Path(name), RESULTS / name):
        if path.is_dir():
            return path
    known = sorted(path.name for path in RESULTS.iterdir() if path.is_dir()) if RESULTS.is_dir() else []
    newest = f"{_('runs under results/')}: {', '.join(known[-5:])}"
    raise BadInput(
        _("there is no such run"), where=name, remedy=newest if known else _("no runs are stored under results/")
    )
