"""Which working keys there were, and whether each MAC verifies under them.

Keys come from the log alone: ``key`` events hold the test TMKs, sign-in responses bring the working keys under them
(F62). With no TMK in the log (a real host) every MAC is "unverifiable", and says so.
"""

from __future__ import annotations

import bisect
import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.checkers.exchanges import MACED_REQUESTS, Exchange, Mac, Outcome
from harness.errors import BadInput
from harness.history.events import Key
from harness.protocol import keys
from harness.protocol.frames import Frame
from harness.protocol.profile import Profile


@dataclass(frozen=True)
class WorkingKey:
    """A MAK that a sign-in response (event ``seq``, at ``t``) brought, and the PIN and track key (if any) with it.

    ``standing``: "approved" F39 was a success and the check values fit; "declined" F39 was none, so it must not be
    loaded; "bad_kcv" a check value is wrong, so it must not be loaded. ``rests_on``: seqs of the sign-in's request, of
    its response, and of the TMK.
    """

    seq: int
    t: int
    mid: str
    tid: str
    mak: bytes
    standing: Literal["approved", "declined", "bad_kcv"]
    rests_on: tuple[int, ...] = ()
    algorithm: keys.Algorithm = "des"
    pik: bytes = b""
    tdk: bytes | None = None

    @property
    def approved(self) -> bool:
        return self.standing == "approved"


