"""The host behind the port: one message in, what to do with it out. No sockets here.

Each message is one database transaction: its journal rows and what it changes in the books are committed before the
answer goes to the wire, so an answer that a terminal holds is in the books also after ``kill -9``.
"""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass

from harness.acquirer import answers
from harness.acquirer.answers import Answer, Stamp
from harness.acquirer.cards import IssuerCard
from harness.acquirer.clock import HostClock
from harness.acquirer.journal import Direction, Journal, JournalRow
from harness.acquirer.ledger import Ledger
from harness.acquirer.misbehaviour import FRESH_KEYS, SIGN_IN_ACTIONS, Misbehaviour, Rule
from harness.acquirer.registry import Registry, new_key
from harness.acquirer.store import Store
from harness.acquirer.switch import Known, MacState, Request, Transaction, classify, decide
from harness.acquirer.transactions import Case, Transactions
from harness.errors import BadInput
from harness.protocol import keys
from harness.protocol.codes import is_financial
from harness.protocol.frames import Frame, FrameError, decode
from harness.protocol.profile import Profile

ORIGINALS = (Transaction.SALE, Transaction.VOID)
_BATCH_DIGITS = 6
_SIGN_INS = ("001", "003")


@dataclass(frozen=True)
class Outcome:
    """What the server has to do: push ``rows`` (they are committed), then send ``send`` (None: nothing), then close.

    With ``delay_s`` the answer is sent that much later, and :meth:`Host.delivered` journals it then.
    """

    rows: tuple[JournalRow, ...]
    send: bytes | None = None
    delay_s: float | None = None
    rule_id: int | None = None
    note: str = ""
    close: bool = False


