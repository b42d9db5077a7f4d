"""What the management API answers, and the small documents that go with its steps. Amounts are cents, times seconds
since 1970 on the host's clock.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from harness.acquirer.fees import CardType, Report
from harness.acquirer.journal import JournalRow
from harness.acquirer.ledger import Entry
from harness.acquirer.masking import masked
from harness.acquirer.registration.documents import (
    Application,
    DeviceType,
    Document,
    FeeRate,
    Finding,
    Reason,
    SerialNumber,
)
from harness.acquirer.registration.merchants import Merchant, State
from harness.acquirer.registration.steps import Step
from harness.acquirer.registration.terminals import DORMANT_DAYS, ActivationCode, Terminal
from harness.acquirer.registry import SignedOut, TerminalState

HOUR_S = 3600


class Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


# -- what comes -------------------------------------------------------------------------------------------------------


class Because(Document):
    reason: Reason


class Rejection(Document):
    reasons: Annotated[list[Finding], Field(min_length=1, max_length=50)]


class Approval(Document):
    """``valid_hours``: how long the activation code is good."""

    valid_hours: Annotated[int, Field(ge=1, le=720)] = 72


class Swap(Approval):
    """``write_off``: close the batches that the old unit did not settle, because nobody can."""

    serial_number: SerialNumber
    device_type: DeviceType = "02"
    write_off: bool = False


class Activation(Document):
    serial_number: SerialNumber
    code: Annotated[str, Field(min_length=1, max_length=40)]


class SignOut(Document):
    """``state``: the sign state that it gets, 2, 3 or 4."""

    state: SignedOut = "signed_off"


class Days(Document):
    days: Annotated[int, Field(ge=1, le=3660)] = DORMANT_DAYS


class ClockShape(Document):
    """``epoch``: seconds since 1970, null: the machine's clock."""

    epoch: Annotated[int, Field(ge=0, le=4_102_358_400)] | None


class MisbehaviourRule(Document):
    """A rule as the control channel takes it (docs/acquirer.md)."""

    action: str
    mti: str | None = None
    network_code: str | None = None
    message_type: str | None = None
    tid: str | None = None
    skip: int | None = None
    count: int | None = 1
    code: str | None = None
    delay_s: float | None = None
    f55: str | None = None
    f62: str | None = None
    f63: str | None = None
    header_request: str | None = None
    with_mac: bool | None = None
    fields: dict[str, str | None] | None = None
    mac: str | None = None
    hex: str | None = None
    when: str | None = None
    then: str | None = None


# -- what is answered -------------------------------------------------------------------------------------------------


class Problem(Shape):
    element: str
    problem: str


class Refusal(Shape):
    """Every answer from 400 up. ``problems``: what is wrong with which element, where it is about elements."""

    error: str
    problems: list[Problem] = []


class StepShape(Shape):
    at: int
    step: str
    details: dict[str, Any]

    @classmethod
    def of(cls, step: Step) -> StepShape:
        return cls(at=step.at, step=step.step, details=dict(step.details))


class MerchantShape(Shape):
    mid: str
    name: str
    state: State
    application: Application | None
    reasons: list[Finding]
    fees: dict[CardType, FeeRate]
    steps: list[StepShape]

    @classmethod
    def of(cls, merchant: Merchant) -> MerchantShape:
        return cls(
            mid=merchant.mid, name=merchant.name, state=merchant.state, application=merchant.application,
            reasons=list(merchant.reasons), steps=[StepShape.of(step) for step in merchant.steps],
            fees={name: FeeRate(basis_points=fee.basis_points, cap=fee.cap) for name, fee in merchant.fees.items()},
        )


class UnitShape(Shape):
    """The bound unit, with the five elements that it was bound by."""

    serial_number: str
    device_type: str
    elements: dict[str, str]
    since: int


