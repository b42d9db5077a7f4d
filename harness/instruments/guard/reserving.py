"""A real instrument has one guard at a time."""

from __future__ import annotations

from pathlib import Path

from harness.instruments.contracts import InstrumentError
from harness.lab.lease import BenchBusy, Lease, holder_of, lease


def reserved(address: str) -> Lease:
    """Ours from now on. Raises InstrumentError where another guard has it: one that is still bringing it to its safe
    state goes on alone."""
    try:
        return lease("instrument", scope=address)
    except BenchBusy as busy:
        holder = holder_of(Path(busy.where))
        raise InstrumentError(
            f"{address} is another guard's: {holder or 'it has not signed yet'}",
            remedy="end that run; if it has ended, its guard is still trying to make this instrument safe: see the "
            "run's logs/instruments.log",
        ) from busy
