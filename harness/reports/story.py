"""The story of a test: its events as rows in the order of time, for the message ladder of the page.

On the left what people see (screen, slip, till, keys), in the middle what crosses the wire, on the right what the
acquirer does. A frame that the tap saw and the acquirer wrote into its journal is one row; what only one of both saw
stays visible as such: an answer that never reached the terminal ends at the wire, one that a fault made begins there.
What a fault did to a message stands in that message's row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from harness.history.events import (
    AnyEvent,
    FaultStruck,
    Heartbeat,
    HostJournal,
    Key,
    RunClosed,
    RunOpened,
    TestClosed,
    TestOpened,
    WireConnection,
    WireFrame,
)
from harness.history.instrument_events import Felt, Readings
from harness.reports import messages, tell
from harness.reports.bilingual import Both
from harness.reports.images import Album
from harness.reports.messages import Message
from harness.reports.run import BenchLog
from harness.reports.tell import Item

ALWAYS_FELT = ("clock_moved", "screen_late")  # many times a second where it is cold
KEPT_AROUND = 6  # rows kept before and after a row that is evidence, where a story is too long
KEPT_HEAD = 30
KEPT_TAIL = 20


@dataclass(frozen=True)
class Row:
    """One row. ``kind``: message, scene (left), host (right), wire (middle), phase, gap.

    ``seconds`` since the test began (negative: before it). ``marks``: (index of the finding, its verdict) for every
    finding that rests on one of ``seqs``. ``struck``: what faults of the wire did to the message; ``made``: it is what
    a fault delivered, and nobody sent it so.
    """

    kind: str
    t: int
    seconds: float
    seqs: tuple[int, ...]
    items: tuple[Item, ...] = ()
    message: Message | None = None
    to_acquirer: bool = True
    on_wire: bool = True  # the tap saw it
    at_host: bool = True  # the acquirer received or sent it
    withheld: bool = False  # decided by the acquirer, never sent
    frame: int | None = None
    packets: tuple[int, ...] = ()
    jid: int | None = None
    note: str = ""
    text: Both | None = None
    marks: tuple[tuple[int, str], ...] = ()
    left_out: int = 0
    struck: tuple[Item, ...] = ()
    made: bool = False


@dataclass
class _Pair:
    """A frame on the wire and its line in the journal; one of both may be missing. ``strikes`` hit it; it was ``made``
    by one."""

    wire: WireFrame | None = None
    journal: HostJournal | None = None
    strikes: list[FaultStruck] = field(default_factory=list)
    made: bool = False

    @property
    def seen(self) -> WireFrame | HostJournal:
        """The frame where it was seen first."""
        found = [event for event in (self.wire, self.journal) if event is not None]
        return min(found, key=lambda event: event.t)

    @property
    def key(self) -> tuple[str, str]:
        """Bytes and direction."""
        if self.wire is not None:
            return self.wire.hex, self.wire.direction
        assert self.journal is not None
        return self.journal.hex, "to_acquirer" if self.journal.direction == "in" else "to_terminal"


@dataclass
class Teller:
    """Makes rows of one bench's events. ``album`` takes the pictures."""

    bench: BenchLog
    album: Album
    zero: int  # t of "0 s"
    evidence: dict[int, list[tuple[int, str]]] = field(default_factory=dict)

    def rows(self, events: Iterable[AnyEvent], limit: int) -> list[Row]:
        """At most about ``limit`` rows; where there are more, those around the evidence stay."""
        listed = sorted(events, key=lambda e: (e.t, e.seq))
        pairs = _pairs(listed)
        told = _strikes(listed, pairs)
        rows: list[Row] = []
        for event in listed:
            row = None if event.seq in told else self._row(event, pairs)
            if row is None:
                continue
            merged = _merged(rows[-1], row) if rows else None
            if merged is not None:
                rows[-1] = merged
            else:
                rows.append(row)
        marked = [
            replace(
                row, marks=self._marks(row.seqs),
                items=tuple(replace(item, marks=self._marks([item.seq])) for item in row.items),
                struck=tuple(replace(item, marks=self._marks([item.seq])) for item in row.struck),
            )
            for row in rows
        ]  # fmt: skip
        return _shortened(marked, limit)

    def _marks(self, seqs: Sequence[int]) -> tuple[tuple[int, str], ...]:
        found = {mark for seq in seqs for mark in self.evidence.get(seq, [])}
        return tuple(sorted(found))

    def _row(self, event: AnyEvent, pairs: dict[int, _Pair]) -> Row | None:
        seconds = (event.t - self.zero) / 1e9
        if isinstance(event, (WireFrame, HostJournal)):
            pair = pairs.get(event.seq)
            return self._message(pair, event.t, seconds) if pair is not None else None
        if isinstance(event, (RunOpened, RunClosed, TestOpened, TestClosed, Heartbeat, Key)):
            return None
        follows = isinstance(event, Readings) or (isinstance(event, Felt) and event.what in ALWAYS_FELT)
        if follows and event.seq not in self.evidence:
            return None  # the ones are plotted, the others follow from them
        side, item = tell.item(event, self.bench, self.album)
        if side == "phase":
            return Row("phase", event.t, seconds, (event.seq,), text=item.text)
        return Row(side, event.t, seconds, (event.seq,), items=(item,))

    def _message(self, pair: _Pair, t: int, seconds: float) -> Row:
        wire, journal = pair.wire, pair.journal
        seqs = tuple(event.seq for event in (wire, journal, *pair.strikes) if event is not None)
        hex_frame = wire.hex if wire is not None else journal.hex if journal is not None else ""
        frame = messages.decode(hex_frame)
        texts = self.bench.opened.profile.get("texts", {}).get("codes", {})
        return Row(
            "message", t, seconds, seqs,
            message=messages.message(frame, texts) if frame is not None else None,
            to_acquirer=wire.direction == "to_acquirer" if wire else journal is not None and journal.direction == "in",
            on_wire=wire is not None, at_host=journal is not None,
            withheld=journal is not None and journal.direction == "withheld",
            frame=wire.frame if wire else None, packets=tuple(wire.packets) if wire else (),
            jid=journal.jid if journal else None, note=tell.journal_note(journal) if journal else "",
            struck=tuple(tell.struck(strike) for strike in pair.strikes), made=pair.made,
        )  # fmt: skip


