"""The page that people read in the morning: ``write(run_dir)`` makes ``index.html`` beside the run's evidence.

One file that needs nothing else: no network, no other file, no JavaScript to be read. Both languages stand in it. Raw
evidence (capture, history, logs) is linked, relative to the page.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from harness import __version__
from harness.errors import writing
from harness.reports import gate, mask, reasons, views, words
from harness.reports.bilingual import Both, _, joined, language, same
from harness.reports.images import Album
from harness.reports.run import NOT_GOOD, SEVERITY, Run, Test, load, worst
from harness.verdicts import GroupRecord, RequirementRecord

FILE = "index.html"
STORY_BYTES = 6_000_000  # of markup for whole stories; tests beyond that are told in short
PICTURE_BYTES = 2_500_000
_FILES = ("history.jsonl", "wire.pcapng", "acquirer.sqlite", "screens", "slips", "logs")
_RUN_FILES = ("gate.json", "bundle.zip", "verdicts.json", "run.json", "junit.xml", "tests.jsonl", "robot/log.html")


@dataclass(frozen=True)
class Cell:
    """A requirement on a group, or on one bench of it (``text`` False: symbol only)."""

    verdict: str | None
    href: str = ""
    text: bool = True
    title: str = ""
    muted: bool = False


@dataclass(frozen=True)
class MatrixRow:
    rule: str
    title: Both
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Family:
    """MSG, MON...: rows that belong together."""

    name: Both
    rows: tuple[MatrixRow, ...]


@dataclass(frozen=True)
class Open:
    """A declared requirement that is not PASS, or any that is FAIL: what the reader has to know first."""

    rule: str
    title: Both
    group: str
    verdict: str
    reason: Both
    tests: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Ended:
    """A test that ended badly by itself. ``said``: the first line of what it said."""

    anchor: str
    title: str
    bench: str
    test: str
    verdict: str
    how: Both
    said: str


def write(run_dir: Path) -> Path:
    """Make ``run_dir/index.html`` (replaced in one step) and return its path. BadInput where the folder is no run."""
    run = load(run_dir)
    path = run.folder / FILE
    half = path.with_name(f".{FILE}.new")
    with writing(path):
        half.write_text(render(run), encoding="utf-8")
    return half.replace(path)


def render(run: Run) -> str:
    """The page of a run as text."""
    template = environment()
    album = Album(run.folder, PICTURE_BYTES)
    anchors = _anchors(run)
    bad = sorted((t for t in run.tests if t.needs_reading), key=lambda t: (SEVERITY.index(t.verdict), t.record.t))
    stories, in_short = _stories(run, bad, anchors, album, template)
    loose = [(*views.between(run, finding, f"b{n}", album), finding) for n, finding in enumerate(run.loose, 1)]
    good = [views.short(run, test, anchors[id(test)]) for test in run.tests if not test.needs_reading]
    matrix, hidden = _matrix(run, anchors)
    return template.get_template("page.html").render(
        run=run, language=language(), version=__version__, stories=stories, in_short=in_short, loose=loose, good=good,
        lead=_lead(run), sentence=_sentence(run), numbers=_numbers(run), matrix=matrix, hidden=hidden,
        opened=opened(run), ended=ended(run), times=times(run), album=album, began=_began(run),
        benches=_bench_files(run), files=[name for name in _RUN_FILES if (run.folder / name).exists()],
        verdict_names=sorted({t.verdict for t in run.tests}, key=SEVERITY.index),
        gate=gate.section(run.folder), gate_slugs=gate.SLUGS, gate_verdicts=gate.VERDICTS,
        bench_names=sorted({t.record.bench for t in run.tests}), arguments=_arguments(run),
    )  # fmt: skip


def span_text(seconds: float) -> Both:
    """A duration for people: 4.2 s, 2 min 51 s, 1 h 05 min."""
    if seconds < 60:
        return _("{seconds} s").format(seconds=f"{seconds:.1f}")
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return _("{minutes} min {seconds} s").format(minutes=minutes, seconds=rest)
    hours, minutes = divmod(minutes, 60)
    return _("{hours} h {minutes} min").format(hours=hours, minutes=f"{minutes:02d}")


def _anchors(run: Run) -> dict[int, str]:
    """The anchor of each test by its ``id()``."""
    return {id(test): f"t{number}" for number, test in enumerate(run.tests, 1)}


def environment() -> jinja2.Environment:
    """With what all our pages use."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, trim_blocks=True,
        lstrip_blocks=True, undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    made.globals.update(
        _=_, words=words, mask=mask, worst=worst, span_text=span_text, same=same, reasons=reasons, enumerate=enumerate,
        named=words.named, raw=_raw,
    )
    return made


