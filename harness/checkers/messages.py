"""MSG-01, MSG-03, MSG-04, MSG-06, MSG-07: what must be shown of a response. (What must not be: ``unfounded.py``.)"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.checkers import shown
from harness.checkers.finding import Finding, checker
from harness.checkers.observing import (
    interrupted,
    is_blank,
    is_idle,
    next_actions,
    operation_of,
    own_exchanges,
    power_lost_soon,
    quoted,
    seconds,
    seen_until,
    taken_up,
    until_text,
    watched,
    went_on,
)
from harness.checkers.reading import SECOND, Exchange, Operation, Reading
from harness.checkers.updates import own_resets
from harness.history.events import Screen
from harness.protocol.profile import Profile

F63_FIELDED = 123  # organisation 3, issuer 20, network 20, acquirer 20, terminal 60


def shows(profile: Profile, lines: Sequence[str], code: str) -> bool:
    """``code``, where a code is shown, together with a text accepted for it."""
    return shown.shows_code(lines, code, profile.texts.code_labels) and (
        shown.contains_any(lines, shown.texts_of(profile, code)) is not None
    )


@checker("MSG-01")
def shown_in_time(reading: Reading) -> Iterator[Finding]:
    """Occasion: a definite 97 while somebody operates the terminal. Excused: power lost before the time was over."""
    for exchange in reading.definite_97s:
        operation = operation_of(reading, exchange)
        if operation and exchange.answered_at is not None:
            found = code_and_text_in_time(reading, exchange, operation, exchange.answered_at)
            yield from (f for f in found if f.verdict == "PASS" or not went_on(reading, exchange, operation))


def code_and_text_in_time(
    reading: Reading, exchange: Exchange, operation: Operation, answered: int
) -> Iterator[Finding]:
    """Whether the definite 97 was shown in the operation that it belongs to."""
    rule, limit, code = "MSG-01", reading.limits.show_s, exchange.code or ""
    deadline = answered + int(limit * SECOND)
    window = reading.screens_between(answered, deadline + 1)
    what = f"{code} to {exchange.name}"
    again = _told_again(reading, exchange, operation, deadline)
    alone = _unattended_97(reading, exchange, answered, again)
    over = alone if _read(operation) and operation.done < alone else again
    own = [s for s in window if s.t < over]
    right = next((s for s in own if shows(reading.profile, s.lines, code)), None)
    if right and right.t < alone:
        unverified = " (its MAC can't be verified here)" if exchange.response_mac == "unverifiable" else ""
        reason = f"{what} was shown after {seconds(answered, right.t):.1f} s{unverified}"
        yield Finding.passed(rule, reason, (*exchange.events, operation.invoked, right), at=exchange.response)
        return
    if reading.power_lost_within(answered, min(deadline, operation.done) if _read(operation) else deadline):
        return
    evidence = (*exchange.events, operation.invoked, *window)

    def undecided(why: str) -> Finding:
        return Finding.undecided(rule, f"{what}: {why}", evidence, at=exchange.response)

    spoiled = next((s for s in window if s.unreadable), None)
    if right:
        yield undecided("another one came unattended before the screen said so")
    elif not reading.offers("screen") or not reading.screens:
        yield undecided("nobody saw the screen")
    elif spoiled:
        yield undecided(f"{spoiled.unreadable} cells of the screen could not be read")
    elif not watched(reading, deadline):
        yield undecided("the log ends before the time was over")
    elif operation.until < deadline and not _read(operation):
        yield undecided(f"the next operation began after {seconds(answered, operation.until):.1f} s")
    elif not reading.timing_reliable(answered, deadline):
        yield undecided(f"the bench itself lagged {reading.lag_ms(answered, deadline):.0f} ms")
    elif operation.until < deadline:
        last = own[-1] if own else reading.screen_at(operation.done)
        problem = f"was not shown with code and text before the next operation; the screen said {_said(last)}"
        yield Finding.failed(rule, f"{what} {problem}", (*evidence, last), at=exchange.response)
    else:
        later = reading.screens_between(deadline, until_text(reading, operation))
        late = next((s for s in later if shows(reading.profile, s.lines, code)), None)
        last = own[-1] if own else reading.screen_at(min(over, deadline))
        if late:
            problem = f"was shown only after {seconds(answered, late.t):.1f} s, the limit is {limit:g} s"
        else:
            problem = f"was not shown with code and text within {limit:g} s; the screen said {_said(last)}"
        yield Finding.failed(rule, f"{what} {problem}", (*evidence, late or last), at=exchange.response)


def _told_again(reading: Reading, exchange: Exchange, operation: Operation, deadline: int) -> int:
    """When (ns) another operation got its own 97, at most ``deadline``: what is shown then may be of that."""
    for later in reading.exchanges_between(exchange.t + 1, deadline):
        another = operation_of(reading, later) if later.definite_97 else None
        if another is not None and another.op != operation.op and later.answered_at is not None:
            return min(later.answered_at, deadline + 1)
    return deadline + 1


def _unattended_97(reading: Reading, exchange: Exchange, answered: int, end: int) -> int:
    """When (ns) the terminal got a definite 97 by itself after that one, at most ``end``."""
    came = (e for e in reading.exchanges_between(exchange.t + 1, end) if e.definite_97)
    alone = (e.answered_at for e in came if operation_of(reading, e) is None)
    return min((t for t in alone if t is not None and t > answered), default=end)


def _read(operation: Operation) -> bool:
    """Its result stood on the screen, and whoever works there took it for one."""
    return operation.outcome != "unknown" and operation.invoked.via != "cashier"


def _said(screen: Screen | None) -> str:
    return quoted(screen) if screen else "nothing"


@checker("MSG-03")
def other_codes(reading: Reading) -> Iterator[Finding]:
    """Occasion: an operation's own request is declined at last with a code other than 97."""
    profile = reading.profile
    for operation in reading.operations:
        if operation.within is not None or operation.invoked.via == "service":
            continue
        exchange = next(iter(reversed(own_exchanges(reading, operation))), None)
        if exchange is None or not exchange.declined(profile) or exchange.code in profile.not_registered:
            continue
        if exchange.answered_at is None:
            continue
        finding = _other_code(reading, operation, exchange, exchange.answered_at, exchange.code or "")
        if finding.verdict == "PASS" or not power_lost_soon(reading, exchange.answered_at):
            yield finding


