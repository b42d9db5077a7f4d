"""The end of a run on the terminal: verdicts by group, then everything that has to be read, then where the page is."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.i18n import _
from harness.reports import diagnosed, page, words
from harness.reports.page import Open, opened
from harness.reports.run import SEVERITY, Run, load
from harness.verdicts import TestRecord

STYLES = {
    "PASS": "green", "FAIL": "bold red", "INCONCLUSIVE": "yellow", "ERROR": "magenta", "NOT APPLICABLE": "dim",
    "SKIPPED": "dim",
}  # fmt: skip
TESTS_NAMED = 3


def print_summary(run_dir: Path, console: Console) -> None:
    """Print it. BadInput where the folder is no run."""
    run = load(run_dir)
    console.print()
    if run.groups:
        console.print(_groups(run))
    rows = opened(run)
    if rows:
        console.print(_open_table(run, rows))
    _print_tests(run, console)
    console.print(_last_line(run))
    if not run.finished:
        advice = _("The run did not come to its end. To judge it again: {command}").format(command=run.judge_command)
        console.print(Text(advice), soft_wrap=True)
    path = run.folder / page.FILE
    if path.exists():
        console.print(Text(_("Page: {path}").format(path=_relative(path))), soft_wrap=True)


def _mark(verdict: str) -> Text:
    return Text(f"{words.SYMBOLS[verdict]} {words.VERDICTS[verdict]}", STYLES[verdict])


def _groups(run: Run) -> Table:
    table = Table(box=None, pad_edge=False, title_justify="left")
    table.add_column(_("group"))
    table.add_column(_("firmware"))
    table.add_column(_("benches"))
    shown = [v for v in SEVERITY if v != "SKIPPED"]
    for verdict in shown:
        table.add_column(str(words.VERDICTS[verdict]), justify="right")
    for group in run.groups:
        counts: Counter[str] = Counter(r.verdict for r in group.requirements if r.declared or r.verdict == "FAIL")
        cells = [Text(str(counts[v]) if counts[v] else "·", STYLES[v] if counts[v] else "dim") for v in shown]
        firmware = f"{group.firmware.name} {group.firmware.version}"
        table.add_row(group.group, firmware, ", ".join(group.benches), *cells)
    return table


def _open_table(run: Run, rows: list[Open]) -> Table:
    titles = {f"t{number}": test for number, test in enumerate(run.tests, 1)}
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 1, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for row in rows:
        text = Text.assemble((f"{row.title}\n", "dim"), f"{row.reason}\n")
        for anchor, _title in row.tests[:TESTS_NAMED]:
            record = titles[anchor].record
            text.append(f"{record.bench}: {record.test}\n", "dim")
            text.append(_matter(record))
        if len(row.tests) > TESTS_NAMED:
            text.append(_("and {count} more tests").format(count=len(row.tests) - TESTS_NAMED) + "\n", "dim")
        text.rstrip()
        table.add_row(_mark(row.verdict), Text(f"{row.rule}\n{row.group}"), text)
    return table


def _print_tests(run: Run, console: Console) -> None:
    """Tests that ended badly without a finding that says why."""
    records = {f"t{number}": test.record for number, test in enumerate(run.tests, 1)}
    for one in page.ended(run):
        console.print(Text.assemble(_mark(one.verdict), f"  {one.bench}: {one.test}"), soft_wrap=True)
        console.print(Text.assemble(f"    {one.how}", (f" {one.said}", "dim")), soft_wrap=True)
        matter = _matter(records[one.anchor])
        if matter:
            console.print(Text(f"    {matter.rstrip()}"), soft_wrap=True)
    if run.never_ran:
        console.print(Text(_("{count} tests never ran").format(count=len(run.never_ran)), STYLES["INCONCLUSIVE"]))
    if run.info.tests is None:
        text = _("which tests were to run is not known: run.json is missing, or names none")
        console.print(Text(text, STYLES["INCONCLUSIVE"]), soft_wrap=True)


def _matter(record: TestRecord) -> str:
    """What was the matter, in a line; "" where nobody asked."""
    first = diagnosed.first(record.diagnoses)
    return "" if first is None else _("What was the matter: {cause}").format(cause=first) + "\n"


def _last_line(run: Run) -> Text:
    counts = Counter(test.verdict for test in run.tests)
    tests = ", ".join(f"{counts[v]} {words.VERDICTS[v]}" for v in SEVERITY if counts[v])
    times = page.times(run)
    text = Text.assemble(_mark(run.outcome), "  ", _("{count} tests").format(count=len(run.tests)))
    text.append(f" ({tests}), " if tests else ", ")
    text.append(str(page.span_text(run.seconds)))
    text.append(", " + _("harness share {share} %").format(share=f"{times['share']:.0f}"))
    return text


def _relative(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
