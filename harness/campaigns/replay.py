"""A recorded test driven again from its history: the same steps at the same moments, faults with the same seed.

What can't be the same is put in its place: trace and reference numbers of originals are those of now, a terminal's
identity is that of the bench. What is checked is the judge's affair, as ever: the result is a run of its own.
"""

from __future__ import annotations

import contextlib
import re
import time
import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from harness.bench.bench import Bench
from harness.bench.cable import Armed
from harness.bench.content import ArmedAtHost
from harness.bench.host import Host
from harness.bench.ready import TPDU
from harness.campaigns.recorded import Recorded, Sign, Step, StepEvent, sign_of
from harness.campaigns.replay_surroundings import Surroundings
from harness.errors import BadInput, TerminalTimeout
from harness.history.events import (
    AnyEvent,
    FaultArmed,
    FaultHealed,
    Heartbeat,
    HostArmed,
    HostChanged,
    OperationInvoked,
    Power,
    Service,
    UnitReplaced,
    WireFrame,
    WireLink,
)
from harness.protocol.frames import Frame, FrameError, decode
from harness.terminal.cards import CARDS
from harness.terminal.contracts import Operation, Order, Via
from harness.terminal.orders import NEEDS
from harness.wire.faults import Fault, read

_FIELDS = {11: "trace", 37: "reference", 38: "authorisation", 13: "date"}  # of answers, by which originals are named
_NUMBERS = ("amount", "tip")
KEY, WRONG_KEY = "97" * 16, "79" * 16  # of backups: an engineer's is in no history
NO_CODE = "979797979797"  # where the acquirer had offered none
MERCHANT = re.compile(r"MERCHANT ([1-9])")


