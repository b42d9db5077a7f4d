"""What the golden world is made of: the terminal's memory, the host's books, and how a host may answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Literal

from ruamel.yaml import YAML

from harness.history.events import LedgerEntry, WireFrame
from harness.protocol.profile import Profile
from harness.protocol.transactions import BY_KEY, KINDS, STORED
from harness.tests.golden_faults import Strike
from harness.tests.golden_wire import MID, TID, Fields, Flaw, Keys, Message, WorkingKeys

__all__ = ["MID", "TID"]

SECOND = 1_000_000_000
NOON = datetime(2025, 6, 1, 12, 0, 0, tzinfo=UTC)  # local time of terminal and host at 1000 s of the log's clock
RECORDS_A_BLOCK = 8  # a batch upload request holds at most so many records
LAB = Path(__file__).parents[2] / "lab_config"
Delivery = Literal["arrives", "late", "lost", "withheld", "dropped", "refused", "unreachable", "host_closes"]


@cache
def _yaml(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = YAML(typ="safe").load(path)
    return loaded


def profile_data() -> dict[str, Any]:
    """The UnionPay profile, as data."""
    return dict(_yaml(LAB / "profiles" / "unionpay-direct.yaml"))


def model_data(name: str) -> dict[str, Any]:
    return dict(_yaml(LAB / "models" / f"{name}.yaml"))


# -- how a host answers ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reply:
    """How the host answers, and how the answer travels.

    ``code`` None: the host decides, and books what it approves; a code: it says that, and books nothing. ``flaw``:
    what is wrong with the answer. ``processing``: header nibble 5 (3 = sign in again). ``batch``: F60.2 of the answer.
    ``f62``: of a sign-in's answer: "keys" (right), "bad_kcv", "none". ``wire``: what the injector does to the answer.
    """

    code: str | None = None
    delivery: Delivery = "arrives"
    flaw: Flaw | None = None
    processing: str = "0"
    batch: str | None = None
    f62: Literal["keys", "bad_kcv", "none"] = "keys"
    wire: Strike | None = None

    @property
    def action(self) -> str | None:
        """The misbehaviour that the acquirer is told for this; None: it is honest."""
        if self.f62 != "keys":
            return {"bad_kcv": "bad_kcv", "none": "no_keys"}[self.f62]
        if self.delivery in ("late", "withheld", "dropped", "host_closes"):
            return {"withheld": "never", "dropped": "drop", "host_closes": "close"}.get(self.delivery, self.delivery)
        if self.flaw:
            return self.flaw
        return "answer" if self.code or self.processing != "0" else None


def says(code: str | None = None, **changes: Any) -> Reply:
    """The host answers ``code`` without deciding; without a code, what it decides, with ``changes``."""
    return Reply(code=code, **changes)


def late(code: str | None = None) -> Reply:
    """The answer comes when the terminal has already given up (FIN seen, result shown)."""
    return Reply(code=code, delivery="late")


def lost(code: str | None = None) -> Reply:
    """Decided (booked) and sent, but the link is down: the terminal never sees it."""
    return Reply(code=code, delivery="lost")


def withheld() -> Reply:
    """Decided and booked, never sent."""
    return Reply(delivery="withheld")


def dropped() -> Reply:
    """The request arrives and is not even decided."""
    return Reply(delivery="dropped")


def refused() -> Reply:
    """No connection: nothing is sent."""
    return Reply(delivery="refused")


def unreachable() -> Reply:
    """Nothing answers the attempt to connect: nothing is sent."""
    return Reply(delivery="unreachable")


def host_closes() -> Reply:
    """The host takes the request and closes the connection."""
    return Reply(delivery="host_closes")


def flawed(flaw: Flaw, code: str | None = None) -> Reply:
    """The answer has a bad MAC, no MAC, or the trace number of another request."""
    return Reply(code=code, flaw=flaw)


def reply_of(reply: Reply | Strike | str | None) -> Reply:
    """A code stands for the answer that says it; None for the host's own decision; a fault of the wire for that fault
    on the host's own answer."""
    if isinstance(reply, Strike):
        return Reply(wire=reply)
    return reply if isinstance(reply, Reply) else Reply(code=reply)


@dataclass(frozen=True)
class Outcome:
    """What the terminal made of one request: F39, or Z1 no connection, Z2 no answer, Z3 an answer that is none."""

    code: str
    fields: Fields
    request: WireFrame | None = None
    response: WireFrame | None = None
    reason: str = "98"  # F39 of the reversal that this leaves due

    @property
    def trace(self) -> str:
        """F11."""
        return self.fields.get(11, "")


# -- the terminal's memory ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Stored:
    """An approved transaction in the terminal's batch."""

    batch: str
    trace: str
    kind: str
    amount: int
    pan: str
    rrn: str
    original: str | None = None  # of a void, an adjustment: trace of what it names
    fields: Fields = field(default_factory=dict)  # of its request


