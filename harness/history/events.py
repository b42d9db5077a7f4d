"""The event schema, version 1. One JSON object a line in ``history.jsonl``; documented in docs/history.md.

Every event has ``seq`` (1, 2, 3... in the order of recording, per log), ``t`` (nanoseconds of CLOCK_MONOTONIC at the
moment it happened, one clock for every process of a host), ``span`` (the test under way, or null) and ``kind``.
Nothing here is a judgement: checkers make those from these events alone.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter

from harness.history.base import Event as Event
from harness.history.base import Firmware as Firmware
from harness.history.base import Hex, Moment, Seconds
from harness.history.diagnosis_events import DiagnosisEvent
from harness.history.instrument_events import InstrumentEvent
from harness.history.update_events import BackupTaken, FirmwareTold, ImageOffered, StoredChanged, UpdateCut

SCHEMA_VERSION = 1


def _dated(text: str) -> str:
    if datetime.fromisoformat(text).tzinfo is None:
        raise ValueError("the time zone is missing")
    return text


class RunOpened(Event):
    """First event of every log. Holds all that judging needs beside the events: profile and model, as data."""

    kind: Literal["run.opened"] = "run.opened"
    schema_version: Annotated[int, Field(ge=1, le=SCHEMA_VERSION)] = SCHEMA_VERSION
    hil97: str
    run: str
    bench: str
    group: str  # benches of one group are the same (model, firmware, profile, kind of bench)
    model: str
    firmware: Firmware
    profile: dict[str, Any]  # harness.protocol.profile.Profile as JSON
    declaration: dict[str, Any]  # the model file as JSON
    physical: bool  # a real device
    physical_like: bool  # emulated, but without any convenience of the emulator
    time_scale: Annotated[float, Field(gt=0, allow_inf_nan=False)]  # protocol timers run this many times faster
    wall: Annotated[str, AfterValidator(_dated)]  # ISO 8601 UTC at t
    from_versions: list[str] = []  # an update from each of these to the bench's firmware is planned (FWU-09)


class RunClosed(Event):
    kind: Literal["run.closed"] = "run.closed"


class TestOpened(Event):
    """A test begins; events up to its TestClosed carry ``span`` = ``test``."""

    __test__: ClassVar[bool] = False  # pytest: not a test class
    kind: Literal["test.opened"] = "test.opened"
    test: str  # pytest node id (or robot long name), unique in the run
    title: str
    declares: list[str]  # requirement ids which this test must decide


class TestPhase(Event):
    """setup: the bench is made ready. body: the test drives. conclude: registration restored, batch reconciled."""

    __test__: ClassVar[bool] = False  # pytest: not a test class
    kind: Literal["test.phase"] = "test.phase"
    phase: Literal["setup", "body", "conclude"]


class TestClosed(Event):
    """``waiting_s`` is the part of ``duration_s`` spent waiting for the terminal or the host; the rest is ours."""

    __test__: ClassVar[bool] = False  # pytest: not a test class
    kind: Literal["test.closed"] = "test.closed"
    test: str
    outcome: Literal["passed", "failed", "error", "skipped"]
    message: str = ""
    duration_s: Seconds
    waiting_s: Seconds


class OperationInvoked(Event):
    """Somebody starts to do something to the terminal. ``op`` is unique in the log.

    Names: those of ``harness.terminal.model.Transaction``, and reprint, select_merchant, acknowledge (one key from
    idle), menu (management menu opened and left), load_tmk, set_identity, set_host, read_counters,
    present_card, abort (cancel keys until idle), load_firmware, back_up, restore, activate.
    Arguments are strings: amount (cents), entry (manual, magnetic, chip, contactless, scan), pin ("yes"/"no", never the
    PIN), trace, reference, date, authorisation, tip, tid, mid, ... ``disturbed`` of a load_firmware: what the bench
    does to the transfer that no other event tells (noise on the serial line, a sender that stops, a second one).
    """

    kind: Literal["operation.invoked"] = "operation.invoked"
    op: int
    name: str
    via: Literal["keypad", "cashier", "service", "operator"]
    args: dict[str, str] = {}


class OperationCompleted(Event):
    """ok: the terminal said it was done or approved. fail: it said no. unknown: nothing readable in time.

    ``code`` is what the terminal told (a response code such as "97", or a local result such as "Z2"), if it told one.
    ``presented``: how often a card or payment code was held out to it, again where it was not read.
    """

    kind: Literal["operation.completed"] = "operation.completed"
    op: int
    outcome: Literal["ok", "fail", "unknown"]
    code: str | None = None
    detail: str = ""
    presented: int = 0


class HostChanged(Event):
    """The back office changed something. ``detail`` holds strings, e.g. batch, tmk_kcv."""

    kind: Literal["host.changed"] = "host.changed"
    change: Literal[
        "merchant_registered", "merchant_removed", "merchant_suspended", "merchant_restored",
        "terminal_registered", "terminal_removed", "terminal_suspended", "terminal_restored",
        "terminal_pending", "terminal_rejected", "activation_offered", "unit_swapped",
        "tmk_issued", "signed_out", "batch_set", "clock_set", "clock_cleared",
        "download_demanded", "downloads_replaced", "software_offered", "software_withdrawn",
    ]
    mid: str
    tid: str = ""
    detail: dict[str, str] = {}


class HostArmed(Event):
    """The acquirer was told to misbehave (``rule`` as in docs/acquirer.md), or (``rule`` empty) to stop that: rule
    ``rule_id``, or all of them where it is 0."""

    kind: Literal["host.armed"] = "host.armed"
    rule_id: int
    rule: dict[str, Any]


class HostJournal(Event):
    """One frame in the acquirer's own journal. ``note`` is its decision in words; ``rule_id`` the misbehaviour used.

    direction "in" = received by the acquirer, "out" = sent, "withheld" = decided but (told so) never sent.
    """

    kind: Literal["host.journal"] = "host.journal"
    jid: int
    connection: int
    direction: Literal["in", "out", "withheld"]
    hex: Hex
    note: str = ""
    rule_id: int | None = None


class LedgerEntry(BaseModel):
    """An accepted money movement at the host. ``amount`` in cents; ``kind`` a name of
    ``harness.protocol.transactions``; ``date`` MMDD (F13). ``state``: adjusted by a later adjustment or tip, completed
    by a completion.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    batch: str
    trace: str
    kind: str
    amount: int
    rrn: str
    date: str
    state: Literal["approved", "reversed", "voided", "adjusted", "completed"]
    reversals: int = 0  # how often a reversal of it took effect: 0 or 1


