"""STA-05 retries nobody asked for, STA-06 operable over many 97s."""

from __future__ import annotations

import bisect
import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from harness.checkers import shown
from harness.checkers.finding import Finding, checker
from harness.checkers.observing import is_idle, quoted, seconds, seen_until, watched
from harness.checkers.reading import END, ONLINE_OPERATIONS, SECOND, Exchange, Operation, Reading
from harness.checkers.updates import belongs_to_an_update, own_resets
from harness.history.events import Cashier, Event, Screen, UnitReplaced, WireFrame

MINUTE, HOUR = 60.0, 3600.0  # of the terminal's own time
FORCED_WITHIN_S = 10.0  # real seconds
JITTER = 0.9  # a gap may be so much shorter than the one before and still count as not shorter
GIVES_SERVICE = frozenset({"terminal_registered", "terminal_restored", "merchant_registered", "merchant_restored"})
GAPS_TO_TELL = 3  # so many gaps tell whether they grow
IN_PROGRESS = ("正在", "请稍候", "请等待", "处理中", "连接中", "通讯中")  # what stands there while a terminal works


# -- STA-05 --------------------------------------------------------------------------------------------------------


@checker("STA-05")
def retries_are_limited(reading: Reading) -> Iterator[Finding]:
    """Occasion: a time of at least one of the terminal's minutes from a 97 on in which nobody touched it.

    Too many fails without such a time too: every 97 opens a minute and an hour of its own, whatever is done meanwhile.
    """
    rule, limits = "STA-05", reading.limits
    first = _first_uploads(reading)
    unattended = [e for e in reading.unattended if e not in first and not _forced(reading, e)]
    anew = _begins_anew(reading)
    sent_at = [e.t for e in unattended]
    covered = told = 0
    for exchange in reading.definite_97s:
        start = exchange.answered_at or exchange.t
        too_many = _too_many(reading, start, unattended, sent_at, anew) if start >= told else None
        if too_many:
            sent, period, limit = too_many
            told = sent[-1].t
            reason = f"{len(sent)} requests of its own in {period} after a 97, the limit is {limit}"
            yield Finding.failed(rule, reason, (*exchange.events, *(e.request for e in sent)), at=exchange.response)
        if start < covered:
            continue
        end = covered = _quiet_until(reading, start)
        alone = [e for e in reading.exchanges_between(start, end) if reading.attended_by(e) is None]
        steady = _without_back_off(alone)
        minutes = reading.terminal_seconds(start, end) / MINUTE
        if too_many:
            continue
        if steady:
            gaps = ", ".join(f"{seconds(a.t, b.t):.1f}" for a, b in itertools.pairwise(steady))
            reason = f"retries of {steady[0].transaction} without back-off: {gaps} s apart"
            yield Finding.failed(rule, reason, (*exchange.events, *(e.request for e in steady)), at=exchange.response)
        elif minutes >= 1:
            reason = (
                f"{len(alone)} requests of its own in {minutes:.1f} of the terminal's minutes after a 97 "
                f"(limits {limits.unattended_first_minute} in the first, {limits.unattended_per_hour} an hour)"
            )
            yield Finding.passed(rule, reason, exchange.events, at=exchange.response)


def _first_uploads(reading: Reading) -> list[Exchange]:
    """The first sending of each customer's signature: it follows somebody's sale, and is no retry. Repeats are."""
    first: dict[tuple[str, str, str, str | None], Exchange] = {}
    for exchange in reading.unattended:
        if exchange.transaction == "signature_upload":
            first.setdefault((exchange.mid, exchange.tid, exchange.batch, exchange.trace), exchange)
    return list(first.values())


def _forced(reading: Reading, exchange: Exchange) -> bool:
    """A sign-in by which it does at once what the answer to somebody's request asks for (77, 99...), where the profile
    lets it do so by itself (category B)."""
    profile = reading.profile
    if not exchange.is_sign_in(profile):
        return False
    earlier = reading.exchanges_between(exchange.t - int(SECOND * FORCED_WITHIN_S), exchange.t)
    last = earlier[-1] if earlier else None
    if last is None or last.outcome != "answered" or reading.attended_by(last) is None:
        return False
    return last.code in profile.force_sign_in and profile.categories.codes.get(last.code or "") == "B"


def _begins_anew(reading: Reading) -> list[int]:
    """When (ns, ascending) somebody switched it off or on, put another unit there, its registration came (back), or a
    sign-in was granted, which after a 97 that nobody meant (a forged one) is the first sign that it is in service: what
    it sends by itself then has a reason of its own. So has the restart of an update; a reset of its own is none."""
    switched = [p.t for p in reading.powers if p.reason != "watchdog" or belongs_to_an_update(reading, p)]
    units = [u.t for u in reading.all(UnitReplaced)]
    registered = [c.t for c in reading.host_changes if c.change in GIVES_SERVICE]
    granted = [one.response.t for one in reading.approved_sign_ins if one.response is not None]
    return sorted([*switched, *units, *registered, *granted])


def _quiet_until(reading: Reading, start: int) -> int:
    """Until somebody acts, power or link goes, or nothing more was seen."""
    operation = reading.operation_at(start)
    following = next((o for o in reading.operations_after(start) if o.invoked.via != "service"), None)
    begun = [following.t] if following else []
    lost = reading.power_lost_within(start, seen_until(reading))
    down = reading.wire_hurt_within(start, seen_until(reading))
    ends = [seen_until(reading), *begun, *([lost.t] if lost else []), *([max(start, down.start)] if down else [])]
    busy = operation.done if operation and operation.completed else start
    return max(busy, min(ends))


