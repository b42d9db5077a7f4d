"""What became of one thing that a terminal must keep, and what the unit sent before and since."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from harness.checkers.identities import Identity, several
from harness.checkers.reading import Exchange, Reading
from harness.checkers.updates import Episode
from harness.history.events import Event


@dataclass(frozen=True)
class Fate:
    """``what``: identity, keys, 97, batch, reversal, stored, parameters, counters. ``ok`` None: nothing tells."""

    what: str
    ok: bool | None
    reason: str
    events: Sequence[Event]


def after(reading: Reading, update: Episode) -> Iterator[Exchange]:
    """What the unit sent when it was over, until another unit comes."""
    for exchange in reading.exchanges_from(update.settled):
        if exchange.t >= update.unit:
            return
        yield exchange


def by_merchant(reading: Reading, update: Episode, sent: Iterable[Exchange]) -> Iterator[Iterator[Exchange]]:
    """What the unit sent; on a terminal that merchants share what each of them did, up to the next attempt."""
    if not several(reading):
        yield iter(sent)
        return
    found: dict[Identity, list[Exchange]] = {}
    for exchange in sent:
        if found and exchange.t >= update.until:
            break
        found.setdefault((exchange.mid, exchange.tid), []).append(exchange)
    yield from map(iter, found.values())


def sent_before(reading: Reading, update: Episode) -> tuple[Exchange, ...]:
    """What the unit had sent until then."""
    unit = reading.unit_at(update.t)
    return reading.exchanges_between(unit.t if unit else 0, update.t)


def lost(what: str, reason: str, events: Sequence[Event], update: Episode, at: int) -> Fate:
    return Fate(what, False if at < update.until else None, reason, events)
