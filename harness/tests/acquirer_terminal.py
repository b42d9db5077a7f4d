"""For the tests of the acquirer: a small honest terminal, and the acquirer in this process or as one of its own."""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.acquirer.cards import IssuerCard
from harness.acquirer.client import AcquirerClient
from harness.acquirer.host import Host
from harness.acquirer.office import Office
from harness.acquirer.service import DEFAULT_PROFILE
from harness.acquirer.store import Store
from harness.lab.process import Child, spawn
from harness.protocol import keys
from harness.protocol.frames import Frame, build, decode
from harness.protocol.nested import BatchRecord, Totals, make_batch_records, make_totals
from harness.protocol.profile import Profile
from harness.protocol.transactions import KINDS

MID = "898111100000001"
PAN = "6225880000000097"
TRACK2 = PAN + "D30122010000097000000"
CHIP_DATA = "9F260811223344556677889F2701809F360200079F37040A0B0C0D9505000000000082027C00"
_tids = itertools.count(10_000_001)

Exchange = Callable[[bytes], bytes | None]


def new_tid() -> str:
    """A terminal number no other test of this run has."""
    return str(next(_tids))


def profile(**changes: Any) -> Profile:
    return DEFAULT_PROFILE.model_copy(update=changes)


@dataclass
class Pos:
    """Sends requests by ``exchange`` and keeps what a terminal keeps. Answers are decoded, not judged."""

    exchange: Exchange
    tid: str
    tmk: bytes
    mid: str = MID
    batch: str = "000001"
    trace: int = 0
    pik: bytes = b""
    mak: bytes = b""
    sales: list[tuple[str, int]] = field(default_factory=list)

    def send(self, mti: str, fields: Mapping[int, str], *, sealed: bool = False) -> Frame | None:
        frame = self.request(mti, fields, sealed=sealed)
        answer = self.exchange(frame.raw)
        return None if answer is None else decode(answer)

    def request(self, mti: str, fields: Mapping[int, str], *, sealed: bool = False) -> Frame:
        frame = build(mti, {41: self.tid, 42: self.mid, **fields}, tpdu="6000050000", header="602100000000")
        return keys.seal(frame, self.mak) if sealed else frame

    def ask(self, mti: str, fields: Mapping[int, str], *, sealed: bool = False) -> Frame:
        answer = self.send(mti, fields, sealed=sealed)
        assert answer is not None, f"no answer to {mti}"
        return answer

    def next_trace(self) -> str:
        self.trace += 1
        return f"{self.trace:06d}"

    def sign_in_fields(self) -> dict[int, str]:
        return {11: self.next_trace(), 60: f"00{self.batch}003", 63: "01 "}

    def sign_in(self) -> Frame:
        answer = self.ask("0800", self.sign_in_fields())
        if answer.get(39) == "00" and 62 in answer:
            working = keys.working_keys(answer.binary(62), "003", self.tmk)
            if working.ok:
                self.pik, self.mak, self.batch = working.pik, working.mak, answer.batch
        return answer

    def echo(self) -> Frame:
        return self.ask("0820", {60: f"00{self.batch}301"})

    def sign_off(self) -> Frame:
        return self.ask("0820", {11: self.next_trace(), 60: f"00{self.batch}002"})

    def sale_fields(self, amount: int, trace: str | None = None) -> dict[int, str]:
        return {
            3: "000000", 4: f"{amount:012d}", 11: trace or self.next_trace(), 22: "022", 25: "00", 35: TRACK2,
            49: "156", 60: f"22{self.batch}00050",
        }

    def sale(self, amount: int, trace: str | None = None, **more: str) -> Frame:
        extra = {int(name[1:]): value for name, value in more.items()}
        answer = self.ask("0200", {**self.sale_fields(amount, trace), **extra}, sealed=True)
        if answer.get(39) == "00":
            self.sales.append((answer.get(11), amount))
        return answer

    def void(self, original: Frame, **changes: str) -> Frame:
        fields = {
            3: "200000", 4: original.get(4), 11: self.next_trace(), 22: "012", 25: "00", 37: original.get(37),
            49: "156", 60: f"23{self.batch}000", 61: self.batch + original.get(11),
        }
        fields.update({int(name[1:]): value for name, value in changes.items()})
        return self.ask("0200", fields, sealed=True)

    def reverse(self, trace: str, amount: int, *, batch: str | None = None, kind: str = "22") -> Frame:
        original = next(row for row in KINDS.values() if row.message_type == kind)
        fields = {
            3: original.processing, 4: f"{amount:012d}", 11: trace, 22: "022", 25: original.condition, 39: "98",
            49: "156", 60: f"{kind}{batch or self.batch}00050",
        }
        return self.ask("0400", fields, sealed=True)

    def money(self, name: str, amount: int, original: Frame | None = None, /, **changes: str | None) -> Frame:
        """Any financial transaction with a swiped card, as an honest terminal makes it; ``original``: the answer of
        the one that it names; ``changes``: F4="..." and so on, None: left out."""
        kind = KINDS[name]
        fields: dict[int, str | None] = {
            2: PAN, 3: kind.processing, 4: f"{amount:012d}", 11: self.next_trace(), 22: "022", 25: kind.condition,
            35: TRACK2, 49: "156", 60: f"{kind.message_type}{self.batch}00050",
        }
        if name == "balance":
            fields[4] = None
        if name == "offline_chip_sale":
            fields |= {22: "052", 23: "001", 55: CHIP_DATA}
        if kind.names == "trace":
            assert original is not None
            fields |= {22: "012", 35: None, 37: original.get(37), 61: original.batch + original.get(11)}
        elif kind.names != "none":
            assert original is not None
            fields[61] = "0" * 12 + original.get(13)
            fields |= {37: original.get(37)} if kind.names == "receipt" else {38: original.get(38) or "000000"}
        fields |= {int(key[1:]): value for key, value in changes.items()}
        return self.ask(kind.mti, {key: value for key, value in fields.items() if value is not None}, sealed=True)

    def settle(self, totals: Totals, *, batch: str | None = None) -> Frame:
        f60 = f"00{batch or self.batch}201"
        return self.ask("0500", {11: self.next_trace(), 48: make_totals(totals), 49: "156", 60: f60, 63: "01 "})

    def upload(self, records: list[BatchRecord]) -> Frame:
        fields = {11: self.next_trace(), 48: make_batch_records(records), 60: f"00{self.batch}201"}
        return self.ask("0320", fields)

    def end_batch(self, network_code: str, count: int = 0, *, batch: str | None = None) -> Frame:
        fields = {11: self.next_trace(), 48: f"{count:04d}", 60: f"00{batch or self.batch}{network_code}"}
        return self.ask("0320", fields)


