"""A test as its history has it: what was done, and what had been seen by then. Pure.

A *step* is something that was done: an operation began, the back office changed something, a fault was armed. A *sign*
is something that was seen: a frame on the wire, an operation's end, a fault's strike. A step comes back at its moment
when the signs before it have been seen again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.campaigns.scheduling import label_of
from harness.checkers.shown import contains_any
from harness.errors import BadInput
from harness.history.events import (
    AnyEvent,
    FaultArmed,
    FaultHealed,
    FaultStruck,
    HostArmed,
    HostChanged,
    Key,
    OperationCompleted,
    OperationInvoked,
    Power,
    Screen,
    Service,
    TestClosed,
    TestOpened,
    TestPhase,
    UnitReplaced,
    WireFrame,
    WireLink,
)
from harness.history.instrument_events import Disturbed, HardwareState, InstrumentSet, InstrumentsSafe, StressStep
from harness.history.reader import header_of, read
from harness.terminal.contracts import Completion

PAUSE_S = 0.5  # a longer time in which nothing was done or seen is part of the test, and is waited for again
_QUIET = ("STATUS", "COUNTERS", "IDENTITY")  # what the service port is only asked

StepEvent = (
    OperationInvoked | HostChanged | HostArmed | Power | WireLink | FaultArmed | FaultHealed | UnitReplaced | Service
    | InstrumentSet | InstrumentsSafe | HardwareState | StressStep | Disturbed
)
Sign = tuple[str, ...]
"""("frame", MTI, direction), ("done", operation), ("struck", fault)."""


@dataclass(frozen=True)
class Step:
    """``after``: how often each sign had been seen since the body began, of those that count for it; ``pause_s``: how
    long nothing happened before it; ``connected``: of an operation, that it was not told that it can't connect; ``ok``:
    that it was not refused; ``told``: that it said how it ended; ``idle``: what the screen last showed was idle. The
    last step of a test has no event: it is what was waited for in the end."""

    event: StepEvent | None
    after: tuple[tuple[Sign, int], ...]
    pause_s: float
    connected: bool = True
    ok: bool = True
    idle: bool = False
    told: bool = True


@dataclass(frozen=True)
class Recorded:
    """``test``, ``title`` and ``declares`` as they were. ``merchants``: (TID, MID) in the order of the unit. ``only``:
    fault id -> the matches that it struck. ``frames``: the messages of the body, hex, in their order. ``serial``: of
    the unit that stood there as the body began, "" not known."""

    test: str
    title: str
    declares: tuple[str, ...]
    label: str
    steps: tuple[Step, ...]
    merchants: tuple[tuple[str, str], ...]
    only: dict[int, tuple[int, ...]]
    frames: tuple[WireFrame, ...]
    serial: str = ""

    def __str__(self) -> str:
        name = self.test.rpartition("::")[2].rpartition("[")
        given = name[2].rpartition("@")[0].rstrip("-")
        return f"{name[0] or name[2]}-{given}".rstrip("-").replace("[", "(").replace("]", ")")


def recorded(run_dir: Path, wanted: str | None = None) -> list[Recorded]:
    """The tests of a stored run, or the one of that id (a part of it will do, where only one has it).

    Raises BadInput where there is none, or where several are meant.
    """
    found = [one for log in sorted(run_dir.glob("benches/*/history.jsonl")) for one in _of(read(log), log)]
    if not found:
        raise BadInput("this folder holds no test that could be done again", where=str(run_dir))
    if wanted is None:
        return found
    exact = [one for one in found if one.test == wanted] or [one for one in found if wanted in one.test]
    if len(exact) == 1:
        return exact
    names = "\n  ".join(one.test for one in (exact or found)[:12])
    problem = f"{len(exact)} tests are called so" if exact else "no test is called so"
    raise BadInput(problem, where=f"{run_dir}, {wanted}", remedy=f"It has, among others:\n  {names}")


def _of(events: Sequence[AnyEvent], log: Path) -> Iterator[Recorded]:
    header = header_of(events, log)
    idle = tuple(header.declaration.get("idle_texts", ())) if header else ()
    merchants = tuple(dict.fromkeys((e.tid, e.mid) for e in events if isinstance(e, Key)))
    spans: dict[str, list[AnyEvent]] = {}
    for event in events:
        if event.span is not None:
            spans.setdefault(event.span, []).append(event)
    for test, span in spans.items():
        opened = next((e for e in span if isinstance(e, TestOpened)), None)
        if opened is None:
            raise BadInput(f"has events of a test whose test.opened event is missing: {test}", where=str(log))
        label = label_of(test)
        if label is not None and any(isinstance(e, TestClosed) for e in span):
            body = next((e.t for e in span if isinstance(e, TestPhase) and e.phase == "body"), opened.t)
            units = [e.serial for e in events if isinstance(e, UnitReplaced) and e.t < body]
            yield _test(opened, label, span, merchants, units[-1] if units else "", idle)


def _test(
    opened: TestOpened, label: str, span: Sequence[AnyEvent], merchants: tuple[tuple[str, str], ...], serial: str,
    idle: Sequence[str],
) -> Recorded:
    body = list(_body(span))
    struck: dict[int, list[int]] = {}
    for event in body:
        if isinstance(event, FaultStruck):
            struck.setdefault(event.fault_id, []).append(event.match)
    ended = next((e.t for e in span if isinstance(e, TestPhase) and e.phase == "conclude"), span[-1].t)
    return Recorded(
        opened.test, opened.title, tuple(opened.declares), label,
        _tried_once(list(_steps(body, ended, idle))), merchants,
        {fault_id: tuple(dict.fromkeys(matches)) for fault_id, matches in struck.items()},
        tuple(event for event in body if isinstance(event, WireFrame)), serial,
    )


def _body(span: Iterable[AnyEvent]) -> Iterator[AnyEvent]:
    """What happened between the bench being ready and the end, in the order of time."""
    inside = False
    for event in span:
        if isinstance(event, TestPhase):
            inside = event.phase == "body"
        elif inside:
            yield event


def _tried_once(steps: Sequence[Step]) -> tuple[Step, ...]:
    """Without operations that could not connect and were tried again at once: how often that is, is chance."""
    return tuple(
        step for step, after in zip(steps, [*steps[1:], None], strict=True)
        if step.connected or after is None or not _the_same(step.event, after.event)
    )


def _the_same(one: StepEvent | None, other: StepEvent | None) -> bool:
    if not isinstance(one, OperationInvoked) or not isinstance(other, OperationInvoked):
        return False
    return (one.name, one.via, one.args) == (other.name, other.via, other.args)


def _steps(body: Sequence[AnyEvent], ended: int, idle: Sequence[str]) -> Iterator[Step]:
    ends = {
        event.op: Completion(event.outcome, event.code, event.detail)
        for event in body if isinstance(event, OperationCompleted)
    }
    seen: Counter[Sign] = Counter()
    last_sign: Sign | None = None
    last_t: int | None = None
    done: list[Sign] = []
    running: dict[int, OperationInvoked] = {}
    at_rest = False
    for event in body:
        if isinstance(event, Screen):
            at_rest = contains_any(event.lines, idle) is not None
        sign = sign_of(event)
        if sign is not None:
            seen[sign] += 1
            if isinstance(event, OperationCompleted):
                running.pop(event.op, None)
                done.append(sign)
            else:
                last_sign = sign
        elif isinstance(event, StepEvent) and _is_done_by_hand(event, running.values()):
            wanted = {one: seen[one] for one in (*done, *([last_sign] if last_sign else []))}
            pause = 0.0 if last_t is None else (event.t - last_t) / 1e9
            end = ends.get(event.op) if isinstance(event, OperationInvoked) else None
            yield Step(
                event, tuple(wanted.items()), pause if pause > PAUSE_S else 0.0, end is None or end.connected,
                end is None or end.outcome != "fail", at_rest, end is None or end.outcome != "unknown",
            )
            done, last_sign = [], None
            if isinstance(event, OperationInvoked):
                running[event.op] = event
        else:
            continue
        last_t = event.t
    wanted = {one: seen[one] for one in (*done, *([last_sign] if last_sign else []))}
    pause = 0.0 if last_t is None else (ended - last_t) / 1e9
    yield Step(None, tuple(wanted.items()), pause if pause > PAUSE_S else 0.0)


def sign_of(event: AnyEvent) -> Sign | None:
    """What it is a sign of, if of anything."""
    match event:
        case WireFrame():
            return ("frame", event.hex[26:30], event.direction)
        case OperationCompleted():
            return ("done", str(event.op))
        case FaultStruck():
            return ("struck", str(event.fault_id))
        case _:
            return None


def _is_done_by_hand(event: StepEvent, running: Iterable[OperationInvoked]) -> bool:
    """Whether somebody did it, rather than the terminal, the injector, or an operation that is a step already."""
    match event:
        case Power():
            return event.reason in ("operator", "cut")
        case HostChanged():
            return event.detail.get("by") != "activation"  # that the unit did with its code
        case FaultHealed() | InstrumentsSafe():
            return event.why == "asked"
        case Service():
            asked = event.direction == "to_terminal" and not event.text.startswith(_QUIET)
            return asked and not any(one.via == "service" for one in running)
        case _:
            return True
