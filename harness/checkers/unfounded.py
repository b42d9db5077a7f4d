"""MSG-02 and MSG-05: what must not be shown. 97 without a definite 97, "approved" without an approval."""

from __future__ import annotations

import re
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.checkers import shown
from harness.checkers.finding import Finding, checker
from harness.checkers.kept_from_answer import done_to_it, fault_of
from harness.checkers.observing import (
    is_blank,
    is_idle,
    next_actions,
    operation_of,
    own_exchanges,
    power_lost_soon,
    quoted,
    taken_up,
    until_text,
    watched,
    went_on,
)
from harness.checkers.reading import END, ONLINE_OPERATIONS, SECOND, Exchange, Operation, Reading
from harness.checkers.tables import KINDS, OWN, STORED
from harness.checkers.telling import says_97, says_approved
from harness.history.events import Cashier, Screen, Slip

Shown = Screen | Slip | Cashier
WHERE = {"screen": "the screen", "slip": "a slip", "cashier": "the till"}
MS = 1_000_000
UNDER_WAY_S = 60  # real seconds before it in which a request answered in an operation was sent at the earliest


# -- MSG-02 --------------------------------------------------------------------------------------------------------


@checker("MSG-02")
def only_on_a_definite_97(reading: Reading) -> Iterator[Finding]:
    """Occasions: an operation that a fault (of the wire, of the host, of the terminal's own hardware, or a disturbance)
    kept from its answer; and whatever says 97 without a definite 97."""
    unfounded: dict[int | None, list[Shown]] = defaultdict(list)
    by_op = {o.op: o for o in reading.operations}
    for event in unfounded_97s(reading):
        operation = reading.operation_before(event.t)
        unfounded[operation.op if operation else None].append(event)
    for op, events in unfounded.items():
        during = by_op.get(op) if op is not None else None
        fault = (fault_of(reading, during) if during else None) or done_to_it(reading, during, events[0].t)
        what = fault.what if fault else "no definite 97 in this transaction"
        what = f"{during.name}: {what}" if during and fault else what
        yield Finding.failed(
            "MSG-02", f"{what}, but {WHERE[events[0].kind]} said {says_97(reading, events[0])}",
            (*(fault.events if fault else ()), during.invoked if during else None, *events), at=events[0],
        )
    for operation in reading.operations:
        if operation.op not in unfounded and operation.within is None:
            finding = _without_97(reading, operation)
            if finding:
                yield finding


def unfounded_97s(reading: Reading) -> Iterator[Shown]:
    """Screens, slips and messages to the till that say 97 with nothing to rest on.

    A definite 97 in an operation carries what is shown until the operation's end (or, not shown yet, until the time to
    show it is over), and for as long as the screen goes on saying it. One received unattended, or in an operation of
    which nobody saw the end, carries what is shown until the operator's next action ends, once; where it came in the
    middle of something done at the terminal, it may be shown there already. Once the same terminal was approved
    something and is idle again, it is old news: for the operator alone. What the till is told, or a slip says, within
    an operation is its result: it rests on what was answered in that operation, and on nothing before.
    """
    live = _Live(reading)
    since = 0
    if not reading.begins_with_the_log:  # one received unattended before is shown until the first action ends
        first = next((o for o in reading.operations if o.at_the_terminal), None)
        since = first.until if first else END
    everything: list[Shown] = [*reading.screens, *reading.slips, *reading.all(Cashier)]
    for event in sorted(everything, key=lambda e: (e.t, e.seq)):
        live.advance(event.t)
        says = says_97(reading, event)
        if event.t < since and says and not live.founded(event.t):
            continue
        if isinstance(event, Screen):
            if says is None and not event.unreadable and not is_blank(event):
                live.screen_moved_on(event)
            elif says and not live.founded(event.t):
                yield event
            elif says:
                live.displayed()
        elif says and (_of_another(reading, event) or not (live.founded(event.t) or _reprinted(reading, event))):
            yield event


def _of_another(reading: Reading, event: Slip | Cashier) -> bool:
    """Told as the result of an operation in which no definite 97 came (a slip: and it names no transaction that got
    one)."""
    operation = reading.operation_at(event.t)
    if operation is None or operation.name not in OWN:
        return False
    under_way = reading.exchanges_between(operation.t - UNDER_WAY_S * SECOND, event.t)
    if any(e.definite_97 and operation.t <= (e.answered_at or e.t) <= event.t for e in under_way):
        return False
    return isinstance(event, Cashier) or not any(e.definite_97 for e in _named(reading, event, _by_trace(reading)))