class Host:
    """Registry, switch, books, journal and misbehaviour of one acquirer."""

    def __init__(self, store: Store, profile: Profile, cards: Mapping[str, IssuerCard] | None = None) -> None:
        if profile.sign_in_network_code not in _SIGN_INS:
            raise BadInput(
                f"profile {profile.name}: sign_in_network_code is {profile.sign_in_network_code}",
                remedy=f"The simulated acquirer makes key blocks for {', '.join(_SIGN_INS)}.",
            )
        self.store, self.profile = store, profile
        self.registry = Registry(store, keys_outlive_registration=profile.keys_outlive_registration)
        self.ledger, self.journal, self.clock = Ledger(store), Journal(store), HostClock(store)
        self.misbehaviour = Misbehaviour(self.journal.last_rule_id())
        self._transactions = Transactions(store, self.registry, self.ledger, profile, cards or {})

    # -- messages -----------------------------------------------------------------------------------------------------

    def receive(self, connection: int, raw: bytes) -> Outcome:
        """One whole message (length included) came on a connection. Never raises for what a terminal may send."""
        t = time.monotonic_ns()
        try:
            frame = decode(raw)
        except FrameError as error:
            return self.garbage(connection, raw, f"no message: {error}", t)
        if frame.is_response:
            return self.garbage(connection, raw, f"{frame.mti} is no request", t)
        try:
            with self.store.transaction():
                return self._process(connection, frame, t)
        except Exception:  # a bug of ours: the real host's answer to that is 96, and nothing is booked
            traceback.print_exc(file=sys.stderr)
            with self.store.transaction():
                came = self.journal.append(t, connection, "in", raw, "internal error of the acquirer, see its log")
                sent = self._compose(frame, Answer("96", "internal error"), self._stamp())
                return Outcome((came, self._row(connection, "out", sent, "96: internal error", None)), sent.raw)

    def garbage(self, connection: int, data: bytes, reason: str, t: int | None = None) -> Outcome:
        """Bytes that are no message: journal them and close the connection."""
        with self.store.transaction():
            note = f"{reason}; connection closed"
            row = self.journal.append(time.monotonic_ns() if t is None else t, connection, "in", data, note)
        return Outcome((row,), close=True)

    def delivered(self, connection: int, outcome: Outcome, problem: str = "", remark: str = "") -> JournalRow:
        """A late answer goes out now; or, with ``problem``, can't any more. ``remark`` ends the note."""
        assert outcome.send is not None
        with self.store.transaction():
            return self.journal.append(
                time.monotonic_ns(), connection, "withheld" if problem else "out", outcome.send,
                f"{outcome.note}; {problem or f'sent {outcome.delay_s:g} s late'}{remark}", outcome.rule_id,
            )

    def _process(self, connection: int, frame: Frame, t: int) -> Outcome:
        transaction = classify(frame.mti, frame.message_type, frame.network_code, frame.get(3), self.profile)
        taken = self.misbehaviour.take(frame.mti, frame.network_code, frame.message_type, frame.get(41))
        rule_id, rule = taken if taken is not None else (None, None)
        said = f"{transaction.value}{_named(frame)}"

        def came(note: str) -> JournalRow:
            return self.journal.append(t, connection, "in", frame.raw, note, rule_id)

        if rule is not None and rule.action in ("drop", "close"):
            closing = rule.action == "close"
            note = "connection closed instead of an answer" if closing else "dropped, not decided"
            return Outcome((came(f"{said}: {note}"),), close=closing)

        answer, stamp = self._answer(frame, transaction, rule), self._stamp()
        if answer is None:
            answer = self._decide(frame, transaction, stamp, keeps_keys=rule is not None and rule.action == "no_keys")
        sent, twist = self._dress(frame, answer, stamp, rule)
        note = f"{answer.code}: {answer.why}{twist}"
        if rule is not None and rule.action == "never":
            row = came(f"{said}: answer {answer.code} withheld")
            return Outcome((row, self._row(connection, "withheld", sent, note, rule_id)))
        if rule is not None and rule.action == "late":
            row = came(f"{said}: answer {answer.code} held back for {rule.delay_s:g} s")
            return Outcome((row,), sent.raw, rule.delay_s, rule_id, note)
        return Outcome((came(said), self._row(connection, "out", sent, note, rule_id)), sent.raw)

    def _row(self, connection: int, direction: Direction, frame: Frame, note: str, rule_id: int | None) -> JournalRow:
        return self.journal.append(time.monotonic_ns(), connection, direction, frame.raw, note, rule_id)

    def _stamp(self) -> Stamp:
        now = self.clock.now()
        return Stamp(now, f"{now:%m%d%H}{self.store.next_number('rrn') % 1_000_000:06d}")

    # -- deciding -----------------------------------------------------------------------------------------------------

    def _answer(self, frame: Frame, transaction: Transaction, rule: Rule | None) -> Answer | None:
        """The answer that a rule gives instead of a decision; None: decide."""
        if rule is None or rule.code is None:
            return None
        if transaction in ORIGINALS and 11 in frame and frame.batch:
            self.ledger.note_refused(frame.get(42), frame.get(41), int(frame.batch), frame.get(11), rule.code)
        extra: dict[int, str] = {}
        if rule.f62 == FRESH_KEYS:
            extra[62] = self._unused_keys(frame)
        elif rule.f62 is not None:
            extra[62] = rule.f62
        if rule.f63 is not None:
            extra[63] = bytes.fromhex(rule.f63).decode("latin-1")
        return Answer(rule.code, "not decided, told to answer so", extra)

    def _unused_keys(self, frame: Frame) -> str:
        """An F62 that opens under the terminal's TMK, with keys that the host does not keep."""
        known = self.registry.keys(frame.get(42), frame.get(41), even_removed=True)
        code = self.profile.sign_in_network_code
        tmk = new_key(16) if known is None else known.tmk
        return keys.make_f62(tmk, code, new_key(8 if code == "001" else 16), new_key(8)).hex().upper()

    def _decide(self, frame: Frame, transaction: Transaction, stamp: Stamp, *, keeps_keys: bool) -> Answer:
        missing = _missing(frame)
        if missing:
            return Answer("30", f"{missing} missing")
        request = Request(
            transaction, frame.mti, frame.get(42), frame.get(41), int(frame.batch), frame.get(11),
            frame.message_type, frame.network_code,
        )
        known = self._look_up(request, frame)
        refusal = decide(request, known, self.profile)
        if refusal is None:
            assert known.terminal is not None
            answer = self._transactions.carry_out(Case(request, frame, known.terminal, stamp, keeps_keys))
        else:
            answer = Answer(refusal.code, refusal.why)
        genuine_original = transaction in ORIGINALS and known.mac == "ok" and not known.duplicate
        if genuine_original and not answer.approved:
            self.ledger.note_refused(request.mid, request.tid, request.batch, request.trace, answer.code)
        return answer

    def _look_up(self, request: Request, frame: Frame) -> Known:
        application = self.registry.application(request.mid, request.tid)
        return Known(
            duplicate=application is not None
            and request.mti == "0200"
            and self.ledger.is_duplicate(
                request.mid, request.tid, application.registration, request.batch, request.trace
            ),
            mac=self._check_mac(request, frame),
            merchant=self.registry.merchant(request.mid),
            terminal=self.registry.terminal(request.mid, request.tid),
        )

    def _check_mac(self, request: Request, frame: Frame) -> MacState:
        if not is_financial(request.mti):
            return "not_required"
        mak = self._mak(frame)
        return "no_key" if mak is None else keys.verify(frame, mak)

    def _mak(self, frame: Frame) -> bytes | None:
        known = self.registry.keys(frame.get(42), frame.get(41))
        return None if known is None else known.mak

    # -- the answer's frame -------------------------------------------------------------------------------------------

    def _compose(self, frame: Frame, answer: Answer, stamp: Stamp) -> Frame:
        wanted = answer.approved or self.profile.declines_carry_mac
        return answers.seal(answers.compose(frame, answer, stamp), self._mak(frame), wanted=wanted)

    def _dress(self, frame: Frame, answer: Answer, stamp: Stamp, rule: Rule | None) -> tuple[Frame, str]:
        """The answer's frame, changed as the rule says, and what was changed in words."""
        if rule is None:
            return self._compose(frame, answer, stamp), ""
        mak, twist = self._mak(frame), ""
        if rule.action in SIGN_IN_ACTIONS and 62 in answer.extra:
            answer, twist = _spoil_keys(answer, rule)
        if rule.action == "unbalanced" and 48 in answer.extra:
            answer, twist = _unbalance(answer)
        sent = answers.compose(frame, answer, stamp, rule.header_request)
        if rule.header_request is not None:
            twist += f"; header asks for {rule.header_request}"
        if rule.action == "foreign_trace":
            twist += "; F11 is another's" if 11 in sent else "; has no F11 to change"
            sent = answers.foreign_trace(sent)
        if rule.action == "bad_mac":
            return answers.spoil_mac(sent, mak), f"{twist}; F64 is wrong"
        if rule.action == "no_mac" or rule.with_mac is False:
            return sent, f"{twist}; without F64"
        wanted = bool(rule.with_mac) or answer.approved or self.profile.declines_carry_mac
        return answers.seal(sent, mak, wanted=wanted), twist


