"""Recoveries: a terminal that met 97, was registered, and signed in. Shared by the REC rules."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from harness.checkers.batches import later
from harness.checkers.reading import END, Exchange, Operation, Reading
from harness.history.events import Event, HostChanged, Key, Power

TAKES_AWAY = frozenset({"terminal_removed", "terminal_pending", "terminal_rejected"})
ENDS_SERVICE = TAKES_AWAY | {"terminal_suspended", "terminal_registered", "merchant_removed", "merchant_suspended"}


@dataclass(frozen=True)
class Recovery:
    """One registration of a terminal which had met 97 before.

    ``met``: the definite 97s since the terminal was last approved anything, oldest first; never empty. ``gone``: what
    had taken its registration away (None: the log begins without one). ``granted``: the sign-ins that the host answered
    with a success code after ``registered`` and before ``until``, when the registration ends again or another unit
    comes (END: never).
    """

    mid: str
    tid: str
    met: tuple[Exchange, ...]
    gone: HostChanged | None
    registered: HostChanged
    granted: tuple[Exchange, ...]
    until: int
    registered_before: bool = False  # the log shows an earlier registration

    @property
    def sign_in(self) -> Exchange | None:
        """The first granted one."""
        return self.granted[0] if self.granted else None

    def resets(self, reading: Reading, start: int, end: int) -> tuple[Power, ...]:
        """Losses of power in ``[start, end)``; a watchdog's reset has that reason on whichever event it left."""
        return tuple(p for p in reading.between(Power, start, end) if p.state == "off" or p.reason == "watchdog")


@dataclass(frozen=True)
class Proof:
    """Whether a sign-in that the host granted was one for the terminal too. ``ok`` None: nothing tells."""

    ok: bool | None
    reason: str
    events: tuple[Event, ...]


_recoveries: WeakKeyDictionary[Reading, tuple[Recovery, ...]] = WeakKeyDictionary()


def recoveries(reading: Reading) -> tuple[Recovery, ...]:
    """All recoveries of the log, by the time of registration."""
    if reading not in _recoveries:
        _recoveries[reading] = tuple(_recoveries_of(reading))
    return _recoveries[reading]


def _recoveries_of(reading: Reading) -> Iterator[Recovery]:
    for registered in reading.host_changes:
        if registered.change != "terminal_registered":
            continue
        mid, tid = registered.mid, registered.tid
        replaced = reading.unit_at(registered.t)
        since = replaced.t if replaced else 0
        met = _met(reading, mid, tid, since, registered.t)
        if not met:
            continue
        until = _until(reading, registered)
        granted = tuple(
            e
            for e in reading.exchanges_between(registered.t, until)
            if (e.mid, e.tid) == (mid, tid) and e.is_sign_in(reading.profile) and e.approved(reading.profile)
        )
        earlier = any(
            c.change == "terminal_registered" and c.t < registered.t for c in reading.registration.changes(mid, tid)
        )
        yield Recovery(mid, tid, met, _gone(reading, registered), registered, granted, until, earlier)


def _met(reading: Reading, mid: str, tid: str, since: int, until: int) -> tuple[Exchange, ...]:
    """The definite 97s in the interval since the terminal was last approved anything. What was asked in it and answered
    after it (a sign-in that was under way when the terminal was registered) ends no 97."""
    found: list[Exchange] = []
    for e in reversed(reading.exchanges_between(since, until)):
        if (e.mid, e.tid) != (mid, tid):
            continue
        if e.approved(reading.profile):
            if e.answered_at is None or e.answered_at < until:
                break
        elif e.definite_97:
            found.append(e)
    return tuple(reversed(found))


def _until(reading: Reading, registered: HostChanged) -> int:
    ends = [
        c.t
        for c in reading.registration.changes(registered.mid, registered.tid)
        if c.t > registered.t and c.change in ENDS_SERVICE
    ]
    ends += [u.t for u in reading.fresh_units if u.t > registered.t]
    return min(ends, default=END)


def _gone(reading: Reading, registered: HostChanged) -> HostChanged | None:
    """What had taken the registration away before it was given (back)."""
    found: HostChanged | None = None
    for change in reading.registration.changes(registered.mid, registered.tid):
        if change.t >= registered.t:
            break
        if change.change in TAKES_AWAY:
            found = change
        elif change.change == "terminal_registered":
            found = None
    return found


