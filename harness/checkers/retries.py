"""STA-05: retries nobody asked for."""

from __future__ import annotations

import bisect
import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.checkers.finding import Finding, checker
from harness.checkers.identities import Identity, several
from harness.checkers.observing import seconds, seen_until
from harness.checkers.reading import END, SECOND, Exchange, Reading
from harness.checkers.tables import NUMBERED_BEFORE
from harness.checkers.updates import belongs_to_an_update
from harness.history.events import UnitReplaced

MINUTE, HOUR = 60.0, 3600.0  # of the terminal's own time
FORCED_WITHIN_S = 10.0  # real seconds
JITTER = 0.9  # a gap may be so much shorter than the one before and still count as not shorter
GIVES_SERVICE = frozenset({"terminal_registered", "terminal_restored", "merchant_registered", "merchant_restored"})
GAPS_TO_TELL = 3  # so many gaps tell whether they grow


@dataclass
class _Merchant:
    """What the terminal sent by itself as one merchant, at ``sent_at``, and when the count begins anew (ns, ascending).
    ``told``, ``covered``: up to where there is a finding that it was too much, and up to where the rest is judged."""

    unattended: Sequence[Exchange]
    sent_at: Sequence[int]
    anew: Sequence[int]
    told: int = 0
    covered: int = 0

    def between(self, start: int, end: int) -> Sequence[Exchange]:
        return self.unattended[bisect.bisect_left(self.sent_at, start) : bisect.bisect_left(self.sent_at, end)]

    def begins_anew(self, t: int) -> int:
        """When, after ``t``; END: never."""
        index = bisect.bisect_right(self.anew, t)
        return self.anew[index] if index < len(self.anew) else END


@checker("STA-05")
def retries_are_limited(reading: Reading) -> Iterator[Finding]:
    """Occasion: a time of at least one of the terminal's minutes from a 97 on in which nobody touched it, and nothing
    gave what it sends a reason of its own. Each merchant of a terminal that several share is refused for itself.

    Too many fails without such a time too: every 97 opens a minute and an hour of its own, whatever is done meanwhile.
    """
    rule, limits = "STA-05", reading.limits
    first = _first_uploads(reading)
    unattended = [e for e in reading.unattended if e not in first and not _forced(reading, e)]
    merchants: dict[Identity | None, _Merchant] = {}
    for exchange in reading.definite_97s:
        who = (exchange.mid, exchange.tid) if several(reading) else None
        if who not in merchants:
            sent = [e for e in unattended if who in (None, (e.mid, e.tid))]
            merchants[who] = _Merchant(sent, [e.t for e in sent], _begins_anew(reading, who))
        merchant, start = merchants[who], exchange.answered_at or exchange.t
        too_many = _too_many(reading, start, merchant) if start >= merchant.told else None
        if too_many:
            sent, period, limit = too_many
            merchant.told = sent[-1].t
            reason = f"{len(sent)} requests of its own in {period} after a 97, the limit is {limit}"
            yield Finding.failed(rule, reason, (*exchange.events, *(e.request for e in sent)), at=exchange.response)
        if start < merchant.covered:
            continue
        end = merchant.covered = min(_quiet_until(reading, start), merchant.begins_anew(start))
        alone = merchant.between(start, end)
        steady = _without_back_off(reading, alone)
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


def _begins_anew(reading: Reading, who: Identity | None) -> list[int]:
    """When (ns, ascending) somebody switched it off or on, put another unit there, its registration (that of ``who``,
    where several share it) came (back), or a sign-in was granted, which after a 97 that nobody meant (a forged one) is
    the first sign that it is in service: what it sends by itself then has a reason of its own. So has the restart of an
    update; a reset of its own is none."""
    switched = [p.t for p in reading.powers if p.reason != "watchdog" or belongs_to_an_update(reading, p)]
    units = [u.t for u in reading.all(UnitReplaced)]
    changes = [c for c in reading.host_changes if who is None or (c.mid == who[0] and c.tid in ("", who[1]))]
    registered = [c.t for c in changes if c.change in GIVES_SERVICE]
    sign_ins = [one for one in reading.approved_sign_ins if who in (None, (one.mid, one.tid))]
    granted = [one.response.t for one in sign_ins if one.response is not None]
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


def _too_many(reading: Reading, start: int, merchant: _Merchant) -> tuple[list[Exchange], str, int] | None:
    """The unattended requests beyond a limit after a 97 at ``start``, what is done meanwhile or not, up to where the
    count begins anew."""
    limits, end = reading.limits, merchant.begins_anew(start)
    for period, length, limit in (
        ("the first minute", MINUTE, limits.unattended_first_minute), ("an hour", HOUR, limits.unattended_per_hour),
    ):
        sent = merchant.between(start + 1, min(reading.after(start, length) + 1, end))
        if len(sent) > limit:
            return list(sent), period, limit
    return None


def _without_back_off(reading: Reading, alone: Sequence[Exchange]) -> list[Exchange] | None:
    """The retries of one request whose gaps shrink, or (of three gaps and more) do not grow at all. What follows one
    that was approved is no retry of it."""
    rows: dict[tuple[str, str | None], list[Exchange]] = defaultdict(list)
    done: list[list[Exchange]] = []
    for exchange in alone:
        which = exchange.trace if exchange.transaction in NUMBERED_BEFORE else exchange.sent.fields.get(61)
        rows[exchange.transaction, which].append(exchange)
        if exchange.approved(reading.profile):
            done.append(rows.pop((exchange.transaction, which)))
    for retries in (*done, *rows.values()):
        gaps = [b.t - a.t for a, b in itertools.pairwise(retries)]
        shrinking = any(b < a * JITTER for a, b in itertools.pairwise(gaps))
        if shrinking or (len(gaps) >= GAPS_TO_TELL and gaps[-1] * JITTER <= gaps[0]):
            return retries
    return None
