"""ENV-03: a part that is broken is said to be, in one of the texts that the model declares; it is no response code, and
no 97; and a 97 received meanwhile is still shown.

A part must be said to be broken where an operation needed it (readers, printer, paper), and where the terminal notices
it by itself (tamper, clock, battery): by the time somebody has used the terminal.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from harness.checkers import shown
from harness.checkers.attribution import refused_by_itself
from harness.checkers.disturbances import Broken, broken, broken_between, felt
from harness.checkers.finding import Finding, checker
from harness.checkers.messages import code_and_text_in_time
from harness.checkers.observing import (
    interrupted,
    is_blank,
    operation_of,
    own_exchanges,
    quoted,
    seconds,
    seen_until,
    went_on,
)
from harness.checkers.reading import ONLINE_OPERATIONS, SECOND, Operation, Reading
from harness.checkers.surroundings import outside_of_range, settling
from harness.checkers.tables import KINDS, STORED
from harness.checkers.telling import says_97
from harness.checkers.timeline import LOOKUP_S
from harness.checkers.told import told, unfounded_between
from harness.history.events import Event, Power, Screen
from harness.history.instrument_events import Part

RULE = "ENV-03"
READS: dict[str, Part] = {
    "magnetic": "magnetic_reader", "chip": "chip_reader", "contactless": "contactless_reader",
}  # fmt: skip
PRINTS = frozenset({"printer", "paper"})
NOTICED = {"tamper": {"open"}, "clock": {"lost"}, "battery": {"low", "dead"}}  # by itself, whatever is done
UNSEEN = frozenset({"screen", "keypad"})  # with which nothing can be said, or nobody can ask
NOTICING_S = 2  # real seconds: what was done to it sooner, it need not have known


# -- where it was needed -----------------------------------------------------------------------------------------------


@checker(RULE)
def said_where_it_is_needed(reading: Reading) -> Iterator[Finding]:
    """An operation that did not come about, or printed nothing, for the part that it needed."""
    for operation in reading.outermost:
        if operation.name not in (ONLINE_OPERATIONS | STORED | {"reprint"}) or operation.invoked.via == "service":
            continue
        for part in broken_between(reading, operation.t, operation.t):
            if not _needed(reading, operation, part):
                continue
            finding = _said(reading, operation, part)
            if finding.verdict == "PASS" or not _aside(reading, operation.t, operation.done):
                yield finding


def _needed(reading: Reading, operation: Operation, part: Broken) -> bool:
    """The operation needed it to its end, and did without: nothing was sent, no slip came."""
    if operation.completed is None or reading.power_lost_within(operation.t, operation.done + 1):
        return False
    if part.end <= operation.done:
        return False
    if part.part in PRINTS:
        return _prints(reading, operation) and not reading.slips_between(operation.t, _end(reading, operation))
    if READS.get(operation.invoked.args.get("entry", "")) != part.part:
        return False
    start, end = operation.t, operation.done + 1
    read = own_exchanges(reading, operation) or reading.connections_between(start, end) or operation.outcome == "ok"
    cancelled = any(start <= t < end for t in reading.invoked_by_name.get("abort", ()))
    hurt = reading.wire_hurt_within(start - LOOKUP_S * SECOND, end)  # it was read, and could not be sent
    return not (read or cancelled or hurt or refused_by_itself(reading, operation)())


def _prints(reading: Reading, operation: Operation) -> bool:
    """A slip belongs to it."""
    if operation.name == "reprint":
        return reading.offers("slip") and operation.outcome != "unknown"
    approved = any(e.approved(reading.profile) for e in own_exchanges(reading, operation))
    return reading.offers("slip") and operation.name in KINDS and operation.name != "balance" and approved


def _end(reading: Reading, operation: Operation) -> int:
    return min(operation.until, reading.end + 1)


def _aside(reading: Reading, start: int, end: int) -> bool:
    """Something else may be the reason, where it is not as it should be."""
    outside = outside_of_range(reading, start, end, settling=settling(reading))
    return bool(felt(reading, start, end)) or outside is not None


def _said(reading: Reading, operation: Operation, part: Broken) -> Finding:
    texts, what = _texts(reading, part), f"{part}: {operation.name}"
    evidence: list[Event] = [part.began, operation.invoked]
    if operation.completed:
        evidence.append(operation.completed)
    foreign = _code_without_answer(reading, operation)
    if foreign is not None:
        code, where = foreign
        reason = f"{what} was told as response code {code}, which no host sent"
        return Finding.failed(RULE, reason, [*evidence, *where], at=operation.invoked)
    following = _served_next(reading, operation, part)
    window = reading.screens_between(operation.t, following.done + 1 if following else _end(reading, operation))
    if not texts:
        return Finding.undecided(RULE, f"{what}; the model declares no text for it", evidence, at=operation.invoked)
    found = _first(window, texts)
    if found is not None:
        text, screen = found
        return Finding.passed(RULE, f"{what} said {text}", [*evidence, screen], at=operation.invoked)
    why = _unseen(reading, operation, window, following)
    if why is not None:
        return Finding.undecided(RULE, f"{what}: {why}", [*evidence, *window[-1:]], at=operation.invoked)
    own = reading.screens_between(operation.t, _end(reading, operation))
    last = own[-1] if own else reading.screen_at(operation.done)
    reason = f"{what} said {quoted(last) if last else 'nothing'}, expected {' or '.join(texts)}"
    return Finding.failed(RULE, reason, [*evidence, *([last] if last else [])], at=operation.invoked)


def _texts(reading: Reading, part: Broken) -> Sequence[str]:
    declared = reading.model.surroundings
    return declared.texts.get(part.part, []) if declared else []


def _first(screens: Sequence[Screen], texts: Sequence[str]) -> tuple[str, Screen] | None:
    for screen in screens:
        text = shown.contains_any(screen.lines, texts)
        if text is not None:
            return text, screen
    return None


def _served_next(reading: Reading, operation: Operation, part: Broken) -> Operation | None:
    """What was done at the terminal next, to its end, with the part still broken: who read the result of the first did
    not wait for a word any more."""
    following = next((o for o in reading.operations_after(operation.done) if o.at_the_terminal), None)
    read = operation.outcome != "unknown" and operation.at_the_terminal
    if not read or following is None or following.completed is None or following.done >= part.end:
        return None
    return following


def _unseen(
    reading: Reading, operation: Operation, window: Sequence[Screen], following: Operation | None = None
) -> str | None:
    """Why it may have been said all the same."""
    if interrupted(reading, operation):
        return "it was interrupted"
    blind = next((one for one in broken_between(reading, operation.t, operation.done) if one.part in UNSEEN), None)
    if blind is not None:
        return f"a part was broken ({blind})"
    if not reading.offers("screen") or not reading.screens:
        return "nobody saw the screen"
    if any(s.unreadable for s in window) or (window and all(is_blank(s) for s in window)):
        return "part of the screen could not be read"
    deadline = operation.done + int(reading.limits.show_s * SECOND)
    if following is not None and following.t < deadline:
        lag = reading.lag_ms(operation.t, following.done)
        sure = reading.timing_reliable(operation.t, following.done)
        return None if sure else f"the bench itself lagged {lag:.0f} ms"
    if _end(reading, operation) <= deadline or seen_until(reading) < deadline:
        return f"it was watched for {seconds(operation.done, _end(reading, operation)):.1f} s afterwards"
    if not reading.timing_reliable(operation.t, deadline):
        return f"the bench itself lagged {reading.lag_ms(operation.t, deadline):.0f} ms"
    return "how it ended was not seen" if _broke_off(operation) else None


def _broke_off(operation: Operation) -> bool:
    """Nobody held a card to it, and nobody saw its end: the test did not go on."""
    needs_card = operation.invoked.args.get("entry", "") in READS
    held_out = operation.completed is not None and operation.completed.presented
    return needs_card and operation.outcome == "unknown" and not held_out


def _code_without_answer(reading: Reading, operation: Operation) -> tuple[str, list[Event]] | None:
    """A response code that it showed, or told the till, though no answer in it had that."""
    came = {e.code for e in reading.exchanges_between(operation.t, _end(reading, operation)) if e.outcome == "answered"}
    labels = reading.profile.texts.code_labels
    for screen in reading.screens_between(operation.t, _end(reading, operation)):
        code = next((c for c in shown.codes_shown(screen.lines, labels) if c not in came), None)
        if code is not None:
            return code, [screen]
    said = told(operation)
    if said is not None and said.outcome == "declined" and said.code and said.code not in came:
        return said.code, [said.completed]
    return None


# -- where the terminal notices it -------------------------------------------------------------------------------------


@checker(RULE)
def said_where_it_is_noticed(reading: Reading) -> Iterator[Finding]:
    """A part of which the terminal knows by itself, once somebody has used it."""
    for part in broken(reading):
        since = _noticeable(reading, part)
        if since is None:
            continue
        used = _used(reading, part, since)
        if used is None:
            continue
        texts, evidence = _texts(reading, part), [part.began, used.invoked]
        aside = _aside(reading, since, used.done)
        if not texts and not aside:
            yield Finding.undecided(RULE, f"{part}: the model declares no text for it", evidence, at=part.began)
            continue
        end = min(_end(reading, used), part.end)
        window = reading.screens_during(part.start, end)
        found = _first(reading.screens_between(part.start, end), texts) or _first(window[:1], texts)
        if found is not None and not _stood_there(reading, part, used, found[1]):
            text, screen = found
            yield Finding.passed(RULE, f"{part}: the terminal said {text}", [*evidence, screen], at=part.began)
            continue
        if aside or (found is None and _set_again(reading, part, used)):
            continue
        why = _unseen(reading, used, window) if found is None else f"the screen said {found[0]} before it was broken"
        if why is not None:
            yield Finding.undecided(RULE, f"{part}: {why}", [*evidence, *window[-1:]], at=part.began)
            continue
        last = window[-1] if window else None
        reason = f"{part}: at the next {used.name} the screen said {quoted(last) if last else 'nothing'}"
        reason = f"{reason}, expected {' or '.join(texts)}"
        yield Finding.failed(RULE, reason, [*evidence, *([last] if last else [])], at=part.began)


def _noticeable(reading: Reading, part: Broken) -> int | None:
    """From when on the terminal can know; None: it can't. An empty clock battery shows after the power was away."""
    if part.began.state in NOTICED.get(part.part, ()):
        return part.start
    if part.part == "clock_battery" and part.began.state == "dead":
        gone = reading.power_lost_within(part.start, min(part.end, reading.end + 1))
        back = (p for p in reading.between(Power, gone.t, part.end) if p.state == "on") if gone else iter(())
        return next((p.t for p in back), None)
    return None


