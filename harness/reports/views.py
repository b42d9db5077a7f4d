"""What the page shows of each test and each requirement, prepared so that templates only lay it out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.history.events import AnyEvent, Cashier, HostJournal, Screen, Slip, WireFrame
from harness.history.instrument_events import InstrumentOpened, Readings
from harness.reports import diagnosed, mask, plot, reasons, story, tell_surroundings, timeline
from harness.reports.bilingual import Both, _, joined, same
from harness.reports.diagnosed import DiagnosisView
from harness.reports.images import Album
from harness.reports.plot import Plot
from harness.reports.run import SEVERITY, BenchLog, Judged, Run, Test
from harness.reports.story import Exchange, Row, Teller
from harness.reports.timeline import Timeline
from harness.requirements import catalogue

ROWS = 260  # of one story; a longer one keeps what is around the evidence
CHIPS = 24
ALIKE = 4  # findings of one rule and verdict told in one test; more of the same are counted
SHORT_EXCHANGES = 24
_MORE = re.compile(r"(.*) \(and (\d+) more\)", re.DOTALL)
REFUSALS = ("FWU-04", "FWU-06")  # what these passed with is told: the reason of each refusal belongs in the report
AROUND = 12  # events told before and after the evidence of a finding that is in no test


@dataclass(frozen=True)
class Chip:
    """A piece of evidence, linked to its row ("" where it is not told here)."""

    label: Both
    href: str


@dataclass(frozen=True)
class FindingView:
    """``number`` counts from 1 within its story."""

    number: int
    rule: str
    title: Both
    verdict: str
    reason: Both
    chips: tuple[Chip, ...]
    more: int
    seconds: float


@dataclass(frozen=True)
class TestView:
    """A test, told. ``rows`` and ``timeline`` are empty where only the short form is wanted. ``refusals``: what the
    terminal said of images that it rightly did not run."""

    __test__ = False

    anchor: str
    test: Test
    folder: str
    findings: tuple[FindingView, ...]
    alike: tuple[tuple[str, str, int], ...]  # (rule, verdict, how many) of what is only counted
    passed: tuple[str, ...]
    undecided: tuple[tuple[str, Both, Both], ...]
    message: str
    rerun: str
    first_seq: int
    last_seq: int
    events: int
    refusals: tuple[Both, ...] = ()
    rows: tuple[Row, ...] = ()
    earlier: tuple[Row, ...] = ()
    timeline: Timeline | None = None
    plot: Plot | None = None
    exchanges: tuple[Exchange, ...] = ()
    more_exchanges: int = 0
    diagnoses: tuple[DiagnosisView, ...] = ()


def rule_title(rule: str) -> Both:
    """The sentence of a requirement in both languages; the id itself for one that the catalogue does not know."""
    requirement = catalogue().get(rule)
    return Both(requirement.en, requirement.zh) if requirement else same(rule)


def told(run: Run, test: Test, anchor: str, album: Album) -> TestView:
    """The whole story of a test."""
    log = run.log_at(test.record.bench, test.record.t)
    shown = _shown(test)
    events: Sequence[AnyEvent] = log.by_span.get(test.record.test, ()) if log else ()
    rows: tuple[Row, ...] = ()
    earlier: tuple[Row, ...] = ()
    line, drawn = None, None
    if log is not None and events:
        teller = Teller(log, album, events[0].t, _evidence(shown))
        rows = tuple(teller.rows(events, ROWS))
        earlier = tuple(teller.rows(_elsewhere(log, shown, events), ROWS // 4))
        line = timeline.of(events, shown, log.opened.profile.get("success", ()))
        drawn = plot.of(events, [e for e in log.events if isinstance(e, InstrumentOpened)], log.opened.declaration)
    return _view(run, test, anchor, log, events, shown, rows, earlier, line, drawn)


def short(run: Run, test: Test, anchor: str) -> TestView:
    """A test in a few lines."""
    log = run.log_at(test.record.bench, test.record.t)
    events: Sequence[AnyEvent] = log.by_span.get(test.record.test, ()) if log else ()
    shown = _shown(test)
    return _view(run, test, anchor, log, events, shown, (), (), None, None)


def between(run: Run, finding: Judged, anchor: str, album: Album) -> tuple[FindingView, tuple[Row, ...]]:
    """A finding that belongs to no test, with what happened around its evidence."""
    log = run.log_at(finding.record.bench, finding.record.t)
    if log is None:
        return _finding(1, finding, {}, log, 0), ()
    wanted = set(finding.record.evidence.events)
    places = [index for index, event in enumerate(log.events) if event.seq in wanted]
    near = {i for p in places for i in range(max(0, p - AROUND), min(len(log.events), p + AROUND + 1))}
    events = [log.events[index] for index in sorted(near)]
    zero = events[0].t if events else finding.record.t
    rows = tuple(Teller(log, album, zero, _evidence([finding])).rows(events, ROWS // 2))
    return _finding(1, finding, _anchors(rows, anchor), log, zero), rows


def _view(
    run: Run, test: Test, anchor: str, log: BenchLog | None, events: Sequence[AnyEvent], shown: Sequence[Judged],
    rows: tuple[Row, ...], earlier: tuple[Row, ...], line: Timeline | None, drawn: Plot | None,
) -> TestView:  # fmt: skip
    exchanges = story.exchanges(events)
    anchors = _anchors(earlier + rows, anchor)
    zero = events[0].t if events else test.record.t
    stated = {f.rule for f in shown}
    group = test.record.group
    not_passed = [f for f in test.findings if f.record.verdict != "PASS"]
    counted: Counter[tuple[str, str]] = Counter((f.rule, f.record.verdict) for f in not_passed)
    counted.subtract((f.rule, f.record.verdict) for f in shown)
    undecided = []
    for rule in test.undecided:
        if rule in stated:
            continue
        requirement = run.requirement(group, rule)
        undecided.append((rule, rule_title(rule), reasons.both(requirement.reason) if requirement else same("")))
    return TestView(
        anchor=anchor, test=test, folder=log.folder if log else "",
        findings=tuple(_finding(number, f, anchors, log, zero) for number, f in enumerate(shown, 1)),
        alike=tuple((rule, verdict, count) for (rule, verdict), count in sorted(counted.items()) if count),
        passed=tuple(sorted(rule for rule, verdict in test.record.rules.items() if verdict == "PASS")),
        refusals=tuple(
            reasons.both(mask.text(f.record.reason)) for f in test.findings
            if f.rule in REFUSALS and f.record.verdict == "PASS"
        ),
        undecided=tuple(undecided), message=_message(test), rerun=run.rerun(test.record.test),
        first_seq=min((e.seq for e in events), default=0), last_seq=max((e.seq for e in events), default=0),
        events=len(events), rows=rows, earlier=earlier, timeline=line, plot=drawn,
        exchanges=tuple(exchanges[:SHORT_EXCHANGES]), more_exchanges=max(0, len(exchanges) - SHORT_EXCHANGES),
        diagnoses=diagnosed.views(test.record.diagnoses, lambda seq: (_chip(seq, log), anchors.get(seq, ""))),
    )  # fmt: skip


def _shown(test: Test) -> list[Judged]:
    """Findings to be told one by one: what is broken, and what the test had to decide; a few of each, worst first."""
    taken: Counter[tuple[str, str]] = Counter()
    found = []
    for finding in sorted(test.findings, key=lambda f: SEVERITY.index(f.record.verdict)):
        key = (finding.rule, finding.record.verdict)
        wanted = finding.record.verdict in ("FAIL", "ERROR") or finding.rule in test.undecided
        if finding.record.verdict == "PASS" or not wanted or taken[key] >= ALIKE:
            continue
        taken[key] += 1
        found.append(finding)
    return found


def _message(test: Test) -> str:
    """What the test itself said, without what stands above it as findings anyway."""
    said = test.record.message.strip()
    if any(f.record.reason in said for f in test.findings if f.record.verdict == "FAIL"):
        return ""
    return mask.text(said)


def _evidence(findings: Sequence[Judged]) -> dict[int, list[tuple[int, str]]]:
    found: dict[int, list[tuple[int, str]]] = {}
    for number, finding in enumerate(findings, 1):
        for seq in finding.record.evidence.events:
            found.setdefault(seq, []).append((number, finding.record.verdict))
    return found


def _elsewhere(log: BenchLog, findings: Sequence[Judged], told_events: Sequence[AnyEvent]) -> list[AnyEvent]:
    """Evidence that lies outside the test, e.g. the first use of a trace number; with the other half of each frame."""
    inside = {event.seq for event in told_events}
    seqs = {seq for f in findings for seq in f.record.evidence.events} - inside
    events = [log.by_seq[seq] for seq in sorted(seqs) if seq in log.by_seq]
    hexes = {event.hex for event in events if isinstance(event, (WireFrame, HostJournal))}
    halves = [
        event for event in log.events
        if isinstance(event, (WireFrame, HostJournal)) and event.hex in hexes and event.seq not in seqs | inside
    ]  # fmt: skip
    return events + halves


def _anchors(rows: Sequence[Row], anchor: str) -> dict[int, str]:
    return {seq: f"#{anchor}-e{row.seqs[0]}" for row in rows if row.kind != "gap" for seq in row.seqs}


def _finding(
    number: int, finding: Judged, anchors: Mapping[int, str], log: BenchLog | None, zero: int
) -> FindingView:
    record = finding.record
    chips = [Chip(_chip(seq, log), anchors.get(seq, "")) for seq in record.evidence.events]
    named = {event.jid for event in _events(record.evidence.events, log) if isinstance(event, HostJournal)}
    by_jid = {e.jid: e.seq for e in log.events if isinstance(e, HostJournal)} if log else {}
    chips += [
        Chip(_("journal {number}").format(number=jid), anchors.get(by_jid.get(jid, 0), ""))
        for jid in record.evidence.journal if jid not in named
    ]  # fmt: skip
    return FindingView(
        number, finding.rule, rule_title(finding.rule), record.verdict, reasons.both(mask.text(record.reason)),
        tuple(chips[:CHIPS]), max(0, len(chips) - CHIPS), (record.t - zero) / 1e9,
    )  # fmt: skip


def _events(seqs: Sequence[int], log: BenchLog | None) -> list[AnyEvent]:
    return [log.by_seq[seq] for seq in seqs if seq in log.by_seq] if log else []


def _chip(seq: int, log: BenchLog | None) -> Both:
    event = log.by_seq.get(seq) if log else None
    match event:
        case WireFrame():
            packets = ", ".join(str(packet) for packet in event.packets)
            return _("frame {frame} (packet {packets})").format(frame=event.frame, packets=packets)
        case HostJournal():
            return _("journal {number}").format(number=event.jid)
        case Screen():
            return _("screen {name}").format(name=event.image.rpartition("/")[2].removesuffix(".png"))
        case Slip():
            return _("slip {name}").format(name=event.image.rpartition("/")[2].removesuffix(".png"))
        case Cashier():
            return _("till message, event {seq}").format(seq=seq)
        case Readings():
            return joined(", ", [tell_surroundings.measured(event.values), _("event {seq}").format(seq=seq)], "，")
        case None:
            return _("event {seq}").format(seq=seq)
        case _:
            return _("{kind}, event {seq}").format(kind=event.kind, seq=seq)


def requirement_reason(reason: str, benches: Sequence[str]) -> Both:
    """The judge's reason for a requirement: "bench-1: what was seen (and 2 more)", the middle translated."""
    reason = mask.text(reason)
    head, separator, rest = reason.partition(": ")
    bench = head if separator and head in benches else ""
    found = _MORE.fullmatch(rest if bench else reason)
    text, count = (found[1], found[2]) if found else (rest if bench else reason, None)
    told_both = reasons.both(text)
    if count:
        told_both = _("{reason} (and {count} more)").format(reason=told_both, count=count)
    return Both(f"{bench}: {told_both.en}", f"{bench}：{told_both.zh}") if bench else told_both