def _other_code(reading: Reading, operation: Operation, exchange: Exchange, answered: int, code: str) -> Finding:
    rule, profile = "MSG-03", reading.profile
    accepted = shown.texts_of(profile, code)
    window = reading.screens_between(answered, until_text(reading, operation))
    what = f"{code} to {exchange.name}"
    evidence = (*exchange.events, operation.invoked)
    meanwhile = {e.code for e in reading.exchanges_between(answered, until_text(reading, operation))}
    for screen in window:
        wrong = _foreign(profile, screen.lines, {code, *meanwhile}, accepted)
        if wrong:
            return Finding.failed(rule, f"{what}: the screen said {wrong}", (*evidence, screen), at=exchange.response)
    right = next((s for s in window if shown.contains_any(s.lines, accepted)), None)
    if right:
        text = shown.contains_any(right.lines, accepted)
        return Finding.passed(rule, f"{what} was shown as {text}", (*evidence, right), at=exchange.response)
    evidence = (*evidence, *window)
    if not window or any(s.unreadable for s in window):
        why = "the screen could not be read" if window else "nobody saw the screen"
        return Finding.undecided(rule, f"{what}: {why}", evidence, at=exchange.response)
    deadline = answered + int(reading.limits.show_s * SECOND)
    if not watched(reading, deadline):
        return Finding.undecided(rule, f"{what}: the log ends before it can have been shown", evidence)
    if operation.until < deadline and not _read(operation):
        after = seconds(answered, operation.until)
        return Finding.undecided(rule, f"{what}: the next operation began after {after:.1f} s", evidence)
    if not reading.timing_reliable(answered, deadline):
        lag = reading.lag_ms(answered, deadline)
        return Finding.undecided(rule, f"{what}: the bench itself lagged {lag:.0f} ms", evidence)
    result = next((s for s in window if not is_idle(reading, s)), window[0])
    wanted = " or ".join(accepted)
    return Finding.failed(rule, f"{what}: the screen said {quoted(result)}, expected {wanted}", evidence)


