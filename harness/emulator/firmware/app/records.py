"""What the terminal remembers, as values. ``store`` keeps one :class:`State` and the batch log of :class:`Record`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Record:
    """A booked transaction. ``amount`` in cents; ``date`` MMDD and ``time`` hhmmss of the host; ``original`` is the
    trace number of the sale that a void voids, 0 for a sale."""

    kind: str  # "sale" or "void"
    amount: int
    pan: str
    batch: int
    trace: int
    reference: str
    authorisation: str
    date: str
    time: str
    year: int
    original: int = 0


@dataclass(frozen=True)
class Reversal:
    """The one reversal that may be due: the 0400's fields but for F39 and F64, and the reason (F39) as it stands."""

    fields: dict[int, str]
    reason: str
    attempts: int = 0

    @property
    def trace(self) -> str:
        return self.fields[11]


@dataclass(frozen=True)
class Settlement:
    """A settlement that the host has answered (0510), not finished yet. ``uploaded`` records are acknowledged."""

    balanced: bool
    uploaded: int = 0


@dataclass(frozen=True)
class State:
    """Everything but the batch log, of which the first ``log_bytes`` of file ``log<generation>`` count.

    ``trace`` is the next number to use. ``host_batch``: the batch number of the last sign-in, where stored data had to
    keep its own first; 0 otherwise.
    ``note``: the code of an unattended answer that the operator has not yet seen.
    """

    tid: str = ""
    mid: str = ""
    host: str = ""
    port: int = 0
    tpdu: str = "6000030000"
    timeout_s: int = 60
    auto_sign_in: bool = True
    tmk: str = ""
    pik: str = ""
    mak: str = ""
    signed_in: bool = False
    trace: int = 1
    batch: int = 1
    host_batch: int = 0
    generation: int = 0
    log_bytes: int = 0
    reversal: Reversal | None = None
    settlement: Settlement | None = None
    last: Record | None = None
    note: str = ""

    @property
    def complete(self) -> bool:
        """Identity, master key and host are there: it can sign in."""
        return bool(self.tid and self.mid and self.tmk and self.host)


def to_json(state: State) -> dict[str, Any]:
    """Plain values. JSON makes the keys of ``fields`` text; :func:`from_json` makes them numbers again."""
    return asdict(state)


def from_json(values: dict[str, Any]) -> State:
    """The inverse of :func:`to_json`. Raises TypeError, KeyError or ValueError where ``values`` are no state."""
    reversal, settlement, last = values.pop("reversal"), values.pop("settlement"), values.pop("last")
    if reversal:
        fields = {int(number): value for number, value in reversal["fields"].items()}
        reversal = Reversal(fields, reversal["reason"], reversal["attempts"])
    return State(
        **values,
        reversal=reversal,
        settlement=Settlement(**settlement) if settlement else None,
        last=Record(**last) if last else None,
    )
