"""Disturbances as episodes: what belongs together, when it is over, what may help the terminal afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from harness.checkers.disturbances import OF_SUPPLY, Hit, criterion_of, hits
from harness.checkers.network_after import visits
from harness.checkers.reading import END, SECOND, Reading
from harness.history.events import Event, Power, UnitReplaced
from harness.history.instrument_events import Criterion

TOGETHER_S = 1  # real seconds: pulses no further apart are one disturbance
BACK_S = 60  # where the model declares nothing
SWITCHED_NS = SECOND  # power that goes so soon after an interruption ends goes because of it


@dataclass(frozen=True)
class Disturbance:
    """One disturbance, or pulses of it that came together, from ``t`` until ``end``. ``criterion``: what is asked for
    it; None: nothing is declared. ``settled``: what the terminal sends from here on it sends after it; ``until``: the
    next one begins; ``unit``: another unit comes (END: never)."""

    hits: tuple[Hit, ...]
    criterion: Criterion | None
    back_s: float
    settled: int
    until: int
    unit: int

    @property
    def t(self) -> int:
        return self.hits[0].start

    @property
    def end(self) -> int:
        return max(hit.end for hit in self.hits)

    @property
    def first(self) -> Event:
        return self.hits[0].begun

    @property
    def events(self) -> tuple[Event, ...]:
        """Its first beginning and its last end, and by what one sees that it did strike."""
        last = max(self.hits, key=lambda hit: hit.end)
        return (self.first, *([last.ended] if last.ended else []), *(last.shown or ()))

    @property
    def seen(self) -> bool:
        """Nothing says that its instrument did not strike although it was told to."""
        return all(hit.shown is not None for hit in self.hits)

    @property
    def of_supply(self) -> bool:
        """Dips or interruptions."""
        return self.hits[0].begun.sort in OF_SUPPLY

    @property
    def back_ns(self) -> int:
        return int(self.back_s * SECOND)

    @property
    def limit(self) -> str:
        return f"{self.back_s:g} s"

    @property
    def name(self) -> str:
        """For people: "burst of 1 kV", "3 times burst of 1 kV"."""
        kinds = list(dict.fromkeys(map(str, self.hits)))
        if len(kinds) == 1 and len(self.hits) > 1:
            return f"{len(self.hits)} times {kinds[0]}"
        return ", ".join(kinds)


_episodes: WeakKeyDictionary[Reading, tuple[Disturbance, ...]] = WeakKeyDictionary()


def episodes(reading: Reading) -> tuple[Disturbance, ...]:
    """All of the log, in order."""
    if reading not in _episodes:
        _episodes[reading] = tuple(_episodes_of(reading))
    return _episodes[reading]


def _episodes_of(reading: Reading) -> Iterator[Disturbance]:
    together = list(_together(reading))
    declared = reading.model.surroundings
    back_s = declared.back_s if declared else BACK_S
    for index, group in enumerate(together):
        start, end = group[0].start, max(hit.end for hit in group)
        replaced = reading.after_moment(UnitReplaced, start)
        unit = replaced.t if replaced else END
        following = together[index + 1][0].start if index + 1 < len(together) else END
        until = min(unit, following)
        criteria = [criterion_of(reading, hit) for hit in group]
        asked = [one for one in criteria if one is not None]
        yield Disturbance(
            tuple(group), max(asked) if len(asked) == len(criteria) else None, back_s,
            _settled(reading, start, end, int(back_s * SECOND), min(until, reading.end + 1)), until, unit,
        )  # fmt: skip


def _together(reading: Reading) -> Iterator[list[Hit]]:
    group: list[Hit] = []
    over = 0
    for hit in hits(reading):
        if group and not (_alike(group[-1], hit) and hit.start <= over + TOGETHER_S * SECOND):
            yield group
            group, over = [], 0
        group.append(hit)
        under_way = reading.operation_at(hit.end)
        over = max(over, hit.end, under_way.done if under_way and under_way.completed else 0)
    if group:
        yield group


def _alike(one: Hit, other: Hit) -> bool:
    """Pulses of one disturbance: of one kind and strength, in one test."""
    same = str(one) == str(other) and one.begun.instrument == other.begun.instrument
    return same and one.begun.span == other.begun.span


def _settled(reading: Reading, start: int, end: int, back_ns: int, until: int) -> int:
    """What was under way is over, it has power again, and it sends something again (or has had the time to)."""
    under_way = reading.operation_at(start)
    over = max(end, under_way.done if under_way and under_way.completed else 0)
    boots = [p.t for p in reading.between(Power, start, min(over + back_ns, until)) if p.state == "on"]
    over = max(over, *boots) if boots else over
    sent = next(reading.exchanges_from(over), None)
    return min(sent.t, over + back_ns) if sent is not None else over + back_ns


def visits_after(reading: Reading, episode: Disturbance) -> list[Event]:
    """What made a person come after it. Power that an interruption itself took is no visit."""
    found = visits(reading, episode.end, min(episode.unit, reading.end + 1))
    return [e for e in found if not (isinstance(e, Power) and e.t <= episode.end + SWITCHED_NS)]