def _numbers(slip: Slip) -> Counter[str]:
    """All numbers on the slip, whatever they stand for, and how often each is there."""
    return Counter(number for line in slip.lines for number in re.findall(r"\d+", line))


def _reprinted(reading: Reading, event: Shown) -> bool:
    """A slip printed again tells of an earlier transaction."""
    operation = reading.operation_before(event.t)
    if operation is None or operation.name != "reprint":
        return False
    return any(e.answered_at is not None and e.answered_at < event.t for e in reading.definite_97s)


@dataclass(eq=False)
class _Ground:
    """A definite 97 and what it carries.

    ``own``: its operation's ``until``; shown in it, nothing after it rests on the 97. ``action``: it was received
    unattended; from then on (the operator stands there) it founds one showing, no second. ``served``: from then on an
    idle screen makes it old news (``old``), which founds what the operator is shown and nothing else. ``displayed``:
    the screen says it.
    """

    until: int
    own: int | None = None
    action: int | None = None
    served: int = END
    old: bool = False
    displayed: bool = False

    def founds(self, t: int) -> bool:
        told_again = self.old and self.action is not None and t < self.action
        return self.displayed or (t < self.until and not told_again)


class _Live:
    """The definite 97s on which something shown at a moment can rest."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        answered = [(e.answered_at, e) for e in reading.definite_97s if e.answered_at is not None]
        self._coming = deque(sorted(answered, key=lambda pair: pair[0]))
        self._grounds: list[_Ground] = []
        self._showing = False

    def advance(self, t: int) -> None:
        """Take up what was answered up to ``t``."""
        while self._coming and self._coming[0][0] <= t:
            answered, exchange = self._coming.popleft()
            operation = operation_of(self._reading, exchange)
            if operation is not None and operation.outcome != "unknown":
                in_time = max(operation.until, self._in_time(answered))
                self._grounds.append(_Ground(in_time, own=operation.until))
            else:
                self._grounds.append(self._unattended(exchange, answered))

    def _in_time(self, answered: int) -> int:
        """Until then it may be shown for the first time; a bench that lags sees that later."""
        deadline = answered + int(self._reading.limits.show_s * SECOND)
        if self._reading.timing_reliable(answered, deadline):
            return deadline
        return deadline + int(self._reading.lag_ms(answered, deadline) * MS)

    def _unattended(self, exchange: Exchange, answered: int) -> _Ground:
        present = self._reading.operation_at(answered)
        actions = next_actions(self._reading, answered)
        since = actions[0].t if actions else END
        if present is not None and present.at_the_terminal:
            since = answered
        over = bool(actions) and taken_up(actions[-1], answered)
        served = max(self._served(exchange, answered), self._in_time(answered))
        return _Ground(actions[-1].until if over else END, action=since, served=served)

    def _served(self, exchange: Exchange, answered: int) -> int:
        """When the same terminal was approved something after it."""
        who = exchange.mid, exchange.tid
        later = (e for e in self._reading.exchanges_from(answered) if (e.mid, e.tid) == who)
        approved = (e.answered_at for e in later if e.approved(self._reading.profile))
        return next((t for t in approved if t is not None), END)

    def founded(self, t: int) -> bool:
        return any(ground.founds(t) for ground in self._grounds)

    def displayed(self) -> None:
        """The screen says 97. What is answered while it goes on saying so is not yet shown by that."""
        if not self._showing:
            self._showing = True
            for ground in self._grounds:
                ground.displayed = True

    def screen_moved_on(self, screen: Screen) -> None:
        """The screen says something else: what was displayed is over, unless its own operation still lasts."""
        t, idle = screen.t, is_idle(self._reading, screen)
        self._showing = False
        seen_at_the_action = [g for g in self._grounds if g.displayed and g.action is not None and t >= g.action]
        for ground in self._grounds:
            if ground.displayed and ground.own is not None:
                ground.until = ground.own
            ground.old = ground.old or (idle and t >= ground.served)
            ground.displayed = False
        self._grounds = [g for g in self._grounds if t < g.until and g not in seen_at_the_action]


def _without_97(reading: Reading, operation: Operation) -> Finding | None:
    """The finding on an operation that a fault ended and that did not say 97. It rests on the screen it ended with."""
    if operation.invoked.via == "service" or operation.name not in ONLINE_OPERATIONS:
        return None
    fault = fault_of(reading, operation)
    if fault is None or reading.power_lost_within(operation.t, operation.done + 1):
        return None
    rule, what = "MSG-02", f"{operation.name}: {fault.what}"
    evidence = (operation.invoked, *fault.events)
    if operation.completed is None:
        return Finding.undecided(rule, f"{what}; how it ended was not seen", evidence, at=operation.invoked)
    # The screen that the operation ended with. Where it is not known when the terminal gave up, what came long before
    # the end may be no result yet; and the till can be told a moment before the screen says it.
    at_once = int(reading.limits.show_s * SECOND)
    since = fault.since if fault.known else max(fault.since, operation.done - at_once)
    results = [s for s in reading.screens_between(since, operation.done + 1) if not is_idle(reading, s)]
    soon = reading.screens_between(operation.done + 1, min(operation.until, operation.done + at_once))
    results = results or [s for s in soon if not is_idle(reading, s)][:1]
    later = [s for s in reading.screens_between(operation.done + 1, until_text(reading, operation)) if s.unreadable]
    spoiled = next((s for s in (*results, *later) if s.unreadable), None)
    if spoiled:
        why = f"{spoiled.unreadable} cells of the screen could not be read"
        return Finding.undecided(rule, f"{what}; {why}", (*evidence, spoiled), at=operation.invoked)
    if not results or is_blank(results[-1]) or says_97(reading, results[-1]):
        return Finding.undecided(rule, f"{what}; its result was not seen on the screen", evidence, at=operation.invoked)
    reason = f"{what}; the screen said {quoted(results[-1])}, nothing said 97"
    return Finding.passed(rule, reason, (*evidence, operation.completed, results[-1]), at=operation.invoked)


# -- MSG-05 --------------------------------------------------------------------------------------------------------


@checker("MSG-05")
def never_approved(reading: Reading) -> Iterator[Finding]:
    """Occasions: a definite 97 in an operation, each slip printed in one, and whatever says approved unfounded."""
    guilty: set[int] = set()
    told: set[int] = set()
    by_trace = _by_trace(reading)
    for operation in reading.operations:
        finding = _approved_without_approval(reading, operation, by_trace)
        if finding:
            guilty.add(operation.op)
            told.update(finding.evidence)
            yield finding
    for slip in reading.slips:
        named = _named_unapproved(reading, slip, by_trace) if slip.seq not in told else None
        if named is not None:
            how, says = named.code or named.outcome, says_approved(reading, slip)
            reason = f"{named.name} was not approved ({how}), but a slip that names it said {says}"
            yield Finding.failed("MSG-05", reason, (*named.events, slip), at=slip)
    for exchange in reading.definite_97s:
        during = operation_of(reading, exchange)
        if during and exchange.answered_at is not None and not went_on(reading, exchange, during):
            yield from _slips_say_declined(reading, exchange, during, exchange.answered_at)
            if during.op not in guilty:
                yield from _says_declined(reading, exchange, during, exchange.answered_at)


def _approved_without_approval(
    reading: Reading, operation: Operation, by_trace: Mapping[str, Sequence[Exchange]]
) -> Finding | None:
    """An operation's screens, slips and answers to the till say approved, and no request of its own was approved."""
    if operation.within is not None or operation.invoked.via == "service" or operation.name not in OWN:
        return None
    own, end = own_exchanges(reading, operation), until_text(reading, operation)
    if operation.outcome == "unknown":  # the bench broke off (Ctrl-C); the terminal may have gone on
        after = (e for e in reading.exchanges if operation.done < e.t < end and e.transaction in OWN[operation.name])
        own = [*own, *after]
    if operation.name in STORED and not own:
        return None  # accepted offline
    financial = operation.name in KINDS
    if any(e.approved(reading.profile) for e in (own if financial else own[-1:])):
        return None
    if not financial and not any(e.definite_97 for e in reading.exchanges_of(operation)):
        return None  # "approved" is a word of financial transactions; settlement and sign-in have their own
    before = reading.screen_at(operation.t)
    result = before if before is not None and says_approved(reading, before) is not None else None
    stale = result is not None
    slips = (s for s in reading.slips_between(operation.t, end) if not _comes_late(reading, s, operation, by_trace))
    events: list[Shown] = [*slips, *reading.cashier_between(operation.t, end)]
    for screen in reading.screens_between(operation.t, end):
        stale = stale and says_approved(reading, screen) is not None  # the last result, still there
        shown_again = result is not None and screen.lines == result.lines  # from under an alert
        if not stale and screen is not before and not shown_again:
            events.append(screen)
    for event in sorted(events, key=lambda e: (e.t, e.seq)):
        says = says_approved(reading, event)
        if says:
            last = own[-1] if own else None
            how = f"{last.name} was not approved ({last.code or last.outcome})" if last else "nothing was sent"
            frames = last.events if last else ()
            reason = f"{operation.name}: {how}, but {WHERE[event.kind]} said {says}"
            return Finding.failed("MSG-05", reason, (operation.invoked, *frames, event), at=event)
    return None


