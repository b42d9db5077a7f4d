"""REC-09: a unit in the place of another: no key and no card number in the backup, the batch goes on under its number,
is settled as both have sold it, and the old unit sells no more and gets 97."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator

from harness.checkers.finding import Finding, checker
from harness.checkers.installing import own, told, undisturbed
from harness.checkers.reading import Exchange, Operation, Reading
from harness.checkers.tables import KINDS
from harness.history.events import Event, Key, Service, UnitReplaced
from harness.history.update_events import BackupTaken
from harness.protocol.frames import FrameError
from harness.protocol.nested import settlement_totals

_BASE64 = re.compile(r"[0-9A-Za-z+/]{16,}={0,2}")
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2}){8,}")
_CARD_FIELDS = (2, 35, 36)
_HANDED_OVER = frozenset({"0100", "0200", "0220", "0320", "0400", "0500", "0620"})  # what only one unit may send
Sums = tuple[int, int, int, int]


# -- what is in the text -----------------------------------------------------------------------------------------------


@checker("REC-09")
def no_secret_in_the_backup(reading: Reading) -> Iterator[Finding]:
    """Occasion: each backup. Decided by its text alone, and by what is in it as hexadecimal or base64. It passes with
    the swap that it was for: :func:`the_batch_goes_on`."""
    for taken in reading.all(BackupTaken):
        found = _secret(reading, taken)
        if found:
            yield Finding.failed("REC-09", f"there is {found} in the backup", [taken])


def _secret(reading: Reading, taken: BackupTaken) -> str:
    """What of it must not be there, in words; "": nothing that is known."""
    contents = [taken.text.encode("utf-8", "replace")]
    for line in taken.text.splitlines():
        for run in _HEX.findall(line):
            contents.append(bytes.fromhex(run))
    for run in _BASE64.findall("".join(line.removeprefix("data ") for line in taken.text.splitlines()
                                       if line.startswith("data "))):  # fmt: skip
        try:
            contents.append(base64.b64decode(run + "=" * (-len(run) % 4)))
        except binascii.Error:
            continue
    whole = b"\n".join(contents).upper()
    for pan in sorted(_card_numbers(reading, taken.t)):
        if pan.encode() in whole or _packed(pan) in b"\n".join(contents):
            return f"the card number {pan[:6]}...{pan[-4:]}"
    for key in reading.all(Key):
        if key.value.encode() in whole or bytes.fromhex(key.value) in b"\n".join(contents):
            return f"the master key of terminal {key.tid}"
    for working in reading.keyring.working:
        if working.mak.hex().upper().encode() in whole or working.mak in b"\n".join(contents):
            return "a MAC key"
    return ""


def _packed(pan: str) -> bytes:
    return bytes.fromhex(pan + "F" * (len(pan) % 2))


def _card_numbers(reading: Reading, until: int) -> set[str]:
    """All that were on the wire before."""
    found = set()
    for e in reading.exchanges_between(0, until):
        for number in _CARD_FIELDS:
            pan = re.split("[D=]", e.sent.fields.get(number, ""))[0]
            if pan.isdigit() and 12 <= len(pan) <= 19:
                found.add(pan)
    return found


# -- what became of the batch ------------------------------------------------------------------------------------------


@checker("REC-09")
def the_batch_goes_on(reading: Reading) -> Iterator[Finding]:
    """Occasion: a backup that was restored. Decided by the settlement of its batch on the new unit, and by what the old
    unit is told when it signs in afterwards."""
    for taken in reading.all(BackupTaken):
        done = (o for o in reading.outermost if o.name == "restore" and o.t > taken.t and o.outcome == "ok")
        restored, old = next(done, None), reading.before(UnitReplaced, taken.t)
        unit = reading.before(UnitReplaced, restored.t) if restored else None
        if restored is None or unit is None or old is None or unit.serial == old.serial:
            continue
        yield from _restored(reading, taken, old, unit, restored)


@checker("REC-09")
def the_old_unit_sells_no_more(reading: Reading) -> Iterator[Finding]:
    """Occasion: money that a unit asks for, or a reversal, a stored transaction or a settlement that it delivers, after
    its backup was taken, also when it is put back later; before it was told that nobody restores it."""
    for taken in reading.all(BackupTaken):
        old = reading.before(UnitReplaced, taken.t)
        for start, end in _stands_after(reading, taken, old):
            for e in reading.exchanges_between(start, end):
                if e.mti in _HANDED_OVER:
                    reason = f"a unit whose batch was handed over sent {e.name}"
                    yield Finding.failed("REC-09", reason, [old, taken, e.request], at=e.request)


def handed_over(reading: Reading, t: int) -> bool:
    """The unit on the bench has given its batch away: that it sells nothing is right."""
    return any(
        start <= t < end
        for taken in reading.all(BackupTaken)
        for start, end in _stands_after(reading, taken, reading.before(UnitReplaced, taken.t))
    )


def _stands_after(reading: Reading, taken: BackupTaken, old: UnitReplaced | None) -> Iterator[tuple[int, int]]:
    """When the unit that gave the backup is on the bench, until it works again or another has its serial number."""
    spans, start = [], taken.t
    for unit in (u for u in reading.all(UnitReplaced) if u.t > taken.t):
        if start:
            spans.append((start, unit.t))
        its = old is not None and unit.serial == old.serial
        if its and not unit.kept:
            start = 0
            break
        start = unit.t if its else 0
    if start:
        spans.append((start, reading.end + 1))
    for begin, end in spans:
        lines = reading.between(Service, begin, end)
        cancelled = next((line.t for line in lines if line.text.startswith("BACKUP CANCEL")), None)
        yield begin, cancelled or end
        if cancelled is not None:
            return


def _restored(
    reading: Reading, taken: BackupTaken, old: UnitReplaced, unit: UnitReplaced, restored: Operation
) -> Iterator[Finding]:
    following = reading.after_moment(UnitReplaced, unit.t)
    end = following.t if following else reading.end + 1
    tried = (o for o in reading.outermost if o.name == "settle" and restored.t < o.t < end and o.outcome != "unknown")
    settle = next(tried, None)
    evidence: list[Event | None] = [old, taken, unit, *told(restored)]
    settlements = [e for e in own(reading, settle) if e.mti == "0500"] if settle else []
    if settle is None or not settlements:
        if settle is not None and undisturbed(reading, settle):
            reason = "the restored batch was to be settled, and the unit sent nothing"
            yield Finding.failed("REC-09", reason, [*evidence, *told(settle)], at=restored.invoked)
        else:
            yield Finding.undecided("REC-09", "a backup was restored; no settlement followed on that unit", evidence,
                                    at=restored.invoked)  # fmt: skip
        return
    settlement = settlements[0]
    sold = list(_sold(reading, settlement, taken, old, unit))
    evidence += [e.response for e in sold] + [*settlement.events, *told(settle)]
    number = sold[0].batch if sold else settlement.batch
    if settlement.batch != number:
        reason = f"batch {number} was restored, and settled as {settlement.batch}"
        yield Finding.failed("REC-09", reason, evidence, at=restored.invoked)
        return
    wanted, said = _sums(sold), _said(settlement)
    gross = reading.profile.settlement_voids == "credit"
    if said is None or (said != wanted and gross):
        reason = f"both units sold {_words(wanted)}; the new one settled {_words(said)}"
        yield Finding.failed("REC-09", reason, evidence, at=restored.invoked)
        return
    if settle.outcome != "ok":
        if all(e.approved(reading.profile) for e in own(reading, settle)) and undisturbed(reading, settle):
            yield Finding.failed("REC-09", "the settlement was approved, and the new unit said no", evidence,
                                 at=restored.invoked)  # fmt: skip
        else:
            yield Finding.undecided("REC-09", "the restored batch was not settled", evidence, at=restored.invoked)
        return
    if not settlement.approved(reading.profile):
        yield Finding.undecided("REC-09", "the answer to the settlement of the restored batch was not seen", evidence,
                                at=restored.invoked)  # fmt: skip
        return
    yield _old_one_refused(reading, old, settle, evidence, restored)


def _sold(
    reading: Reading, settlement: Exchange, taken: BackupTaken, old: UnitReplaced, unit: UnitReplaced
) -> Iterator[Exchange]:
    """What stands in the batch: approved since the batch before was closed, and not reversed."""
    who = settlement.mid, settlement.tid
    here = [e for e in reading.exchanges_between(0 if old.kept else old.t, settlement.t) if (e.mid, e.tid) == who]
    closed = max((e.t for e in here if e.transaction == "batch_end" and e.approved(reading.profile)), default=0)
    undone = {e.trace for e in here if e.mti == "0400" and e.t > closed}
    for e in here:
        kind = KINDS.get(e.transaction)
        if kind is None or not kind.in_batch or e.t < closed:
            continue
        if e.approved(reading.profile) and e.trace not in undone and (e.t < taken.t or e.t > unit.t):
            yield e


def _sums(sold: list[Exchange]) -> Sums:
    debits = [e for e in sold if KINDS[e.transaction].side == "debit"]
    credits = [e for e in sold if KINDS[e.transaction].side == "credit"]
    return _amount(debits), len(debits), _amount(credits), len(credits)


def _amount(sold: list[Exchange]) -> int:
    return sum(int(e.sent.fields.get(4, "0")) for e in sold)


def _said(settlement: Exchange) -> Sums | None:
    try:
        home, _ = settlement_totals(settlement.sent)
    except FrameError:
        return None
    return home.debit_amount, home.debit_count, home.credit_amount, home.credit_count


def _words(sums: Sums | None) -> str:
    return "nothing readable" if sums is None else f"{sums[1]} for {sums[0]} and {sums[3]} back for {sums[2]} cents"


def _old_one_refused(
    reading: Reading, old: UnitReplaced, settle: Operation, evidence: list[Event | None], restored: Operation
) -> Finding:
    """The old unit, on the bench again after the swap: its sign-in."""
    for operation in reading.outermost:
        there = reading.before(UnitReplaced, operation.t)
        if operation.name != "sign_in" or operation.t < settle.t or there is None or there.serial != old.serial:
            continue
        sent = own(reading, operation)
        if not sent or sent[-1].response is None or not there.kept:
            continue
        refused = sent[-1]
        evidence = [*evidence, there, *refused.events, *told(operation)]
        if refused.definite_97 and operation.code == refused.code:
            reason = f"the new unit settled the batch of the old one, which was answered {refused.code} and showed it"
            return Finding.passed("REC-09", reason, evidence, at=restored.invoked)
        if refused.definite_97:
            said = operation.completed.detail if operation.completed else "nothing"
            reason = f"the old unit was answered {refused.code}, and said {said}"
            return Finding.failed("REC-09", reason, evidence, at=restored.invoked)
        return Finding.undecided("REC-09", "the acquirer still takes the old unit", evidence, at=restored.invoked)
    reason = "the restored batch was settled; the old unit was not seen to sign in after that"
    return Finding.undecided("REC-09", reason, evidence, at=restored.invoked)