class Keyring:
    """All working keys of a log, and verdicts on MACs."""

    def __init__(self, exchanges: Iterable[Exchange], tmks: Iterable[Key], profile: Profile) -> None:
        self._profile = profile
        self._tmks = list(tmks)
        self.working: list[WorkingKey] = []
        # each by (mid, tid), the oldest first: a log of a night has thousands
        self._of: defaultdict[tuple[str, str], list[WorkingKey]] = defaultdict(list)
        self._approved: defaultdict[tuple[str, str], list[WorkingKey]] = defaultdict(list)
        self._unreadable: defaultdict[tuple[str, str], list[int]] = defaultdict(list)  # t of an F62 that no TMK opens
        arrived = [e for e in exchanges if e.mti == "0800" and e.answer and e.response]
        for exchange in sorted(arrived, key=lambda e: e.answered_at or 0):
            self._learn(exchange)

    def _learn(self, exchange: Exchange) -> None:
        response = exchange.response
        if response is None or exchange.answer is None or exchange.lost or exchange.late:
            return
        f62 = exchange.answer.binary(62)
        if not f62:
            return
        tmk, opened = self._opened(f62, exchange)
        approved = exchange.code in self._profile.success
        if opened is not None and not self._as_the_profile_says(opened, exchange):
            opened = None  # another length of MAK than the profile's: nobody knows what the terminal made of it
        terminal = (exchange.mid, exchange.tid)
        if approved and (opened is None or not opened.ok):
            self._unreadable[terminal].append(response.t)
        if opened is not None:
            standing: Literal["approved", "declined", "bad_kcv"] = "approved" if approved else "declined"
            key = WorkingKey(
                response.seq, response.t, exchange.mid, exchange.tid, opened.mak,
                standing if opened.ok else "bad_kcv", (exchange.request.seq, response.seq, tmk), opened.algorithm,
                opened.pik, opened.tdk,
            )
            self.working.append(key)
            self._of[terminal].append(key)
            if key.approved:
                self._approved[terminal].append(key)

    def _as_the_profile_says(self, opened: keys.WorkingKeys, exchange: Exchange) -> bool:
        if exchange.network_code != self._profile.sign_in_network_code:
            return True  # an 0800 in another dialect altogether: it is no sign-in by this profile
        return len(opened.mak) == keys.key_lengths(exchange.network_code, self._profile.mak_length)[1]

    def _opened(self, f62: bytes, exchange: Exchange) -> tuple[int, keys.WorkingKeys | None]:
        """``f62`` under this terminal's newest TMK (its seq) whose check values are right; else under the newest."""
        newest: tuple[int, keys.WorkingKeys | None] = (0, None)
        for event in reversed(self._tmks):
            if (event.mid, event.tid) != (exchange.mid, exchange.tid) or event.t > (exchange.answered_at or 0):
                continue
            try:
                opened = keys.working_keys(f62, exchange.network_code, bytes.fromhex(event.value))
            except BadInput:
                continue
            if opened.ok:
                return event.seq, opened
            if newest[1] is None:
                newest = (event.seq, opened)
        return newest

    def known(self, mid: str, tid: str, t: int) -> list[WorkingKey]:
        """Working keys brought to this terminal before ``t``, newest first."""
        return _until(self._of.get((mid, tid), []), t)

    def key(self, seq: int | None) -> WorkingKey | None:
        """The key that the sign-in response ``seq`` brought (``Exchange.mac_key`` names it so)."""
        return next((k for k in self.working if k.seq == seq), None)

    def in_force(self, mid: str, tid: str, t: int) -> WorkingKey | None:
        """The newest from an approved sign-in before ``t``."""
        return next(iter(_until(self._approved.get((mid, tid), []), t)), None)

    def verified_by(self, frame: Frame, candidates: Sequence[WorkingKey]) -> WorkingKey | None:
        """The first of ``candidates`` under which the frame's F64 verifies."""
        return next((k for k in candidates if keys.verify(frame, k.mak, k.algorithm) == "ok"), None)

    def judged(self, exchange: Exchange) -> Exchange:
        """The exchange with its MAC results, outcome and whether it is a definite 97."""
        terminal = (exchange.mid, exchange.tid)
        approved = _until(self._approved.get(terminal, []), exchange.t)
        unread = self._unreadable.get(terminal, [])
        last = bisect.bisect_right(unread, exchange.t) - 1
        unsure = last >= 0 and (not approved or unread[last] > approved[0].t)
        request_mac, request_key = self._mac(exchange.sent, approved, unsure)
        response_mac: Mac = "absent"
        response_key: WorkingKey | None = None
        if exchange.answer is not None:
            # The terminal judges by the key it used for the request; without one, by the newest it was given. Where the
            # request has another MAC than all we know, the terminal's key is not known to us.
            candidates = [request_key] if request_key else approved[:1]
            response_mac, response_key = self._mac(exchange.answer, candidates, unsure or request_mac == "bad")
        judged = dataclasses.replace(
            exchange, request_mac=request_mac, response_mac=response_mac,
            mac_key=request_key.seq if request_key else None,
            response_mac_key=response_key.seq if response_key else None,
        )
        outcome = self._outcome(judged)
        definite = outcome == "answered" and judged.code in self._profile.not_registered
        return dataclasses.replace(judged, outcome=outcome, definite_97=definite)

    def _mac(self, frame: Frame, candidates: Sequence[WorkingKey], unsure: bool) -> tuple[Mac, WorkingKey | None]:
        if 64 not in frame.fields:
            return "absent", None
        key = self.verified_by(frame, candidates)
        if key is not None:
            return "ok", key
        return ("unverifiable", None) if unsure or not candidates else ("bad", None)

    def _outcome(self, exchange: Exchange) -> Outcome:
        if exchange.response is None or exchange.lost:
            return "mismatch" if exchange.strays and not exchange.lost else "none"
        if exchange.late:
            return "late"
        return "answered" if self._acceptable(exchange) else "bad_mac"

    def _acceptable(self, exchange: Exchange) -> bool:
        """The response's MAC lets it count: verified, not verifiable by us, or absent where it may be."""
        if exchange.response_mac == "bad":
            return False
        if exchange.response_mac != "absent" or exchange.mti not in MACED_REQUESTS:
            return True
        accepted = self._profile.reversal_success if exchange.mti == "0400" else self._profile.success
        return exchange.code not in accepted and self._profile.decline_mac == "optional"


def _until(ordered: list[WorkingKey], t: int) -> list[WorkingKey]:
    """Those brought before ``t``, newest first."""
    return ordered[: bisect.bisect_right(ordered, t, key=lambda key: key.t)][::-1]