def _comes_late(
    reading: Reading, slip: Slip, operation: Operation, by_trace: Mapping[str, Sequence[Exchange]]
) -> bool:
    """It names an earlier transaction that was approved, and is its first: a printer that was hot, or had no paper."""
    named = _named(reading, slip, by_trace)
    earlier = [e for e in named if e.t < operation.t and e.approved(reading.profile)]
    if not earlier or any(e.t >= operation.t for e in named):
        return False
    before = reading.slips_between(earlier[-1].t, slip.t)
    return not any(earlier[-1] in _named(reading, one, by_trace) for one in before)


def _by_trace(reading: Reading) -> dict[str, list[Exchange]]:
    """The new financial requests by their trace, in order. What was stored had been accepted offline."""
    found: dict[str, list[Exchange]] = defaultdict(list)
    for exchange in reading.financial:
        if exchange.trace and exchange.transaction not in STORED:
            found[exchange.trace].append(exchange)
    return found


def _named(reading: Reading, slip: Slip, by_trace: Mapping[str, Sequence[Exchange]]) -> list[Exchange]:
    """The transactions of this unit whose trace stands on the slip, in order. The batch's number stands there too."""
    unit = reading.unit_at(slip.t)
    since = unit.t if unit else 0
    numbers = _numbers(slip)
    batch = next((e.batch for e in reversed(reading.exchanges_between(since, slip.t))), "")
    numbers[batch] -= 1
    found = [e for trace, n in numbers.items() if n > 0 for e in by_trace.get(trace, ()) if since <= e.t < slip.t]
    return sorted(found, key=lambda e: e.t)


