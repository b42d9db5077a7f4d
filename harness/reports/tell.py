"""One event in words and pictures, and on which side of the ladder it stands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from harness.errors import BadInput
from harness.history.events import (
    AnyEvent,
    BenchFailed,
    Cashier,
    Counters,
    FaultArmed,
    FaultHealed,
    FaultStruck,
    HostArmed,
    HostChanged,
    HostJournal,
    HostLedger,
    Measurement,
    OperationCompleted,
    OperationInvoked,
    Power,
    Radio,
    Screen,
    Service,
    Slip,
    TestPhase,
    UnitReplaced,
    WireBytes,
    WireConnection,
    WireLink,
)
from harness.history.instrument_events import InstrumentEvent
from harness.reports import mask, strikes, tell_surroundings, words
from harness.reports.bilingual import Both, _, joined, same
from harness.reports.images import Album, Picture
from harness.reports.run import BenchLog
from harness.wire.faults import read, spoken

Pairs = tell_surroundings.Pairs

SHOWN_LEDGER = 12
SHOWN_FAULT = 160  # characters: a replayed message is long


@dataclass(frozen=True)
class Item:
    """One thing that was seen or done. ``pairs``: names and values below it; ``mood``: plain, good, bad, quiet."""

    kind: str
    seq: int
    t: int
    text: Both
    mood: str = "plain"
    picture: Picture | None = None
    lines: tuple[str, ...] = ()
    pairs: Pairs = ()
    unreadable: int = 0
    withheld: bool = False
    crop: int = 0  # height of the picture that holds something, in its pixels
    marks: tuple[tuple[int, str], ...] = ()  # findings that rest on it


def item(event: AnyEvent, bench: BenchLog, album: Album) -> tuple[str, Item]:
    """(side, item); side is scene (left), host (right), wire (middle) or phase (across)."""
    match event:
        case TestPhase():
            return "phase", Item("phase", event.seq, event.t, words.named(words.PHASES, event.phase))
        case Screen() | Slip():
            return "scene", _picture(event, bench, album)
        case OperationInvoked():
            return "scene", _invoked(event)
        case OperationCompleted():
            return "scene", _completed(event)
        case Cashier():
            return "scene", _cashier(event)
        case Service():
            return "scene", Item("service", event.seq, event.t, same(f"{_arrow(event)} {mask.text(event.text)}"))
        case Counters():
            pairs: Pairs = tuple((same(name), value) for name, value in mask.values(event.values).items())
            return "scene", Item("counters", event.seq, event.t, _("counters, as the terminal says"), pairs=pairs)
        case Power():
            text = words.POWER.get((event.state, event.reason)) or same(f"{event.state} ({event.reason})")
            return "scene", Item("power", event.seq, event.t, text, "bad" if event.reason != "operator" else "plain")
        case UnitReplaced():
            text = _("another unit on the bench: {serial}").format(serial=event.serial)
            return "scene", Item("unit", event.seq, event.t, text, lines=(mask.text(event.why),) if event.why else ())
        case Measurement():
            return "scene", Item("measurement", event.seq, event.t, same(_measured(event)))
        case BenchFailed():
            text = _("The bench failed: {what}").format(what=mask.text(event.what))
            return "wire", Item("failed", event.seq, event.t, text, "bad")
        case WireLink():
            text = _("cable plugged in") if event.state == "up" else _("cable unplugged")
            return "wire", Item("link", event.seq, event.t, text, "good" if event.state == "up" else "bad")
        case Radio():
            return "wire", Item("radio", event.seq, event.t, _radio(event), "good" if event.session else "bad")
        case WireConnection():
            return "wire", _connection(event)
        case WireBytes():
            text = _("{count} bytes that are no frame: {reason}").format(count=len(event.hex) // 2, reason=event.reason)
            return "wire", Item("bytes", event.seq, event.t, text, "bad")
        case FaultArmed():
            return "wire", _fault_armed(event)
        case FaultStruck():
            return "wire", struck(event)
        case FaultHealed():
            text = _("fault {number} ended: {why}").format(number=event.fault_id, why=words.HEALED[event.why])
            return "wire", Item("healed", event.seq, event.t, text, "bad" if event.why == "died" else "good")
        case HostChanged():
            pairs = tuple((same(name.replace("_", " ")), value) for name, value in mask.values(event.detail).items())
            who = ((same(f"MID {event.mid}" + (f" TID {event.tid}" if event.tid else "")), ""),)
            change = words.named(words.CHANGES, event.change)
            return "host", Item("change", event.seq, event.t, change, pairs=who + pairs)
        case HostArmed():
            return "host", _armed(event)
        case HostLedger():
            return "host", _ledger(event)
        case _ if isinstance(event, InstrumentEvent):
            kind, text, mood, pairs = tell_surroundings.told(event)
            return "scene", Item(kind, event.seq, event.t, text, mood, pairs=pairs)
        case _:
            return "wire", Item("other", event.seq, event.t, same(event.kind), "quiet")


def journal_note(event: HostJournal) -> str:
    """What the acquirer wrote beside a frame."""
    armed = f" [{event.rule_id}]" if event.rule_id is not None else ""
    return mask.text(event.note) + armed


def _arrow(event: Service) -> str:
    return "→" if event.direction == "to_terminal" else "←"


def _picture(event: Screen | Slip, bench: BenchLog, album: Album) -> Item:
    secret = mask.shows_secret(event.lines)
    picture = album.add(f"{bench.folder}/{event.image}", secret=secret)
    kind = "screen" if isinstance(event, Screen) else "slip"
    lines = tuple(mask.text(line) for line in event.lines)
    height = picture.height if picture else 0
    if kind == "screen":
        scale = int(bench.opened.declaration.get("screen", {}).get("scale", 1))
        height = min(height, 16 * scale * (max(len(lines), 1) + 1))
    blank = _("screen, blank") if kind == "screen" and not lines and not event.unreadable else None
    text = blank or (_("slip") if kind == "slip" else _("screen"))
    return Item(
        kind, event.seq, event.t, text, picture=picture, lines=lines, unreadable=event.unreadable, withheld=secret,
        crop=height,
    )


def _invoked(event: OperationInvoked) -> Item:
    name = words.named(words.OPERATIONS, event.name)
    shown = mask.values(event.args)
    parts = [
        Both(f"{label.en} {value}", f"{label.zh} {value}")
        for key, raw in shown.items()
        for label, value in [(words.named(words.ARGUMENTS, key), words.cents(raw) if key == "amount" else raw)]
    ]
    via = words.named(words.VIA, event.via)
    return Item("operation", event.seq, event.t, joined(" · ", [name, via, *parts]))


def _completed(event: OperationCompleted) -> Item:
    outcome = words.named(words.OUTCOMES, event.outcome)
    code = event.code or ""
    meaning = words.CASHIER_RESULTS.get(code)
    parts = [outcome] + ([same(code)] if code else []) + ([meaning] if meaning else [])
    mood = {"ok": "good", "fail": "plain", "unknown": "bad"}[event.outcome]
    lines = (mask.text(event.detail),) if event.detail else ()
    return Item("completed", event.seq, event.t, joined(" · ", parts), mood, lines=lines)


def _cashier(event: Cashier) -> Item:
    pairs = []
    for tag, value in mask.values(event.fields).items():
        name = words.named(words.CASHIER_TAGS, tag)
        shown = words.cents(value) if tag in ("DF03", "DF12") else value
        pairs.append((Both(f"{tag} {name.en}", f"{tag} {name.zh}"), shown))
    text = _("till → terminal") if event.direction == "to_terminal" else _("terminal → till")
    if not event.fields:
        raw = bytes.fromhex(event.hex)
        known = {b"\x06": "ACK", b"\x15": "NAK"}.get(raw)
        text = joined(" ", [text, same(known) if known else _("{count} bytes").format(count=len(raw))])
    return Item("cashier", event.seq, event.t, text, "plain" if event.fields else "quiet", pairs=tuple(pairs))


def _radio(event: Radio) -> Both:
    """How far the modem has got, or what is in its way."""
    if event.session:
        state = _("modem: data session")
    elif event.sim == "missing":
        state = _("modem: no SIM")
    elif event.signal == "none":
        state = _("modem: no signal")
    elif event.registration == "denied":
        state = _("modem: not let into the network")
    elif event.data == "refused":
        state = _("modem: no data session granted")
    else:
        state = _("modem: registered, no data session") if event.registered else _("modem: looks for its network")
    return joined(", ", [state, _("signal weak")]) if event.signal == "weak" else state


def _connection(event: WireConnection) -> Item:
    parts = [words.named(words.CONNECTION, event.state)]
    if event.state in ("closed", "reset") and event.by:
        parts.append(words.SIDES[event.by])
    mood = "bad" if event.state in ("refused", "reset") else "quiet"
    return Item("connection", event.seq, event.t, joined(" ", parts, ""), mood)


def struck(event: FaultStruck) -> Item:
    """What a fault did, and in which packets of faults.pcapng that can be seen."""
    text = _("fault {number}: {what}").format(number=event.fault_id, what=strikes.both(mask.text(event.what)))
    if event.packets:
        numbers = _("packets {numbers} of faults.pcapng").format(numbers=spans(event.packets))
        text = joined(", ", [text, numbers], "，")
    return Item("struck", event.seq, event.t, text, "bad")


def spans(numbers: Iterable[int]) -> str:
    """1, 2, 3, 7 -> "1-3, 7"."""
    found: list[list[int]] = []
    for number in sorted(set(numbers)):
        if found and number == found[-1][-1] + 1:
            found[-1][1:] = [number]
        else:
            found.append([number])
    return ", ".join("-".join(map(str, span)) for span in found)


def _fault_armed(event: FaultArmed) -> Item:
    try:
        said = spoken.words(read(event.fault))
    except BadInput:  # a fault of another version
        said = str(event.fault.get("fault", "?"))
    long = said if len(said) <= SHOWN_FAULT else f"{said[:SHOWN_FAULT]}…"
    text = _("fault {number} armed: {fault}").format(number=event.fault_id, fault=long)
    return Item("fault", event.seq, event.t, text, "bad")


def _armed(event: HostArmed) -> Item:
    if not event.rule and event.rule_id:
        text = _("told to forget rule {number}").format(number=event.rule_id)
        return Item("armed", event.seq, event.t, text, "quiet")
    if not event.rule:
        return Item("armed", event.seq, event.t, _("told to behave again"), "quiet")
    text = _("told to misbehave (rule {number})").format(number=event.rule_id)
    pairs = tuple((same(name.replace("_", " ")), value) for name, value in mask.values(event.rule).items())
    return Item("armed", event.seq, event.t, text, "bad", pairs=pairs)


def _ledger(event: HostLedger) -> Item:
    lines = [
        f"{e.batch} {e.trace} {e.kind} {words.cents(e.amount)} {e.state}" + (f" ×{e.reversals}" if e.reversals else "")
        for e in event.entries[-SHOWN_LEDGER:]
    ]
    if len(event.entries) > SHOWN_LEDGER:
        lines.insert(0, f"… +{len(event.entries) - SHOWN_LEDGER}")
    text = _("the host's books: {count} entries").format(count=len(event.entries))
    return Item("ledger", event.seq, event.t, text, lines=tuple(lines))


def _measured(event: Measurement) -> str:
    limits = "" if event.low is None and event.high is None else f" [{event.low or ''}..{event.high or ''}]"
    return f"{event.name} = {event.value:g} {event.unit}{limits}"
