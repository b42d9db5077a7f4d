"""``hil97 judge RUN``: judge a stored run again. Rewrites its verdicts and its page; exits as the run did."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import BadInput
from harness.i18n import _

if TYPE_CHECKING:
    from rich.table import Table

    from harness.verdicts import RunVerdict

RESULTS = Path("results")
_STYLE = {"PASS": "green", "FAIL": "bold red", "ERROR": "magenta", "INCONCLUSIVE": "yellow", "NOT APPLICABLE": "dim"}


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser("judge", help=_("judge a stored run again"), description=_("Judge a stored run again."))
    parser.add_argument("run_dir", metavar="RUN", help=_("folder of a run, or its name under results/"))
    parser.add_argument("--no-page", action="store_true", help=_("do not write index.html anew"))
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Judge, write ``verdicts.json`` and the page, print a table; the verdict's exit status."""
    from harness.judge import judge_run

    run_dir = find_run(args.run_dir)
    verdict = judge_run(run_dir)
    verdict.write(run_dir)
    page = None if args.no_page else write_page(run_dir)
    show(verdict, page)
    return verdict.status


def find_run(name: str) -> Path:
    """The folder that ``name`` means: a path, or a run under results/. BadInput where there is neither."""
    for path in (Path(name), RESULTS / name):
        if path.is_dir():
            return path
    known = sorted(p.name for p in RESULTS.iterdir() if p.is_dir()) if RESULTS.is_dir() else []
    raise BadInput(
        _("there is no such run"), where=name,
        remedy=f"{_('runs under results/')}: {', '.join(known[-5:])}" if known else _("no runs are stored under results/"),
    )


def write_page(run_dir: Path) -> Path:
    """``index.html`` from the run and its verdicts."""
    from harness.reports import page

    return page.write(run_dir)


def show(verdict: RunVerdict, page: Path | None) -> None:
    """What a person wants to know first: verdicts by group, why it is not a success, where to read on."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    for group in verdict.groups:
        console.print(table_of(group, verdict))
    for reason in verdict.reasons[:20]:
        console.print(Text(reason, style="red" if verdict.status == 1 else "yellow"), soft_wrap=True)
    if len(verdict.reasons) > 20:
        console.print(Text(f"... {len(verdict.reasons) - 20} {_('more in')} verdicts.json"))
    if page is not None:
        console.print(Text(str(page)), soft_wrap=True)


def table_of(group: Any, verdict: RunVerdict) -> Table:
    """One group's verdicts: what is declared, and whatever else was decided."""
    from rich.table import Table
    from rich.text import Text

    title = f"{group.group}: {group.model}, {group.firmware.name} {group.firmware.version}, {group.profile}, {_(group.kind)}"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for heading in (_("requirement"), _("verdict"), _("declared"), _("reason")):
        table.add_column(heading, overflow="fold")
    for requirement in group.requirements:
        if not requirement.declared and not requirement.findings:
            continue
        table.add_row(
            requirement.id, Text(requirement.verdict, style=_STYLE[requirement.verdict]),
            _("yes") if requirement.declared else "", Text(requirement.reason),
        )
    return table
