"""The guard's main thread: what the worker asks, and what makes everything safe without being asked."""

from __future__ import annotations

import functools
import gc
import os
import selectors
import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from harness.instruments import desk, drivers
from harness.instruments.contracts import InstrumentError
from harness.instruments.described import driver_options
from harness.instruments.desk import Desk
from harness.instruments.guard.emulated import Emulated
from harness.instruments.guard.limits import Limits
from harness.instruments.guard.line import Line
from harness.instruments.guard.log import Log
from harness.instruments.guard.plan import GuardPlan
from harness.instruments.guard.rounds import Rounds
from harness.instruments.guard.station import POLL_S, Station
from harness.instruments.guard.waiting import Restoring, Waiting, Why
from harness.lab.instrument_entry import OPERATOR

ASKS_S = 0.5  # how soon it is looked whether a person is still asked
LOOKS_AT_ROUNDS_S = 0.25  # how soon it is seen that a reading hangs
LOOKS_S = 1.0  # how soon it is seen that nobody can be asked any more
REMINDS_S = 60.0  # how often the log says which instrument is not reached


class Guard:
    """``worker``: its end of the line; ``pidfd``: on the worker's process. :meth:`run` returns when everything is safe
    and nobody is left."""

    def __init__(self, plan: GuardPlan, worker: socket.socket, pidfd: int) -> None:
        self._plan, self._pidfd, self._socket = plan, pidfd, worker
        self._log = Log(plan.folder)
        self._woken, self._waker = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._line = Line(worker, self._wake)
        self._emulated: Emulated | None = None
        self._desk: Desk | None = None
        self._stations: dict[str, Station] = {}
        self._rounds = Rounds(self._stations.values(), period_s=plan.sample_s)
        self._contacts: frozenset[str] = frozenset()  # emulated instruments that are in cables
        self._given_up: dict[str, str] = {}  # a person's that nobody is left to make safe, and what was never open: why
        self._restoring: Restoring | None = None
        self._waiting: list[Waiting] = []
        self._heard = time.monotonic()
        self._test, self._deadline = "", float("inf")
        self._locked, self._silent = "", False
        self._left: Why | None = None  # nobody is on the line any more
        self._end_asked = False
        self._reminded = 0.0

    # -- Reports, from the stations' threads ---------------------------------------------------------------------------

    def event(self, kind: str, **fields: Any) -> None:
        self._line.send({"ev": kind, "t": time.monotonic_ns(), **fields})

    def note(self, text: str) -> None:
        self._log.note(text)

    def changed(self, name: str) -> None:
        self._wake()

    def settle(self, name: str) -> None:
        if self._emulated is not None and name in self._contacts:
            self._emulated.settle()

    def _told_by_emulated(self, event: dict[str, Any]) -> None:
        if event.get("ev") == "contact":
            self.event("contact", instrument=event["instrument"], channel=event["channel"], closed=event["closed"])

    def _wake(self) -> None:
        try:
            os.write(self._waker, b"\0")
        except BlockingIOError:
            return  # it will wake in any case

    # -- the main thread ----------------------------------------------------------------------------------------------

    def run(self) -> None:
        self._log.note(f"guard of bench {self._plan.bench}, process {os.getpid()}")
        try:
            self._open()
        except InstrumentError as error:
            self.event("trouble", instrument="", what=error.what, remedy=error.remedy)
            self._log.note(error.what)
            self._locked = error.what
        gc.freeze()  # what was imported stays: the collector need not look at it while instruments are sampled
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ)
            selector.register(self._pidfd, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            while not self._finished():
                try:
                    self._turn(selector)
                except Exception as error:
                    self._failed(error)
        self._line.flush()
        self._rounds.end(wait_s=1.0)
        for station in self._stations.values():
            station.end(wait_s=1.0)
        if self._emulated is not None:
            self._emulated.end()
        self._log.note("guard ended")

    def _open(self) -> None:
        plan, known = self._plan, drivers.known()
        options = {one.name: driver_options(one, known[one.driver], plan.surroundings) for one in plan.instruments}
        if any(one.emulated for one in plan.instruments):
            self._emulated = Emulated(plan, self._told_by_emulated)
        names = {one.driver: one.name for one in plan.instruments if one.address == OPERATOR}
        self._desk = Desk(plan.scratch, self._asking, self._answered, names)
        desk.sit(self._desk)
        for one in plan.instruments:
            driver = known[one.driver]
            limits = Limits.of(driver.kind, driver.quantities, plan.surroundings, one.limits)
            station = Station(
                one, driver, options[one.name], limits, self, sample_s=plan.sample_s, retry_s=plan.retry_s
            )
            if self._emulated is not None and one.emulated:
                station.address = self._emulated.addresses[one.name]
            self._stations[one.name] = station
        self._contacts = frozenset(
            one.name for one in self._stations.values() if one.entry.emulated and one.kind == "relay"
        )
        for station in self._stations.values():
            station.start()
        self._rounds.start()

    def _asking(self, instrument: str, prompt: str, within_s: float) -> None:
        self._log.note(f"{instrument}: the operator is asked: {prompt}")
        self.event("asking", instrument=instrument, prompt=prompt, within_s=within_s)

    def _answered(self, instrument: str, prompt: str, answer: str, seconds: float) -> None:
        self._log.note(f"{instrument}: the operator answered: {answer}")
        self.event("answered", instrument=instrument, prompt=prompt, answer=answer, seconds=round(seconds, 3))
        self._wake()

    def _turn(self, selector: selectors.BaseSelector) -> None:
        events = selectors.EVENT_READ | (0 if self._line.flush() else selectors.EVENT_WRITE)
        if self._left is None and selector.get_key(self._socket).events != events:
            selector.modify(self._socket, events)
        self._rounds.look()
        for key, mask in selector.select(min(self._timeout(), LOOKS_AT_ROUNDS_S)):
            if key.fd == self._woken:
                os.read(self._woken, 4096)
            elif key.fd == self._pidfd:
                self._worker_gone(selector)
            elif mask & selectors.EVENT_READ:
                messages = self._line.receive()
                if messages is None:
                    self._worker_gone(selector)
                for message in messages or ():
                    self._heard, self._silent = time.monotonic(), False
                    self._serve(message)
        self._look_at_the_stations()
        self._look_at_the_clock()

    def _timeout(self) -> float:
        now = time.monotonic()
        now_or_soon = time.monotonic() + ASKS_S if self._is_asking() else 0.0
        due = [self._deadline, *(max(one.until, now_or_soon) for one in self._waiting)]
        if not self._silent and self._left is None:
            due.append(self._heard + self._plan.silence_s)
        if self._restoring is not None:
            due.append(self._reminded + REMINDS_S)
            if self._waits_for_a_person():
                due.append(now + LOOKS_S)
        return max(0.0, min(due) - now) if min(due) < float("inf") else 3600.0

    def _finished(self) -> bool:
        if self._left is None and not self._end_asked:
            return False
        return not self._unsafe() and not self._waiting and self._restoring is None

    def _is_gone(self, station: Station) -> bool:
        """It was a server of ours and has ended, or nobody is left and it was never open: nothing is to be done."""
        if self._left is not None and not station.opened:
            return True
        return station.entry.emulated and (self._emulated is None or not self._emulated.alive)

    def _worker_gone(self, selector: selectors.BaseSelector) -> None:
        if self._left is not None:
            return
        self._left = "runner_died"
        selector.unregister(self._socket)
        selector.unregister(self._pidfd)
        self._waiting.clear()
        if self._end_asked:
            return
        self._deadline = float("inf")
        self._restore("runner_died")
        self._log.note(f"the worker is gone{f' in test {self._test}' if self._test else ''}: making everything safe")

    def _look_at_the_clock(self) -> None:
        now = time.monotonic()
        if now >= self._deadline:
            self._deadline = float("inf")
            self._hung(f"the test {self._test} is past its deadline")
        if self._left is None and not self._silent and now - self._heard >= self._plan.silence_s:
            self._silent = True
            self._hung(f"the worker has not been heard of for {self._plan.silence_s:g} s")
        self._look_at_waiting()

    def _hung(self, what: str) -> None:
        self._restore("hung")
        self._log.note(f"{what}: making everything safe")
        self._locked = f"{what}, and everything was made safe"
        self.event("hung", what=self._locked)

    def _failed(self, error: Exception) -> None:
        """Of the guard itself: whatever it was, the instruments come first, and it goes on."""
        if self._restoring is None:
            self._hung(f"the guard failed ({type(error).__name__}: {error})")
        time.sleep(POLL_S)  # an error that stays must not take the processor from those who make safe

    # -- safe state ---------------------------------------------------------------------------------------------------

    def _restore(self, why: Why) -> None:
        self._restoring = Restoring(why)
        self._reminded = time.monotonic()
        for station in self._stations.values():
            station.make_safe()
        self._write_state()

    def _unsafe(self) -> dict[str, str]:
        """Those that are still brought to their safe state."""
        return {
            one.name: one.unsafe for one in self._stations.values()
            if one.unsafe and not self._is_gone(one) and one.name not in self._given_up
        }

    def _waits_for_a_person(self) -> bool:
        """Who must answer at a desk that goes with the bench, and the bench is closed."""
        unsafe = self._unsafe() if self._left is not None or self._end_asked else ()
        return any(self._stations[name].entry.address == OPERATOR for name in unsafe)

    def _look_at_the_desk(self) -> None:
        """Once nobody can be asked any more, what a person was to make safe is given up, and said to be."""
        if self._desk is None or not self._waits_for_a_person() or not self._desk.is_gone():
            return
        for name in self._unsafe():
            station = self._stations[name]
            asks = station.trouble or self._desk.is_asking(station.entry.driver)
            if station.entry.address == OPERATOR and asks:
                self._given_up[name] = "nobody was there to make it safe, and nobody can be asked any more"
                self._log.note(f"{name}: given up: {self._given_up[name]} (next: see for yourself: {station.safe})")
                self._write_state()

    def _look_at_the_stations(self) -> None:
        restoring, now = self._restoring, time.monotonic()
        if restoring is None:
            return
        self._look_at_the_desk()
        unsafe = self._unsafe()
        if not unsafe:
            self._restoring = None
            self._given_up |= {  # nobody here drove it; what state it is in, nobody here knows
                one.name: f"it was never open: {one.trouble or one.unsafe}" for one in self._stations.values()
                if self._left is not None and not one.opened and not one.entry.emulated
            }
            self._say_safe(restoring.why, self._given_up)
            what = f"all safe but {', '.join(self._given_up)}" if self._given_up else "all safe"
            self._log.note(f"{what} ({restoring.why}) after {now - restoring.since:.3f} s")
        elif now - self._reminded >= REMINDS_S:
            self._reminded = now
            for name, why in unsafe.items():
                self._log.note(f"{name}: still not safe: {why}; trying again")

    def _look_at_waiting(self) -> None:
        now = time.monotonic()
        for one in list(self._waiting):
            if one.done() or (now >= one.until and not self._is_asking()):
                self._waiting.remove(one)
                one.reply()

    def _is_asking(self) -> bool:
        """A person may take longer than an instrument; the question has a deadline of its own."""
        return self._desk is not None and self._desk.is_asking()

    def _say_safe(self, why: Why, unsafe: dict[str, str]) -> None:
        names = [name for name in self._stations if name not in unsafe]
        self.event("safe", why=why, instruments=names, unsafe=unsafe)
        self._write_state(why)

    def _write_state(self, why: Why | None = None) -> None:
        unsafe = self._unsafe() | self._given_up
        said = why or (self._restoring.why if self._restoring else "asked")
        self._log.state(said, [name for name in self._stations if name not in unsafe], unsafe)

    # -- requests -----------------------------------------------------------------------------------------------------

    def _serve(self, message: dict[str, Any]) -> None:
        op, number = message.get("op"), message.get("id")
        reply = functools.partial(self._reply, number)
        try:
            serve = _OPS.get(op) if isinstance(op, str) else None
            if serve is None:
                reply({"ok": False, "what": f"the guard knows no {op!r}"})
            else:
                serve(self, message, reply)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            reply({"ok": False, "what": f"{op}: this request can't be used: {error!r}"})

    def _reply(self, number: object, reply: dict[str, Any]) -> None:
        self._line.send({"re": number, **reply})

    def _station(self, message: dict[str, Any]) -> Station:
        return self._stations[message["instrument"]]

    def _op_alive(self, message: dict[str, Any], reply: Callable[[dict[str, Any]], None]) -> None:
        """No answer: that it came is all."""

    def _op_open(self, message: dict[str, Any], reply: Callable[[dict[str, Any]], None]) -> None:
        """Once each instrument is open and safe, or has said why it is not."""
        stations: Sequence[Station] = list(self._stations.values())

        def tell() -> None:
            troubles = {one.name: one.trouble or one.unsafe for one in stations if one.unsafe}
            if self._locked and not stations:
                troubles[""] = self._locked
            reply({"ok": not troubles, "troubles": troubles, "what": "not every instrument could be opened"})
            if not troubles:
                self._write_state("asked")

        self._wait(lambda: all(not one.unsafe or one.trouble for one in stations), message, tell)

    def _op_call(self, message: dict[str, Any], reply: Callable[[dict[str, Any]], None]) -> None:
        if self._locked:
            reply({"ok": False, "what": self._locked, "remedy": "begin another test", "refused": True})
            return
        self._station(message).call(str(message["method"]), dict(message["args"]), reply)

    def _op_read(self, message: dict[str, Any], reply: Callable[[dict[str, Any]], None]) -> None:
        self._station(message).read(reply)

    def _op_begin(self, message: dict[str, Any], reply: Callable[[dict[str, Any]], None]) -> None:
        """A test begins: at most ``deadline_s`` from now on."""
        self._test, self._deadline = str(message["test"]), time.monotonic() + float(message["deadline_s"])
        self._locked = "" if self._stations else self._locked
        reply({"ok": True})

    def _op_end(self, message: dict[str, Any], reply: Callable[[dict[str, Any]], None]) -> None:
        self._deadline = float("inf")
        self._make_safe("test_ended", message, reply)

    def _op_safe(self, message: dict[str, Any], reply: Callable[[dict[str, Any]], None]) -> None:
        self._make_safe("asked", message, reply)

    def _op_close(self, message: dict[str, Any], reply: Callable[[dict[str, Any]], None]) -> None:
        """Everything safe, then the guard ends; what can't be reached is tried for as long as it takes."""
        self._deadline, self._end_asked = float("inf"), True
        self._make_safe("asked", message, reply)

    def _make_safe(self, why: Why, message: dict[str, Any], reply: Callable[[dict[str, Any]], None]) -> None:
        self._restore(why)

        def tell() -> None:
            unsafe = self._unsafe()
            if unsafe:
                self._say_safe(why, unsafe)
            reply({"ok": not unsafe, "unsafe": unsafe, "what": "not every instrument is safe"})

        self._wait(lambda: self._restoring is None, message, tell)

    def _wait(self, done: Callable[[], bool], message: dict[str, Any], tell: Callable[[], None]) -> None:
        until = time.monotonic() + float(message["within_s"])
        self._waiting.append(Waiting(done, until, tell))
        self._look_at_waiting()

    def _op_emulated(self, message: dict[str, Any], reply: Callable[[dict[str, Any]], None]) -> None:
        """A request to the emulated instruments, passed on; they may take their time, the guard does not wait."""
        emulated = self._emulated
        if emulated is None:
            reply({"ok": False, "what": "this bench has no emulated instruments"})
            return

        def ask() -> None:
            try:
                reply({"ok": True, "result": emulated.ask(dict(message["request"]))})
            except InstrumentError as error:
                reply({"ok": False, "what": error.what, "remedy": error.remedy})

        threading.Thread(target=ask, name="emulated", daemon=True).start()


_OPS = {
    "alive": Guard._op_alive, "open": Guard._op_open, "call": Guard._op_call, "read": Guard._op_read,
    "begin": Guard._op_begin, "end": Guard._op_end, "safe": Guard._op_safe, "close": Guard._op_close,
    "emulated": Guard._op_emulated,
}  # fmt: skip