def _named_unapproved(reading: Reading, slip: Slip, by_trace: Mapping[str, Sequence[Exchange]]) -> Exchange | None:
    """The transaction that a slip names which says approved, wherever it was printed; None: one it names was."""
    if says_approved(reading, slip) is None:
        return None
    named = _named(reading, slip, by_trace)
    if any(e.approved(reading.profile) for e in named):
        return None
    return named[-1] if named else None


def _slips_say_declined(reading: Reading, exchange: Exchange, operation: Operation, answered: int) -> Iterator[Finding]:
    for slip in reading.slips_between(answered, until_text(reading, operation)):
        evidence = (*exchange.events, operation.invoked, slip)
        what = f"{exchange.code} to {exchange.name}"
        if shown.contains_any(slip.lines, reading.profile.texts.declined):
            yield Finding.passed("MSG-05", f"{what}: the slip says declined", evidence, at=slip)
        elif slip.unreadable:
            yield Finding.undecided("MSG-05", f"{what}: the slip could not be read", evidence, at=slip)
        elif not says_approved(reading, slip):
            yield Finding.failed("MSG-05", f"{what}: the slip does not say declined", evidence, at=slip)


def _says_declined(reading: Reading, exchange: Exchange, operation: Operation, answered: int) -> Iterator[Finding]:
    """Nothing said approved; that rests on the screen that was there to be read instead."""
    rule, code = "MSG-05", exchange.code or ""
    end = until_text(reading, operation)
    window = reading.screens_between(answered, end)
    what = f"{code} to {exchange.name}"
    evidence = (*exchange.events, operation.invoked)
    spoiled = next((s for s in window if s.unreadable), None)
    labels, declined = reading.profile.texts.code_labels, reading.profile.texts.declined
    result = next(
        (s for s in window if shown.contains_any(s.lines, declined) or shown.shows_code(s.lines, code, labels)), None
    )
    if spoiled:
        yield Finding.undecided(rule, f"{what}: part of the screen could not be read", (*evidence, spoiled))
    elif result:
        yield Finding.passed(rule, f"{what}: the screen said {quoted(result)}", (*evidence, result))
    elif not power_lost_soon(reading, answered):
        seen = "not seen" if not window or not watched(reading, end - 1) else "neither approved nor declined"
        yield Finding.undecided(rule, f"{what}: the result was {seen}", (*evidence, *window))
