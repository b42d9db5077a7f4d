"""A technician looks for what is the matter with a terminal: a short series of questions, none of which moves money.

Each probe is something that a technician may do at a counter: read the service port, an echo, a balance enquiry with a
test card, a sign-in, a reprint. None settles, sets or loads anything, and an unanswered one leaves nothing to reverse.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from harness.bench.bench import Bench
from harness.bench.looking import Look
from harness.diagnosis.diagnosing import Diagnosis, of_looking
from harness.diagnosis.signs import Level
from harness.errors import BenchError, TerminalTimeout
from harness.history.diagnosis_events import Asked
from harness.history.events import AnyEvent, RunOpened, Screen
from harness.history.instrument_events import Readings
from harness.instruments.contracts import InstrumentError
from harness.terminal.cards import CHIP, MAGNETIC, Card
from harness.terminal.contracts import Order

IDLE_S = 12.0
MOST_SILENT = 3  # questions without any answer; then nobody is there


@dataclass(frozen=True)
class Probe:
    """``name`` for the log. ``ask`` does it; what it brings is in the history. A terminal that says nothing in time has
    said that too."""

    name: str
    ask: Callable[[Bench], object]


def _order(name: str, card: Card | None = None) -> Callable[[Bench], object]:
    def ask(bench: Bench) -> object:
        bench.terminal.to_idle(IDLE_S)
        return bench.terminal.perform(Order(name, card=card))

    return ask


SERVICE: tuple[Probe, ...] = (
    Probe("version", lambda bench: bench.terminal.read_version()),
    Probe("identity", lambda bench: bench.terminal.read_identity()),
    Probe("counters", lambda bench: bench.terminal.read_counters()),
    Probe("network", lambda bench: bench.terminal.read_network()),
)
AT_THE_KEYS: tuple[tuple[str, str, Card | None], ...] = (  # name, transaction, card
    ("echo", "echo", None), ("balance", "balance", MAGNETIC), ("sign_in", "sign_in", None),
    ("balance, signed in", "balance", CHIP), ("reprint", "reprint", None),
)  # fmt: skip


def probes(bench: Bench) -> Iterator[Probe]:
    """Those that this model has, in an order in which one does not spoil the next."""
    if bench.model.service_port and not bench.plan.physical_like:
        yield from SERVICE
    for name, transaction, card in AT_THE_KEYS:
        if transaction != "reprint" and transaction not in bench.model.transactions:
            continue
        if card is not None and card.entry not in bench.model.entry:
            continue
        yield Probe(name, _order(transaction, card))
    if bench.model.service_port and not bench.plan.physical_like:
        yield Probe("network, afterwards", lambda one: one.terminal.read_network())


def look_around(bench: Bench, told: Callable[[str], object] = lambda name: None) -> list[AnyEvent]:
    """All probes. Returns the events of them, with what was to be seen as they began: which bench it is, its screen,
    the last readings. Raises BenchError where the bench, not the terminal, failed."""
    history = bench.history
    seen = seen_before(history.events)
    look = Look(bench)
    silent = 0
    for probe in probes(bench):
        if silent == MOST_SILENT:
            break
        told(probe.name)
        answered = _asked(bench, probe)
        silent = 0 if answered else silent + 1
        history.append(Asked(t=time.monotonic_ns(), question=probe.name, answered=answered))
    look.end()
    return [*seen, *history.since(look.first)]


def _asked(bench: Bench, probe: Probe) -> bool:
    """Whether anything came. Raises BenchError where a process of ours died."""
    try:
        probe.ask(bench)
        return True
    except (TerminalTimeout, InstrumentError):
        return False
    except BenchError:  # a service port that says nothing
        bench.check()
        return False


def seen_before(events: Sequence[AnyEvent]) -> list[AnyEvent]:
    """What stands there as a look begins: which bench it is, its screen, what its instruments read."""
    opened = [event for event in events if isinstance(event, RunOpened)]
    screens = [event for event in events if isinstance(event, Screen)][-1:]
    readings: dict[str, list[Readings]] = {}
    for event in events:
        if isinstance(event, Readings):
            readings.setdefault(event.instrument, []).append(event)
    return [*opened, *screens, *(one for all_of_it in readings.values() for one in _last_of(all_of_it))]


def _last_of(readings: Sequence[Readings]) -> list[Readings]:
    """The last; of a generator that has fired and is still armed, the last before that as well."""
    last = readings[-1]
    for one in reversed(readings) if last.values.get("armed") else ():
        if one.values.get("pulses", 0.0) < last.values.get("pulses", 0.0):
            return [one, last]
        if not one.values.get("armed"):
            break
    return [last]


def diagnose(bench: Bench, level: Level = "host", told: Callable[[str], object] = lambda name: None) -> Diagnosis:
    """A look around, and what is made of it."""
    return of_looking(look_around(bench, told), level)


def both(events: Sequence[AnyEvent]) -> tuple[Diagnosis, Diagnosis]:
    """From outside, and with the acquirer's view."""
    return of_looking(events, "outside"), of_looking(events, "host")