class HostLedger(Event):
    """The host's books for one terminal as read at ``t``: every entry since the terminal was first registered."""

    kind: Literal["host.ledger"] = "host.ledger"
    mid: str
    tid: str
    entries: list[LedgerEntry]


class WireFrame(Event):
    """A whole frame rebuilt by the tap from the TCP stream at the terminal's port; ``t`` is its last byte's time.

    ``hex`` includes the 2-byte length. ``packets`` are packet numbers (from 1) in ``wire.pcapng``.
    """

    kind: Literal["wire.frame"] = "wire.frame"
    frame: int
    stream: int
    direction: Literal["to_acquirer", "to_terminal"]
    hex: Hex
    packets: list[int]
    t_first: Moment


class WireConnection(Event):
    """A TCP connection of the terminal. ``by`` says who did it, where that is known.

    opening: SYN seen. open: handshake complete. refused: SYN answered with RST. closed: FIN seen from ``by``.
    reset: RST seen from ``by``. ``peer``: address:port of the other end ("" in logs of before it was noted).
    """

    kind: Literal["wire.connection"] = "wire.connection"
    stream: int
    state: Literal["opening", "open", "refused", "closed", "reset"]
    by: Literal["terminal", "acquirer"] | None = None
    packet: int
    peer: str = ""


class WireBytes(Event):
    """Bytes on a stream which are no whole frame. ``reason`` in words (cut short at close, length too small, ...)."""

    kind: Literal["wire.bytes"] = "wire.bytes"
    stream: int
    direction: Literal["to_acquirer", "to_terminal"]
    hex: Hex
    reason: str


class WireLink(Event):
    """The cable between terminal and wire was plugged or unplugged; of a terminal with a modem: its data session began
    again, or ended although nobody had switched it off."""

    kind: Literal["wire.link"] = "wire.link"
    state: Literal["up", "down"]


class Radio(Event):
    """What is around the terminal's modem, and what came of it: ``registered`` in the mobile network, ``session`` a
    data session. While there is none the terminal has no carrier, which ``wire.link`` tells too."""

    kind: Literal["radio"] = "radio"
    signal: Literal["none", "weak", "good"]
    sim: Literal["present", "missing"]
    registration: Literal["home", "denied"]
    data: Literal["granted", "refused"]
    registered: bool
    session: bool


class FaultArmed(Event):
    """A fault of the wire was armed. ``fault``: its value (``harness.wire.faults``) as JSON, all that is needed to arm
    it again. ``fault_id`` is unique in the log."""

    kind: Literal["fault.armed"] = "fault.armed"
    fault_id: int
    fault: dict[str, Any]


class FaultStruck(Event):
    """An armed fault struck. ``match``: at which match since it was armed (1, 2, ...). ``what``: what it did, in words.

    ``direction`` and ``message``: the message at the moment, whole; ``delivered``: what its receiver got in its place
    (empty: nothing of it, or the same). ``packets``: numbers in ``faults.pcapng``, what it took and what it sent.
    ``done`` False: its moment was there, and it could not be done; ``what`` says why, and everything passed as it was.
    """

    kind: Literal["fault.struck"] = "fault.struck"
    fault_id: int
    match: int
    what: str
    direction: Literal["to_acquirer", "to_terminal"] | None = None
    message: Hex = ""
    delivered: Hex = ""
    packets: list[int] = []
    done: bool = True


