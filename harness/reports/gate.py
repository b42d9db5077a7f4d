"""A gate's decision for people: the section on top of the page, and the lines on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import BadInput
from harness.gate import FILE, Change, GateRecord, LeftOut, Requirement, read
from harness.reports import mask, reasons, views, words
from harness.reports.bilingual import Both, _

DECISIONS: dict[str, Both] = {
    "released": _("released"), "blocked": _("blocked"), "undecided": _("not released: undecided"),
    "error": _("not released: the bench failed"),
}  # fmt: skip
VERDICTS: dict[str, Both] = words.VERDICTS | {"FLAKY": _("flaky")}
CHANGES: dict[Change, Both] = {
    "new failure": _("new failures"), "still failing": _("still failing"), "fixed": _("fixed"), "flaky": _("flaky"),
    "new": _("new tests"), "gone": _("no longer decided"),
}  # fmt: skip
BAD = ("FAIL", "ERROR", "FLAKY", "INCONCLUSIVE")  # the gravest first
SLUGS = {**words.SLUGS, "FLAKY": "inconclusive"}
OF_DECISION = {"released": "PASS", "blocked": "FAIL", "undecided": "INCONCLUSIVE", "error": "ERROR"}
SHOWN = 12  # lines of a kind; gate.json has all


@dataclass(frozen=True)
class Row:
    """A requirement that stands in the way. ``change``: against the baseline."""

    rule: str
    title: Both
    on: str
    verdict: str
    mandatory: bool
    reason: Both
    change: Both | None


@dataclass(frozen=True)
class Compared:
    """What changed in one way: requirements and tests, the first of them, and how many more."""

    change: Both
    slug: str
    lines: tuple[str, ...]
    more: int


@dataclass(frozen=True)
class Section:
    """What the page's section on the gate says. ``reasons``: where neither ``rows`` nor ``flaky`` say why."""

    record: GateRecord
    slug: str
    decision: Both
    sentence: Both
    rows: tuple[Row, ...]
    reasons: tuple[str, ...]
    flaky: tuple[str, ...]
    baseline: Both | None
    compared: tuple[Compared, ...]
    left_out: tuple[Both, ...]


def section(run_dir: Path) -> Section | None:
    """Of a run that was a gate's; None of any other. A damaged gate.json is none: the run has its page without it."""
    if not (run_dir / FILE).exists():
        return None
    try:
        record = read(run_dir)
    except BadInput:
        return None
    comparison = record.comparison
    baseline = None
    if comparison is not None:
        baseline = _("Compared with {run} ({firmware}); {count} of its tests were not run here.").format(
            run=comparison.baseline, firmware=", ".join(comparison.firmware), count=comparison.not_compared
        )
    return Section(
        record=record, slug=words.SLUGS[OF_DECISION[record.decision]], decision=DECISIONS[record.decision],
        sentence=sentence(record), rows=tuple(_rows(record.requirements)), reasons=_others(record),
        flaky=tuple(one.test for one in record.tests if one.flaky), baseline=baseline, compared=_compared(record),
        left_out=tuple(left_out(record.left_out, record.quick)),
    )


def sentence(record: GateRecord) -> Both:
    """The image, where it was updated from, and in what time."""
    text = _("{name} {version} ({sha256}), updated from {versions}; {seconds} s.")
    return text.format(
        name=record.image.name, version=record.image.version, sha256=record.image.sha256[:12],
        versions=", ".join(one.version for one in record.from_versions) or "–", seconds=f"{record.times.seconds:.0f}",
    )


def left_out(gone: LeftOut, quick: bool) -> list[Both]:
    """What a gate did not look at, a line each."""
    lines = []
    if gone.factory:
        lines.append(
            _("These benches had the image from the factory, not by an update: {names}.").format(
                names=", ".join(gone.factory)
            )
        )
    if gone.suites:
        lines.append(_("This version has no suites {names}.").format(names=", ".join(gone.suites)))
    if quick:
        text = _("Quick: only the {count} tests of suites/quick.txt, each on one group of benches.")
        lines.append(text.format(count=gone.of - gone.tests))
    if gone.requirements:
        lines.append(_("Not tried at all: {rules}.").format(rules=", ".join(gone.requirements)))
    return lines


def lines(record: GateRecord, folder: Path) -> list[str]:
    """For the terminal, in the language in force."""
    said = [f"\n{DECISIONS[record.decision]}: {sentence(record)}"]
    for row in _rows(record.requirements)[:SHOWN]:
        change = f" ({row.change})" if row.change else ""
        said.append(f"  {row.rule} {VERDICTS[row.verdict]}{change}, {row.on}: {row.reason}")
    said += [f"  {reason}" for reason in _others(record)]
    flaky = [one.test for one in record.tests if one.flaky]
    said += [f"  {VERDICTS['FLAKY']}: {test}" for test in flaky[:SHOWN]]
    for one in _compared(record):
        said.append(f"  {one.change}: {len(one.lines) + one.more}")
    said += [f"  {line}" for line in left_out(record.left_out, record.quick)]
    said += [str(folder / name) for name in (FILE, "index.html", record.bundle) if name and (folder / name).exists()]
    return said


def _rows(found: Sequence[Requirement]) -> list[Row]:
    bad = sorted((one for one in found if one.verdict in BAD), key=lambda one: (BAD.index(one.verdict), one.id))
    return [
        Row(
            one.id, views.rule_title(one.id), one.on, one.verdict, one.mandatory, reasons.both(mask.text(one.reason)),
            CHANGES.get(one.change) if one.change else None,
        )
        for one in bad
    ]


def _others(record: GateRecord) -> tuple[str, ...]:
    """Why it is no release, where no requirement and no flaky test says so."""
    told = any(one.verdict in BAD for one in record.requirements) or any(one.flaky for one in record.tests)
    return () if told else tuple(mask.text(reason) for reason in record.reasons[:SHOWN])


def _compared(record: GateRecord) -> tuple[Compared, ...]:
    if record.comparison is None:
        return ()
    found = []
    for change, said in CHANGES.items():
        names = [*record.comparison.requirements.get(change, []), *record.comparison.tests.get(change, [])]
        if names:
            slug = {"new failure": "fail", "still failing": "fail", "fixed": "pass"}.get(change, "inconclusive")
            found.append(Compared(said, slug, tuple(names[:SHOWN]), max(0, len(names) - SHOWN)))
    return tuple(found)
