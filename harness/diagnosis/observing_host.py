"""Signs that need the acquirer: its journal, and what its back office says when somebody looks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from harness.checkers.decoding import decoded
from harness.checkers.reading import Reading
from harness.diagnosis.judging import Seen
from harness.diagnosis.observing_wire import whose
from harness.history.diagnosis_events import HostLookedUp, WireLooked
from harness.history.events import HostJournal, Service, WireConnection

_ELSEWHERE = re.compile(r"leads elsewhere")
_SILENT = re.compile(r"withheld|not decided|connection closed instead of an answer")
_DAMAGED = re.compile(r"(?<!instead of an answer); connection closed")
_SERIAL = re.compile(r"\bSN=(\S+)")
_NOTED: Mapping[str, re.Pattern[str]] = {
    "noted_pending": re.compile(r"not registered \((pending|rejected|approved)\)"),
    "noted_removed": re.compile(r"not registered \((removed|unbound|dormant)\)"),
    "noted_missing": re.compile(r"terminal \S+ of merchant \S+ not registered(?! \()"),
    "noted_suspended": re.compile(r"(?:merchant \S+|terminal) (?:suspended|closed)"),
    "noted_unit": re.compile(r"bound to this terminal"),
}
REVIEWED, GONE = ("pending", "rejected", "approved"), ("removed", "unbound", "dormant")


def journal(reading: Reading) -> Iterator[Seen]:
    """What the host's own log says of each message."""
    for row in reading.journal:
        if row.direction == "in" and _ELSEWHERE.search(row.note):
            yield Seen("host_elsewhere", (row.seq,), row.t, row.note)
            continue
        if row.direction == "in":
            yield Seen("host_heard", (row.seq,), row.t)
        if row.direction == "out":
            yield Seen("host_answered", (row.seq,), row.t)
        if row.direction == "withheld" or (row.direction == "in" and _SILENT.search(row.note)):
            yield Seen("host_silent", (row.seq,), row.t, row.note)
        elif row.direction == "in" and _DAMAGED.search(row.note):
            yield Seen("host_damaged", (row.seq,), row.t, row.note)
        for sign, pattern in _NOTED.items():
            if row.direction == "out" and pattern.search(row.note):
                yield Seen(sign, (row.seq,), row.t, row.note, _of_row(reading, row))


def _of_row(reading: Reading, row: HostJournal) -> str:
    frame = decoded(row.hex)
    return whose(reading, frame.fields.get(42, ""), frame.fields.get(41, "")) if frame else ""


def registry(reading: Reading) -> Iterator[Seen]:
    """What the back office says of merchant and terminal."""
    looks = reading.all(HostLookedUp)
    another_heard = reading.model.identities > 1 and any(look.heard for look in looks)
    for look in looks:
        of = whose(reading, look.mid, look.tid)
        for sign, about in (*_of_merchant(look), *_of_terminal(look), *_of_unit(reading, look)):
            yield Seen(sign, (look.seq,), look.t, about, of)
        if not look.heard and not another_heard:
            yield Seen("host_heard_nothing", (look.seq,), look.t)


def _of_merchant(look: HostLookedUp) -> Iterator[tuple[str, str]]:
    if look.merchant == "missing":
        if look.terminal != "missing":
            yield "host_merchant_gone", look.mid
        elif look.elsewhere:
            yield "host_merchant_elsewhere", ", ".join(look.elsewhere)
        else:
            yield "host_merchant_missing", look.mid
    elif look.merchant != "active":
        yield "host_suspended", f"merchant {look.merchant}"


def _of_terminal(look: HostLookedUp) -> Iterator[tuple[str, str]]:
    if look.terminal in REVIEWED:
        yield "host_pending", look.terminal
    elif look.terminal in GONE:
        yield "host_removed", look.terminal
    elif look.terminal == "missing" and look.merchant != "missing":
        if look.elsewhere:
            yield "host_tid_elsewhere", ", ".join(look.elsewhere)
        else:
            yield "host_tid_missing", look.tid
    elif look.terminal == "suspended" or look.sign_state == "closed":
        yield "host_suspended", f"terminal {look.terminal}"


def _of_unit(reading: Reading, look: HostLookedUp) -> Iterator[tuple[str, str]]:
    """Bound to another unit; or all in order."""
    serials = {match[1] for e in reading.all(Service) if (match := _SERIAL.search(e.text))}
    if look.bound and serials and look.bound not in serials:
        yield "host_other_unit", look.bound
        return
    if look.merchant == look.terminal == "active" and look.sign_state != "closed":
        if serials or not look.bound:
            yield "host_registered", ""
        if look.sign_state == "signed_out":
            yield "host_signed_out", ""


def ways(reading: Reading) -> Iterator[Seen]:
    """Where the terminal looks for its host, against where it is."""
    looks = reading.all(HostLookedUp)
    if not looks:
        return
    known = {way for look in looks for way in (*look.ways, *look.line)}
    hosts = {way.rpartition(":")[0] or way for way in known}
    packets = reading.all(WireLooked)
    tried = [(event, event.peer) for event in reading.all(WireConnection) if event.peer]
    tried += [(look, peer) for look in packets for peer in look.peers]  # type: ignore[misc]
    asked = [(look, name) for look in packets for name in (*look.names, *look.asked_for)]
    for event, peer in tried:
        yield Seen("way_right" if peer in known else "way_wrong", (event.seq, looks[-1].seq), event.t, peer)
    for look, name in asked:
        yield Seen("way_right" if name in hosts else "way_wrong", (look.seq, looks[-1].seq), look.t, name)
