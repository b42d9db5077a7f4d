"""What the terminal does by itself when nobody uses it: sign-in after power-on, delivery of a pending reversal and of
customers' signatures, and what the host asked for in a header. One for each merchant.

One attempt at a time, with back-off: 60, 120, 240, 480, then 900 s of terminal time after each that fails.
"""

from __future__ import annotations

from collections.abc import Callable

from . import rules
from .downloads import Downloads
from .loop import Flow, Wait, now
from .results import HANDED_OVER, SETTLE_FIRST, SIGN_IN_FIRST, Result
from .store import Store
from .transactions import Transactions

BACK_OFF_S = (60.0, 120.0, 240.0, 480.0, 900.0)


class BackOff:
    """When the next unattended attempt may begin: ``due_at`` on the loop's clock."""

    def __init__(self, time_scale: float) -> None:
        self._time_scale = time_scale
        self._failures = 0
        self.due_at = now()

    def failed(self) -> None:
        """An unattended attempt failed."""
        self._wait(self._failures)
        self._failures += 1

    def hold(self) -> None:
        """An operator's attempt failed: nothing by itself for a while."""
        self._wait(max(self._failures - 1, 0))

    def reset(self) -> None:
        """The host accepts again."""
        self._failures = 0
        self.due_at = now()

    def _wait(self, failures: int) -> None:
        seconds = BACK_OFF_S[min(failures, len(BACK_OFF_S) - 1)]
        self.due_at = now() + seconds / self._time_scale


class Unattended:
    """``at_rest``: whether nobody uses the terminal now. ``note`` is told a code that the operator has to see."""

    def __init__(
        self, store: Store, transactions: Transactions, downloads: Downloads, *, time_scale: float,
        at_rest: Callable[[], bool], note: Callable[[str], None],
    ) -> None:
        self._store, self._transactions, self._downloads = store, transactions, downloads
        self._at_rest, self._tell = at_rest, note
        self.back_off = BackOff(time_scale)
        self._again_s = BACK_OFF_S[0] / time_scale
        self._sign_in_at = 0.0  # none by itself before: a host that asks for one in every answer makes no loop
        self._download_at: dict[str, float] = {}  # the same for each download

    def run(self) -> Flow[None]:
        """For ever."""
        self._transactions.sign_in_due = self._store.state.auto_sign_in and self._store.state.complete
        while True:
            wake_at = max(self.back_off.due_at, min(self._times(), default=0.0))
            yield Wait(until=self._may_begin, deadline=wake_at if wake_at > now() else None)
            if self._may_begin():
                yield from self._attempt()

    def online_ended(self, result: Result) -> None:
        """An operator's or the till's message to the host ended so."""
        if result.ok:
            self.back_off.reset()
        elif result.code not in (SIGN_IN_FIRST, SETTLE_FIRST, HANDED_OVER):
            self.back_off.hold()

    def _may_begin(self) -> bool:
        ready = now() >= self.back_off.due_at and self._at_rest()
        due = self._reversal_due() or self._transactions.signature_due
        return ready and (due or any(now() >= moment for moment in self._times()))

    def _times(self) -> list[float]:
        """When a sign-in, and what the host asked for, may begin at the earliest."""
        asked = self._transactions.asked if self._store.state.complete else set()
        times = [self._download_at.get(name, 0.0) for name in asked]
        return [*times, self._sign_in_at] if self._sign_in_due() else times

    def _sign_in_due(self) -> bool:
        return self._transactions.sign_in_due and self._store.state.complete

    def _reversal_due(self) -> bool:
        if self._store.state.handed_over:
            return False
        return self._store.state.reversal is not None and bool(self._store.state.mak) and self._store.state.complete

    def _attempt(self) -> Flow[None]:
        """Signs in if that is due; then, unless the host can't be reached, delivers the reversal if there is one; then
        uploads signatures, and does what the host asked for."""
        results: list[Result] = []
        if self._sign_in_due() and now() >= self._sign_in_at:
            results.append((yield from self._transactions.sign_in(_show_nothing)))
            self._note(results[-1])
            self._sign_in_at = now() + self._again_s
        if self._reversal_due() and all(result.ok or result.answered for result in results):
            stuck = yield from self._transactions.deliver_reversal(_show_nothing)
            if stuck is not None:
                results.append(stuck)
                self._note(stuck)
                if not self._store.state.signed_in and self._store.state.auto_sign_in:
                    self._transactions.sign_in_due = True
        if self._transactions.signature_due and all(result.ok for result in results):
            refused = yield from self._transactions.deliver_signatures(_show_nothing)
            if refused is not None:
                results.append(refused)
                self._note(refused)
        if all(result.ok for result in results):
            results += yield from self._obey_the_host()
        if all(result.ok for result in results):
            self.back_off.reset()
        else:
            self.back_off.failed()

    def _obey_the_host(self) -> Flow[list[Result]]:
        """What it asked for, once each: a definite answer ends it, whatever it says. Ends at the first failure."""
        for name in sorted(self._transactions.asked):
            if now() < self._download_at.get(name, 0.0) or not self._at_rest():
                continue
            result = yield from self._downloads.flows[name](_show_nothing)
            self._download_at[name] = now() + self._again_s
            if result.ok or result.answered:
                self._transactions.asked.discard(name)
            if not result.ok:
                self._note(result)
                return [result]
        return []

    def _note(self, result: Result) -> None:
        """The operator is told of it at the next key, also after a power cut."""
        if result.answered and rules.seen_later(self._store.state.dialect, result.code):
            self._tell(result.code)


def _show_nothing(step: str) -> None:
    """Unattended work leaves the screen alone."""