def _raw(name: str) -> Markup:
    """A style sheet or script of ours, as it is."""
    return Markup((Path(__file__).parent / "templates" / name).read_text(encoding="utf-8"))


def _stories(
    run: Run, bad: Sequence[Test], anchors: dict[int, str], album: Album, environment: jinja2.Environment
) -> tuple[list[Markup], int]:
    """Each test's article; whole stories up to the limit, in short from there on (how many, second)."""
    template = environment.get_template("test.html")
    made: list[Markup] = []
    used, in_short = 0, 0
    for test in bad:
        anchor = anchors[id(test)]
        text = ""
        if used < STORY_BYTES:
            text = template.render(view=views.told(run, test, anchor, album), run=run)
            used += len(text.encode("utf-8"))
        else:
            in_short += 1
            text = template.render(view=views.short(run, test, anchor), run=run)
        made.append(Markup(text))
    return made, in_short


def _lead(run: Run) -> Both:
    """One word more than the verdict."""
    return {
        "PASS": _("Every declared requirement passed."),
        "FAIL": _("At least one requirement is broken."),
        "ERROR": _("The bench failed, not the terminal: what needed it is undecided."),
        "INCONCLUSIVE": _("Nothing is broken, but something that had to be decided is not."),
    }[run.outcome]


def _sentence(run: Run) -> Both:
    """What ran, on what, and how many of what."""
    records = [record for group in run.groups for record in group.requirements]
    counts: Counter[str] = Counter(record.verdict for record in records if record.declared or record.verdict == "FAIL")
    parts = [
        said.format(count=counts[verdict])
        for verdict, said in (
            ("FAIL", _("{count} broken")), ("ERROR", _("{count} without verdict for a bench error")),
            ("INCONCLUSIVE", _("{count} undecided")), ("PASS", _("{count} passed")),
            ("NOT APPLICABLE", _("{count} not applicable")),
        )
        if counts[verdict]
    ]  # fmt: skip
    names = {f"{g.model}, {g.firmware.name} {g.firmware.version}" for g in run.groups}
    sentence = _(
        "{tests} tests on {benches} benches ({firmware}) in {duration}. Of {total} verdicts on requirements: {parts}."
    )
    return sentence.format(
        tests=len(run.tests), benches=len({b.name for b in run.benches}), firmware="; ".join(sorted(names)) or "–",
        duration=span_text(run.seconds), total=sum(counts.values()), parts=joined(", ", parts, "，"),
    )  # fmt: skip


def _numbers(run: Run) -> list[tuple[str, int]]:
    """How many tests of each verdict, the gravest first."""
    counts = Counter(test.verdict for test in run.tests)
    return [(verdict, counts[verdict]) for verdict in SEVERITY if counts[verdict]]


def times(run: Run) -> dict[str, float]:
    """Seconds of all tests together: ours, the terminal's, and our share in percent."""
    ours = sum(test.harness_s for test in run.tests)
    waiting = sum(test.record.waiting_s for test in run.tests)
    return {"ours": ours, "waiting": waiting, "share": 100 * ours / (ours + waiting) if ours + waiting else 0.0}


def _began(run: Run) -> tuple[str, str]:
    """(for people, for machines)."""
    began = run.began
    if began is None:
        return run.info.opened or "–", ""
    local = began.astimezone()
    return f"{local:%Y-%m-%d %H:%M} (UTC{local:%z})", began.isoformat()