class Replay:
    """Plays one recorded test on a bench that is ready for it."""

    def __init__(self, bench: Bench, recorded: Recorded) -> None:
        self._bench, self._recorded = bench, recorded
        self._began = bench.history.seq
        self._running: dict[str, tuple[Operation, Order, Step]] = {}
        self._armed: dict[int, Armed | ArmedAtHost] = {}
        self._rules: dict[int, int] = {}
        self._numbers: dict[str, str] = {}  # operation and fault, as recorded -> as they are now
        self._replaced = False
        self._serials = {recorded.serial: bench.serial} if recorded.serial else {}  # as recorded -> of now
        self._addressed = 1  # the merchant whose key the engineer loads
        self._code = self._backup = ""
        self._around = Surroundings(bench)

    def play(self) -> None:
        """All steps. Raises BadInput for a step that can't be done again, TerminalTimeout where its moment in the
        middle of an operation does not come."""
        steps = self._recorded.steps
        for step, following in zip(steps, [*steps[1:], None], strict=True):
            self._await(step)
            if step.event is None:
                break  # the last one: what was waited for in the end
            self._do(step, step.event)
            began = isinstance(step.event, Power) and step.event.state == "on"
            if began and following is not None and isinstance(following.event, OperationInvoked):
                self._bench.terminal.await_idle(20)  # as whoever switched it on waited for it
        for number in [*self._running]:
            self._finish(number)

    # -- moments ------------------------------------------------------------------------------------------------------

    def _await(self, step: Step) -> None:
        """Until what had been seen before this step is seen again; then as long as nothing happened."""
        for sign, times in step.after:
            if sign[0] == "done":
                self._finish(sign[1])
                continue
            try:
                self._await_sign(sign, times)
            except TerminalTimeout as missed:
                if self._running or sign[0] != "frame":
                    raise
                # between two operations a terminal sends what is due by itself, sooner or later: chance, no step
                warnings.warn(f"{self._recorded}: {missed}; the replay goes on without it", stacklevel=2)
        if step.pause_s:
            until = time.monotonic_ns() + int(step.pause_s * 1e9)
            self._bench.history.wait_for(
                lambda e: isinstance(e, Heartbeat) and e.t >= until, step.pause_s + 30, "the pause that was recorded"
            )

    def _finish(self, number: str) -> None:
        """The operation ends now: signatures and questions are answered meanwhile. Where it connected then and does not
        now, it is tried again, as the test would have done. One that never told how it ended need not tell it now."""
        if number not in self._running:
            return
        operation, order, step = self._running.pop(number)
        with contextlib.nullcontext() if step.told else contextlib.suppress(TerminalTimeout):
            if not operation.wait().connected and step.connected:
                self._bench.once_connected(lambda: self._bench.terminal.perform(order))

    def _await_sign(self, sign: Sign, times: int) -> None:
        now = self._seen()
        wanted = (sign[0], self._numbers.get(sign[1], sign[1])) if sign[0] == "struck" else sign
        if now[wanted] >= times:
            return
        count = now[wanted]
        since = self._bench.history.seq

        def comes(event: AnyEvent) -> bool:
            nonlocal count
            count += sign_of(event) == wanted
            return count >= times

        try:
            self._bench.history.wait_for(
                comes, self._bench.plan.timeout_s + 20, f"what was seen in the recorded test: {' '.join(wanted)}",
                since=since,
            )
        except TerminalTimeout:
            if self._seen()[wanted] < times:  # it may have come between counting and waiting
                raise

    def _seen(self) -> Counter[Sign]:
        found = (sign_of(event) for event in self._bench.history.since(self._began))
        return Counter(sign for sign in found if sign is not None)

    # -- steps --------------------------------------------------------------------------------------------------------

    def _do(self, step: Step, event: StepEvent) -> None:
        bench = self._bench
        match event:
            case OperationInvoked():
                self._operate(event, step)
            case HostChanged():
                self._change(event)
            case HostArmed():
                self._misbehave(event)
            case WireLink():
                (bench.cable.plug if event.state == "up" else bench.cable.unplug)()
            case Power():
                if bench.front.powered != (event.state == "on"):
                    (bench.power.on if event.state == "on" else bench.power.off)()
            case FaultArmed():
                self._armed[event.fault_id] = armed = bench.arm(self._fault(event))
                if isinstance(armed, Armed):
                    self._numbers[str(event.fault_id)] = str(armed.fault_id)
            case FaultHealed():
                armed_before = self._armed.pop(event.fault_id, None)
                if armed_before is not None:
                    armed_before.heal()
            case UnitReplaced():
                self._put_unit(event)
            case Service():
                self._serve(event)
            case _:
                self._around.again(event)

    def _fault(self, event: FaultArmed) -> Fault:
        """The same value. Where chance decided, the matches that it struck are named instead; a message of the test
        that is used again is the one of now."""
        fault = read(event.fault)
        changed: dict[str, Any] = {}
        if fault.percent < 100 or fault.only is not None:
            changed["only"] = self._recorded.only.get(event.fault_id, ())
        earlier = event.fault.get("hex")
        if isinstance(earlier, str):
            changed["hex"] = self._frames().get(earlier.upper(), earlier)
        return read(event.fault | changed)

    def _put_unit(self, event: UnitReplaced) -> None:
        """A blank one under the same number, or the bench's other unit: from its box, or as it was taken away."""
        bench, serial = self._bench, self._serial(event.serial)
        if serial == bench.serial:
            bench.replace_unit(event.why)
        else:
            bench.put_unit(serial, event.why, new=not event.kept)
        self._replaced = True

    def _serial(self, then: str) -> str:
        """Of the unit that stands for that one: the first is the first, any other is the other."""
        bench = self._bench
        if then not in self._serials:
            taken = set(self._serials.values())
            both = (bench.plan.serial_number, bench.units.second)
            self._serials[then] = next((one for one in both if one not in taken), then)
        return self._serials[then]

    def _operate(self, event: OperationInvoked, step: Step) -> None:
        terminal, args = self._bench.terminal, event.args
        if self._around.disturbed and step.idle and not self._running:
            terminal.await_idle(20)  # as whoever stood there saw it come back
            self._around.disturbed = False
        simple: Mapping[str, Callable[[], object]] = {
            "acknowledge": terminal.acknowledge, "menu": terminal.open_menu,
            "select_merchant": lambda: terminal.select_merchant(int(args["number"])),
            "load_tmk": lambda: terminal.load_tmk(self._bench.host.merchants[self._addressed - 1].tmk),
            "activate": partial(self._activate, event.via, step),
            "back_up": self._back_up,
            "restore": lambda: terminal.restore(self._backup, KEY if step.ok else WRONG_KEY),
            "set_host": lambda: terminal.set_host(args["address"], int(args["port"]), TPDU),
            "set_identity": lambda: terminal.set_identity(*self._identity(args["tid"], args["mid"]), via=event.via),
        }
        if event.name in simple:
            simple[event.name]()
        elif event.name in NEEDS:
            order = self._order(event)
            if order.via == "cashier" and step.idle and not self._running:
                terminal.to_idle()  # as whoever stood there saw to it: a till finds a busy terminal otherwise
            self._running[str(event.op)] = terminal.begin(order), order, step
        else:
            raise BadInput(f"a recorded {event.name} can't be done again")

    def _activate(self, via: Via, step: Step) -> None:
        """With the code of now; where it connected then, as often as it takes."""
        once = partial(self._bench.terminal.activate, self._code or NO_CODE, via=via)
        if step.connected:
            self._bench.once_connected(once)
        else:
            once()

    def _back_up(self) -> None:
        """What a unit refuses is no backup: the one before stays."""
        self._backup = self._bench.terminal.back_up(KEY) or self._backup

    def _order(self, event: OperationInvoked) -> Order:
        """With the originals of now in the place of those that were named."""
        renamed = self._originals()
        values: dict[str, Any] = {}
        for name, value in event.args.items():
            if name == "entry":
                if value not in CARDS:
                    raise BadInput(f"a recorded {event.name} by {value} can't be done again")
                values["card"] = CARDS[value]
            elif name == "pin":
                values["pin"] = value == "yes"
            elif name in _NUMBERS:
                values[name] = int(value)
            else:
                values[name] = renamed.get((name, value), value)
        via: Via = "cashier" if event.via == "cashier" else "keypad"
        return Order(event.name, via=via, **values)

    def _change(self, event: HostChanged) -> None:
        host, detail = self._host(event.mid, event.tid), event.detail
        changes: Mapping[str, Callable[[], object]] = {
            "merchant_registered": host.register_merchant, "merchant_removed": host.remove_merchant,
            "terminal_registered": lambda: host.register(
                new_tmk=detail.get("new_tmk") == "yes", write_off=self._replaced and not self._backup,
                serial=self._serial(detail["serial"]) if "serial" in detail else "",
            ),
            "activation_offered": lambda: self._offered(host.offer_activation(self._serial(detail["serial"]))),
            "unit_swapped": lambda: self._offered(host.swap_unit(self._serial(detail["serial"]))),
            "terminal_removed": host.deregister, "terminal_suspended": host.suspend,
            "terminal_restored": host.restore, "terminal_pending": lambda: host.set_state("pending"),
            "terminal_rejected": lambda: host.set_state("rejected"), "signed_out": host.sign_out,
            "tmk_issued": host.issue_tmk, "batch_set": lambda: host.set_batch(detail["batch"]),
            "clock_set": lambda: host.set_clock(float(detail["epoch"])), "clock_cleared": lambda: host.set_clock(None),
            "download_demanded": lambda: host.demand_download(detail["kind"]),  # type: ignore[arg-type]
        }
        if event.change not in changes:
            raise BadInput(f"the recorded change `{event.change}` of the back office can't be done again")
        changes[event.change]()

    def _offered(self, code: str) -> None:
        self._code = code

    def _misbehave(self, event: HostArmed) -> None:
        host = self._bench.host
        if not event.rule:
            host.behave(self._rules.get(event.rule_id, 0))
            return
        rule = dict(event.rule)
        if rule.get("tid"):
            rule["tid"] = self._identity(rule["tid"], "")[0]
        if isinstance(rule.get("hex"), str):
            rule["hex"] = self._frames().get(rule["hex"].upper(), rule["hex"])
        self._rules[event.rule_id] = host.misbehave(rule.pop("mti"), rule.pop("action"), **rule)

    def _serve(self, event: Service) -> None:
        """A line of the engineer's, word for word; none that holds a key or a certificate."""
        if "***" in event.text or event.text.startswith("TLS"):
            raise BadInput("keys and certificates that a test loaded by itself are not in its history")
        if event.text.startswith("HOST2") and "NONE" not in event.text:
            self._bench.use_second_host()
        elif self._bench.terminal.service is not None:
            merchant = MERCHANT.fullmatch(event.text)
            self._addressed = int(merchant[1]) if merchant else self._addressed
            self._bench.terminal.service.ask(event.text)

    # -- then and now -------------------------------------------------------------------------------------------------

    def _host(self, mid: str, tid: str) -> Host:
        """The merchant that stands where the recorded one stood."""
        for number, (known_tid, known_mid) in enumerate(self._recorded.merchants[: len(self._bench.host.merchants)]):
            if known_mid == mid and tid in ("", known_tid):
                return self._bench.host.merchants[number]
        return self._bench.host

    def _identity(self, tid: str, mid: str) -> tuple[str, str]:
        for number, known in enumerate(self._recorded.merchants[: len(self._bench.host.merchants)]):
            if known[0] == tid and mid in ("", known[1]):
                host = self._bench.host.merchants[number]
                return host.tid, host.mid
        return tid, mid

    def _pairs(self) -> list[tuple[str, str]]:
        """Messages of the recorded body and of this one, hex, each with its counterpart: the n-th of its MTI."""
        then: dict[str, list[str]] = {}
        for frame in self._recorded.frames:
            then.setdefault(frame.hex[26:30], []).append(frame.hex)
        now: dict[str, list[str]] = {}
        for event in self._bench.history.since(self._began):
            if isinstance(event, WireFrame):
                now.setdefault(event.hex[26:30], []).append(event.hex)
        return [pair for mti, frames in then.items() for pair in zip(frames, now.get(mti, []), strict=False)]

    def _frames(self) -> dict[str, str]:
        return dict(self._pairs())

    def _originals(self) -> dict[tuple[str, str], str]:
        """(argument, value as recorded) -> value of now."""
        self._bench.sync()
        renamed: dict[tuple[str, str], str] = {}
        for then, now in self._pairs():
            old, new = _decoded(then), _decoded(now)
            if old is None or new is None or not old.is_response:
                continue
            for field, name in _FIELDS.items():
                if field in old and field in new:
                    renamed.setdefault((name, old.get(field)), new.get(field))
        return renamed


def _decoded(hex_frame: str) -> Frame | None:
    try:
        return decode(bytes.fromhex(hex_frame))
    except FrameError:
        return None