def _too_many(
    reading: Reading, start: int, unattended: Sequence[Exchange], sent_at: Sequence[int], anew: Sequence[int]
) -> tuple[list[Exchange], str, int] | None:
    """The unattended requests (sent at ``sent_at``) beyond a limit after a 97 at ``start``, what is done meanwhile or
    not, up to where the count begins anew."""
    limits = reading.limits
    index = bisect.bisect_right(anew, start)
    end = anew[index] if index < len(anew) else END
    first = bisect.bisect_right(sent_at, start)
    for period, length, limit in (
        ("the first minute", MINUTE, limits.unattended_first_minute), ("an hour", HOUR, limits.unattended_per_hour),
    ):
        last = min(bisect.bisect_right(sent_at, reading.after(start, length)), bisect.bisect_left(sent_at, end))
        if last - first > limit:
            return list(unattended[first:last]), period, limit
    return None


def _without_back_off(alone: Sequence[Exchange]) -> list[Exchange] | None:
    """The retries of one kind whose gaps shrink, or (of three gaps and more) do not grow at all."""
    kinds: dict[str, list[Exchange]] = defaultdict(list)
    for exchange in alone:
        kinds[exchange.transaction].append(exchange)
    for retries in kinds.values():
        gaps = [b.t - a.t for a, b in itertools.pairwise(retries)]
        shrinking = any(b < a * JITTER for a, b in itertools.pairwise(gaps))
        if shrinking or (len(gaps) >= GAPS_TO_TELL and gaps[-1] * JITTER <= gaps[0]):
            return retries
    return None


# -- STA-06 --------------------------------------------------------------------------------------------------------


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


def _idle_deadline(reading: Reading, answered: int) -> int:
    """Shown (real seconds), then idle again (of the terminal's own time)."""
    return reading.after(answered + int(reading.limits.show_s * SECOND), reading.limits.idle_s)


def _idle_after(reading: Reading, exchange: Exchange, answered: int) -> Screen | None:
    """The idle screen that followed the result at once (nothing else between), in time."""
    if reading.attended_by(exchange) is None:
        return reading.screen_at(answered)  # nobody stood there: it need not have left idle
    later = reading.screens_between(answered, _idle_deadline(reading, answered) + 1)
    shows = [shown.shows_code(s.lines, exchange.code or "", reading.profile.texts.code_labels) for s in later]
    result = shows.index(True) if True in shows else 0
    after = next((s for s, still in list(zip(later, shows, strict=True))[result:] if not still), None)
    if True not in shows:
        after = next((s for s in later if is_idle(reading, s)), None)
    return after if after and is_idle(reading, after) else None


def _left_alone(reading: Reading, row: _Row) -> Iterator[tuple[Exchange, int, int]]:
    """The 97s of operations after which nobody touched the terminal until it had to be idle: when answered, until
    when."""
    for exchange in row.met:
        answered, operation = exchange.answered_at or exchange.t, reading.attended_by(exchange)
        deadline = _idle_deadline(reading, answered)
        if operation is not None and operation.until >= deadline:
            yield exchange, answered, deadline


def _stuck(reading: Reading, row: _Row) -> Finding | None:
    rule = "STA-06"
    first, last = row.met[0], row.met[-1]
    what = f"after {len(row.met)} times 97 in a row" if len(row.met) > 1 else "after a 97"
    reset = next(iter(own_resets(reading, first.t, row.ended)), None)
    if reset:
        return Finding.failed(rule, f"{what} the terminal reset itself", (*last.events, reset), at=reset)
    for exchange, answered, deadline in _left_alone(reading, row):
        if not reading.offers("screen") or _idle_after(reading, exchange, answered):
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
    if menu and menu.completed and menu.outcome != "ok" and not reading.power_lost_within(menu.t, menu.done + 1):
        spoiled = any(s.unreadable for s in reading.screens_between(menu.t, menu.done + 1))
        if not spoiled:
            reason = f"{what} the management menu could not be opened"
            return Finding.failed(rule, reason, (*last.events, menu.invoked, menu.completed), at=menu.invoked)
    return None


def _busy_with_nothing(reading: Reading, row: _Row) -> tuple[Exchange, Screen, int] | None:
    """A screen after one of the 97s that says the terminal is at work for longer than it may be away from idle, while
    nothing went over the wire, and nothing was waited for. Third: until when it was seen to stay."""
    first = row.met[0].answered_at or row.met[0].t
    for screen in reading.screens_between(first, row.ended):
        if screen.unreadable or not shown.contains_any(screen.lines, IN_PROGRESS):
            continue
        following = reading.after_moment(Screen, screen.t)
        until = min(following.t if following else seen_until(reading), seen_until(reading))
        if reading.terminal_seconds(screen.t, until) <= reading.limits.idle_s or not reading.offers("wire"):
            continue
        if _on_the_wire(reading, screen.t, until) or not reading.timing_reliable(screen.t, until):
            continue
        if reading.power_lost_within(screen.t, until) or reading.wire_hurt_within(screen.t, until):
            continue
        exchange = max((e for e in row.met if (e.answered_at or e.t) <= screen.t), key=lambda e: e.t)
        return exchange, screen, until
    return None


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
        cut = reading.power_lost_within(start, end) or reading.is_off(start) or reading.wire_hurt_within(start, end)
        screen = reading.screen_at(start)
        if moved or cut or screen is None or screen.unreadable or not reading.timing_reliable(start, end):
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
    alone = [(e, answered) for e, answered, _ in _left_alone(reading, row) if e is not last]
    idle = [_idle_after(reading, e, answered) for e, answered in [*alone, (last, last.answered_at or last.t)]]
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
