"""STA-06: operable over many 97s."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

from harness.checkers import shown
from harness.checkers.finding import Finding, checker
from harness.checkers.observing import interrupted, is_idle, quoted, seconds, seen_until, watched, went_on
from harness.checkers.reading import ONLINE_OPERATIONS, SECOND, Exchange, Operation, Reading
from harness.checkers.updates import LOAD, own_resets
from harness.history.events import Cashier, Event, Screen, UnitReplaced, WireFrame

IN_PROGRESS = ("正在", "请稍候", "请等待", "处理中", "连接中", "通讯中")  # what stands there while a terminal works


@dataclass
class _Row:
    """97s one after the other, nothing else answered and no loss of power between."""

    met: list[Exchange] = field(default_factory=list)
    ended: int = 0

    @property
    def frames(self) -> list[Event]:
        return [event for e in self.met for event in e.events]


@checker("STA-06")
def stays_operable(reading: Reading) -> Iterator[Finding]:
    """Occasions: a row of as many 97s as the profile asks for, and the management menu after it. Whatever hangs, or
    resets itself, after a 97 fails in any number.

    Operable: who goes on at once is served (the row shows it); left alone it is idle in time; and after the last of the
    row idle and then the menu are seen.
    """
    limits = reading.limits
    real = reading.header.physical or reading.header.physical_like
    wanted = limits.repeated_97_physical if real else limits.repeated_97
    for row in _rows(reading):
        failed = _stuck(reading, row)
        if failed:
            yield failed
        elif len(row.met) >= wanted:
            yield _operable(reading, row)


def _rows(reading: Reading) -> Iterator[_Row]:
    row = _Row()
    for exchange in reading.exchanges:
        if exchange.outcome != "answered" or exchange.answered_at is None:
            continue
        broken = row.met and reading.power_lost_within(row.met[-1].t, exchange.t)
        if row.met and (broken or not exchange.definite_97):
            row.ended = min(exchange.t, _another_unit(reading, row))
            yield row
            row = _Row()
        if exchange.definite_97:
            row.met.append(exchange)
    if row.met:
        row.ended = min(reading.end + 1, _another_unit(reading, row))
        yield row


def _another_unit(reading: Reading, row: _Row) -> int:
    """When another stood there: what that one does is not of the row."""
    following = reading.after_moment(UnitReplaced, row.met[-1].t)
    return following.t if following else reading.end + 1


def _idle_by(reading: Reading, exchange: Exchange) -> int:
    """Shown (real seconds), then idle again (of the terminal's own time): from the answer on, or from when the result
    of its operation was there, where that was later."""
    operation, since = reading.attended_by(exchange), exchange.answered_at or exchange.t
    if operation is not None and operation.outcome != "unknown":
        since = max(since, operation.done)
    return _away_until(reading, since)


def _away_until(reading: Reading, since: int) -> int:
    return reading.after(since + int(reading.limits.show_s * SECOND), reading.limits.idle_s)


def _idle_after(reading: Reading, exchange: Exchange) -> Screen | None:
    """The idle screen that followed the result in time: at once, or before somebody did something else."""
    answered, end = exchange.answered_at or exchange.t, _idle_by(reading, exchange) + 1
    operation = reading.attended_by(exchange)
    if operation is None:  # nobody stood there: it need not have left idle
        return next((s for s in reading.screens_during(answered, end) if is_idle(reading, s)), None)
    later = reading.screens_between(answered, end)
    shows = [shown.shows_code(s.lines, exchange.code or "", reading.profile.texts.code_labels) for s in later]
    if True not in shows:
        return next((s for s in later if is_idle(reading, s)), None)
    result = shows.index(True)
    after = [s for s, still in list(zip(later, shows, strict=True))[result:] if not still]
    return next((s for s in after if is_idle(reading, s) and (s is after[0] or s.t < operation.until)), None)


def _left_alone(reading: Reading, row: _Row) -> Iterator[tuple[Exchange, int, int]]:
    """The 97s of operations after which nobody touched the terminal until it had to be idle: when answered, until when.
    Not one to something on the way of an operation that went on."""
    for exchange in row.met:
        answered, operation = exchange.answered_at or exchange.t, reading.attended_by(exchange)
        if operation is None or went_on(reading, exchange, operation):
            continue
        deadline = _idle_by(reading, exchange)
        if operation.until >= deadline:
            yield exchange, answered, deadline


def _stuck(reading: Reading, row: _Row) -> Finding | None:
    rule = "STA-06"
    first, last = row.met[0], row.met[-1]
    what = f"after {len(row.met)} times 97 in a row" if len(row.met) > 1 else "after a 97"
    reset = next(iter(own_resets(reading, first.t, row.ended)), None)
    if reset:
        return Finding.failed(rule, f"{what} the terminal reset itself", (*last.events, reset), at=reset)
    for exchange, answered, deadline in _left_alone(reading, row):
        if not reading.offers("screen") or _idle_after(reading, exchange):
            continue
        if reading.power_lost_within(answered, deadline) or not watched(reading, deadline):
            continue
        stayed = reading.screen_at(answered)  # where none followed it
        window = list(reading.screens_between(answered, deadline)) or ([stayed] if stayed else [])
        if not window or any(s.unreadable for s in window) or not reading.timing_reliable(answered, deadline):
            continue
        limit = f"{seconds(answered, deadline):.1f} s"
        reason = f"{what} the terminal was not idle again within {limit}; the screen said {quoted(window[-1])}"
        return Finding.failed(rule, reason, (*exchange.events, window[-1]), at=exchange.response)
    busy = _busy_with_nothing(reading, row)
    if busy:
        exchange, screen, until = busy
        waited = reading.terminal_seconds(screen.t, until)
        reason = f"{what} the screen said {quoted(screen)} for {waited:.0f} s, with nothing on the wire"
        return Finding.failed(rule, reason, (*exchange.events, screen), at=screen)
    hung = _not_served(reading, row)
    if hung:
        exchange, operation, screen = hung
        reason = f"{what} the next operation ({operation.name}) got nowhere; the screen said {quoted(screen)}"
        evidence = (*exchange.events, operation.invoked, operation.completed, screen)
        return Finding.failed(rule, reason, evidence, at=operation.invoked)
    menu = _menu_after(reading, row)
    if menu and menu.completed and menu.outcome != "ok" and _for_itself(reading, menu):
        spoiled = any(s.unreadable for s in reading.screens_between(menu.t, menu.done + 1))
        if not spoiled:
            reason = f"{what} the management menu could not be opened"
            return Finding.failed(rule, reason, (*last.events, menu.invoked, menu.completed), at=menu.invoked)
    return None


def _for_itself(reading: Reading, operation: Operation) -> bool:
    """That it came to nothing was the terminal's doing: it had power, nobody stopped the run, and the bench's own clock
    shows that it looked in time."""
    start, end = operation.t, operation.done + 1
    if interrupted(reading, operation) or reading.is_off(start) or reading.power_lost_within(start, end):
        return False
    return reading.timing_reliable(start, end)


def _busy_with_nothing(reading: Reading, row: _Row) -> tuple[Exchange, Screen, int] | None:
    """A screen after one of the 97s that says the terminal is at work for longer than it may be away from idle, while
    nothing went over the wire, and nothing was waited for. Third: until when it was seen to stay."""
    first = row.met[0].answered_at or row.met[0].t
    for screen in reading.screens_between(first, row.ended):
        if screen.unreadable or not shown.contains_any(screen.lines, IN_PROGRESS):
            continue
        following = reading.after_moment(Screen, screen.t)
        until = min(following.t if following else seen_until(reading), seen_until(reading))
        if until <= _away_until(reading, _work_done(reading, screen)) or not reading.offers("wire"):
            continue
        if _on_the_wire(reading, screen.t, until) or not reading.timing_reliable(screen.t, until):
            continue
        if reading.power_lost_within(screen.t, until) or reading.wire_hurt_within(screen.t, until):
            continue
        exchange = max((e for e in row.met if (e.answered_at or e.t) <= screen.t), key=lambda e: e.t)
        return exchange, screen, until
    return None


def _work_done(reading: Reading, screen: Screen) -> int:
    """From when on (ns) the terminal has nothing to do for which no wire is needed; while other software is installed
    that is what it does, also when that was answered already."""
    operation = reading.operation_before(screen.t)
    if operation is None or operation.name in ONLINE_OPERATIONS:
        return screen.t
    return max(screen.t, operation.until if operation.name == LOAD else operation.done)


def _on_the_wire(reading: Reading, start: int, end: int) -> bool:
    """A connection was tried or stood in the interval, or a frame passed."""
    if reading.connections_between(start, end) or reading.between(WireFrame, start, end):
        return True
    before = (c for c in reading.connections if c.t < start and c.refused is None)
    return any(c.ended is None or c.ended.t > start for c in before)


def _not_served(reading: Reading, row: _Row) -> tuple[Exchange, Operation, Screen] | None:
    """An online operation, the next after one that was answered 97, at which the terminal did nothing at all: nothing
    sent, no screen, no word to the till. Third: the screen that stayed."""
    for exchange in row.met:
        during = reading.attended_by(exchange)
        operation = next(reading.operations_after(during.done), None) if during else None
        if operation is None or operation.completed is None or operation.outcome != "unknown":
            continue
        if operation.name not in ONLINE_OPERATIONS or reading.exchanges_of(operation):
            continue
        start, end = operation.t, operation.done + 1
        moved = (
            reading.connections_between(start, end) or reading.screens_between(start, end)
            or any(m.direction == "from_terminal" for m in reading.between(Cashier, start, end))
        )  # fmt: skip
        screen = reading.screen_at(start)
        if moved or screen is None or screen.unreadable or reading.wire_hurt_within(start, end):
            continue
        if not _for_itself(reading, operation):
            continue
        return exchange, operation, screen
    return None


def _menu_after(reading: Reading, row: _Row) -> Operation | None:
    """The first time somebody opens the management menu after the row, before anything else than 97 was answered."""
    after = row.met[-1].answered_at or row.met[-1].t
    before_the_end = itertools.takewhile(lambda o: o.t < row.ended, reading.operations_after(after))
    return next((o for o in before_the_end if o.name == "menu"), None)


def _operable(reading: Reading, row: _Row) -> Finding:
    rule, last, count = "STA-06", row.met[-1], len(row.met)
    alone = [e for e, _answered, _until in _left_alone(reading, row) if e is not last]
    idle = [_idle_after(reading, e) for e in (*alone, last)]
    unseen = sum(screen is None for screen in idle)
    menu = _menu_after(reading, row)
    evidence = (*row.frames, *idle, menu.invoked if menu else None, menu.completed if menu else None)
    if unseen:
        reason = f"{count} times 97 in a row; after {unseen} of them, where nobody went on at once, idle was not seen"
        return Finding.undecided(rule, reason, evidence, at=last.response)
    if menu is None or menu.outcome != "ok":
        reason = f"{count} times 97 in a row; the management menu was not tried, or could not be read, afterwards"
        return Finding.undecided(rule, reason, evidence, at=last.response)
    told = f"idle after the {len(alone)} with which it was left alone, and it served who went on at once"
    reason = f"{count} times 97 in a row; {told}; then idle, and the management menu opened"
    return Finding.passed(rule, reason, evidence, at=last.response)
