"""ENV-02: what a disturbance may do to the terminal by the criterion that is declared for it, and what none may.

A: it works on. B: it is back by itself in time. C: it is back, if need be with an operator's help. Whatever hit it:
nothing that it must keep is lost, and nothing says 97 without a definite 97. A disturbance for which nothing is
declared is judged by that alone; so is one while the terminal stood outside its range, or with a broken part.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator

from harness.checkers.as_decided import Came, came_to, reported_fault
from harness.checkers.disturbances import HUNG_S, broken_between, criterion_of, hits_between
from harness.checkers.env_episodes import SWITCHED_NS, Disturbance, episodes, visits_after
from harness.checkers.env_range import SWITCHING
from harness.checkers.fate import Fate
from harness.checkers.finding import Finding, checker
from harness.checkers.harmed import harmed, in_its_way
from harness.checkers.observing import is_blank, is_idle, quoted, watched
from harness.checkers.outliving import fates
from harness.checkers.reading import END, ONLINE_OPERATIONS, SECOND, Operation, Reading
from harness.checkers.surroundings import Outside, framed, outside_of_range
from harness.checkers.telling import says_97
from harness.checkers.told import unfounded_between
from harness.checkers.updates import LOAD, belongs_to_an_update
from harness.history.events import Event, Power, Screen
from harness.history.instrument_events import InstrumentSet

RULE = "ENV-02"
_MAKE = {True: Finding.passed, False: Finding.failed, None: Finding.undecided}
ABOUT_S = 3  # real seconds around a moment in which readings must frame the supply
UNSEEN = "its instrument was told to, and its readings do not show that it did"
MONEY = frozenset({"batch", "reversal", "stored"})
WIPED = frozenset({"identity", "keys"})  # what a terminal erases that was opened


# -- whatever hit it ---------------------------------------------------------------------------------------------------


@checker(RULE)
def nothing_is_lost(reading: Reading) -> Iterator[Finding]:
    """Each thing that there was to keep."""
    for episode in episodes(reading):
        for fate in _fates(reading, episode):
            reason = f"after {episode.name}: {fate.reason}"
            evidence = [*episode.events, *fate.events]
            if fate.ok and not episode.seen:
                yield Finding.undecided(RULE, f"{reason}; {UNSEEN}", evidence, at=episode.first)
            else:
                yield _MAKE[fate.ok](RULE, reason, evidence, at=episode.first)


def _fates(reading: Reading, episode: Disturbance) -> Iterator[Fate]:
    """What of it went out, or was settled, while it was disturbed, was not lost. Who it is, it must still know then."""
    opened = any(one.part == "tamper" for one in broken_between(reading, episode.t, episode.settled))
    at_once = dataclasses.replace(episode, settled=episode.t)
    yield from (fate for fate in fates(reading, at_once) if fate.what in MONEY)
    for fate in fates(reading, episode):
        if fate.what not in MONEY and not (opened and fate.what in WIPED):
            yield fate


@checker(RULE)
def no_97_for_it(reading: Reading) -> Iterator[Finding]:
    """Nothing says 97 for it, until the first operation after it is over."""
    for episode in episodes(reading):
        following = next(reading.operations_after(episode.end), None)
        end = min(following.until if following else reading.end + 1, episode.until)
        for event in unfounded_between(reading, episode.t, end):
            reason = f"{episode.name} hit the terminal, and it said {says_97(reading, event)} with no definite 97"
            yield Finding.failed(RULE, reason, [*episode.events, event], at=event)
            break


# -- by the criterion --------------------------------------------------------------------------------------------------


@checker(RULE)
def meets_its_criterion(reading: Reading) -> Iterator[Finding]:
    """A generator that did not count has not struck: nothing is judged. A reading may miss a dip: a terminal that
    fails in it fails all the same, and only its PASS needs what shows it."""
    for episode in episodes(reading):
        if reading.model.surroundings is None and episode.criterion is None:
            reason = f"{episode.name}: the model declares no criterion for it"
            yield Finding.undecided(RULE, reason, episode.events, at=episode.first)
            continue
        if any(hit.level is None for hit in episode.hits):
            reason = f"{episode.name}: how strong it was is not told"
            yield Finding.undecided(RULE, reason, episode.events, at=episode.first)
            continue
        unseen = Finding.undecided(RULE, f"{episode.name}: {UNSEEN}", episode.events, at=episode.first)
        if not episode.seen and not episode.of_supply:
            yield unseen
            continue
        aside = _outside(reading, episode, episode.t, episode.end) or broken_between(reading, episode.t, episode.end)
        if episode.criterion is None or aside or reading.is_off(episode.t):
            continue
        judge = {"A": _works_on, "B": _back_by_itself, "C": _back_with_help}[episode.criterion]
        finding = judge(reading, episode)
        yield unseen if finding.verdict == "PASS" and not episode.seen else finding


def _outside(reading: Reading, episode: Disturbance, start: int, end: int) -> Outside | None:
    """It stood outside its range in the interval; that the supply was low in a dip is the disturbance itself."""
    own = [(hit.start, hit.end) for hit in episode.hits] if episode.of_supply else []
    return outside_of_range(reading, start, end, dips=own)


def _finding(episode: Disturbance, came: bool | None, reason: str, *events: Event | None) -> Finding:
    what = f"{episode.name}, criterion {episode.criterion}"
    return _MAKE[came](RULE, f"{what}: {reason}", [*episode.events, *events], at=episode.first)


def _works_on(reading: Reading, episode: Disturbance) -> Finding:
    """No reset, and what it was doing, or does next, ends as ever. What comes after a loss of power of any kind, or
    after a disturbance that may have reset it, shows nothing."""
    until = min(episode.end + HUNG_S * SECOND, episode.until)
    lost = next((p for p in reading.between(Power, episode.t, until) if _went_off(reading, p)), None)
    if lost is not None and not _of_the_bench(lost) and not _otherwise_lost(reading, episode, lost):
        return _finding(episode, False, "the terminal went off, or reset itself", lost)
    gone = reading.power_lost_within(episode.t, episode.unit)
    stop = min(_left_alone(reading, episode), gone.t if gone else episode.unit)
    helped = _helped(reading, episode)
    for operation, came in itertools.takewhile(lambda one: one[0].t < helped, _operations(reading, episode, stop)):
        bad = _not_as_ever(reading, episode, operation, came)
        if bad is not None and in_its_way(reading, operation, episode.hits):
            if operation.t <= episode.end:
                return _finding(episode, None, f"{operation.name}: something else may have spoiled it", *bad[1])
        elif bad is not None and operation.done < episode.until:
            return _finding(episode, False, f"{operation.name} {bad[0]}", *bad[1])
        elif bad is None and came.right:
            seen = reading.offers("power")
            how = came.how if seen else f"{came.how}; whether it reset itself is not seen here"
            return _finding(episode, True if seen else None, f"{operation.name} {how}", *came.events)
    return _finding(episode, None, "nothing done to the terminal shows whether it works on")


def _helped(reading: Reading, episode: Disturbance) -> int:
    """When the next disturbance begins that it need not work on under (END: none)."""
    later = (hit for hit in hits_between(reading, episode.t, reading.end) if hit.start >= episode.t)
    others = (hit for hit in later if hit not in episode.hits and criterion_of(reading, hit) != "A")
    return next((hit.start for hit in others), END)


def _not_as_ever(
    reading: Reading, episode: Disturbance, operation: Operation, came: Came
) -> tuple[str, tuple[Event, ...]] | None:
    """How an operation ended otherwise than the host decided; or, struck, in a fault that the screen reported."""
    if came.right is False:
        return came.how, came.events
    fault = reported_fault(reading, operation, nothing_sent=not came.decided)
    if fault is None or operation.t > episode.end:
        return None
    return f"was struck, and the screen reported {fault.name}", (*came.events, fault.screen)


def _went_off(reading: Reading, power: Power) -> bool:
    return (power.state == "off" or power.reason == "watchdog") and not belongs_to_an_update(reading, power)


def _otherwise_lost(reading: Reading, episode: Disturbance, lost: Power) -> bool:
    """Something else that explains it came after the disturbance, or shortly before: a lower supply, another climate, a
    broken part, a disturbance under which it need not work on."""
    since = min(episode.end + SWITCHED_NS, lost.t)
    if broken_between(reading, since, lost.t) or _outside(reading, episode, since, lost.t):
        return True
    if harmed(reading, lost.t, lost.t, episode.hits):
        return True
    if lost.reason == "watchdog" or lost.t <= episode.end + SWITCHED_NS:
        return False
    if any(told.method in SWITCHING for told in reading.between(InstrumentSet, since, lost.t)):
        return True
    declared = reading.model.surroundings
    supply = framed(reading, "voltage_v", since, lost.t)
    return declared is None or supply is None or not supply.within(declared.voltage_v)


def _of_the_bench(power: Power) -> bool:
    return power.reason in ("operator", "cut")


def _lost_by_itself(reading: Reading, episode: Disturbance, start: int, end: int) -> list[Power]:
    """The losses of power in ``(start, end)`` that nobody caused, before anybody gave it other software."""
    end = min(end, *(t for t in reading.invoked_by_name.get(LOAD, ()) if t > start), END)
    lost = (power for power in reading.between(Power, start + 1, end) if _went_off(reading, power))
    return [one for one in lost if not _of_the_bench(one) and not _otherwise_lost(reading, episode, one)]


def _back_by_itself(reading: Reading, episode: Disturbance) -> Finding:
    came_by = visits_after(reading, episode)
    stop = _left_alone(reading, episode)
    deadline = episode.end + episode.back_ns
    broken = _still_away(reading, episode, deadline, stop)
    if broken is not None:
        reason, events = broken
        return _finding(episode, False, f"{episode.limit} later {reason}", *events)
    looked = min(deadline, stop - 1)
    away = reading.is_off(looked) if looked < episode.until else None  # what comes then may be of another one
    again = _lost_by_itself(reading, episode, episode.end, min(stop, episode.until, deadline + HUNG_S * SECOND))
    back = _service(reading, episode, max([episode.end, *(one.t for one in again)]), stop, deadline)
    if back is not None and away is None:
        how, events = back
        return _finding(episode, True, how, *events)
    if came_by and came_by[0].t < deadline:
        return _finding(episode, None, "somebody came before its time was over", came_by[0])
    return _finding(episode, None, "nothing shows that it is in service again")


def _left_alone(reading: Reading, episode: Disturbance) -> int:
    """Until somebody came, or another unit."""
    came_by = visits_after(reading, episode)
    return min(came_by[0].t if came_by else reading.end + 1, episode.unit)


def _back_with_help(reading: Reading, episode: Disturbance) -> Finding:
    """Whoever comes may switch it off and on; what he finds then, counts."""
    came_by = visits_after(reading, episode)
    since = came_by[-1].t if came_by else episode.end
    stop = min(reading.end + 1, episode.unit)
    back = _service(reading, episode, episode.end, stop, stop)
    if back is not None:
        how, events = back
        return _finding(episode, True, how, *events)
    broken = _still_away(reading, episode, since + episode.back_ns, stop) if came_by else None
    if broken is not None:
        reason, events = broken
        return _finding(episode, False, f"somebody came, and {episode.limit} later {reason}", came_by[-1], *events)
    return _finding(episode, None, "nothing shows that it is in service again")


def _operations(reading: Reading, episode: Disturbance, stop: int) -> Iterator[tuple[Operation, Came]]:
    """The online operations that the disturbance fell into, and those after it, and what they came to."""
    under_way = reading.operation_at(episode.t)
    later = itertools.takewhile(lambda o: o.t < stop, reading.operations_after(episode.t))
    for operation in (*([under_way] if under_way else []), *later):
        if operation.name in ONLINE_OPERATIONS and operation.invoked.via != "service" and operation.done < stop:
            yield operation, came_to(reading, operation)


def _service(
    reading: Reading, episode: Disturbance, since: int, stop: int, deadline: int
) -> tuple[str, tuple[Event, ...]] | None:
    """What shows that it is in service: an operation that ended as ever, or the idle screen after a restart.
    ``since``: it went off for the last time, or the disturbance was over."""
    for operation, came in _operations(reading, episode, stop):
        if came.right and operation.t <= deadline and operation.done > since:
            return f"{operation.name} {came.how}", came.events
    last = reading.before(Power, min(stop, deadline))
    began = since if since > episode.end else episode.t
    if last is None or last.t < began or last.state == "off":
        return None
    idle = next((s for s in reading.screens_between(last.t, min(stop, deadline)) if is_idle(reading, s)), None)
    return ("it started again, and is idle", (last, idle)) if idle else None


def _still_away(
    reading: Reading, episode: Disturbance, deadline: int, stop: int
) -> tuple[str, tuple[Event, ...]] | None:
    """What shows that it was not in service at the deadline, though nothing but the terminal was in the way."""
    stop = min(stop, episode.until)  # what comes after another disturbance may be of that
    for operation, came in _operations(reading, episode, stop):
        if operation.t >= deadline and came.right:
            break
        if operation.t >= deadline and came.right is False and not in_its_way(reading, operation, episode.hits):
            return f"{operation.name} {came.how}", came.events
    if stop <= deadline or not watched(reading, deadline):
        return None
    if broken_between(reading, episode.end, deadline) or _outside(reading, episode, episode.end, deadline):
        return None
    off = reading.is_off(deadline)
    if off is not None:
        return _stays_off(reading, episode, deadline, off.began)
    following = next(reading.operations_after(deadline), None)
    over = min(stop, deadline + HUNG_S * SECOND, following.t if following else stop)
    again = next(iter(_lost_by_itself(reading, episode, deadline, over)), None)
    if again is not None:
        return "the terminal went off, or reset itself", (again,)
    if reading.operation_at(deadline) or not reading.timing_reliable(episode.end, deadline):
        return None
    screen = reading.screen_at(deadline)
    if screen is None or screen.unreadable or is_idle(reading, screen) or not _stands_long(reading, screen, deadline):
        return None
    if screen.t < episode.t and reading.operation_at(episode.t) is None:  # it stood there before, and nothing went on
        return None
    if says_97(reading, screen) and not unfounded_between(reading, screen.t, screen.t + 1):  # as MSG-07 wants it
        return None
    said = "the screen was blank" if is_blank(screen) else f"the screen said {quoted(screen)}"
    return said, (screen,)


def _stands_long(reading: Reading, screen: Screen, deadline: int) -> bool:
    """Longer than a result stands there."""
    return reading.terminal_seconds(screen.t, deadline) > reading.limits.idle_s


def _stays_off(
    reading: Reading, episode: Disturbance, deadline: int, began: Event | None
) -> tuple[str, tuple[Event, ...]] | None:
    """It is off, since the disturbance and with a supply as declared."""
    declared = reading.model.surroundings
    supply = framed(reading, "voltage_v", deadline - ABOUT_S * SECOND, deadline)
    if declared is None or supply is None or not supply.within(declared.voltage_v) or not isinstance(began, Power):
        return None
    if _of_the_bench(began) or _otherwise_lost(reading, episode, began):
        return None
    return f"it was off, at {supply}", (began, *supply.events)