def _foreign(profile: Profile, lines: Sequence[str], came: set[str | None], accepted: Sequence[str]) -> str | None:
    """What on the screen belongs to a code that did not come: that code, or a text that is not among the accepted."""
    other = next((c for c in shown.codes_shown(lines, profile.texts.code_labels) if c not in came), None)
    if other:
        return f"code {other}"
    rest = shown.plain(lines)
    own = sorted((shown.plain(t) for t in accepted), key=len, reverse=True)
    for text in own:  # what is accepted may contain another code's text
        rest = rest.replace(text, "\n")
    general = {shown.plain(t) for t in (*profile.texts.unknown, *profile.texts.declined)}
    for theirs, texts in profile.texts.codes.items():
        for text in texts:
            plain = shown.plain(text)
            if theirs not in came and plain not in general and plain not in own and plain in rest:
                return f"{text}, which is the text of {theirs}"
    return None


@checker("MSG-04")
def at_the_till(reading: Reading) -> Iterator[Finding]:
    """Occasion: a definite 97 in an operation that the till began."""
    rule = "MSG-04"
    for exchange in reading.definite_97s:
        operation = operation_of(reading, exchange)
        if operation is None or operation.invoked.via != "cashier" or exchange.answered_at is None:
            continue
        told = reading.cashier_between(exchange.answered_at, until_text(reading, operation))
        answer = next((m for m in told if "DF07" in m.fields), None)
        deadline = exchange.answered_at + int(reading.limits.show_s * SECOND)
        evidence = (*exchange.events, operation.invoked, answer)
        what = f"{exchange.code} to {exchange.name}"
        if answer and answer.fields["DF07"] == exchange.code:
            yield Finding.passed(rule, f"{what} was told to the till", evidence, at=exchange.response)
        elif answer:
            told_code = answer.fields["DF07"]
            yield Finding.failed(rule, f"{what}: the till was told {told_code}", evidence, at=exchange.response)
        elif reading.power_lost_within(exchange.answered_at, operation.done):
            continue
        elif not watched(reading, deadline):
            yield Finding.undecided(rule, f"{what}: the log ends before the till was told", evidence)
        elif not reading.timing_reliable(exchange.answered_at, deadline):
            lag = reading.lag_ms(exchange.answered_at, deadline)
            yield Finding.undecided(rule, f"{what}: the bench itself lagged {lag:.0f} ms", evidence)
        else:
            yield Finding.failed(rule, f"{what}: the till was told nothing", evidence, at=exchange.response)


@checker("MSG-06")
def host_text(reading: Reading) -> Iterator[Finding]:
    """Occasion: a response with an over-long or GBK F63 reached the terminal, and power stayed on."""
    for exchange in reading.exchanges:
        answered = exchange.answered_at
        if exchange.answer is None or answered is None or exchange.lost or exchange.late:
            continue
        f63 = exchange.answer.fields.get(63, "")
        if len(f63) <= F63_FIELDED and all(ord(c) < 0x80 for c in f63):
            continue
        finding = _still_alive(reading, exchange, answered, f"F63 of {len(f63)} bytes with {exchange.code}")
        if finding:
            yield finding


def _still_alive(reading: Reading, exchange: Exchange, answered: int, what: str) -> Finding | None:
    rule = "MSG-06"
    following = next((o for o in reading.operations_after(answered) if o.invoked.via != "service"), None)
    until = following.done if following else seen_until(reading)
    reset = next(iter(own_resets(reading, answered, until + 1)), None)
    if reset:
        return Finding.failed(rule, f"{what}: the terminal reset itself afterwards", (*exchange.events, reset))
    if reading.power_lost_within(answered, until + 1):
        return None  # what a new start shows says nothing about it
    if following is None:
        return Finding.undecided(rule, f"{what}: nothing was done to the terminal afterwards", exchange.events)
    evidence = (*exchange.events, following.invoked, following.completed)
    if following.outcome != "unknown":
        return Finding.passed(rule, f"{what}: the next operation ({following.name}) worked", evidence)
    spoiled = any(s.unreadable for s in reading.screens_between(following.t, until + 1))
    if following.completed is None or spoiled or not watched(reading, until):
        return Finding.undecided(rule, f"{what}: the next operation ({following.name}) told nothing", evidence)
    if interrupted(reading, following):
        return Finding.undecided(rule, f"{what}: the next operation ({following.name}) was interrupted", evidence)
    if not reading.timing_reliable(following.t, until):
        lag = reading.lag_ms(following.t, until)
        return Finding.undecided(rule, f"{what}: the bench itself lagged {lag:.0f} ms", evidence)
    return Finding.failed(rule, f"{what}: the next operation ({following.name}) got no readable answer", evidence)


