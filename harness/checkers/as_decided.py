"""Whether an operation came to what it had to, by what the wire says, and which fault of its own the terminal reported:
for rules that ask if a terminal works at all.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.checkers.attribution import refused_by_itself
from harness.checkers.disturbances import PARTS, broken_between
from harness.checkers.observing import interrupted, own_exchanges, quoted
from harness.checkers.reading import SECOND, Operation, Reading
from harness.checkers.shown import contains_any
from harness.checkers.told import agrees, known, told
from harness.history.events import Event, Screen
from harness.history.instrument_events import Part

# A working terminal sends something for these, unless it says that something else comes first; and not for a chip,
# which may decline by itself.
PLAIN = frozenset({"sale", "sign_in", "echo"})
CANCELLED_NS = 2 * SECOND
READERS: frozenset[Part] = frozenset({"magnetic_reader", "chip_reader", "contactless_reader"})
USED_UP: frozenset[Part] = frozenset({"paper", "battery"})  # run out at any temperature


@dataclass(frozen=True)
class Came:
    """``right``: it ended as the host decided; False: it did not, through the terminal; None: nothing tells. ``how``: a
    predicate to the operation's name. ``decided``: the host decided it, or it had to ask the host and did not."""

    right: bool | None
    how: str
    events: tuple[Event, ...]
    decided: bool = True


def came_to(reading: Reading, operation: Operation) -> Came:
    """The operation must ask the host."""
    ends: list[Event] = [operation.invoked, *([operation.completed] if operation.completed else [])]
    if operation.completed is None or interrupted(reading, operation):
        return Came(None, "was interrupted", tuple(ends))
    by, said = known(reading, operation), told(operation)
    if by is None:
        return _nothing_decided(reading, operation, ends)
    evidence = (*ends, *by.exchange.events)
    if by.outcome == "unknown":
        return Came(None, "was not answered", evidence, decided=False)
    how = f"was {by.outcome} by the host"
    if said is None:
        window = reading.screens_during(operation.t, operation.done + 1)
        seen = bool(window) and not any(s.unreadable for s in window)
        sure = seen and reading.timing_reliable(operation.t, operation.done)
        return Came(False if sure else None, f"{how}, and the terminal told nothing", evidence)
    if agrees(said, by):
        return Came(True, f"{how}, and told so", evidence)
    if said.outcome == "unknown" and by.outcome == "declined" and said.code is None:
        return Came(None, f"{how}, and the terminal told no code", evidence)
    return Came(False, f"{how}, and told as {said}", evidence)


def _nothing_decided(reading: Reading, operation: Operation, ends: list[Event]) -> Came:
    """Nothing of its own was sent, or what was sent decides nothing."""
    start, end = operation.t, operation.done + 1
    args = operation.invoked.args
    cancelled = any(start <= t <= end + CANCELLED_NS for t in reading.invoked_by_name.get("abort", ()))
    free = operation.name not in PLAIN or args.get("entry") in ("chip", "contactless", "scan") or cancelled
    tried = reading.connections_during(start, end) or own_exchanges(reading, operation)
    screen = reading.screen_at(operation.done)
    if free or tried or operation.outcome == "ok" or refused_by_itself(reading, operation)():
        return Came(None, "was not decided by the host", tuple(ends), decided=False)
    if reading.wire_hurt_within(start, end) or screen is None or screen.unreadable:
        return Came(None, "sent nothing", tuple(ends), decided=False)
    return Came(False, f"sent nothing; the screen said {quoted(screen)}", (*ends, screen))


@dataclass(frozen=True)
class ReportedFault:
    """``name``: what the screen said, and the part that it means by it."""

    name: str
    screen: Screen


def reported_fault(reading: Reading, operation: Operation, *, nothing_sent: bool) -> ReportedFault | None:
    """A hardware fault that the screen reports. That a card must be read again is none where it then was; nor is what
    was broken on purpose earlier, of which a terminal may remember."""
    declared = reading.model.surroundings
    end = min(operation.until, operation.done + int(reading.limits.show_s * SECOND), reading.end + 1)
    window = reading.screens_between(operation.t, end)
    texts_of = declared.texts if declared else {}
    on_purpose = {text for one in broken_between(reading, 0, end) for text in texts_of.get(one.part, ())}
    for part, known_texts in texts_of.items():
        texts = [text for text in known_texts if text not in on_purpose]
        if part in USED_UP or (part in READERS and not nothing_sent):
            continue
        for screen in window:
            text = contains_any(screen.lines, texts)
            if text is not None:
                return ReportedFault(f"{text} ({PARTS[part]})", screen)
    return None