def side_totals(records: Iterable[tuple[str, str, int, str | None]]) -> str:
    """F48's first 30 digits from (trace, kind, amount, original): debits and credits, without what was replaced."""
    listed = list(records)
    replaced = {original for _, kind, _, original in listed if KINDS[kind].replaces}
    counting = [(KINDS[kind].side, amount) for trace, kind, amount, _ in listed if trace not in replaced]
    sums = [[amount for its, amount in counting if its == side] for side in ("debit", "credit")]
    return "".join(f"{sum(side):012d}{len(side):03d}" for side in sums)


@dataclass(frozen=True)
class Pending:
    """A reversal that is due: the request's fields, and the reason (F39)."""

    fields: Fields
    reason: str

    @property
    def trace(self) -> str:
        return self.fields[11]


@dataclass
class TerminalMemory:
    """What the terminal keeps over power off. Change it between two steps to make the terminal a bad one."""

    keys: Keys  # the TMK it was given (working keys it has from a sign-in)
    trace: int = 1  # the next F11
    batch: str = "000001"
    signed_in: bool = False
    working: WorkingKeys | None = None
    log: list[Stored] = field(default_factory=list)
    pending: Pending | None = None
    offline: list[Stored] = field(default_factory=list)  # accepted offline, not delivered; they are in ``log`` too
    script: Fields | None = None  # a script notice that is due
    uploaded: int = 0  # records that the host took in a batch upload under way
    host_batch: str = "000001"  # what the last sign-in said
    clock_ahead: float = 0.0
    last_request: Fields = field(default_factory=dict)  # of the last 0200, whatever became of it

    @property
    def mak(self) -> bytes | None:
        return self.working.mak if self.working else None

    def next_trace(self) -> str:
        trace = self.trace
        self.trace = self.trace % 999_999 + 1
        return f"{trace:06d}"

    def clock(self, t: int) -> datetime:
        return NOON + timedelta(seconds=t / SECOND - 1000 + self.clock_ahead)

    def load_working_keys(self, f62: str | None) -> bool:
        """False: no keys, or a check value that does not match; nothing is changed then."""
        working = WorkingKeys.unwrapped(f62, self.keys.tmk) if f62 else None
        if working is None:
            return False
        self.working, self.signed_in = working, True
        return True

    def adopt(self, response: Fields, clock_ahead: float) -> None:
        """Clock and batch number of a sign-in's answer; the batch number only where nothing is stored."""
        self.clock_ahead = clock_ahead
        self.host_batch = response[60][2:8]
        self.adopt_batch()

    def adopt_batch(self) -> None:
        """The host's batch number, as soon as nothing of another batch is stored."""
        if not self.log and self.pending is None and not self.offline:
            self.batch = self.host_batch

    @property
    def must_settle_first(self) -> bool:
        """Transactions of another batch than the host's are stored."""
        return bool(self.log) and self.batch != self.host_batch

    def totals(self) -> str:
        """F48's first 30 digits: debit amount and count, credit amount and count."""
        return side_totals((s.trace, s.kind, s.amount, s.original) for s in self.log)

    def close_batch(self) -> None:
        self.log.clear()
        self.uploaded = 0
        if self.batch == self.host_batch:
            self.host_batch = f"{int(self.batch) % 999_999 + 1:06d}"
        self.batch = self.host_batch

    # what only a bad terminal does

    def book(self, trace: str | None = None) -> None:
        """Put the last request into the batch although it was not approved."""
        fields = self.last_request
        kind = "void" if fields[3] == "200000" else "sale"
        self.log.append(
            Stored(fields[60][2:8], trace or fields[11], kind, int(fields[4]), fields[35].split("D")[0], "000000000000")
        )

    def want_reversal(self, reason: str = "98", **changes: str) -> None:
        """Keep a reversal of the last request, whatever became of it. ``changes``: f11="..." and so on."""
        fields = {**self.last_request, **{int(name[1:]): value for name, value in changes.items()}}
        self.pending = Pending(fields, reason)


def plan_upload(log: list[Stored], done: int, end_code: str) -> Iterator[tuple[int, str, str]]:
    """The requests of a batch upload from record ``done`` on: (number of records, F48, 60.3)."""
    for start in range(done, len(log), RECORDS_A_BLOCK):
        block = log[start : start + RECORDS_A_BLOCK]
        yield len(block), f48_records(block), "201"
    yield 0, f"{len(log):04d}", end_code


def f48_records(block: list[Stored]) -> str:
    """F48 of a batch upload: count (2), then each record: type (2), trace (6), PAN (20, left zeros), amount (12)."""
    return f"{len(block):02d}" + "".join(f"00{s.trace}{s.pan.zfill(20)}{s.amount:012d}" for s in block)


def kind_of(request: Message) -> str | None:
    """The name of a financial request; None: it is none."""
    kind = BY_KEY.get((request.mti, request.fields.get(60, "")[:2].replace("27", "25")))
    return kind.name if kind else None


def authorisation_of(trace: str) -> str:
    """F38 that this host gives: the trace of what it authorises."""
    return trace


