"""The timeline of a test as numbers for its SVG: what happened when, on six lanes, with the findings on top."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.history.events import (
    AnyEvent,
    FaultArmed,
    FaultHealed,
    FaultStruck,
    HostArmed,
    HostChanged,
    OperationCompleted,
    OperationInvoked,
    Power,
    Screen,
    Slip,
    TestPhase,
    WireFrame,
    WireLink,
)
from harness.reports import mask, messages, words
from harness.reports.bilingual import Both, same
from harness.reports.run import Judged

LEFT, RIGHT = 96.0, 980.0
MAX_MARKS = 400  # of one kind; more would be a smear
_STEPS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)


@dataclass(frozen=True)
class Bar:
    """Something with a beginning and an end; ``mood``: class of its colour."""

    x: float
    width: float
    label: Both
    mood: str = ""
    fits: bool = True  # the label has room inside
    seq: int = 0


@dataclass(frozen=True)
class Mark:
    """A moment. ``up``: towards the acquirer."""

    x: float
    label: str
    mood: str = ""
    up: bool = True
    seq: int = 0
    number: int = 0


@dataclass(frozen=True)
class Timeline:
    seconds: float
    ticks: tuple[tuple[float, str], ...]
    phases: tuple[Bar, ...]
    operations: tuple[Bar, ...]
    outages: tuple[Bar, ...]
    faults: tuple[Bar, ...]
    strikes: tuple[Mark, ...]
    frames: tuple[Mark, ...]
    screens: tuple[Mark, ...]
    host: tuple[Mark, ...]
    findings: tuple[Mark, ...]


class Scale:
    """ns -> x."""

    def __init__(self, start: int, end: int) -> None:
        self.start, self.span = start, max(end - start, 1)

    def x(self, t: int) -> float:
        share = min(max((t - self.start) / self.span, 0.0), 1.0)
        return round(LEFT + share * (RIGHT - LEFT), 1)


def of(events: Sequence[AnyEvent], findings: Sequence[Judged], success: Iterable[str]) -> Timeline | None:
    """The timeline of some events, None where there are none."""
    if not events:
        return None
    scale = Scale(events[0].t, events[-1].t)
    seconds = scale.span / 1e9
    good = set(success)
    frames = [_frame(e, scale, good) for e in events if isinstance(e, WireFrame)]
    screens = [
        Mark(scale.x(e.t), _read(e), "slip" if isinstance(e, Slip) else "", seq=e.seq)
        for e in events
        if isinstance(e, (Screen, Slip))
    ]
    host = [_host(e, scale) for e in events if isinstance(e, (HostChanged, HostArmed))]
    marks = [
        Mark(scale.x(r.t), mask.text(f"{f.rule}: {r.reason}"), words.SLUGS[r.verdict], number=number)
        for number, f in enumerate(findings, 1)
        for r in [f.record]
    ]
    return Timeline(
        seconds, _ticks(seconds), _phases(events, scale), _operations(events, scale), _outages(events, scale),
        _faults(events, scale), _strikes(events, scale),
        tuple(frames[:MAX_MARKS]), tuple(screens[:MAX_MARKS]), tuple(host[:MAX_MARKS]), tuple(marks[:MAX_MARKS]),
    )  # fmt: skip


def _read(event: Screen | Slip) -> str:
    return " / ".join(mask.text(line) for line in event.lines)


def _frame(event: WireFrame, scale: Scale, good: set[str]) -> Mark:
    frame = messages.decode(event.hex)
    up = event.direction == "to_acquirer"
    if frame is None:
        return Mark(scale.x(event.t), "?", "bad", up, event.seq)
    code = messages.code_of(frame)
    mood = "" if not code else "good" if code in good else "bad"
    return Mark(scale.x(event.t), f"{frame.mti} {code}".strip(), mood, up, event.seq)


def _host(event: HostChanged | HostArmed, scale: Scale) -> Mark:
    if isinstance(event, HostArmed):
        return Mark(scale.x(event.t), str(event.rule.get("action", "")), "bad" if event.rule else "", seq=event.seq)
    return Mark(scale.x(event.t), event.change.replace("_", " "), seq=event.seq)


def _ticks(seconds: float) -> tuple[tuple[float, str], ...]:
    step = next((s for s in _STEPS if seconds / s <= 10), seconds / 10)
    count = int(seconds / step + 1e-9)
    digits = 0 if step >= 1 else 1 if step >= 0.1 else 2 if step >= 0.01 else 3
    width = RIGHT - LEFT
    return tuple((round(LEFT + width * n * step / seconds, 1), f"{n * step:.{digits}f}") for n in range(count + 1))


def _phases(events: Sequence[AnyEvent], scale: Scale) -> tuple[Bar, ...]:
    starts = [e for e in events if isinstance(e, TestPhase)]
    ends = [e.t for e in starts[1:]] + [events[-1].t]
    return tuple(
        bar(scale, e.t, end, words.named(words.PHASES, e.phase), e.phase) for e, end in zip(starts, ends, strict=True)
    )


def _operations(events: Sequence[AnyEvent], scale: Scale) -> tuple[Bar, ...]:
    done = {e.op: e for e in events if isinstance(e, OperationCompleted)}
    bars = []
    for e in events:
        if not isinstance(e, OperationInvoked):
            continue
        end = done.get(e.op)
        mood = {"ok": "good", "fail": "bad", "unknown": "open"}[end.outcome] if end else "open"
        label = words.named(words.OPERATIONS, e.name)
        if end and end.code:
            label = Both(f"{label.en} {end.code}", f"{label.zh} {end.code}")
        bars.append(bar(scale, e.t, end.t if end else events[-1].t, label, mood, e.seq))
    return tuple(bars[:MAX_MARKS])


def _outages(events: Sequence[AnyEvent], scale: Scale) -> tuple[Bar, ...]:
    """Where the cable was out or the power off."""
    bars = []
    since: dict[str, AnyEvent] = {}
    names = {"link": words.OUTAGES["link"], "power": words.OUTAGES["power"]}
    for e in events:
        if not isinstance(e, (WireLink, Power)):
            continue
        what = "link" if isinstance(e, WireLink) else "power"
        if e.state in ("down", "off"):
            since.setdefault(what, e)
        elif what in since:
            bars.append(bar(scale, since.pop(what).t, e.t, names[what], what, e.seq))
    bars += [bar(scale, e.t, events[-1].t, names[what], what, e.seq) for what, e in since.items()]
    return tuple(bars)


def _faults(events: Sequence[AnyEvent], scale: Scale) -> tuple[Bar, ...]:
    """Armed to healed. What was armed before the first event, or is healed after the last, reaches to the edge."""
    bars = []
    since: dict[int, FaultArmed] = {}
    for e in events:
        if isinstance(e, FaultArmed):
            since[e.fault_id] = e
        elif isinstance(e, FaultHealed):
            armed = since.pop(e.fault_id, None)
            if armed is not None:
                bars.append(bar(scale, armed.t, e.t, same(str(armed.fault.get("fault", ""))), e.why, armed.seq))
    bars += [bar(scale, e.t, events[-1].t, same(str(e.fault.get("fault", ""))), "", e.seq) for e in since.values()]
    return tuple(sorted(bars[:MAX_MARKS], key=lambda one: one.x))


def _strikes(events: Sequence[AnyEvent], scale: Scale) -> tuple[Mark, ...]:
    found = [Mark(scale.x(e.t), mask.text(e.what), seq=e.seq) for e in events if isinstance(e, FaultStruck)]
    return tuple(found[:MAX_MARKS])


def bar(scale: Scale, start: int, end: int, label: Both, mood: str, seq: int = 0) -> Bar:
    """From ``start`` to ``end`` (ns), at least as wide as can be seen."""
    x, width = scale.x(start), max(scale.x(end) - scale.x(start), 2.0)
    wide = max(len(label.en) * 6.2, len(label.zh) * 11.5)
    return Bar(x, round(width, 1), label, mood, wide + 8 <= width, seq)