def _pairs(events: Sequence[AnyEvent]) -> dict[int, _Pair]:
    """``seq`` of the first event of each pair -> the pair: same bytes, same direction, in their order."""
    open_wire: dict[tuple[str, str], list[_Pair]] = {}
    open_journal: dict[tuple[str, str], list[_Pair]] = {}
    found: dict[int, _Pair] = {}
    for event in events:
        if isinstance(event, WireFrame):
            key = (event.hex, event.direction)
            waiting = open_journal.get(key)
            if waiting:
                waiting.pop(0).wire = event
            else:
                found[event.seq] = pair = _Pair(wire=event)
                open_wire.setdefault(key, []).append(pair)
        elif isinstance(event, HostJournal):
            if event.direction == "withheld":
                found[event.seq] = _Pair(journal=event)
                continue
            key = (event.hex, "to_acquirer" if event.direction == "in" else "to_terminal")
            waiting = open_wire.get(key)
            if waiting:
                waiting.pop(0).journal = event
            else:
                found[event.seq] = pair = _Pair(journal=event)
                open_journal.setdefault(key, []).append(pair)
    return found


def _strikes(events: Sequence[AnyEvent], pairs: Mapping[int, _Pair]) -> set[int]:
    """Puts each strike to the message that it hit, the nearest in time of those with its bytes, and says of what a
    fault delivered that it was made. Returns the ``seq`` of the strikes that are told so."""
    by_bytes: dict[tuple[str, str], list[_Pair]] = {}
    for pair in pairs.values():
        by_bytes.setdefault(pair.key, []).append(pair)

    def nearest(hex_frame: str, direction: str | None, t: int) -> _Pair | None:
        ways = [direction] if direction else ["to_acquirer", "to_terminal"]
        known = [pair for way in ways for pair in by_bytes.get((hex_frame, way), [])]
        return min(known, key=lambda pair: abs(pair.seen.t - t), default=None)

    told = set()
    for event in events:
        if not isinstance(event, FaultStruck):
            continue
        hit = nearest(event.message, event.direction, event.t)
        if hit is not None:
            hit.strikes.append(event)
            told.add(event.seq)
        made = nearest(event.delivered, None, event.t) if event.delivered != event.message else None
        if made is not None and (made.wire is None or made.journal is None):
            made.made = True
    return told


def _merged(last: Row, row: Row) -> Row | None:
    """Neighbours on one side become one row, so that pictures stand beside each other and a connection is one line."""
    if last.kind != row.kind or row.kind not in ("scene", "host", "wire"):
        return None
    if row.kind == "scene" and (row.items[0].kind == "operation" or len(last.items) >= 8):
        return None
    return replace(last, seqs=last.seqs + row.seqs, items=last.items + row.items)


def _shortened(rows: list[Row], limit: int) -> list[Row]:
    if len(rows) <= limit:
        return rows
    keep = set(range(KEPT_HEAD)) | set(range(len(rows) - KEPT_TAIL, len(rows)))
    for index, row in enumerate(rows):
        if row.marks and len(keep) < limit:
            keep |= set(range(max(0, index - KEPT_AROUND), min(len(rows), index + KEPT_AROUND + 1)))
    result: list[Row] = []
    skipped: list[Row] = []
    for index, row in enumerate(rows):
        if index not in keep:
            skipped.append(row)
            continue
        if skipped:
            result.append(_gap(skipped))
            skipped = []
        result.append(row)
    return result


def _gap(skipped: list[Row]) -> Row:
    seqs = (skipped[0].seqs[0], skipped[-1].seqs[-1])
    return Row("gap", skipped[0].t, skipped[0].seconds, seqs, left_out=sum(len(row.seqs) for row in skipped))


@dataclass(frozen=True)
class Exchange:
    """A request and its answer in one short line, for tests that passed. ``answer`` "" where none was seen."""

    request: Both
    code: str
    answered: bool


def exchanges(events: Iterable[AnyEvent]) -> list[Exchange]:
    """Requests of the terminal with the code that came back on the same connection."""
    found: list[Exchange] = []
    waiting: dict[int, int] = {}
    for event in events:
        if isinstance(event, WireConnection) and event.state == "opening":
            waiting.pop(event.stream, None)
        if not isinstance(event, WireFrame):
            continue
        frame = messages.decode(event.hex)
        if frame is None:
            continue
        if event.direction == "to_acquirer":
            waiting[event.stream] = len(found)
            found.append(Exchange(messages.title(frame), "", False))
        elif event.stream in waiting:
            index = waiting.pop(event.stream)
            found[index] = Exchange(found[index].request, messages.code_of(frame), True)
    return found