class TerminalShape(Shape):
    """``sign_state``: 0 initial, 1 signed in, 2 signed off, 3 maintenance, 4 closed. ``batch``: the host's number."""

    mid: str
    tid: str
    state: TerminalState
    sign_state: int
    batch: str
    registration: int
    unit: UnitShape | None
    last_seen: int | None
    steps: list[StepShape]

    @classmethod
    def of(cls, terminal: Terminal) -> TerminalShape:
        row, unit = terminal.row, terminal.binding
        return cls(
            mid=row.mid, tid=row.tid, state=row.state, sign_state=row.sign_state.value, batch=f"{row.batch:06d}",
            registration=row.registration, last_seen=terminal.last_seen,
            unit=None if unit is None else UnitShape(
                serial_number=unit.serial_number, device_type=unit.device_type, elements=dict(unit.elements),
                since=unit.began,
            ),
            steps=[StepShape.of(step) for step in terminal.steps],
        )


class CodeShape(Shape):
    """An activation code, and until when it is good."""

    mid: str
    tid: str
    code: str
    expires: int

    @classmethod
    def of(cls, mid: str, tid: str, code: ActivationCode) -> CodeShape:
        return cls(mid=mid, tid=tid, code=code.code, expires=code.expires)


class KeyShape(Shape):
    """A terminal's identity and its TMK, in hex: the only time that the key is shown. ``kcv``: its check value."""

    mid: str
    tid: str
    tmk: str
    kcv: str

    @classmethod
    def of(cls, mid: str, tid: str, tmk: bytes, check_value: str) -> KeyShape:
        return cls(mid=mid, tid=tid, tmk=tmk.hex().upper(), kcv=check_value)


class EntryShape(Shape):
    """A booked movement. ``card``: the number, masked."""

    id: int
    batch: str
    trace: str
    kind: str
    amount: int
    rrn: str
    date: str
    card: str
    auth_code: str
    state: str
    reversals: int
    original: int | None

    @classmethod
    def of(cls, entry: Entry) -> EntryShape:
        return cls(
            id=entry.id, batch=f"{entry.batch:06d}", trace=entry.trace, kind=entry.kind, amount=entry.amount,
            rrn=entry.rrn, date=entry.date, card=masked(entry.pan), auth_code=entry.auth_code, state=entry.state,
            reversals=entry.reversals, original=entry.original,
        )


class LineShape(Shape):
    card_type: CardType
    count: int
    gross: int
    fee: int
    net: int


class ReportShape(Shape):
    """The settlement report of a batch: gross, fee and net, of each card type and in all."""

    mid: str
    tid: str
    batch: str
    open: bool
    lines: list[LineShape]
    gross: int
    fee: int
    net: int

    @classmethod
    def of(cls, report: Report) -> ReportShape:
        return cls(
            mid=report.mid, tid=report.tid, batch=f"{report.batch:06d}", open=report.open,
            lines=[
                LineShape(card_type=one.card_type, count=one.count, gross=one.gross, fee=one.fee, net=one.net)
                for one in report.lines
            ],
            gross=report.gross, fee=report.fee, net=report.net,
        )


class RowShape(Shape):
    """A row of the journal. ``t``: nanoseconds of the machine's monotonic clock. ``frame``: hex, where asked for."""

    jid: int
    t: int
    connection: int
    direction: Literal["in", "out", "withheld"]
    note: str
    rule_id: int | None
    frame: str | None

    @classmethod
    def of(cls, row: JournalRow, frames: bool) -> RowShape:
        return cls(
            jid=row.jid, t=row.t, connection=row.connection, direction=row.direction, note=row.note,
            rule_id=row.rule_id, frame=row.frame.hex().upper() if frames else None,
        )


class StatusShape(Shape):
    """``armed``: number of a misbehaviour -> how many requests it still has, null: no limit."""

    address: str
    port: int
    profile: str
    database: str
    api: str
    connections: int
    armed: dict[str, int | None]
    last_jid: int


class Armed(Shape):
    rule_id: int
