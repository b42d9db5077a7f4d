"""One instrument in the guard: its driver, its thread, what it read last, and whether it is to be safe.

Everything that is done to the instrument is done in its thread, one thing after another; the others only ask. Only what
is read ten times a second is read by :class:`harness.instruments.guard.rounds.Rounds`, while the thread has nothing to
do. What a station finds out it tells through :class:`Reports`, from either.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from harness.history.instrument_events import Quantity
from harness.instruments.contracts import InstrumentError
from harness.instruments.described import check_identity
from harness.instruments.guard.limits import Limits, is_open
from harness.instruments.guard.replies import answered, failed, refused, told
from harness.instruments.guard.reserving import reserved
from harness.instruments.guard.rounds import next_tick
from harness.instruments.methods import QUESTIONS, in_words
from harness.instruments.quantities import impossible, resolution
from harness.lab.instrument_entry import EMULATED, OPERATOR, InstrumentEntry
from harness.lab.lease import Lease

AT_LEAST_NS = 5_000_000_000  # a reading is recorded at least so often
SLOW_S = 1.0  # what takes longer twice in a row can't be sampled; once a machine at work may have kept us waiting
ALONE_S = 60.0  # who was too slow to be read with the others is read by its own thread, until it was quick for so long
SETTLES_S = 2.0  # from being told to being safe, as read back
FIRST_RETRY_S, POLL_S = 0.1, 0.05

Reply = Callable[[dict[str, Any]], None]


class Reports(Protocol):
    """Where a station tells what happened. Called from its thread and the one that reads; must not wait, but for
    :meth:`settle`."""

    def event(self, kind: str, **fields: Any) -> None:
        """Something for the worker."""

    def note(self, text: str) -> None:
        """A line for the log."""

    def changed(self, name: str) -> None:
        """It was opened, became safe, or can't be."""

    def settle(self, name: str) -> None:
        """Until what it did by the last order has been told on: what an emulated relay does to a cable is told by
        itself, beside its answers. Raises InstrumentError."""