def _matrix(run: Run, anchors: dict[int, str]) -> tuple[list[Family], int]:
    """Rows by family; requirements that nobody declared and nothing decided are left out (how many, second)."""
    by_group = [(group, {r.id: r for r in group.requirements}) for group in run.groups]
    families: dict[str, list[MatrixRow]] = {}
    hidden = 0
    for rule in dict.fromkeys(r.id for group in run.groups for r in group.requirements):
        records = [table.get(rule) for _group, table in by_group]
        if not any(r and (r.declared or r.findings or r.verdict == "NOT APPLICABLE") for r in records):
            hidden += 1
            continue
        cells: list[Cell] = []
        for (group, _table), record in zip(by_group, records, strict=True):
            cells += _cells(run, group, record, anchors)
        families.setdefault(rule.partition("-")[0], []).append(MatrixRow(rule, views.rule_title(rule), tuple(cells)))
    return [Family(words.named(words.FAMILIES, name), tuple(rows)) for name, rows in families.items()], hidden


def _cells(
    run: Run, group: GroupRecord, record: RequirementRecord | None, anchors: dict[int, str]
) -> list[Cell]:
    if record is None:
        return [Cell(None)] * (1 + len(group.benches))
    seen = record.declared or record.findings or record.verdict == "NOT APPLICABLE"
    tests = _concerned(run, group.group, record)
    href = f"#{anchors[id(tests[0])]}" if tests and record.verdict in NOT_GOOD else ""
    reason = mask.text(record.reason)
    cells = [Cell(record.verdict if seen else None, href, True, reason, not record.declared)]
    for bench in group.benches:
        found = [f.verdict for f in record.findings if f.bench == bench]
        cells.append(Cell(worst(found) if found else None, "", False, f"{bench}: {len(found)}"))
    return cells


def _concerned(run: Run, group: str, record: RequirementRecord) -> list[Test]:
    """Tests that hold a finding of the requirement's verdict, or that left it undecided."""
    return [
        test for test in run.tests
        if test.record.group == group and (
            any(f.rule == record.id and f.record.verdict == record.verdict for f in test.findings)
            or record.id in test.undecided
        )
    ]  # fmt: skip


def opened(run: Run) -> list[Open]:
    """What has to be read first, the gravest first."""
    anchors = _anchors(run)
    found = []
    for group in run.groups:
        for record in group.requirements:
            if record.verdict not in NOT_GOOD or not (record.declared or record.verdict == "FAIL"):
                continue
            tests = tuple((anchors[id(t)], t.record.title) for t in _concerned(run, group.group, record))
            reason = views.requirement_reason(record.reason, group.benches)
            found.append(Open(record.id, views.rule_title(record.id), group.group, record.verdict, reason, tests))
    return sorted(found, key=lambda o: (SEVERITY.index(o.verdict), o.rule, o.group))


def ended(run: Run) -> list[Ended]:
    """Tests that ended badly by themselves, without a finding that says why."""
    anchors = _anchors(run)
    how = {
        "failed": _("The test failed by itself: it could not finish what it wanted to show."),
        "error": _("The test ended in an error of the bench or of the test itself."),
        "unfinished": _("The run ended inside this test."),
    }
    return [
        Ended(
            anchors[id(test)], test.record.title, test.record.bench, test.record.test, test.verdict,
            how[test.record.outcome], mask.text(next(iter(test.record.message.strip().splitlines()), "")),
        )
        for test in run.tests
        if test.record.outcome in how and not any(f.record.verdict in ("FAIL", "ERROR") for f in test.findings)
    ]  # fmt: skip


def _bench_files(run: Run) -> list[dict[str, Any]]:
    """Each log's bench, what it ran, and which raw evidence lies there."""
    benches = []
    for log in run.benches:
        folder = run.folder / log.folder
        kind = "physical" if log.opened.physical else "physical-like" if log.opened.physical_like else "emulated"
        benches.append(
            {
                "log": log, "kind": words.named(words.KINDS, kind), "closed": log.closed,
                "files": [(name, f"{log.folder}/{name}{'/' if (folder / name).is_dir() else ''}")
                          for name in _FILES if (folder / name).exists()],
            }
        )  # fmt: skip
    return benches


def _arguments(run: Run) -> str:
    return mask.text(" ".join(run.info.arguments))