def _used(reading: Reading, part: Broken, since: int) -> Operation | None:
    """The first thing done at its keys, under power, when it could have noticed."""
    for operation in reading.operations_after(since + NOTICING_S * SECOND):
        if operation.t >= part.end:
            return None
        if operation.at_the_terminal and operation.completed and not reading.is_off(operation.t):
            return operation
    return None


def _stood_there(reading: Reading, part: Broken, used: Operation, screen: Screen) -> bool:
    """It is a word of before: the screen went on, or the part had been broken earlier too."""
    if screen.t >= part.start:
        return False
    went_on = reading.screen_at(used.done) is not screen
    return went_on or any(one.part == part.part and one.start < part.start for one in broken(reading))


def _set_again(reading: Reading, part: Broken, used: Operation) -> bool:
    """A sign-in brought the time before anybody came: there is nothing left to say."""
    if part.part not in ("clock", "clock_battery"):
        return False
    sign_ins = (one.answered_at for one in reading.approved_sign_ins)
    return any(part.start < t < used.t for t in sign_ins if t is not None)


# -- never 97, and 97 all the same -------------------------------------------------------------------------------------


@checker(RULE)
def no_97_for_it(reading: Reading) -> Iterator[Finding]:
    for part in broken(reading):
        for event in unfounded_between(reading, part.start, part.end):
            reason = f"{part}: the terminal said {says_97(reading, event)} with no definite 97"
            yield Finding.failed(RULE, reason, [part.began, event], at=event)
            break


@checker(RULE)
def a_97_is_shown_all_the_same(reading: Reading) -> Iterator[Finding]:
    """Each definite 97 that somebody waited for while a part was broken, as MSG-01 has it."""
    for exchange in reading.definite_97s if broken(reading) else ():
        operation, answered = operation_of(reading, exchange), exchange.answered_at
        if operation is None or answered is None:
            continue
        parts = broken_between(reading, answered, answered)
        if not parts or any(part.part in UNSEEN for part in parts):
            continue
        excused = _aside(reading, answered, operation.done)
        for found in code_and_text_in_time(reading, exchange, operation, answered):
            if found.verdict == "PASS" or not (excused or went_on(reading, exchange, operation)):
                evidence = tuple(sorted({*found.evidence, parts[0].began.seq}))
                reason = f"{parts[0]}: {found.reason}"
                yield dataclasses.replace(found, rule=RULE, reason=reason, evidence=evidence)
