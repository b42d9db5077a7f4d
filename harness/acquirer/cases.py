"""What every handler of a transaction gets and shares: the request as a case, the desk with the host's means,
fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from harness.acquirer.answers import Answer, Stamp
from harness.acquirer.cards import IssuerCard
from harness.acquirer.download_books import Downloads
from harness.acquirer.ledger import Ledger
from harness.acquirer.registry import Registry, Terminal
from harness.acquirer.store import Store
from harness.acquirer.switch import Request
from harness.acquirer.uploads import Uploads
from harness.protocol import keys
from harness.protocol.frames import Frame, FrameError, offset_of_bit
from harness.protocol.profile import Profile


class Case(NamedTuple):
    """A request that passed the switch: its values, its frame, the terminal's row, and the stamp for its answer."""

    request: Request
    frame: Frame
    terminal: Terminal
    stamp: Stamp
    keeps_keys: bool = False  # told so: a sign-in makes no new working keys where there are some


Handler = Callable[[Case], Answer]
Handlers = Mapping[str, Handler]  # by the transaction's name, as harness.protocol.codes.transaction_name has it


@dataclass(frozen=True)
class Desk:
    """What handlers work with. All they change is inside the caller's database transaction."""

    store: Store
    registry: Registry
    ledger: Ledger
    uploads: Uploads
    profile: Profile
    cards: Mapping[str, IssuerCard]
    downloads: Downloads

    def known_batch(self, case: Case) -> int | None:
        """The id of the batch that F60.2 means, or None."""
        request = case.request
        return self.ledger.known_batch(request.mid, request.tid, request.batch, case.terminal.batch)

    def batch_of(self, case: Case) -> int:
        """The id of the batch that F60.2 means, made where there is none."""
        found, request = self.known_batch(case), case.request
        return self.ledger.ensure_batch(request.mid, request.tid, request.batch) if found is None else found


def need(frame: Frame, *numbers: int) -> None:
    """Raises :class:`FrameError` (30 at the terminal) that names the first of these fields that is not there."""
    for number in numbers:
        if number not in frame:
            raise FrameError("absent; this transaction needs it", offset=offset_of_bit(number), field=number)


def amount_of(frame: Frame) -> int:
    """F4 in cents."""
    need(frame, 4)
    return int(frame.fields[4])


@lru_cache(maxsize=4096)
def kcv_text(key: bytes, algorithm: keys.Algorithm = "des") -> str:
    """A check value as terminals show it: 6 hex characters."""
    return keys.kcv(key, algorithm).hex().upper()[:6]
