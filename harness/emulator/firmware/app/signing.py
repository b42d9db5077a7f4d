"""Signing in: working keys, clock and batch number of the host."""

from __future__ import annotations

from . import keystore, messages, results, rules, texts
from .comms import Show
from .desk import Desk
from .loop import Flow
from .results import Result
from .rules import Outcome


class Signing:
    def __init__(self, desk: Desk) -> None:
        self._desk, self._store = desk, desk.store

    def sign_in(self, show: Show) -> Flow[Result]:
        """0800 with 60.3 of the dialect, on a line that was taken."""
        request = messages.sign_in(self._store.state, self._desk.board.serial_number)
        self._store.commit(trace=rules.next_trace(self._store.state.trace))
        verdict = yield from self._desk.exchange(request, show)
        keys, fault = None, ""
        if verdict.outcome is Outcome.APPROVED:
            try:
                keys = self._working_keys(verdict.fields)
            except keystore.KeyFault as error:
                fault = str(error)
        state = self._store.state
        signed_in = rules.signed_in_after_sign_in(state.signed_in, verdict.outcome, keys is not None)
        if keys is None:
            if signed_in != state.signed_in:
                self._store.commit(signed_in=signed_in)
            if fault:
                return results.local(results.INVALID, texts.NO_VALID_ANSWER, texts.KEY_FAULT)
            return self._desk.failure(verdict)
        batch, host_batch = rules.adopt_batch(state, self._store.log, _batch_of(verdict.fields))
        self._store.commit(
            signed_in=signed_in, pik=keys.pik.hex(), mak=keys.mak.hex(), tdk=keys.tdk.hex(), batch=batch,
            host_batch=host_batch,
        )
        self._set_clock(verdict.fields)
        self._desk.sign_in_due = False
        return results.done(texts.SIGN_IN_DONE)

    def _working_keys(self, fields: dict[int, str]) -> keystore.WorkingKeys:
        """Those of F62; without F62 those in use, where there are any. Raises KeyFault."""
        state = self._store.state
        if not state.tmk:
            raise keystore.KeyFault("the master key was erased meanwhile")
        if 62 in fields:
            network_code = state.dialect.sign_in_network_code
            return keystore.unwrap(bytes.fromhex(state.tmk), bytes.fromhex(fields[62]), network_code)
        if not state.mak:
            raise keystore.KeyFault("no working keys came and none are in use")
        return keystore.WorkingKeys(*map(bytes.fromhex, (state.pik, state.mak, state.tdk)))

    def _set_clock(self, fields: dict[int, str]) -> None:
        """F13 MMDD and F12 hhmmss; the year is that which brings the clock nearest to what it shows now, or where it
        was lost the newest that the terminal knows of."""
        present, year = self._desk.board.now(), self._desk.year
        years = (year,) if self._desk.clock_lost else (year - 1, year, year + 1)
        candidates = [epoch(y, fields.get(13, ""), fields.get(12, "")) for y in years]
        possible = [moment for moment in candidates if moment is not None]
        if possible:
            self._desk.board.set_clock(min(possible, key=lambda moment: abs(moment - present)))


def _batch_of(fields: dict[int, str]) -> int:
    """F60.2, or 0 where the answer has none."""
    digits = fields.get(60, "")[2:8]
    return int(digits) if len(digits) == 6 else 0


def epoch(year: int, mmdd: str, hhmmss: str) -> float | None:
    """Seconds since 1970 of a date and time of the terminal's clock; None where it is none."""
    if len(mmdd) != 4 or len(hhmmss) != 6:
        return None
    month, day = int(mmdd[:2]), int(mmdd[2:])
    hour, minute, second = int(hhmmss[:2]), int(hhmmss[2:4]), int(hhmmss[4:])
    if not (1 <= month <= 12 and hour < 24 and minute < 60 and second < 60):
        return None
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    lengths = (31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    if not 1 <= day <= lengths[month - 1]:
        return None
    before = year - 1
    days = before * 365 + before // 4 - before // 100 + before // 400 - 719_162 + sum(lengths[: month - 1]) + day - 1
    return float(((days * 24 + hour) * 60 + minute) * 60 + second)