class Station:
    """``opened``: it has been open at least once; ``unsafe``: why it is not known to be safe, "" where it is and
    nothing was asked of it since."""

    def __init__(
        self, entry: InstrumentEntry, driver: type[Any], options: Mapping[str, Any], limits: Limits,
        reports: Reports, *, sample_s: float, retry_s: float,
    ) -> None:
        self.entry, self.name, self.kind, self.safe = entry, entry.name, driver.kind, str(driver.safe)
        self.address = entry.address
        self.opened, self.trouble, self.unsafe = False, "", "not opened yet"
        self._class, self._options, self._limits, self._reports = driver, options, limits, reports
        self._sample_s, self._longest_retry_s = sample_s, retry_s
        self._orders: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._driver: Any = None
        self._busy = threading.Lock()  # held by who has to do with the instrument
        self._times_read, self._was_slow = 0, False
        self._missed, self._alone_until = False, float("inf") if hasattr(driver, "slow_s") else 0.0
        self._ending = threading.Event()
        self._readings: dict[str, float] = {}
        self._recorded: dict[str, float] = {}
        self._recorded_at = 0
        self._to_make_safe, self._told_at, self._driven = True, 0.0, True
        self._times_asked = 0  # to become safe: what was asked before the last time is not done any more
        self._heads_for_ours = False  # a chamber: since it was safe it was told a temperature
        self._next_try, self._retry_s = 0.0, FIRST_RETRY_S
        self._stopped_for = ""
        self._lease: Lease | None = None
        self._steps = {name: resolution(name) for name in driver.quantities}
        self._thread = threading.Thread(target=self._run, name=entry.name, daemon=True)

    # -- asked by others ----------------------------------------------------------------------------------------------

    def start(self) -> None:
        self._thread.start()

    def call(self, method: str, arguments: Mapping[str, Any], reply: Reply) -> None:
        """Does it, after what was asked before; ``reply`` gets the result or the refusal. Not done where it is asked to
        be safe before its turn has come: what was late must not undo that."""
        asked = self._times_asked
        self._orders.put(lambda: self._call(method, dict(arguments), reply, asked))

    def read(self, reply: Reply) -> None:
        """What it reads now."""
        self._orders.put(lambda: self._read_now(reply))

    def sample(self) -> None:
        """Reads it for the history, at once; left to its thread where that is at work with it, or where it is slow."""
        if not self._can_be_read() or self._is_alone():
            return
        if not self._busy.acquire(blocking=False):
            self._missed = True
            return
        try:
            if self._can_be_read():
                self._sample()
        except Exception as error:
            self._lost(error)
        finally:
            self._busy.release()

    def leave_rounds(self) -> None:
        """It is read by its own thread, until it was quick for :data:`ALONE_S`."""
        self._stay_alone()
        self._orders.put(None)

    def make_safe(self) -> None:
        """To its safe state, instead of anything else that was asked and until it is there, however long that takes."""
        self._times_asked += 1
        self.unsafe = self.unsafe or "is on its way to its safe state"
        self._told_at, self._next_try, self._retry_s = 0.0, 0.0, FIRST_RETRY_S
        self._to_make_safe = True
        withdraw = getattr(self._driver, "withdraw", None)
        if withdraw is not None:  # a person is asked to do something: not any more
            withdraw()
        self._orders.put(None)

    def end(self, *, wait_s: float) -> None:
        """Lets go of the instrument as it is."""
        self._ending.set()
        self._orders.put(None)
        self._thread.join(wait_s)

    # -- in its thread ------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._ending.is_set():
            try:
                order = self._orders.get(timeout=self._nothing_until())
            except queue.Empty:
                order = None
            with self._busy:
                try:
                    self._turn(order)
                except Exception as error:  # whatever it was: this is the thread that makes it safe
                    self._lost(error)
        with self._busy:
            self._drop()
        self._reports.note(f"{self.name}: let go, read {self._times_read} times")
        if self._lease is not None:
            self._lease.release()

    def _nothing_until(self) -> float | None:
        """Seconds until something is due without an order; None: there is nothing."""
        now = time.monotonic()
        if not self._can_be_read():
            return max(0.0, self._next_try - now)
        if self._missed:
            return 0.0
        return next_tick(self._sample_s) - now if self._is_alone() else None

    def _turn(self, order: Callable[[], None] | None) -> None:
        """What an order says, or else what is due."""
        if not self._can_be_read() and time.monotonic() >= self._next_try:
            self._try_to_have_it_safe()
        if order is not None:
            order()
        elif self._can_be_read() and (self._missed or self._is_alone()):
            self._missed = False
            self._sample()

    def _can_be_read(self) -> bool:
        return self._driver is not None and not self._to_make_safe

    def _is_alone(self) -> bool:
        """It is read by its own thread."""
        return time.monotonic() < self._alone_until

    def _stay_alone(self) -> None:
        self._alone_until = max(self._alone_until, time.monotonic() + ALONE_S)

    def _try_to_have_it_safe(self) -> None:
        """One step towards an open, safe instrument. Sets when the next one is due."""
        try:
            if self._driver is None:
                self._open()
            if not self._is_there():
                self._next_try = time.monotonic() + POLL_S
                return
            self._reports.settle(self.name)
        except Exception as error:
            self._lost(error)
            return
        self._to_make_safe, self._driven, self._heads_for_ours = False, False, False
        self._retry_s, self._told_at = FIRST_RETRY_S, 0.0
        self._found_again()
        if self._to_make_safe:  # asked again meanwhile
            return
        self.unsafe, self._stopped_for = "", ""
        self._reports.changed(self.name)

    def _is_there(self) -> bool:
        """Whether it is in its safe state, as read back; it is told first, but where nothing was asked of it since it
        was. Raises InstrumentError where it does not get there in time."""
        if not self._driven and self._driver.is_safe():
            return True
        told_at = self._told_at
        if not told_at:
            self._driver.make_safe()
            told_at = self._told_at = time.monotonic()
        if self._driver.is_safe():
            return True
        if time.monotonic() - told_at < SETTLES_S:
            return False
        raise InstrumentError(
            f"it was told, and is not in its safe state ({self._class.safe}) {SETTLES_S:g} s later",
            remedy="bring it there by hand, at its own panel",
        )

    def _open(self) -> None:
        self._told_at, self._driven = 0.0, True  # nobody knows what was done to it meanwhile
        if self._lease is None and self.entry.address not in (EMULATED, OPERATOR):
            self._lease = reserved(self.address)
        driver = self._class(self.address, **self._options)
        try:
            identity = driver.identity()
            check_identity(self.address, self.entry.identity, identity)
            if not self.opened:
                self._reports.event(
                    "opened", instrument=self.name, sort=self.kind, driver=self._class.name, identity=identity,
                    emulated=self.entry.emulated, safe=self._class.safe,
                    quantities={
                        name: one.model_dump() for name, one in self._limits.quantities(self._quantities()).items()
                    },
                )
        except BaseException:
            _close(driver)
            raise
        self._driver, self.opened = driver, True
        self._recorded_at = 0
        self._reports.note(f"{self.name}: open at {self.address}: {identity}")

    def _quantities(self) -> Mapping[str, Quantity]:
        found: Mapping[str, Quantity] = self._class.quantities
        return found

    def _lost(self, error: Exception) -> None:
        """It can't be reached, or not be made safe: said once, tried again for ever."""
        what, remedy = told(error)
        self._drop()
        self.unsafe = what
        self._to_make_safe = True
        self._next_try = time.monotonic() + self._retry_s
        self._retry_s = min(2 * self._retry_s, self._longest_retry_s)
        self._say_trouble(what, remedy, f"trying again every {self._longest_retry_s:g} s")
        self._reports.changed(self.name)
        self._orders.put(None)  # its thread has to try again

    def _say_trouble(self, what: str, remedy: str, doing: str = "") -> None:
        if what == self.trouble:
            return
        self.trouble = what
        line = "; ".join(filter(None, [what, doing]))
        self._reports.note(f"{self.name}: {line}{f' (next: {remedy})' if remedy else ''}")
        self._reports.event("trouble", instrument=self.name, what=what, remedy=remedy)

    def _found_again(self) -> None:
        if self.trouble:
            self.trouble = ""
            self._reports.note(f"{self.name}: reached again, and in its safe state: {self._class.safe}")

    def _drop(self) -> None:
        driver, self._driver = self._driver, None
        if driver is not None:
            _close(driver)

    def _sample(self) -> None:
        began = time.monotonic()
        try:
            self._take(self._driver.read())
        except Exception as error:
            self._lost(error)
            return
        self._times_read += 1
        took = time.monotonic() - began
        if took > self._sample_s / 2 and self._is_alone():
            self._stay_alone()
        slow = took > getattr(self._class, "slow_s", SLOW_S)
        if slow and self._was_slow:
            self._say_trouble(
                f"it took {took:.1f} s to read, which is too slow to be watched",
                "look at its network, and at who else talks to it",
            )
        self._was_slow = slow

    def _take(self, values: Mapping[str, float]) -> None:
        """Checks what was read, records it where that is due, and stops what is driven too far."""
        changed = values != self._readings  # most often nothing has: ten times a second that is worth a look
        if changed:
            wrong = impossible(values)
            if wrong:
                text = "look at its sensor and its cables; compare with another instrument"
                raise InstrumentError(wrong, remedy=text)
            self._readings = dict(values)
        now = time.monotonic_ns()
        if now - self._recorded_at >= AT_LEAST_NS or (changed and self._differs(values)):
            self._recorded, self._recorded_at = dict(values), now
            self._reports.event("readings", t=now, instrument=self.name, values=self._recorded)
        if self.unsafe:
            self._watch(values)

    def _differs(self, values: Mapping[str, float]) -> bool:
        recorded = self._recorded
        if values.keys() != recorded.keys():
            return True
        return any(abs(value - recorded[name]) > self._steps.get(name, 0.0) for name, value in values.items())

    def _watch(self, values: Mapping[str, float]) -> None:
        """While it is driven: no further than its limits, and not with the door open."""
        why = self._limits.exceeded(values) or ("its door was opened while it was driven" if is_open(values) else "")
        if why and why != self._stopped_for:
            self._stopped_for = why
            self._say_trouble(f"{why}; it was stopped", "look at it before the bench is used again")
            self.make_safe()

    # -- orders -------------------------------------------------------------------------------------------------------

    def _call(self, method: str, given: dict[str, Any], reply: Reply, asked: int) -> None:
        try:
            answer = self._done(method, given, asked)
        except Exception as error:
            what, remedy = told(error)
            self._say_trouble(f"{method}: {what}", remedy)
            answer = failed(f"{method}: {what}", remedy, trouble=True)
        reply(answer)

    def _done(self, method: str, given: dict[str, Any], asked: int) -> dict[str, Any]:
        """What is answered to the call, done or refused. Raises whatever its driver does."""
        try:
            arguments = self._limits.arguments(method, given)
        except ValueError as error:
            return refused(str(error), "ask for less, or raise the limit in the inventory")
        if self._driver is None or self._to_make_safe:
            return failed(self.unsafe or "is being brought to its safe state", "", trouble=self.unsafe != "")
        if asked != self._times_asked:
            late = f"{method} was not done: before its turn came everything was to be safe"
            return failed(late, "look at logs/instruments.log for what took so long", trouble=False)
        if "door_open" in self._class.quantities:
            self._take(self._driver.read())
        door = self._limits.door(method, arguments, self._readings)
        if door:
            return refused(door, "close the door")
        self._hold_temperature(method, arguments)
        if method not in QUESTIONS:
            self.unsafe, self._driven = f"was told to {method}", True
        answer = answered(getattr(self._driver, method)(**arguments))
        self._reports.settle(self.name)
        if method not in QUESTIONS:
            self._reports.event("set", instrument=self.name, method=method, args=in_words(given))
        return answer

    def _hold_temperature(self, method: str, arguments: dict[str, Any]) -> None:
        """A chamber that is started without a temperature keeps to the one it has: where its set point was left, at its
        panel or by another program, nobody knows."""
        if method != "set_climate":
            return
        if arguments.get("temperature_c") is None and not self._heads_for_ours and "temperature_c" in self._readings:
            arguments["temperature_c"] = self._limits.nearest("temperature_c", self._readings["temperature_c"])
        self._heads_for_ours = True

    def _read_now(self, reply: Reply) -> None:
        if self._driver is None:
            reply(failed(self.unsafe, "", trouble=True))
            return
        try:
            self._recorded_at = 0  # what was asked for is recorded
            self._take(self._driver.read())
        except Exception as error:
            self._lost(error)
            what, remedy = told(error)
            reply(failed(what, remedy, trouble=True))
            return
        reply({"ok": True, "result": self._readings})


def _close(driver: Any) -> None:
    try:
        driver.close()
    except Exception:
        return  # it is gone, or was
