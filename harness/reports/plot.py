"""What surrounded a test as numbers for its SVG, above the timeline and on the same scale of time: temperature,
humidity and voltage as they were measured, and what was done: steps of stress, disturbances, broken parts.

A value holds until the next reading. Where readings lack for longer than they may, the line has a gap.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.checkers.surroundings import GAP_S
from harness.history.events import AnyEvent
from harness.history.instrument_events import (
    Disturbed,
    HardwareState,
    InstrumentOpened,
    InstrumentTrouble,
    Quantity,
    Readings,
    StressStep,
)
from harness.reports import mask, tell_surroundings, words
from harness.reports.bilingual import Both, _
from harness.reports.timeline import Bar, Mark, Scale, bar

QUANTITIES = ("temperature_c", "humidity_pct", "voltage_v")
HEIGHT, SPACE = 46.0, 12.0  # of a strip, and between two
LANE = 18.0
SPARE = 0.08  # of the range shown, above and below
STILL = {"temperature_c": 1.0, "humidity_pct": 3.0, "voltage_v": 3.0}  # what moves less is not plotted
MAX_BARS = 200


@dataclass(frozen=True)
class Level:
    """A horizontal line: an end of the declared range, or a limit beyond which the bench never goes."""

    y: float
    label: Both
    mood: str  # declared, limit


@dataclass(frozen=True)
class Strip:
    """One quantity. ``paths``: the line, a piece for each time without a gap. ``band``: y and height of the declared
    range, None: the model declares none."""

    name: Both
    unit: str
    top: float
    paths: tuple[str, ...]
    band: tuple[float, float] | None
    levels: tuple[Level, ...]
    lowest: str
    highest: str


@dataclass(frozen=True)
class Plot:
    """``still``: quantities that did not move, in words; ``troubles``: where an instrument failed."""

    height: float
    strips: tuple[Strip, ...]
    stress: tuple[Bar, ...]
    done: tuple[Bar, ...]
    troubles: tuple[Mark, ...]
    still: Both | None
    lanes: float  # y of the first lane

    @property
    def drawn(self) -> bool:
        return bool(self.strips or self.stress or self.done or self.troubles)


def of(events: Sequence[AnyEvent], opened: Sequence[InstrumentOpened], declaration: Mapping[str, Any]) -> Plot | None:
    """The plot of a test's events; None where no instrument was there. ``opened``: the bench's instruments, which tell
    the limits; ``declaration``: the model's."""
    readings = [e for e in events if isinstance(e, Readings)]
    scale = Scale(events[0].t, events[-1].t) if events else None
    stress, done, troubles = _bars(events, scale) if scale else ((), (), ())
    if scale is None or not (readings or stress or done or troubles):
        return None
    declared = declaration.get("surroundings") or {}
    strips: list[Strip] = []
    still: list[Both] = []
    top = SPACE
    for name in QUANTITIES:
        points = [(e.t, e.values[name]) for e in readings if name in e.values]
        if not points:
            continue
        limits = next((one.quantities[name] for one in opened if name in one.quantities), None)
        unit = limits.unit if limits else ""
        if max(v for _t, v in points) - min(v for _t, v in points) < STILL[name] and not stress:
            value = f"{points[0][1]:.1f} {unit}".strip()
            still.append(Both(f"{words.QUANTITIES[name].en} {value}", f"{words.QUANTITIES[name].zh} {value}"))
            continue
        strips.append(_strip(name, points, unit, limits, declared.get(name), scale, top))
        top += HEIGHT + SPACE
    lanes = top - SPACE / 2
    height = lanes + LANE * (bool(stress) + bool(done)) + 4
    calm = _("nothing moved: {values}").format(values=_listed(still)) if still else None
    return Plot(round(height, 1), tuple(strips), stress, done, troubles, calm, round(lanes, 1))


def _listed(parts: list[Both]) -> Both:
    return Both(", ".join(p.en for p in parts), "，".join(p.zh for p in parts))


