"""What became of all that a terminal must keep over an update, or over a disturbance: who it is, its keys, its money,
its parameters.

Each :class:`Fate` is one thing and what is seen of it afterwards, from outside where that is possible. The service
port's counters count only where nothing else happened between two readings.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.checkers.batches import Period, matching_batch, telling, totals, totals_of
from harness.checkers.fate import Fate, after, lost
from harness.checkers.fate_identity import a_97, identity, keys
from harness.checkers.identities import addressed_at, several
from harness.checkers.money import words
from harness.checkers.money_books import read_slip
from harness.checkers.money_offline import Stored
from harness.checkers.money_reversals import Due
from harness.checkers.reading import SECOND, Exchange, Reading
from harness.checkers.state import host_asked, made_new
from harness.checkers.tables import DOWNLOADS, OWN
from harness.checkers.units import stands_since
from harness.checkers.updates import (
    LOAD,
    Episode,
    Later,
    certain,
    due_reversals,
    open_batches,
    undelivered,
)
from harness.history.events import Counters, Event, Service, Slip

COUNTED = ("batch", "sales", "voids", "reversal")
MONEY = frozenset({"0400", "0500", "0320"})  # beside new requests
READS_ONLY = frozenset({LOAD, "read_counters", "acknowledge", "abort"})


def fates(reading: Reading, update: Episode) -> Iterator[Fate]:
    """All that there was to keep, and what became of it. What is lost only after another attempt may have been lost by
    that one: then nothing tells. Of money what was held when it was over: what went out, or was settled, before is not
    lost."""
    over = Later(update.settled, update.settled, update.until, update.unit)
    yield from (
        *identity(reading, update), *keys(reading, update), *a_97(reading, update),
        *(_batch(reading, over, p) for p in open_batches(reading, over)),
        *(_reversal(reading, over, d) for d in due_reversals(reading, over)),
        *(_stored(reading, over, s) for s in undelivered(reading, over)),
        *_parameters(reading, update), *_downloads(reading, update), *_counters(reading, update),
    )  # fmt: skip


def losses(reading: Reading, update: Episode) -> Iterator[Fate]:
    """What was lost."""
    return (fate for fate in fates(reading, update) if fate.ok is False)


# -- money -------------------------------------------------------------------------------------------------------------


def _batch(reading: Reading, update: Episode, period: Period) -> Fate:
    """By the next settlement of that batch; a new original of another batch, or a settlement of one, closes it. Where
    it was closed as it should be, without another settlement, its upload goes on: no totals tell."""
    held = certain(reading, period, update.t)
    what = f"the {len(held)} transactions of batch {period.batch}"
    stored = [e.request for e in held]
    for exchange in after(reading, update):
        if (exchange.mid, exchange.tid) != (period.mid, period.tid):
            continue
        if period.closed is not None and period.closed.t < exchange.t:
            reason = f"{what} were stored; the {period.closed.name} closed it, with no settlement after it"
            return Fate("batch", None, reason, [*stored, period.closed.request])
        if (exchange.asks or exchange.mti == "0500") and exchange.batch != period.batch:
            reason = f"{what} were stored, and {exchange.name} is of batch {exchange.batch}"
            return _perhaps(reading, update, "batch", reason, [*stored, exchange.request], exchange.t)
        claimed = totals_of(exchange) if exchange.mti == "0500" else None
        if claimed is None:
            continue
        batch = matching_batch(reading, period, exchange.t, claimed)
        if batch is not None:
            evidence = [*telling(reading, batch), exchange.request]
            return Fate("batch", True, f"{what} are in its next settlement", evidence)
        wanted = totals(reading, period.approved(exchange.t))
        reason = f"{what} were stored; the next settlement claims {words(claimed)}, stored are {words(wanted)}"
        less = claimed[1] + claimed[3] < wanted[1] + wanted[3]
        if less and not period.unknown:
            return _perhaps(reading, update, "batch", reason, [*stored, exchange.request], exchange.t)
        return Fate("batch", None, reason, [*stored, exchange.request])
    return Fate("batch", None, f"{what} were stored; no settlement followed that shows them", list(stored))


def _perhaps(reading: Reading, update: Episode, what: str, reason: str, events: Sequence[Event], at: int) -> Fate:
    """Lost, unless a reading of the counters right afterwards still had it: then it went later."""
    pair = _readings(reading, update)
    if pair is not None and not _differences(reading, *pair):
        return Fate(what, None, f"{reason}; the counters right afterwards still had it", [*events, *pair])
    return lost(what, reason, events, update, at)


def _reversal(reading: Reading, update: Episode, due: Due) -> Fate:
    """It goes out, before anything new."""
    name = f"the reversal of the {due.original.name}"
    later = (e for e in due.sent if (e.answered_at or e.t) >= update.settled and e.t < update.unit)
    sent = next(later, None)
    if sent is not None and (due.breach is None or sent.t < due.breach.t):
        return Fate("reversal", True, f"{name} went out after it", [due.original.request, sent.request])
    breach = due.breach
    if breach is None:
        return Fate("reversal", None, f"{name} was due, and nothing shows it afterwards", [due.original.request])
    reason = f"{name} was due, and {breach.name} was sent without it"
    events = [due.original.request, breach.request]
    answered = next((e for e in due.sent if e.t < update.t and e.outcome == "answered"), None)
    if answered is not None and not _counted_as_due(reading, update, due):
        return Fate("reversal", None, f"{reason}; it may have gone with the answer {answered.code}", events)
    return _perhaps(reading, update, "reversal", reason, events, breach.t)


def _counted_as_due(reading: Reading, update: Episode, due: Due) -> bool:
    counters = reading.before(Counters, update.t)
    return counters is not None and counters.values.get("reversal") == due.original.trace


def _stored(reading: Reading, update: Episode, item: Stored) -> Fate:
    """It is sent, before its batch is closed."""
    sent = next((e for e in item.sent if e.t >= update.settled), None)
    if sent is not None:
        return Fate("stored", True, f"{item.name} went out after it", [*item.made, sent.request])
    for exchange in after(reading, update):
        if exchange.mti == "0500" and item.batch in ("", exchange.batch) and item.made:
            reason = f"{item.name} was stored, and the batch was settled without its delivery"
            events = [*item.made, exchange.request]
            own = _is_of(reading, item, exchange)
            if own is None:
                return Fate("stored", None, f"{reason}; of which merchant it is, is not known", events)
            if own:
                return _perhaps(reading, update, "stored", reason, events, exchange.t)
    return Fate("stored", None, f"{item.name} was stored, and nothing shows it afterwards", list(item.made))


def _is_of(reading: Reading, item: Stored, settlement: Exchange) -> bool | None:
    """It was made as who settles: by its requests, else by the terminal number on its slip. None: nothing tells."""
    if item.sent:
        return (item.sent[0].mid, item.sent[0].tid) == (settlement.mid, settlement.tid)
    if not several(reading):
        return True
    said = read_slip(item.made[-1]) if isinstance(item.made[-1], Slip) else None
    return said.tid == settlement.tid if said is not None and said.tid else None


# -- parameters, counters ----------------------------------------------------------------------------------------------


def _parameters(reading: Reading, update: Episode) -> Iterator[Fate]:
    """What the service port says of a parameter before and after, where nobody set it between."""
    before: dict[str, Service] = {}
    unit = stands_since(reading, update.t)
    for name, line in _told_parameters(reading, unit.t if unit else 0, update.t):
        before[name] = line
    seen: set[str] = set()
    for name, line in _told_parameters(reading, update.settled, update.until):
        if name not in before or name in seen:
            continue
        seen.add(name)
        one, other = before[name].text.partition("=")[2], line.text.partition("=")[2]
        if _was_set(reading, name, before[name].t, line.t):
            continue
        told = f"is {other} as before" if one == other else f"was {one}, and is {other}"
        yield Fate("parameters", one == other, f"parameter {name} {told}", [before[name], line])


def _told_parameters(reading: Reading, start: int, end: int) -> Iterator[tuple[str, Service]]:
    """Each answer to ``PARAM name?`` in the interval."""
    asked = ""
    for line in reading.between(Service, start, end):
        if line.direction == "to_terminal":
            asked = line.text[6:-1] if line.text.startswith("PARAM ") and line.text.endswith("?") else ""
        elif asked and line.text.startswith(f"OK {asked}="):
            yield asked, line
            asked = ""


def _was_set(reading: Reading, name: str, start: int, end: int) -> bool:
    """On the service port, or by a download."""
    lines = reading.between(Service, start, end)
    by_hand = any(e.direction == "to_terminal" and e.text.startswith(f"PARAM {name}=") for e in lines)
    return by_hand or any(e.transaction in DOWNLOADS for e in reading.exchanges_between(start, end))


def _downloads(reading: Reading, update: Episode) -> Iterator[Fate]:
    """Parameters or CA keys that it fetches anew, and nobody asked for."""
    for exchange in after(reading, update):
        if exchange.t >= update.until:
            return
        if exchange.transaction not in DOWNLOADS or reading.operation_at(exchange.t):
            continue
        if not host_asked(reading, exchange, _last_fetched(reading, update, exchange)):
            reason = f"the terminal asks anew for what it had: {exchange.name}"
            yield Fate("parameters", False, reason, [exchange.request])
            return


def _last_fetched(reading: Reading, update: Episode, exchange: Exchange) -> int:
    """When (ns) the unit had last fetched that, to the end: a demand of the host since then was still open."""
    unit = stands_since(reading, update.t)
    start = unit.t if unit else 0
    kinds = next(kinds for kinds in OWN.values() if exchange.transaction in kinds)
    ends = {name for name in kinds if name.endswith("_end")} or kinds
    sent = reading.exchanges_between(start, update.t)
    return max((e.t for e in sent if e.transaction in ends and e.approved(reading.profile)), default=start)


def _counters(reading: Reading, update: Episode) -> Iterator[Fate]:
    pair = _readings(reading, update)
    if pair is None:
        return
    other = _differences(reading, *pair)
    reason = f"the service port counts {', '.join(other)}" if other else "the service port counts as before"
    yield Fate("counters", not other, reason, [*pair])


def _readings(reading: Reading, update: Episode) -> tuple[Counters, Counters] | None:
    """The last reading of the counters before it and the first after it, where nothing else happened between."""
    before, behind = reading.before(Counters, update.t), reading.after_moment(Counters, update.settled)
    unit = stands_since(reading, update.t)
    if before is None or behind is None or behind.t >= update.until or (unit and before.t < unit.t):
        return None
    under_way = before.t - int(reading.profile.receive_timeout_s * SECOND)
    money = (
        e for e in reading.exchanges_between(under_way, behind.t)
        if (e.financial and e.t >= before.t) or (e.mti in MONEY and (e.answered_at or e.t) >= before.t)
    )
    acted = (o for o in reading.operations_after(before.t) if o.t < behind.t and o.name not in READS_ONLY)
    another = addressed_at(reading, before.t) != addressed_at(reading, behind.t)  # merchant of the terminal
    return None if another or next(money, None) or next(acted, None) else (before, behind)


def _differences(reading: Reading, before: Counters, behind: Counters) -> list[str]:
    """What is counted otherwise. A batch in which nothing is stored may be another one after a sign-in."""
    one, other = before.values, behind.values
    sent = reading.exchanges_between(before.t, behind.t)
    anew = any(e.is_sign_in(reading.profile) and e.approved(reading.profile) for e in sent)
    names = [n for n in COUNTED if n in one and n in other and not (anew and n == "batch")]
    return [f"{n} {other[n]} instead of {one[n]}" for n in names if one[n] != other[n]]


def in_service_again(reading: Reading, update: Episode) -> Exchange | None:
    """The first request after it, before anybody sets anything anew, that the host answers with a success."""
    for exchange in after(reading, update):
        if made_new(reading, update.t, exchange.t):
            return None
        if exchange.approved(reading.profile):
            return exchange
    return None
