"""SEC-01: a forged 97 on sign-in costs availability only.

Forged is what the bench itself put on the wire in the acquirer's name (``faults.forged_answer``). The terminal can't
tell: 0810 carries no MAC. So it is a definite 97 to every other rule too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from harness.checkers.batches import Period, later, matching_batch, periods, telling, totals, totals_of
from harness.checkers.disturbances import excused, struck
from harness.checkers.faults import forged_answer
from harness.checkers.finding import Finding, checker
from harness.checkers.money import words
from harness.checkers.network_after import visits
from harness.checkers.observing import noticed
from harness.checkers.reading import Exchange, Reading
from harness.checkers.recoveries import proof_of, sound, stale_key
from harness.history.events import Event, FaultStruck

RULE = "SEC-01"


def forged_97s(reading: Reading) -> Iterator[tuple[Exchange, FaultStruck]]:
    """Sign-ins that were answered 97 by the bench's hand."""
    for exchange in reading.definite_97s:
        strike = forged_answer(reading, exchange) if exchange.is_sign_in(reading.profile) else None
        if strike is not None:
            yield exchange, strike


@checker(RULE)
def the_next_honest_answer_restores(reading: Reading) -> Iterator[Finding]:
    """Decided by the first sign-in after it that the host granted: the terminal takes it, and signs with its keys. What
    need not have worked, for what was done to the terminal, decides only where it did."""
    for forged, strike in forged_97s(reading):
        what = f"a forged 97 to {forged.name}"
        evidence: list[Event] = [strike, *forged.events]
        finding: Finding | None = Finding.undecided(RULE, f"{what}; no sign-in was granted after it", evidence)
        for sign_in in (e for e in later(reading, forged) if _granted(reading, e)):
            if visits(reading, forged.answered_at or forged.t, sign_in.t):
                finding = None  # somebody helped: whether it was needed can't be told
                break
            finding = _restored(reading, what, [*evidence, *sign_in.events], sign_in)
            why = struck(reading, sign_in) if finding is not None and finding.verdict == "FAIL" else None
            if finding is None or why is None:
                break
            finding = excused(finding, why)
        if finding is not None:
            yield finding


def _granted(reading: Reading, e: Exchange) -> bool:
    """By the acquirer itself, with keys that the terminal can open."""
    honest = e.is_sign_in(reading.profile) and e.approved(reading.profile) and forged_answer(reading, e) is None
    return honest and sound(reading, e) and not stale_key(reading, e.mid, e.tid, e.t)


def _restored(reading: Reading, what: str, evidence: list[Event], sign_in: Exchange) -> Finding | None:
    proof = proof_of(reading, sign_in)
    if proof.ok is False:
        reason = f"{what}; the honest sign-in after it is none to the terminal: {proof.reason}"
        return Finding.failed(RULE, reason, [*evidence, *proof.events])
    following = next((e for e in later(reading, sign_in) if e.request_mac != "absent" or e.mti == "0800"), None)
    if following is None or following.mti == "0800":
        return Finding.undecided(RULE, f"{what}; nothing with a MAC followed the honest sign-in", evidence)
    if sign_in.response is not None and following.mac_key == sign_in.response.seq:
        key = reading.keyring.key(following.mac_key)
        reason = f"{what}; the next honest sign-in was taken, and {following.name} is signed under its keys"
        evidence += [following.request, *_of_key(reading, key.rests_on if key else ())]
        return Finding.passed(RULE, reason, evidence)
    if following.request_mac == "unverifiable":
        reason = f"{what}; the MAC of {following.name} can't be verified here"
        return Finding.undecided(RULE, reason, [*evidence, following.request])
    if not noticed(reading, sign_in):
        return None  # the power went before its keys had to be stored
    reason = f"{what}; after the honest sign-in {following.name} is not signed under its keys"
    return Finding.failed(RULE, reason, [*evidence, following.request])


def _of_key(reading: Reading, seqs: tuple[int, ...]) -> list[Event]:
    return [reading.by_seq[seq] for seq in seqs if seq in reading.by_seq]


@checker(RULE)
def nothing_stored_is_lost(reading: Reading) -> Iterator[Finding]:
    """Where transactions were stored when the forged 97 came: the next settlement of their batch claims them."""
    for forged, strike in forged_97s(reading):
        who = forged.mid, forged.tid
        yield from settled_after(
            reading, RULE, f"a forged 97 to {forged.name}", [strike, *forged.events], forged.t, partial(_is_of, who)
        )


def _is_of(who: tuple[str, str], period: Period) -> bool:
    return (period.mid, period.tid) == who


def settled_after(
    reading: Reading, rule: str, what: str, events: Iterable[Event], t: int, meant: Callable[[Period], bool]
) -> Iterator[Finding]:
    """Where a batch that is ``meant`` held something at ``t``: the next settlement of it claims that. ``what`` happened
    then, as ``events`` tell."""
    for period in periods(reading):
        if not meant(period):
            continue
        stored = period.approved(t) if period.closed is None or period.closed.t > t else []
        settlement = next((s for s in period.settlements if s.t > t), None)
        claimed = totals_of(settlement) if settlement else None
        if not stored or settlement is None or claimed is None or period.unknown:
            continue
        said = f"{what} with {len(stored)} transactions stored"
        evidence: list[Event] = [*events, settlement.request]
        batch = matching_batch(reading, period, settlement.t, claimed)
        expected = totals(reading, period.approved(settlement.t))
        if batch is not None:
            reason = f"{said}; the settlement of batch {period.batch} claims them"
            yield Finding.passed(rule, reason, [*evidence, *telling(reading, batch)])
        elif claimed[1] < expected[1] or claimed[3] < expected[3]:
            reason = f"{said}; the settlement claims {words(claimed)}, approved were {words(expected)}"
            yield Finding.failed(rule, reason, evidence)