@checker("MSG-07")
def unattended_is_visible(reading: Reading) -> Iterator[Finding]:
    """Occasion: an operator's action with a definite 97 received unattended before it, power on all the time between.

    Visible is what the screen shows at the action, from its invocation until it ends or gets a 97 of its own. An
    unattended 97 that comes in the middle of something may be shown there already. No occasion where an operation (at
    the till, say) got a 97 later, and showed it, before the operator came: that was the news by then.
    """
    by_action: dict[int, Exchange] = {}
    for exchange in reading.unattended:
        if exchange.definite_97 and exchange.answered_at is not None:
            actions = next_actions(reading, exchange.answered_at)
            if actions:
                by_action[actions[0].op] = exchange  # the latest before the action
    for exchange in by_action.values():
        finding = _visible_in_time(reading, exchange, exchange.answered_at or exchange.t)
        if finding:
            yield finding


def _visible_in_time(reading: Reading, exchange: Exchange, answered: int) -> Finding | None:
    present, actions = reading.operation_at(answered), next_actions(reading, answered)
    here = [present] if present is not None and present.at_the_terminal else []
    if _superseded(reading, answered, actions[0].t):
        return None
    judged = [_visible(reading, exchange, action, answered) for action in (*here, *actions)]
    passed = next((f for f in judged if f is not None and f.verdict == "PASS"), None)
    if passed:
        return passed
    return judged[-1] if taken_up(actions[-1], answered) else None


def _superseded(reading: Reading, answered: int, action: int) -> bool:
    """An operation was answered 97 in between, and the screen said so."""
    for exchange in reading.exchanges_between(answered, action):
        operation = operation_of(reading, exchange) if exchange.definite_97 else None
        if operation is None or exchange.answered_at is None:
            continue
        window = reading.screens_between(exchange.answered_at, min(until_text(reading, operation), action))
        if any(shows(reading.profile, s.lines, exchange.code or "") for s in window):
            return True
    return False


def _visible(reading: Reading, exchange: Exchange, action: Operation, answered: int) -> Finding | None:
    rule, code = "MSG-07", exchange.code or ""
    own = [e.answered_at for e in reading.exchanges_of(action) if e.definite_97 and e.answered_at]
    end = min([until_text(reading, action), *(t for t in own if t > answered)])
    window = [s for s in reading.screens_during(max(action.t, answered), end) if s.t >= answered]
    what = f"{code} to {exchange.name} came unattended"
    evidence = (*exchange.events, action.invoked)
    right = next((s for s in window if shows(reading.profile, s.lines, code)), None)
    if right:
        reason = f"{what} and was visible at the next {action.name}"
        return Finding.passed(rule, reason, (*evidence, right), at=exchange.response)
    if reading.power_lost_within(answered, end):
        return None
    readable = [s for s in window if not s.unreadable and not is_blank(s)]
    if len(readable) < len(window) or not window:
        why = "part of the screen could not be read" if window else "nobody saw the screen"
        return Finding.undecided(rule, f"{what}: {why}", (*evidence, *window), at=exchange.response)
    since, until = max(action.t, answered), min(end, action.done)
    if not reading.timing_reliable(since, until):
        why = f"the bench itself lagged {reading.lag_ms(since, until):.0f} ms"
        return Finding.undecided(rule, f"{what}: {why}", (*evidence, *window), at=exchange.response)
    reason = f"{what}; at the next {action.name} the screen said {quoted(window[0])}"
    return Finding.failed(rule, reason, (*evidence, *window), at=exchange.response)