class InProcess:
    """A host without sockets: in-memory database, back office, and terminals that talk to it by function call."""

    def __init__(self, with_profile: Profile | None = None, cards: Mapping[str, IssuerCard] | None = None) -> None:
        self.host = Host(Store(":memory:"), with_profile or DEFAULT_PROFILE, cards)
        self._office = Office(self.host)
        self.do("register_merchant", mid=MID, name="test")

    def do(self, op: str, **arguments: Any) -> dict[str, Any]:
        return self._office.carry_out({"op": op, **arguments})

    def exchange(self, raw: bytes) -> bytes | None:
        return self.host.receive(1, raw).send

    def terminal(self, tid: str | None = None, *, signed_in: bool = True) -> Pos:
        """A newly registered one."""
        tid = tid or new_tid()
        pos = Pos(self.exchange, tid, bytes.fromhex(self.do("register_terminal", mid=MID, tid=tid)["tmk"]))
        if signed_in:
            assert pos.sign_in().get(39) == "00"
        return pos

    def entries(self, pos: Pos) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = self.do("ledger", mid=pos.mid, tid=pos.tid)["entries"]
        return entries

    def notes(self) -> list[str]:
        return [row.note for row in self.host.journal.since(0)]


class Line:
    """A terminal's TCP connection, kept open; callable as an exchange."""

    def __init__(self, address: tuple[str, int], timeout_s: float = 10.0) -> None:
        self.socket = socket.create_connection(address, timeout_s)

    def __call__(self, raw: bytes) -> bytes | None:
        self.socket.sendall(raw)
        return self.read()

    def read(self, timeout_s: float = 10.0) -> bytes | None:
        """The next message; None when the acquirer closed. TimeoutError when nothing comes."""
        self.socket.settimeout(timeout_s)
        prefix = self._exactly(2)
        return None if prefix is None else prefix + (self._exactly(int.from_bytes(prefix, "big")) or b"")

    def _exactly(self, size: int) -> bytes | None:
        data = b""
        while len(data) < size:
            try:
                more = self.socket.recv(size - len(data))
            except ConnectionResetError:
                return None
            if not more:
                return None
            data += more
        return data

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Process:
    """The acquirer as a process, with its control client and everything it pushed so far."""

    def __init__(self, folder: Path, *options: str, with_profile: Profile | None = None) -> None:
        self.folder, self._options = folder, options
        self._profile = folder / "profile.json"
        self._profile.write_text((with_profile or DEFAULT_PROFILE).model_dump_json(), encoding="utf-8")
        self.rows: list[dict[str, Any]] = []
        self.child: Child
        self.client: AcquirerClient

    def start(self, *, netns_fd: int | None = None, listen: str = "127.0.0.1:0") -> Process:
        control = self.folder / "c.sock"
        self.child = spawn(
            [
                sys.executable, "-m", "harness.acquirer", "--control", str(control), "--listen", listen,
                "--db", str(self.folder / "a.sqlite"), "--profile", str(self._profile), *self._options,
            ],
            netns_fd=netns_fd, log=self.folder / "acquirer.log", name="acquirer",
        )
        self.client = AcquirerClient.connect(control, child=self.child, on_event=self._on_event)
        return self

    def _on_event(self, event: dict[str, Any]) -> None:
        if event["ev"] == "journal":
            self.rows.append(event)

    def terminal(self, *, signed_in: bool = True) -> Pos:
        """A newly registered one that opens a connection for each message."""
        self.client.register_merchant(MID)
        tid = new_tid()
        pos = Pos(self.short, tid, bytes.fromhex(self.client.register_terminal(MID, tid)))
        if signed_in:
            assert pos.sign_in().get(39) == "00"
        return pos

    def line(self) -> Line:
        return Line(self.client.address)

    def short(self, raw: bytes) -> bytes | None:
        with self.line() as line:
            return line(raw)

    def since(self, jid: int) -> list[dict[str, Any]]:
        """The rows that were pushed after ``jid``, all there are."""
        self.client.sync()
        return [row for row in self.rows if row["jid"] > jid]

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.child.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100

    def log(self) -> str:
        return "\n".join(self.child.last_lines())

    def stop(self) -> None:
        with contextlib.suppress(AttributeError):
            self.client.close()
        with contextlib.suppress(AttributeError):
            self.child.stop()


@contextlib.contextmanager
def running(folder: Path, *options: str, with_profile: Profile | None = None) -> Iterator[Process]:
    process = Process(folder, *options, with_profile=with_profile)
    try:
        yield process.start()
    finally:
        process.stop()


def await_row(process: Process, wanted: Callable[[dict[str, Any]], bool], deadline_s: float = 10.0) -> dict[str, Any]:
    """The first pushed row that is wanted."""
    deadline = time.monotonic() + deadline_s
    while time.monotonic() < deadline:
        process.client.sync()
        for row in process.rows:
            if wanted(row):
                return row
    raise AssertionError(f"no such row within {deadline_s} s; the last: {json.dumps(process.rows[-3:], indent=1)}")