def window(reading: Reading, recovery: Recovery) -> Iterator[Exchange]:
    """What the terminal sent after the recovery's sign-in, until its registration ended."""
    if recovery.sign_in is not None:
        yield from itertools.takewhile(lambda e: e.t < recovery.until, later(reading, recovery.sign_in))


# -- was it a sign-in? -------------------------------------------------------------------------------------------------


def operation_of(reading: Reading, exchange: Exchange, name: str = "sign_in") -> Operation | None:
    """The operation by which somebody asked for this request; None where nobody did."""
    operation = reading.attended_by(exchange)
    return operation if operation is not None and operation.name == name else None


def proof_of(reading: Reading, sign_in: Exchange) -> Proof:
    """By the operation's result; unattended, by the key under which the next request's MAC verifies."""
    operation = operation_of(reading, sign_in)
    if operation is not None and operation.completed is not None:
        told = f"code {operation.code}" if operation.code else operation.completed.detail or "no success"
        words = "the terminal said it is signed in" if operation.outcome == "ok" else f"the terminal said {told}"
        verdict = {"ok": True, "fail": False, "unknown": None}[operation.outcome]
        return Proof(verdict, words, (operation.invoked, operation.completed))
    following = next((e for e in later(reading, sign_in) if e.request_mac != "absent" or e.mti == "0800"), None)
    if following is None or following.mti == "0800":
        return Proof(None, "nobody asked for that sign-in, and nothing sent afterwards shows its keys in use", ())
    brought = sign_in.response.seq if sign_in.response else None
    if following.mac_key is not None and following.mac_key == brought:
        return Proof(True, f"the {following.name} is signed under its keys", (following.request,))
    if following.request_mac == "unverifiable":
        return Proof(None, f"the key of the {following.name} is not known to the bench", (following.request,))
    return Proof(False, f"the {following.name} is not signed under its keys", (following.request,))


def stale_key(reading: Reading, mid: str, tid: str, t: int) -> Key | None:
    """The master key that the host had given out by ``t`` and that had not been loaded since; None: it had been.

    The first key of the log counts as loaded: a bench provisions its unit with it.
    """
    known = [k for k in reading.all(Key) if (k.mid, k.tid) == (mid, tid) and k.t <= t]
    if len(known) < 2 or known[-1].value == known[-2].value:
        return None
    newest = known[-1]
    return None if loads(reading, newest.t, t) else newest


def loads(reading: Reading, start: int, end: int) -> list[Operation]:
    """Master keys loaded in the interval, by hand or by activation, as far as the terminal said so."""
    return [
        o
        for o in reading.operations
        if o.outcome == "ok" and o.done <= end
        and ((o.name == "load_tmk" and start <= o.t) or (o.name == "activate" and start <= o.done))
    ]  # an activation loads the key that is given out while it goes on


def sound(reading: Reading, sign_in: Exchange) -> bool:
    """The answer can make a terminal signed in: it brings keys, and their check values are right if we can tell. The
    host has given out no other master key while it was under way."""
    if sign_in.answer is None or sign_in.response is None or not sign_in.answer.get(62):
        return False
    given = (k for k in reading.between(Key, sign_in.t, sign_in.response.t + 1) if k.t > sign_in.t)
    if any((k.mid, k.tid) == (sign_in.mid, sign_in.tid) for k in given):
        return False
    brought = next((k for k in reading.keyring.working if k.seq == sign_in.response.seq), None)
    return brought is None or brought.approved


@dataclass(frozen=True)
class Restoration:
    """The sign-in that shows whether service came back, and what shows it."""

    sign_in: Exchange
    proof: Proof


def restoration(reading: Reading, recovery: Recovery) -> Restoration | None:
    """The first granted sign-in that had sound keys under the master key which the terminal holds, and tells something.

    None: there is none, for reasons that are not the terminal's.
    """
    untold: Restoration | None = None
    for sign_in in recovery.granted:
        if not sound(reading, sign_in) or stale_key(reading, recovery.mid, recovery.tid, sign_in.t):
            continue
        found = Restoration(sign_in, proof_of(reading, sign_in))
        if found.proof.ok is not None:
            return found
        untold = untold or found
    return untold