def _spoil_keys(answer: Answer, rule: Rule) -> tuple[Answer, str]:
    fields = dict(answer.extra)
    f62 = bytes.fromhex(fields.pop(62))
    if rule.action == "no_keys":
        return Answer(answer.code, answer.why, fields), "; without F62"
    size = len(f62) // 2  # two slots of the same size, each ending in its check value
    spoilt = b"".join(slot[:-4] + bytes(byte ^ 0xFF for byte in slot[-4:]) for slot in (f62[:size], f62[size:]))
    return Answer(answer.code, answer.why, {**fields, 62: spoilt.hex().upper()}), "; both check values in F62 are wrong"


def _unbalance(answer: Answer) -> tuple[Answer, str]:
    """The result for cards of our own currency (the last digit of F48's first half) says 2, not balanced."""
    half = len(answer.extra[48]) // 2
    first, second = answer.extra[48][:half], answer.extra[48][half:]
    fields = {**answer.extra, 48: f"{first[:-1]}2{second}"}
    return Answer(answer.code, answer.why, fields), "; told to say: not balanced"


def _missing(frame: Frame) -> str:
    """Which fields a request lacks without which it can't be decided ("" : none)."""
    needed = (41, 42, 60, 11) if is_financial(frame.mti) else (41, 42, 60)
    absent = [f"F{number}" for number in needed if number not in frame]
    if 60 in frame and len(frame.batch) < _BATCH_DIGITS:
        absent.append("F60.2")
    return ", ".join(absent)


def _named(frame: Frame) -> str:
    values = (("trace", frame.get(11)), ("batch", frame.batch), ("TID", frame.get(41)))
    return ",".join([f" {frame.mti}", *(f" {name} {value}" for name, value in values if value)])
