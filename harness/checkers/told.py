"""What an operation came to: by what the terminal told at its end, and by what the wire says it can have known.

Three classes: approved, declined (with a code of the host), unknown (no answer that counts).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal
from weakref import WeakKeyDictionary

from harness.checkers.chip import refused_after_approval
from harness.checkers.observing import own_exchanges
from harness.checkers.reading import Exchange, Operation, Reading
from harness.checkers.recoveries import sound
from harness.checkers.tables import KINDS
from harness.checkers.unfounded import unfounded_97s
from harness.history.events import Cashier, OperationCompleted, Screen, Slip

Class = Literal["approved", "declined", "unknown"]
LOCAL = re.compile(r"Z[0-9A-Z]")  # results that a terminal gives by itself (docs/terminal.md)
IN_STEPS = frozenset(  # several requests each
    {"settle", "capk_update", "ic_parameter_update", "blacklist_update", "software_update"}
)


@dataclass(frozen=True)
class Told:
    """``code``: of the host where it was told, or a local one, or None."""

    outcome: Class
    code: str | None
    completed: OperationCompleted

    def __str__(self) -> str:
        if self.outcome == "approved":
            return "approved"
        return f"declined, code {self.code}" if self.outcome == "declined" else f"no result ({self.code or 'no code'})"


def told(operation: Operation) -> Told | None:
    """None: how it ended was not seen, or nothing readable told it."""
    completed = operation.completed
    if completed is None or completed.outcome == "unknown":
        return None
    if completed.outcome == "ok":
        return Told("approved", completed.code, completed)
    declined = completed.code is not None and not LOCAL.fullmatch(completed.code)
    return Told("declined" if declined else "unknown", completed.code, completed)


@dataclass(frozen=True)
class Known:
    """What the terminal can have known at the end. ``exchange``: the request that decides; ``codes``: of a decline,
    those that it may tell."""

    outcome: Class
    exchange: Exchange
    codes: frozenset[str] = frozenset()


def known(reading: Reading, operation: Operation) -> Known | None:
    """None: nothing of its own was sent, or the wire does not decide it (a card that refused what the host approved,
    keys that can't be used, an operation of several requests that ended between two)."""
    own = own_exchanges(reading, operation)
    if not own:
        return None
    approved = [e for e in (own if operation.name in KINDS else own[-1:]) if e.approved(reading.profile)]
    if any(refused_after_approval(reading, e) for e in approved):
        return None
    if approved:
        last = approved[-1]
        between = operation.name in IN_STEPS and not _at_its_end(last)
        if between or (last.is_sign_in(reading.profile) and not sound(reading, last)):
            return None
        return Known("approved", last)
    last = own[-1]
    if last.outcome != "answered":
        return Known("unknown", last)
    return Known("declined", last, frozenset(e.code or "" for e in _answered(reading, operation)))


def _at_its_end(last: Exchange) -> bool:
    """The approval of that request ends an operation of several requests. Of software the last message says whether it
    was taken, or the first answer that there is none."""
    if last.transaction == "software_end":
        return last.sent.get(62, "")[:4] == b"00".hex()
    if last.transaction == "software_query":
        return last.answer is not None and last.answer.get(62, "") == b"0".hex()
    return last.transaction in ("batch_end", "capk_end", "ic_parameter_end")


def _answered(reading: Reading, operation: Operation) -> Iterator[Exchange]:
    return (e for e in reading.exchanges_of(operation) if e.outcome == "answered")


def agrees(said: Told, by: Known) -> bool:
    """The class is right, and of a decline the code."""
    return said.outcome == by.outcome and (by.outcome != "declined" or said.code in by.codes)


_unfounded: WeakKeyDictionary[Reading, tuple[Screen | Slip | Cashier, ...]] = WeakKeyDictionary()


def says_97_unfounded(reading: Reading, operation: Operation) -> list[Screen | Slip | Cashier]:
    """What of the operation says 97 with no definite 97 to rest on."""
    return unfounded_between(reading, operation.t, operation.until)


def unfounded_between(reading: Reading, start: int, end: int) -> list[Screen | Slip | Cashier]:
    """What says 97 in ``[start, end)`` with no definite 97 to rest on."""
    if reading not in _unfounded:
        _unfounded[reading] = tuple(unfounded_97s(reading))
    return [event for event in _unfounded[reading] if start <= event.t < end]