class FaultHealed(Event):
    """An armed fault ended. used_up: its count; over: its ``for_s``; asked: by the test, its end, or by hand; died:
    with the injector, and what it had diverted flows again."""

    kind: Literal["fault.healed"] = "fault.healed"
    fault_id: int
    why: Literal["used_up", "over", "asked", "died"]


class Screen(Event):
    """The screen as an instrument saw it. ``lines`` is what could be read; ``unreadable`` counts cells that could not.

    ``image`` is a PNG, relative to the bench's folder. A blank (unpowered) screen has no lines.
    """

    kind: Literal["screen"] = "screen"
    image: str
    lines: list[str]
    unreadable: int = 0


class Slip(Event):
    """One printed slip, read from its pixels like a screen."""

    kind: Literal["slip"] = "slip"
    image: str
    lines: list[str]
    unreadable: int = 0


class Cashier(Event):
    """A message on the cashier link. ``fields`` by tag, text; empty where the bytes are no message."""

    kind: Literal["cashier"] = "cashier"
    direction: Literal["to_terminal", "from_terminal"]
    hex: Hex
    fields: dict[str, str] = {}


class Service(Event):
    """A line on the service port. Keys are written as *** (their check value stands in the ``key`` event)."""

    kind: Literal["service"] = "service"
    direction: Literal["to_terminal", "from_terminal"]
    text: str


class Counters(Event):
    """What the terminal says of itself on the service port, parsed. Weaker evidence than what is seen from outside."""

    kind: Literal["counters"] = "counters"
    values: dict[str, str]


class ChipCommand(Event):
    """A command that the terminal gave the chip (contact or contactless), as the card saw it.

    ``command`` is e.g. ``generate_ac``; ``asked`` and ``gave`` are then the cryptogram types: ARQC (go online), TC
    (approved), AAC (declined). ``number`` counts GENERATE AC within the transaction, from 1.
    """

    kind: Literal["chip"] = "chip"
    command: str
    number: int = 0
    asked: str = ""
    gave: str = ""


class Power(Event):
    """Supply on or off. reason: operator (switched), cut (pulled at a chosen moment), watchdog (the terminal reset
    itself), brown_out (the supply was too low for too long), battery (it is empty)."""

    kind: Literal["power"] = "power"
    state: Literal["on", "off"]
    reason: Literal["operator", "cut", "watchdog", "brown_out", "battery"]


class Key(Event):
    """A *test* key the bench knows, so that MACs can be verified by the judge: TMK of (mid, tid), hex."""

    kind: Literal["key"] = "key"
    mid: str
    tid: str
    name: Literal["TMK"] = "TMK"
    value: Hex


class UnitReplaced(Event):
    """From here on another unit stands on the bench (the emulated flash was made new): its memory is blank.

    ``firmware``: what the factory put on it; None: the bench's own. ``kept``: it stood there before, and has all that
    it had then.
    """

    kind: Literal["unit.replaced"] = "unit.replaced"
    serial: str
    why: str = ""
    firmware: Firmware | None = None
    kept: bool = False


class Heartbeat(Event):
    """How late the bench's own clock tick came (ms): above the profile's ``heartbeat_lag_ms`` timing is not judged."""

    kind: Literal["heartbeat"] = "heartbeat"
    lag_ms: float


class BenchFailed(Event):
    """The bench failed: what was seen up to here counts, the verdicts that need more are ERROR."""

    kind: Literal["bench.failed"] = "bench.failed"
    what: str


class Measurement(Event):
    """A measured value with its unit and, where there is one, its limits: e.g. recovery time in s (REC-10)."""

    kind: Literal["measurement"] = "measurement"
    name: str
    value: float
    unit: str
    low: float | None = None
    high: float | None = None


AnyEvent = Annotated[
    RunOpened | RunClosed | TestOpened | TestPhase | TestClosed | OperationInvoked | OperationCompleted
    | HostChanged | HostArmed | HostJournal | HostLedger | WireFrame | WireConnection | WireBytes | WireLink
    | FaultArmed | FaultStruck | FaultHealed | Radio
    | Screen | Slip | Cashier | Service | Counters | ChipCommand | Power | Key | UnitReplaced | Heartbeat
    | BenchFailed | Measurement | ImageOffered | FirmwareTold | UpdateCut | BackupTaken | StoredChanged
    | InstrumentEvent | DiagnosisEvent,
    Field(discriminator="kind"),
]

ADAPTER: TypeAdapter[AnyEvent] = TypeAdapter(AnyEvent)
