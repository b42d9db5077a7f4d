"""The host behind the port: one message in, what to do with it out. No sockets here.

Each message is one database transaction, or where the server decides several together a part of one that may fail
alone: its journal rows and what it changes in the books are committed before the answer goes to the wire, so an answer
that a terminal holds is in the books also after ``kill -9``.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import NamedTuple

from harness.acquirer.activation import Activation
from harness.acquirer.answers import Answer, Stamp
from harness.acquirer.cards import IssuerCard
from harness.acquirer.cases import Case, Desk
from harness.acquirer.clock import HostClock
from harness.acquirer.download_books import Downloads
from harness.acquirer.download_data import DownloadData
from harness.acquirer.dressing import Dressing
from harness.acquirer.journal import Direction, Journal, JournalRow
from harness.acquirer.ledger import Ledger
from harness.acquirer.misbehaviour import CONTENT_ACTIONS, Misbehaviour, Rule
from harness.acquirer.money import repeated
from harness.acquirer.registry import HAS_ROW, Registry, Terminal
from harness.acquirer.store import RESERVED, Store
from harness.acquirer.switch import SETTLING, Known, MacState, Request, classify, decide, words
from harness.acquirer.transactions import Transactions
from harness.acquirer.troubles import Troubles
from harness.acquirer.units import foreign_unit
from harness.acquirer.uploads import Uploads
from harness.errors import BadInput
from harness.protocol import keys
from harness.protocol.codes import carries_mac
from harness.protocol.frames import Frame, FrameError, decode, offset_of, offset_of_bit
from harness.protocol.profile import Profile
from harness.protocol.spec import OFFSET_MTI, OFFSET_TPDU
from harness.protocol.transactions import KINDS, REVERSIBLE

_BATCH_DIGITS = 6
_F60_LEAST = 2 + _BATCH_DIGITS
_TPDU_ID = "60"
_MAC_OPTIONAL = "0620"  # the surveyed host looks at no MAC of a script notice; here one that is there must be right


class Outcome(NamedTuple):
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

    def __init__(
        self, store: Store, profile: Profile, cards: Mapping[str, IssuerCard] | None = None,
        downloads: DownloadData | None = None, nii: str = "",
    ) -> None:
        """``downloads`` None: what comes with the program. ``nii``: the four digits of the TPDU that lead here, "" any.
        """
        self.nii = nii
        self.store, self.profile = store, profile
        self.ledger, self.journal, self.clock = Ledger(store), Journal(store), HostClock(store)
        self.registry = Registry(
            store, keys_outlive_registration=profile.keys_outlive_registration, seconds=self.clock.seconds
        )
        self.troubles = Troubles()
        self.misbehaviour = Misbehaviour(self.journal.last_rule_id())
        self.uploads, self.downloads = Uploads(store), Downloads(store, downloads)
        self.activation = Activation(store, self.registry, self.ledger, profile, cards or {})
        self._dressing = Dressing(self.registry, profile)
        self._transactions = Transactions(
            Desk(store, self.registry, self.ledger, self.uploads, profile, cards or {}, self.downloads)
        )

    # -- messages -----------------------------------------------------------------------------------------------------

    def receive(self, connection: int, raw: bytes) -> Outcome:
        """One whole message (length included) came on a connection. Never raises for what a terminal may send."""
        t = time.monotonic_ns()
        try:
            frame = decode(raw)
        except FrameError as error:
            return self.garbage(connection, raw, f"no message: {error}", t)
        if frame.tpdu[:2] != _TPDU_ID:
            reason = f"no message: offset {OFFSET_TPDU}: the TPDU begins {frame.tpdu[:2]}, expected {_TPDU_ID}"
            return self.garbage(connection, raw, reason, t)
        if self.nii and frame.tpdu[2:6] != self.nii:
            return self._elsewhere(connection, frame, t)
        if frame.is_response:
            return self.garbage(connection, raw, f"offset {OFFSET_MTI}: {frame.mti} is no request", t)
        try:
            with self.store.messages():
                return self._process(connection, frame, t)
        except Exception as error:  # a bug of ours: the real host's answer to that is 96, and nothing is booked
            self.troubles.note(error)
            with self.store.messages():
                came = self.journal.append(t, connection, "in", raw, "internal error of the acquirer, see its log")
                sent = self._dressing.compose(frame, Answer("96", "internal error"), self._stamp())
                return Outcome((came, self._row(connection, "out", sent, "96: internal error", None)), sent.raw)

    def _elsewhere(self, connection: int, frame: Frame, t: int) -> Outcome:
        """For a host that is not here: a network that routes by the TPDU drops it, and nobody answers."""
        with self.store.messages():
            note = f"dropped: NII {frame.tpdu[2:6]} leads elsewhere, this host is {self.nii}"
            return Outcome((self.journal.append(t, connection, "in", frame.raw, note),))

    def garbage(self, connection: int, data: bytes, reason: str, t: int | None = None) -> Outcome:
        """Bytes that are no message: journal them and close the connection."""
        with self.store.messages():
            note = f"{reason}; connection closed"
            row = self.journal.append(time.monotonic_ns() if t is None else t, connection, "in", data, note)
        return Outcome((row,), close=True)

    def delivered(self, connection: int, outcome: Outcome, problem: str = "", remark: str = "") -> JournalRow:
        """A late answer goes out now; or, with ``problem``, can't any more. ``remark`` ends the note."""
        assert outcome.send is not None
        with self.store.messages():
            return self.journal.append(
                time.monotonic_ns(), connection, "withheld" if problem else "out", outcome.send,
                f"{outcome.note}; {problem or f'sent {outcome.delay_s:g} s late'}{remark}", outcome.rule_id,
            )

    def _process(self, connection: int, frame: Frame, t: int) -> Outcome:
        transaction = classify(frame, self.profile)
        taken = None
        if not self.misbehaviour.honest:
            taken = self.misbehaviour.take(frame.mti, frame.network_code, frame.message_type, frame.get(41))
        rule_id, rule = taken or (None, None)
        said = f"{words(transaction)}{_named(frame)}"

        def came(note: str) -> JournalRow:
            return self.journal.append(t, connection, "in", frame.raw, note, rule_id)

        if rule is not None and rule.action in ("drop", "close"):
            closing = rule.action == "close"
            note = "connection closed instead of an answer" if closing else "dropped, not decided"
            return Outcome((came(f"{said}: {note}"),), close=closing)

        answer, stamp = None if rule is None else self._told(frame, transaction, rule), self._stamp()
        if answer is None:
            answer = self._decide(frame, transaction, stamp, keeps_keys=rule is not None and rule.action == "no_keys")
        sent, twist = self._dressing.dress(frame, answer, stamp, rule)
        note = f"{answer.code}: {answer.why}{twist}"
        if rule is not None and rule.action in CONTENT_ACTIONS:
            return self._changed(connection, came(said), frame, sent, note, rule, rule_id)
        if rule is not None and rule.action == "never":
            row = came(f"{said}: answer {answer.code} withheld")
            return Outcome((row, self._row(connection, "withheld", sent, note, rule_id)))
        if rule is not None and rule.action == "late":
            row = came(f"{said}: answer {answer.code} held back for {rule.delay_s:g} s")
            return Outcome((row,), sent.raw, rule.delay_s, rule_id, note)
        return Outcome((came(said), self._row(connection, "out", sent, note, rule_id)), sent.raw)

    def _changed(
        self, connection: int, came: JournalRow, request: Frame, answer: Frame, note: str, rule: Rule,
        rule_id: int | None,
    ) -> Outcome:
        """The answer as a content rule wants it; each part of it is a row of its own. What can't be made is not."""
        try:
            parts = self._dressing.content(request, answer, rule)
        except BadInput as error:
            parts = [(answer.raw, f"not changed: {error.message}", True)]
        rows = [
            self.journal.append(
                time.monotonic_ns(), connection, "out" if sent else "withheld", raw,
                f"{note}; {what}" if raw == answer.raw else what, rule_id,
            )
            for raw, what, sent in parts
        ]
        return Outcome((came, *rows), b"".join(raw for raw, _, sent in parts if sent))

    def _row(self, connection: int, direction: Direction, frame: Frame, note: str, rule_id: int | None) -> JournalRow:
        return self.journal.append(time.monotonic_ns(), connection, direction, frame.raw, note, rule_id)

    def _stamp(self) -> Stamp:
        moment = self.clock.moment()
        number = self.store.next_number("rrn", RESERVED) % 1_000_000
        return Stamp(moment, f"{moment.date}{moment.time[:2]}{number:06d}")

    # -- deciding -----------------------------------------------------------------------------------------------------

    def _told(self, frame: Frame, transaction: str, rule: Rule) -> Answer | None:
        """The answer that a rule gives instead of a decision; None: decide."""
        if rule.code is None or rule.action in CONTENT_ACTIONS:
            return None
        if transaction in REVERSIBLE and 11 in frame and len(frame.batch) == _BATCH_DIGITS:
            self.ledger.note_refused(frame.get(42), frame.get(41), int(frame.batch), frame.get(11), rule.code)
        return self._dressing.told(frame, rule)

    def _decide(self, frame: Frame, transaction: str, stamp: Stamp, *, keeps_keys: bool) -> Answer:
        if transaction == "activation":
            return self.activation.answer(frame)
        missing = _missing(frame)
        if missing:
            return Answer("30", f"{missing} missing")
        fields = frame.fields
        request = Request(
            transaction, frame.mti, fields[42], fields[41], int(frame.batch), fields.get(11, ""), frame.message_type,
            frame.network_code,
        )
        known = self._look_up(request, frame, stamp.moment.epoch)
        refusal = decide(request, known, self.profile)
        if refusal is None:
            assert known.terminal is not None
            answer = self._transactions.carry_out(Case(request, frame, known.terminal, stamp, keeps_keys))
        else:
            answer = Answer(refusal.code, refusal.why)
        genuine_original = transaction in REVERSIBLE and known.mac == "ok" and not known.duplicate
        if genuine_original and not answer.approved:
            self.ledger.note_refused(request.mid, request.tid, request.batch, request.trace, answer.code)
        return answer

    def _look_up(self, request: Request, frame: Frame, at: int) -> Known:
        """``at``: seconds since 1970 on the host's clock."""
        application = self.registry.application(request.mid, request.tid)
        terminal = application if application is not None and application.state in HAS_ROW else None
        if terminal is not None:
            self.registry.saw(terminal, at)
        return Known(
            duplicate=application is not None and self._is_duplicate(request, frame, application),
            mac=self._check_mac(frame),
            merchant=self.registry.merchant(request.mid),
            terminal=terminal,
            row="" if application is None else application.state,
            foreign_unit=foreign_unit(self.registry, frame),
            settled=terminal is not None and self._awaits_its_end(request, terminal),
        )

    def _is_duplicate(self, request: Request, frame: Frame, row: Terminal) -> bool:
        if request.transaction not in KINDS or not self.ledger.is_duplicate(
            request.mid, request.tid, row.registration, request.batch, request.trace
        ):
            return False
        return repeated(self.ledger, request, frame, row.batch) is None

    def _awaits_its_end(self, request: Request, terminal: Terminal) -> bool:
        if request.transaction not in SETTLING or request.batch == terminal.batch:
            return False
        return self.ledger.is_settled(self.ledger.open_batch(request.mid, request.tid, request.batch))

    def _check_mac(self, frame: Frame) -> MacState:
        if not carries_mac(frame) or (frame.mti == _MAC_OPTIONAL and 64 not in frame):
            return "not_required"
        mak = self._dressing.mak(frame)
        return "no_key" if mak is None else keys.verify(frame, mak, self._dressing.algorithm)


def _missing(frame: Frame) -> str:
    """Which fields a request lacks without which it can't be decided ("" : none)."""
    fields = frame.fields
    if 11 in fields and 41 in fields and 42 in fields and len(fields.get(60, "")) >= _F60_LEAST:
        return ""
    needed = (41, 42, 60, 11) if carries_mac(frame) else (41, 42, 60)
    absent = [f"F{number} (bit at offset {offset_of_bit(number)})" for number in needed if number not in frame]
    if 60 in frame and len(frame.batch) < _BATCH_DIGITS:
        absent.append(f"F60.2 (offset {offset_of(frame, 60)})")
    return ", ".join(absent)


def _named(frame: Frame) -> str:
    said = frame.fields.get
    trace, batch, tid = said(11), frame.batch, said(41)
    return "".join([
        f" {frame.mti}", f", trace {trace}" if trace else "", f", batch {batch}" if batch else "",
        f", TID {tid}" if tid else "",
    ])
