"""The host's clock: F12, F13 and F15 of answers. Beijing time, as in UnionPay messages, whatever the machine's zone."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime, timedelta, timezone
from typing import NamedTuple

from harness.acquirer.store import Store
from harness.errors import BadInput

BEIJING = timezone(timedelta(hours=8))
_OFFSET = "clock_offset_ms"
_LAST_EPOCH = datetime(2099, 12, 31, tzinfo=UTC).timestamp()


class Moment(NamedTuple):
    """A second in Beijing: since 1970 UTC, and as messages have it: YYYY, MMDD (F13), HHMMSS (F12)."""

    epoch: int
    year: str
    date: str
    time: str


class HostClock:
    """The machine's clock, or one that was set and goes on from there (also over a restart)."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._offset_ms = store.number(_OFFSET)
        self._moment = Moment(-1, "", "", "")

    def set(self, epoch: float | None) -> None:
        """``epoch``: seconds since 1970 UTC that it is now; None: the machine's clock. In the caller's transaction."""
        if epoch is None:
            self._offset_ms = 0
        elif 0 <= epoch <= _LAST_EPOCH:
            self._offset_ms = math.ceil((epoch - time.time()) * 1000)  # rounded down it would show the second before
        else:
            raise BadInput(f"epoch {epoch!r} is no time between 1970 and 2099")
        self._store.set_number(_OFFSET, self._offset_ms or None)

    def now(self) -> datetime:
        return datetime.fromtimestamp(time.time() + self._offset_ms / 1000, BEIJING)

    def seconds(self) -> int:
        """Since 1970 UTC."""
        return int(time.time() + self._offset_ms / 1000)

    def moment(self) -> Moment:
        """The second that it is now; written out once, for all that is answered in it."""
        epoch = self.seconds()
        if epoch != self._moment.epoch:
            now = datetime.fromtimestamp(epoch, BEIJING)
            self._moment = Moment(epoch, f"{now:%Y}", f"{now:%m%d}", f"{now:%H%M%S}")
        return self._moment
