"""What the terminal remembers, as values. ``store`` keeps one :class:`State` and the batch log of :class:`Record`."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from . import dialect
from .dialect import Dialect
from .parameters import Parameters


@dataclass(frozen=True)
class Record:
    """A transaction that was approved, or that is stored to be sent. ``kind``: a name of :data:`.kinds.KINDS`.

    ``amount`` in cents; ``date`` MMDD and ``time`` hhmmss of the host; ``original``: the trace number of what it voids
    or replaces in this batch, 0 where there is none. ``entry`` is F22. ``code`` and ``voucher``: the payment code that
    was scanned and what the host gave for it (F59 A4). ``tip`` in cents, a part of ``amount``.
    ``sent``: fields that later messages about it repeat; of a stored one the whole request but for F64.
    """

    kind: str
    amount: int
    pan: str
    batch: int
    trace: int
    reference: str
    authorisation: str
    date: str
    time: str
    year: int
    original: int = 0
    entry: str = ""
    code: str = ""
    voucher: str = ""
    tip: int = 0
    sent: dict[int, str] = field(default_factory=dict)

    @property
    def by_chip(self) -> bool:
        """A chip took part (in the slot, or contactless), which a cryptogram shows: to a sale that was authorised by
        voice it gave its number only."""
        return self.entry[:2] in ("05", "07") and 55 in self.sent


@dataclass(frozen=True)
class Reversal:
    """The one reversal that may be due: the 0400's fields but for F39 and F64, and the reason (F39) as it stands."""

    fields: dict[int, str]
    reason: str
    attempts: int = 0

    @property
    def trace(self) -> str:
        return self.fields[11]


@dataclass(frozen=True)
class Script:
    """The notice (0620) of issuer scripts that a chip has performed: its fields but for F64, trace number included."""

    fields: dict[int, str]


@dataclass(frozen=True)
class Signature:
    """A customer's signature that the host has not yet: the upload's fields but for F64, and how often it was sent in
    vain."""

    fields: dict[int, str]
    attempts: int = 0


@dataclass(frozen=True)
class Settlement:
    """A settlement that the host has answered (0510, with ``code``), not finished yet. ``uploaded`` records are
    acknowledged, in the order of :func:`.batch.to_upload`."""

    balanced: bool
    uploaded: int = 0
    code: str = "00"


@dataclass(frozen=True)
class State:
    """Everything but the batch log, of which the first ``log_bytes`` of file ``log<generation>`` count.

    ``trace`` is the next number to use. ``host_batch``: the batch number of the last sign-in, where stored data had to
    keep its own first; 0 otherwise.
    ``handed_over``: a backup was taken for another unit, which has the batch now.
    ``note``: the code of an unattended answer that the operator has not yet seen.
    ``undelivered``: trace numbers of stored transactions in the log that the host has not answered, oldest first;
    ``refused``: of those that it has declined. ``failed``: approved by the host, refused by the chip afterwards.
    """

    tid: str = ""
    mid: str = ""
    host: str = ""
    port: int = 0
    tpdu: str = "6000030000"
    host2: str = ""  # to fall back to; "" none
    port2: int = 0
    network: str = ""  # how it gets its address: "dhcp", "static", "" it does not
    address: str = ""  # the static one, with its prefix
    router: str = ""
    apn: str = ""  # the access point of a mobile network; "" leaves it to the network
    dns: str = ""  # name servers, commas between
    tls_ca: str = ""  # certificates and key of a TLS link, base64 of DER
    tls_cert: str = ""
    tls_key: str = ""
    timeout_s: int = 60
    auto_sign_in: bool = True
    tmk: str = ""
    pik: str = ""
    mak: str = ""
    tdk: str = ""
    signed_in: bool = False
    trace: int = 1
    batch: int = 1
    host_batch: int = 0
    generation: int = 0
    log_bytes: int = 0
    reversal: Reversal | None = None
    script: Script | None = None
    settlement: Settlement | None = None
    undelivered: tuple[int, ...] = ()
    refused: tuple[int, ...] = ()
    failed: tuple[Record, ...] = ()
    signatures: tuple[Signature, ...] = ()
    last: Record | None = None
    note: str = ""
    handed_over: bool = False
    dialect: Dialect = field(default_factory=Dialect)
    parameters: Parameters = field(default_factory=Parameters)

    @property
    def complete(self) -> bool:
        """Identity, master key and host are there: it can sign in."""
        return bool(self.tid and self.mid and self.tmk and self.host)


def to_json(state: State) -> dict[str, Any]:
    """Plain values. JSON makes the keys of ``fields`` text; :func:`from_json` makes them numbers again."""
    return asdict(state) | {"dialect": dialect.changed(state.dialect)}


def from_json(values: dict[str, Any]) -> State:
    """The inverse of :func:`to_json`. Raises TypeError, KeyError or ValueError where ``values`` are no state."""
    reversal, script = values.pop("reversal"), values.pop("script")
    settlement, last = values.pop("settlement"), values.pop("last")
    failed, signatures = values.pop("failed"), values.pop("signatures")
    set_up = dialect.from_changed(values.pop("dialect"))
    parameters = Parameters(**values.pop("parameters"))
    undelivered, refused = tuple(values.pop("undelivered")), tuple(values.pop("refused"))
    return State(
        **values,
        reversal=Reversal(**_numbered(reversal, "fields")) if reversal else None,
        script=Script(**_numbered(script, "fields")) if script else None,
        settlement=Settlement(**settlement) if settlement else None,
        undelivered=undelivered,
        refused=refused,
        failed=tuple(map(record_from_json, failed)),
        signatures=tuple(Signature(**_numbered(one, "fields")) for one in signatures),
        last=record_from_json(last) if last else None,
        dialect=set_up,
        parameters=parameters,
    )


def record_from_json(values: dict[str, Any]) -> Record:
    """A record out of its plain values. Raises TypeError, KeyError or ValueError."""
    return Record(**_numbered(values, "sent"))


def _numbered(values: dict[str, Any], name: str) -> dict[str, Any]:
    return values | {name: {int(number): value for number, value in values[name].items()}}
