"""Who is who on a terminal that several merchants share."""

from __future__ import annotations

import bisect
from weakref import WeakKeyDictionary

from harness.checkers.reading import Operation, Reading
from harness.history.events import Service, UnitReplaced

Identity = tuple[str, str]  # MID, TID
SELECT = "select_merchant"
ADDRESSED = "OK MERCHANT "
FIRST = "1"  # the merchant that a terminal begins with
_ENDS_SIGN_IN = frozenset({"load_tmk", "set_identity", "activate"})


def several(reading: Reading) -> bool:
    """The model declares that merchants share it."""
    return reading.model.identities > 1


_selections: WeakKeyDictionary[Reading, list[tuple[int, str]]] = WeakKeyDictionary()


def selections(reading: Reading) -> list[tuple[int, str]]:
    """When (ns) which merchant was chosen, in order; a unit from its box begins with the first."""
    if reading not in _selections:
        chosen = [
            (o.done, o.invoked.args.get("number", ""))
            for o in reading.operations if o.name == SELECT and o.outcome == "ok"
        ]
        chosen += [(unit.t, FIRST) for unit in reading.all(UnitReplaced) if not unit.kept]
        _selections[reading] = sorted(chosen)
    return _selections[reading]


def selected_at(reading: Reading, t: int) -> str:
    """The number of the merchant that was chosen at ``t``."""
    chosen = selections(reading)
    index = bisect.bisect_right(chosen, t, key=lambda pair: pair[0])
    return chosen[index - 1][1] if index else FIRST


def merchant_of(reading: Reading, operation: Operation) -> str:
    """The number of the merchant whose key, identity or day the operation is about: by the service port the one that
    was addressed there last (``MERCHANT n``) since the power came, else the one chosen at the terminal."""
    at_terminal = operation.invoked.via != "service"
    return selected_at(reading, operation.t) if at_terminal else addressed_at(reading, operation.t)


def addressed_at(reading: Reading, t: int) -> str:
    """The number of the merchant that the service port speaks of at ``t``."""
    on = max((p.t for p in reading.powers if p.state == "on" and p.t <= t), default=0)
    lines = [
        line.text.removeprefix(ADDRESSED) for line in reading.between(Service, on, t)
        if line.direction == "from_terminal" and line.text.startswith(ADDRESSED)
    ]
    return lines[-1].strip() if lines else FIRST


def same_merchant(reading: Reading, one: Operation, other: Operation) -> bool:
    """Both are about one merchant; the host's address is for all of them."""
    if not several(reading) or one.name == "set_host":
        return True
    return merchant_of(reading, one) == merchant_of(reading, other)


_who: WeakKeyDictionary[Reading, dict[str, list[tuple[int, Identity]]]] = WeakKeyDictionary()


def identity_of(reading: Reading, number: str, t: int) -> Identity | None:
    """Who merchant ``number`` is at ``t``: as it called itself last in an operation while it was chosen, or was set
    since; before the first of these, as it is to call itself."""
    if reading not in _who:
        found = _who[reading] = {}
        for e in reading.exchanges:
            if reading.attended_by(e) is not None and e.tid:
                found.setdefault(selected_at(reading, e.t), []).append((e.t, (e.mid, e.tid)))
        for o in reading.operations:
            if o.name == "set_identity" and o.outcome == "ok":
                named = o.invoked.args.get("mid", ""), o.invoked.args.get("tid", "")
                found.setdefault(merchant_of(reading, o), []).append((o.done, named))
        for known in found.values():
            known.sort()
    known = _who[reading].get(number, [])
    index = bisect.bisect_right(known, t, key=lambda pair: pair[0])
    return known[max(index - 1, 0)][1] if known else None


def of_another(reading: Reading, operation: Operation, mine: Identity) -> bool:
    """The operation was done as somebody else than ``mine``."""
    if not several(reading):
        return False
    sent = reading.exchanges_of(operation)
    if sent:
        return (sent[-1].mid, sent[-1].tid) != mine
    here = identity_of(reading, selected_at(reading, operation.t), operation.t)
    return here is not None and here != mine