# -- the host ----------------------------------------------------------------------------------------------------------


class Host:
    """An honest acquirer: one merchant, one terminal, a ledger."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.keys = Keys.of(1)
        self.working = WorkingKeys.of(0)
        self.registered = self.signed_in = False
        self.batch = "000001"
        self.ledger: list[LedgerEntry] = []
        self._originals: dict[int, str | None] = {}  # entry (by index) -> trace of what it names
        self._settled: set[int] = set()  # entries (by index) of closed batches: the number may come again
        self.clock_ahead = 0.0
        self.claims_difference = False

    def now(self, t: int) -> datetime:
        return NOON + timedelta(seconds=t / SECOND - 1000 + self.clock_ahead)

    def answer(self, request: Message, reply: Reply, t: int) -> tuple[str, Fields]:
        """The code and the fields that only this answer has."""
        code = reply.code or self._decide(request)
        if reply.code is None and code in self.profile.success:
            self._book(request, self.now(t))
        extra: Fields = {}
        if request.mti == "0800" and code == "00":
            self.working = self.working.next()
            self.signed_in = True
            extra[60] = f"00{reply.batch or self.batch}003"
            if reply.f62 != "none":
                extra[62] = self.working.wrapped(self.keys.tmk, bad_kcv=reply.f62 == "bad_kcv")
        elif request.mti == "0500" and code == "00":
            balanced = not self.claims_difference and self._totals(request.batch) == request.fields[48][:30]
            extra[48] = self._totals(request.batch) + ("1" if balanced else "2") + "0" * 31
        elif request.mti == "0320" and request.network_code in ("202", "207") and code == "00":
            self._next_batch(request.batch)
        if request.mti in ("0100", "0200", "0220", "0400"):
            extra[37] = self._rrn(request.fields[11])
        if request.mti == "0100" and code == "00":
            extra[38] = authorisation_of(request.fields[11])
        return code, extra

    def _decide(self, request: Message) -> str:
        if not self.registered:
            return self.profile.not_registered[0]
        if request.mti in ("0800", "0820"):
            return "00"
        if request.batch != self.batch and not self.profile.accepts_old_batch:
            return "77"
        if request.mti in ("0320", "0500", "0620"):
            return "00"
        if kind_of(request) in STORED:
            return "00" if request.batch == self.batch or self.profile.accepts_old_batch else "77"
        if request.mti == "0400":
            return "00" if self._reverse(request) else "25"
        return "00" if self.signed_in and request.batch == self.batch else "77"

    def _rrn(self, trace: str) -> str:
        return f"500100{trace}"

    def _book(self, request: Message, now: datetime) -> None:
        fields, kind = request.fields, kind_of(request)
        if kind is None or kind == "balance":
            return
        row, amount = KINDS[kind], int(fields[4])
        if any(e.trace == fields[11] and e.kind == kind for _, e in self._open(request.batch)) and row.stored:
            return  # an advice that was booked already
        original = None
        if row.names == "trace":
            original = fields[61][6:12]
            self._mark(fields[61][:6], original, "adjusted" if row.replaces else "voided")
        elif row.names == "authorisation" and fields.get(38):
            state = "voided" if kind == "pre_authorisation_void" else "completed"
            self._mark(request.batch, fields[38], state)  # an authorisation is given as the trace of what it was for
        self._originals[len(self.ledger)] = original
        self.ledger.append(
            LedgerEntry(
                batch=request.batch, trace=fields[11], kind=kind, amount=amount, rrn=self._rrn(fields[11]),
                date=now.strftime("%m%d"), state="approved",
            )
        )  # fmt: skip

    def _reverse(self, request: Message) -> bool:
        """A reversal takes effect at most once; a second one is answered as if it had."""
        for index, entry in self._open(request.batch):
            if entry.trace == request.fields[11]:
                if entry.state == "approved":
                    self.ledger[index] = entry.model_copy(update={"state": "reversed", "reversals": 1})
                    if KINDS[entry.kind].names == "trace":
                        self._mark(request.fields[61][:6], request.fields[61][6:12], "approved")
                return True
        return False

    def _mark(self, batch: str, trace: str, state: str) -> None:
        for index, entry in self._open(batch):
            if entry.trace == trace:
                self.ledger[index] = entry.model_copy(update={"state": state})

    def _open(self, batch: str) -> list[tuple[int, LedgerEntry]]:
        """The entries of the batch which has this number now."""
        return [(i, e) for i, e in enumerate(self.ledger) if e.batch == batch and i not in self._settled]

    def _totals(self, batch: str) -> str:
        entries = [(i, e) for i, e in self._open(batch) if e.state != "reversed"]
        return side_totals((e.trace, e.kind, e.amount, self._originals.get(i)) for i, e in entries)

    def _next_batch(self, closed: str) -> None:
        self._settled.update(index for index, _ in self._open(closed))
        if closed == self.batch:
            self.batch = f"{int(self.batch) % 999_999 + 1:06d}"
