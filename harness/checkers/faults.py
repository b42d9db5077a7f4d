"""What was done to the wire, as the history has it: which fault was at work when, and what a strike changed.

What the terminal really got is on the tap, whoever sent it; what the acquirer really said is in its journal. A strike
tells the difference. Where its ``delivered`` holds a whole frame that is not the ``message``, the bench has said
something in the acquirer's (or the terminal's) name: *falsified*.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from harness.checkers.batches import later_with_its_trace
from harness.checkers.decoding import decoded
from harness.checkers.reading import END, SECOND, Exchange, Operation, Reading
from harness.history.events import FaultArmed, FaultHealed, FaultStruck, HostJournal, WireFrame, WireLink
from harness.protocol.codes import answers, request_mti
from harness.protocol.stream import FrameSplitter

CLOCKS_NS = SECOND // 200  # tap and injector read one clock, each in its own way
SOON_NS = 5 * SECOND  # what was put in a message's place comes as soon as the stream allows


@dataclass(frozen=True)
class Trouble:
    """Something was wrong with the wire from ``start`` until ``end`` (END: to the end of the log).

    ``began``: the first strike of a fault, or the cable pulled. ``ended``: healed, plugged in; None: never.
    """

    start: int
    end: int
    began: FaultStruck | WireLink
    ended: FaultHealed | WireLink | None
    name: str


_troubles: WeakKeyDictionary[Reading, tuple[Trouble, ...]] = WeakKeyDictionary()


def troubles(reading: Reading) -> tuple[Trouble, ...]:
    """All of the log, by their beginning. A fault that was armed and never struck is none."""
    if reading not in _troubles:
        found = [*_of_faults(reading), *_of_the_cable(reading)]
        _troubles[reading] = tuple(sorted(found, key=lambda trouble: (trouble.start, trouble.began.seq)))
    return _troubles[reading]


def _of_faults(reading: Reading) -> Iterator[Trouble]:
    names = {e.fault_id: str(e.fault.get("fault", "fault")) for e in reading.all(FaultArmed)}
    for span in reading.faults:
        if isinstance(span.began, FaultStruck):
            ended = span.ended if isinstance(span.ended, FaultHealed) else None
            yield Trouble(span.start, span.end, span.began, ended, names.get(span.began.fault_id, "fault"))


def _of_the_cable(reading: Reading) -> Iterator[Trouble]:
    for span in reading.link_down:
        if isinstance(span.began, WireLink):
            ended = span.ended if isinstance(span.ended, WireLink) else None
            yield Trouble(span.start, span.end, span.began, ended, "cable out")


_latest_end: WeakKeyDictionary[Reading, list[int]] = WeakKeyDictionary()


def touched_by(reading: Reading, operation: Operation) -> Trouble | None:
    """What was wrong with the wire while the operation went on, or had been since the one before it had ended: the
    first of it."""
    found = troubles(reading)
    if reading not in _latest_end:
        _latest_end[reading] = list(itertools.accumulate((trouble.end for trouble in found), max))
    since, first = reading.done_before(operation), None
    index = bisect.bisect_right(found, operation.done, key=lambda trouble: trouble.start) - 1
    while index >= 0 and (found[index].start > since or _latest_end[reading][index] > operation.t):
        trouble = found[index]
        if operation.t < trouble.end or (isinstance(trouble.began, FaultStruck) and since < trouble.start):
            first = trouble
        index -= 1
    return first


def strikes_between(reading: Reading, start: int, end: int) -> tuple[FaultStruck, ...]:
    """``start <= t < end``. What could not be done is none."""
    return tuple(strike for strike in reading.between(FaultStruck, start, end) if strike.done)


# -- what was said in somebody else's name -----------------------------------------------------------------------------


def delivered_frames(strike: FaultStruck) -> list[str]:
    """The whole frames (hex) among what was delivered in the message's place, the message itself left out."""
    frames = FrameSplitter().feed(bytes.fromhex(strike.delivered))
    return [text for text in (frame.hex().upper() for frame in frames) if text != strike.message]


def put_in_its_place(reading: Reading, frame: WireFrame) -> FaultStruck | None:
    """The strike that put this frame on the wire, which its sender by name never sent."""
    before = strikes_between(reading, frame.t - SOON_NS, frame.t + CLOCKS_NS)
    return next((s for s in before if frame.hex in delivered_frames(s)), None)


def forged_answer(reading: Reading, exchange: Exchange) -> FaultStruck | None:
    """The strike that gave this answer, where the acquirer did not."""
    return put_in_its_place(reading, exchange.response) if exchange.response else None


def falsified_request(reading: Reading, exchange: Exchange) -> FaultStruck | None:
    """The strike in which the acquirer got another request than the terminal had sent."""
    again = next((e.t for e in later_with_its_trace(reading, exchange) if e.mti == exchange.mti), END)
    for strike in strikes_between(reading, exchange.t - CLOCKS_NS, min(exchange.t + SOON_NS, again)):
        given = [decoded(text) for text in delivered_frames(strike)] if strike.message == exchange.request.hex else []
        if any(frame is None or not frame.is_response for frame in given):
            return strike
    return None


def falsified(reading: Reading, exchange: Exchange) -> FaultStruck | None:
    """The strike by which terminal and acquirer were told different things about this request: what either has booked
    then is not the terminal's fault."""
    return forged_answer(reading, exchange) or falsified_request(reading, exchange)


_answers_of: WeakKeyDictionary[Reading, dict[tuple[str, str, str, str], list[HostJournal]]] = WeakKeyDictionary()


def lines_for(reading: Reading, exchange: Exchange) -> list[HostJournal]:
    """What the acquirer decided on messages of this kind and number of this terminal, sent or withheld, in order."""
    if reading not in _answers_of:
        index = _answers_of[reading] = {}
        for line in reading.journal:
            frame = decoded(line.hex) if line.direction != "in" else None
            if frame is not None and frame.is_response:
                key = (request_mti(frame.mti), frame.get(11), frame.get(41), frame.get(42))
                index.setdefault(key, []).append(line)
    return _answers_of[reading].get((exchange.mti, exchange.trace or "", exchange.tid, exchange.mid), [])


def said_by_the_acquirer(reading: Reading, exchange: Exchange) -> HostJournal | None:
    """What the acquirer answered to this request, sent or withheld, whatever became of it on the way. The next message
    of the same kind and number is another (a reversal has the number of all its repeats)."""
    lines = [line for line in lines_for(reading, exchange) if line.t >= exchange.t]
    if not lines:
        return None
    alike = (e for e in later_with_its_trace(reading, exchange) if e.mti == exchange.mti)
    until = next((e.t for e in alike), END)
    frame = decoded(lines[0].hex)
    return lines[0] if lines[0].t < until and frame is not None and not answers(exchange.sent, frame) else None


def arrival(reading: Reading, exchange: Exchange) -> HostJournal | None:
    """The acquirer's record of having got this request (and not an earlier one with the same bytes)."""
    line = reading.journal_of(exchange.request)
    return line if line is not None and line.t >= exchange.t - CLOCKS_NS else None


def first_falsified(reading: Reading, exchanges: Iterable[Exchange]) -> FaultStruck | None:
    """The strike on the first of them that the bench has falsified."""
    return next((strike for e in exchanges if (strike := falsified(reading, e))), None)