def _strip(
    name: str, points: list[tuple[int, float]], unit: str, limits: Quantity | None, declared: Any, scale: Scale,
    top: float,
) -> Strip:  # fmt: skip
    values = [value for _t, value in points]
    shown = [*values, *([declared["low"], declared["high"]] if declared else [])]
    low, high = min(shown), max(shown)
    spare = max((high - low) * SPARE, 0.5)
    low, high = low - spare, high + spare

    def y(value: float) -> float:
        place: float = top + HEIGHT * (high - value) / (high - low)
        return round(place, 1)

    levels = []
    for value, mood in _lines(limits, declared):
        if low <= value <= high:
            what = _("declared") if mood == "declared" else _("limit of the bench")
            label = _("{what}: {value} {unit}").format(what=what, value=f"{value:g}", unit=unit)
            levels.append(Level(y(value), label, mood))
    band = (y(declared["high"]), round(y(declared["low"]) - y(declared["high"]), 1)) if declared else None
    paths = tuple(_path(piece, scale, y) for piece in _pieces(points))
    return Strip(
        words.QUANTITIES[name], unit, round(top, 1), paths, band, tuple(levels), f"{min(values):.1f}",
        f"{max(values):.1f}",
    )


def _lines(limits: Quantity | None, declared: Any) -> Iterator[tuple[float, str]]:
    for value in (declared["low"], declared["high"]) if declared else ():
        yield value, "declared"
    for value in (limits.low, limits.high) if limits else ():
        if value is not None:
            yield value, "limit"


def _pieces(points: list[tuple[int, float]]) -> Iterator[list[tuple[int, float]]]:
    """What hangs together."""
    piece = [points[0]]
    for one, following in itertools.pairwise(points):
        if following[0] - one[0] > GAP_S * 1e9:
            yield piece
            piece = []
        piece.append(following)
    yield piece


def _path(points: list[tuple[int, float]], scale: Scale, y: Callable[[float], float]) -> str:
    """Steps: a value holds until the next. Of the readings in one column of pixels the first, lowest, highest and last
    are drawn."""
    columns: dict[float, list[float]] = {}
    for t, value in points:
        columns.setdefault(round(scale.x(t)), []).append(value)
    parts: list[str] = []
    at: float | None = None
    for x, values in columns.items():
        parts.append(f"M{x:g} {y(values[0]):g}" if at is None else f"H{x:g}")
        at = values[0] if at is None else at
        for value in (values[0], min(values), max(values), values[-1]):
            if value != at:
                parts.append(f"V{y(value):g}")
                at = value
    return re.sub(r"(H[\d.]+)+(H)", r"\2", "".join(parts))  # where it stays level, one line


Bars = tuple[tuple[Bar, ...], tuple[Bar, ...], tuple[Mark, ...]]


def _bars(events: Sequence[AnyEvent], scale: Scale) -> Bars:
    """Steps of stress; disturbances and broken parts; instruments that failed."""
    end = events[-1].t
    steps: dict[tuple[str, int, str], StressStep] = {}
    hits: dict[tuple[str, str], Disturbed] = {}
    parts: dict[str, HardwareState] = {}
    stress: list[Bar] = []
    done: list[Bar] = []
    troubles: list[Mark] = []
    for event in events:
        match event:
            case StressStep():
                step = (event.profile, event.step, event.instrument)
                if event.state == "begun":
                    steps[step] = event
                elif event.state == "ended" and step in steps:
                    begun = steps.pop(step)
                    stress.append(bar(scale, begun.t, event.t, tell_surroundings.step(begun), "", begun.seq))
            case Disturbed():
                hit = (event.instrument, event.sort)
                if event.state == "begun":
                    hits[hit] = event
                elif hit in hits:
                    struck = hits.pop(hit)
                    done.append(bar(scale, struck.t, event.t, tell_surroundings.hit(struck), "hit", struck.seq))
            case HardwareState():
                before = parts.pop(event.part, None)
                if before is not None:
                    done.append(bar(scale, before.t, event.t, tell_surroundings.part(before), "broken", before.seq))
                if event.state != "ok":
                    parts[event.part] = event
            case InstrumentTrouble():
                troubles.append(Mark(scale.x(event.t), mask.text(f"{event.instrument}: {event.what}"), seq=event.seq))
            case _:
                pass
    stress += [bar(scale, e.t, end, tell_surroundings.step(e), "", e.seq) for e in steps.values()]
    done += [bar(scale, e.t, end, tell_surroundings.hit(e), "hit", e.seq) for e in hits.values()]
    done += [bar(scale, e.t, end, tell_surroundings.part(e), "broken", e.seq) for e in parts.values()]
    done.sort(key=lambda one: one.mood)  # a disturbance lies over a part that was broken all the time
    return tuple(stress[:MAX_BARS]), tuple(done[:MAX_BARS]), tuple(troubles[:MAX_BARS])
