"""FWU-07: which version runs is told on the service port and to the host, and it is the one that does run.

What the host is told stands in the status upload (``FW=reference 1.0.0``) and in the question what software there is;
both contents are *assumed* (docs/downloads.md, docs/firmware-update.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.checkers.finding import Finding, checker
from harness.checkers.reading import END, Exchange, Reading
from harness.checkers.updates import Update, Version, cut, updates, version_of
from harness.history.events import Event, TestOpened, UnitReplaced
from harness.history.update_events import FirmwareTold

RULE = "FWU-07"
ASKED = "397"  # 60.3: what software is there


@dataclass(frozen=True)
class Running:
    """What must run from ``start`` until ``end`` (ns), and what says so: the factory, or an update."""

    version: Version
    start: int
    end: int
    evidence: tuple[Event, ...]
    how: str


@checker(RULE)
def told_and_true(reading: Reading) -> Iterator[Finding]:
    """Occasion: a version that runs, and was told at both places; a wrong word at one of them is enough to fail."""
    for running in _all_running(reading):
        yield from _told(reading, running)


def _all_running(reading: Reading) -> Iterator[Running]:
    """Each version, from where it is certain to run until anything may have changed."""
    known = updates(reading)
    known_since = 0 if reading.begins_with_the_log else _first_seen(reading)
    for unit in reading.all(UnitReplaced):
        if unit.t < known_since or unit.kept:
            continue  # it may have been updated since, or before it was put aside
        following = [u.t for u in known if u.t > unit.t] + [u.t for u in reading.all(UnitReplaced) if u.t > unit.t]
        version = version_of(unit.firmware or reading.header.firmware)
        yield Running(version, unit.t, min(following, default=END), (unit,), "comes from the factory")
    for update in known:
        if update.sound and update.accepted and update.told is not None and cut(reading, update) is None:
            known_by = (update.offered, *_ends(update))
            yield Running(update.offers, update.settled, update.until, known_by, "was installed")


def _first_seen(reading: Reading) -> int:
    """Where the part of the log begins; before it stands only what the bench keeps of the past."""
    return next((e.t for e in reading.events if isinstance(e, TestOpened)), END)


def _ends(update: Update) -> tuple[Event, ...]:
    done = update.operation.completed
    return (update.operation.invoked, *([done] if done else []))


def _told(reading: Reading, running: Running) -> Iterator[Finding]:
    service = next((e for e in reading.between(FirmwareTold, running.start, running.end) if e.via == "service"), None)
    said = ((e, told_to_host(e)) for e in reading.exchanges_from(running.start) if e.t < running.end)
    host = next(((e, told) for e, told in said if told is not None), None)
    what = f"{' '.join(running.version)} {running.how}"
    if service is not None and (service.name, service.version) != running.version:
        same = host is None or host[1] == (service.name, service.version)
        if same and not isinstance(running.evidence[0], UnitReplaced):
            return  # something else runs, as it seems: the rules on the update itself tell
        reason = f"{what}, and the service port says {service.name} {service.version}"
        yield Finding.failed(RULE, reason, [*running.evidence, service], at=service)
        return
    if host is not None and host[1] != running.version:
        told = " ".join(host[1]).strip() or "no version"
        reason = f"{what}, and the host is told {told} by the {host[0].name}"
        yield Finding.failed(RULE, reason, [*running.evidence, service, host[0].request], at=host[0].request)
        return
    if service is not None and host is not None:
        reason = f"{what}, and both the service port and the {host[0].name} say so"
        yield Finding.passed(RULE, reason, [*running.evidence, service, host[0].request], at=service)


def told_to_host(exchange: Exchange) -> Version | None:
    """The name and version in a status upload, or in the question what software there is; ("", "") where such a message
    has none; None: it is another message."""
    if exchange.mti not in ("0800", "0820") or exchange.message_type != "00":
        return None
    text = exchange.sent.binary(62).decode("gbk", "replace") if exchange.sent.get(62) else ""
    if exchange.transaction == "status_upload":
        words = dict(part.partition("=")[::2] for part in text.split(";"))
        text = words.get("FW", "")
    elif exchange.network_code != ASKED:
        return None
    name, _, version = text.strip().rpartition(" ")
    return name, version
