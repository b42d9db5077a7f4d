"""The instruments of a bench as a test has them: ``bench.instruments``.

Everything goes through the guard (:mod:`harness.instruments.guard`), which keeps the limits. What is done leaves an
event, what is read leaves measurements. A call beyond a limit raises :class:`LimitRefused` and changes nothing; an
instrument that fails is the bench's fault: it raises BenchError, and the bench has failed.
"""

from __future__ import annotations

import base64
import contextlib
import math
from collections.abc import Mapping
from typing import Any, TypeVar, cast

from harness.errors import BenchError
from harness.history.instrument_events import InstrumentKind, Readings
from harness.instruments.guard_line import GuardLine

SAFE_S = 10.0  # what an instrument is given to get to its safe state before the bench is said to have failed


class LimitRefused(BenchError):
    """An instrument was to be driven beyond a limit, or with its door open. Nothing was sent to it."""


class Proxy:
    """What all instruments have. ``name``: as in the inventory."""

    kind: InstrumentKind

    def __init__(self, instruments: Instruments, name: str) -> None:
        self._instruments, self.name = instruments, name

    @property
    def bench(self) -> str:
        """Whose it is."""
        return self._instruments.bench

    def read(self) -> dict[str, float]:
        """All its quantities, now; they are in the history."""
        reply = self._instruments._ask(self.name, {"op": "read", "instrument": self.name})
        return dict(reply["result"])

    def await_(self, quantity: str, low: float, high: float, deadline_s: float, what: str) -> float:
        """Until it reads ``low`` to ``high``; the value. TerminalTimeout (it names ``what``) when it does not."""
        def there(event: Readings) -> bool:
            return low <= event.values.get(quantity, math.nan) <= high

        since = self._instruments.line.history.seq
        now = self.read()
        if quantity not in now:
            raise BenchError(
                f"instrument {self.name} reads no {quantity}: {', '.join(now)}", bench=self._instruments.bench
            )
        found = self._instruments.line.history.wait_for(
            lambda e: isinstance(e, Readings) and e.instrument == self.name and there(e), deadline_s, what, since=since,
        )
        return cast(Readings, found).values[quantity]

    def _do(self, method: str, **arguments: Any) -> Any:
        request = {"op": "call", "instrument": self.name, "method": method, "args": arguments}
        reply = self._instruments._ask(self.name, request)
        return base64.b64decode(reply["bytes"]) if "bytes" in reply else reply.get("result")


class Chamber(Proxy):
    kind = "chamber"

    def set_climate(
        self, *, temperature_c: float | None = None, humidity_pct: float | None = None,
        ramp_k_per_min: float | None = None,
    ) -> None:
        """Heads for this; see :class:`harness.instruments.contracts.Chamber`, of which this is the test's side."""
        self._do(
            "set_climate", temperature_c=temperature_c, humidity_pct=humidity_pct, ramp_k_per_min=ramp_k_per_min
        )


class Supply(Proxy):
    kind = "supply"

    def set_voltage(self, voltage_v: float) -> None:
        self._do("set_voltage", voltage_v=voltage_v)

    def set_current_limit(self, current_a: float) -> None:
        self._do("set_current_limit", current_a=current_a)

    def output(self, on: bool) -> None:
        self._do("output", on=on)

    def dip(self, *, residual_pct: float, duration_ms: float, count: int = 1, every_ms: float = 1000) -> None:
        self._do("dip", residual_pct=residual_pct, duration_ms=duration_ms, count=count, every_ms=every_ms)


class PowerSwitch(Proxy):
    kind = "power_switch"

    def switch(self, on: bool) -> None:
        self._do("switch", on=on)


class Generator(Proxy):
    def arm(self, *, level_kv: float) -> None:
        self._do("arm", level_kv=level_kv)

    def ready(self) -> bool:
        return bool(self._do("ready"))

    def fire(self, *, duration_ms: float = 0, count: int = 1) -> None:
        self._do("fire", duration_ms=duration_ms, count=count)

    def disarm(self) -> None:
        self._do("disarm")


class FieldGenerator(Proxy):
    kind = "field"

    def arm(self, *, field_v_m: float, frequency_mhz: float) -> None:
        self._do("arm", field_v_m=field_v_m, frequency_mhz=frequency_mhz)

    def ready(self) -> bool:
        return bool(self._do("ready"))

    def radiate(self, on: bool) -> None:
        self._do("radiate", on=on)


class CardRobot(Proxy):
    kind = "card_robot"

    def swipe(self, card: str, *, speed_cm_s: float = 40) -> None:
        self._do("swipe", card=card, speed_cm_s=speed_cm_s)

    def insert(self, card: str) -> None:
        self._do("insert", card=card)

    def remove(self) -> None:
        self._do("remove")

    def tap(self, card: str) -> None:
        self._do("tap", card=card)


class KeyPusher(Proxy):
    kind = "key_pusher"

    def press(self, key: str, *, hold_ms: float = 80) -> None:
        self._do("press", key=key, hold_ms=hold_ms)


class Camera(Proxy):
    kind = "camera"

    def snapshot(self) -> bytes:
        """A PNG of the screen."""
        return cast(bytes, self._do("snapshot"))


class PrinterSensor(Proxy):
    kind = "printer_sensor"


class Relay(Proxy):
    kind = "relay"

    def close_contact(self, channel: int) -> None:
        self._do("close_contact", channel=channel)

    def open_contact(self, channel: int) -> None:
        self._do("open_contact", channel=channel)


_PROXIES: Mapping[InstrumentKind, type[Proxy]] = {
    "chamber": Chamber, "supply": Supply, "power_switch": PowerSwitch, "burst": Generator, "esd": Generator,
    "surge": Generator, "field": FieldGenerator, "card_robot": CardRobot, "key_pusher": KeyPusher, "camera": Camera,
    "printer_sensor": PrinterSensor, "relay": Relay,
}  # fmt: skip
P = TypeVar("P", bound=Proxy)


class Instruments:
    """All of a bench; the properties are the first of a kind, and raise BenchError where the bench has none."""

    def __init__(self, line: GuardLine, bench: str, kinds: Mapping[str, InstrumentKind]) -> None:
        self.line, self.bench, self._kinds = line, bench, dict(kinds)

    @property
    def names(self) -> list[str]:
        """In the order of the inventory."""
        return list(self._kinds)

    def of_kind(self, kind: InstrumentKind) -> Proxy | None:
        """The first of that kind."""
        name = next((name for name, one in self._kinds.items() if one == kind), None)
        return None if name is None else self[name]

    def __getitem__(self, name: str) -> Proxy:
        """By its name. Raises BenchError where the bench has none of that name."""
        if name not in self._kinds:
            raise BenchError(
                f"this bench has no instrument {name}; it has {', '.join(self._kinds)}", bench=self.bench,
                remedy="name it in the inventory, under `instruments` of this bench",
            )
        kind = self._kinds[name]
        proxy = _PROXIES[kind](self, name)
        proxy.kind = kind
        return proxy

    def tell(self, name: str, method: str, **arguments: Any) -> None:
        """A method of that instrument's contract, by name: of a recorded call."""
        self[name]._do(method, **arguments)

    def _first(self, kind: InstrumentKind, sort: type[P]) -> P:
        found = self.of_kind(kind)
        if found is None:
            raise BenchError(
                f"this bench has no {kind}", bench=self.bench,
                remedy="name one in the inventory, under `instruments` of this bench, or run this test elsewhere",
            )
        assert isinstance(found, sort)
        return found

    @property
    def chamber(self) -> Chamber:
        return self._first("chamber", Chamber)

    @property
    def supply(self) -> Supply:
        return self._first("supply", Supply)

    @property
    def power_switch(self) -> PowerSwitch:
        return self._first("power_switch", PowerSwitch)

    @property
    def burst(self) -> Generator:
        return self._first("burst", Generator)

    @property
    def esd(self) -> Generator:
        return self._first("esd", Generator)

    @property
    def surge(self) -> Generator:
        return self._first("surge", Generator)

    @property
    def field(self) -> FieldGenerator:
        return self._first("field", FieldGenerator)

    @property
    def card_robot(self) -> CardRobot:
        return self._first("card_robot", CardRobot)

    @property
    def key_pusher(self) -> KeyPusher:
        return self._first("key_pusher", KeyPusher)

    @property
    def camera(self) -> Camera:
        return self._first("camera", Camera)

    @property
    def printer_sensor(self) -> PrinterSensor:
        return self._first("printer_sensor", PrinterSensor)

    @property
    def relay(self) -> Relay:
        return self._first("relay", Relay)

    # -- safe state ---------------------------------------------------------------------------------------------------

    def begin_test(self, name: str, deadline_s: float) -> None:
        """From now on everything is made safe ``deadline_s`` from now, should the test not have ended."""
        self.line.request({"op": "begin", "test": name, "deadline_s": deadline_s})

    def end_test(self) -> None:
        """All to their safe state. Raises BenchError naming those that are not, and why; they are tried on."""
        self._all_safe("end")

    def safe(self) -> None:
        """The same, in the middle of a test."""
        self._all_safe("safe")

    def close(self) -> None:
        """All safe, and the guard ends. Where one can't be reached, the bench has failed, and the guard stays and goes
        on trying."""
        with contextlib.suppress(BenchError):  # it is in the history
            self._all_safe("close")
        self.line.close()

    def _all_safe(self, op: str) -> None:
        reply = self.line.request({"op": op, "within_s": SAFE_S}, timeout_s=SAFE_S + 5)
        if reply.get("unsafe"):
            self.line.failed(BenchError(
                "\n".join(f"instrument {name} is not safe: {why}" for name, why in reply["unsafe"].items()),
                bench=self.bench, evidence=str(self.line.log),
                remedy="bring it to its safe state by hand, at its own panel; the guard goes on trying by itself",
            ))

    # -- emulated ones ------------------------------------------------------------------------------------------------

    def attach(self, panel: str | None) -> None:
        """The board whose panel this is stands on the bench now, amid the emulated instruments; None: no board."""
        self.emulated({"op": "attach", "panel": panel})

    def fault(self, instrument: str, what: str) -> None:
        """An emulated instrument is broken: refuse, slow, errors, identity, drop, impossible; or ``heal``."""
        self.emulated({"op": "fault", "instrument": instrument, "what": what})

    def true_state(self) -> dict[str, Any]:
        """What is physically so in the emulated instruments."""
        return self.emulated({"op": "state"})

    def emulated(self, request: dict[str, Any]) -> dict[str, Any]:
        """A request to the emulated instruments. Raises BenchError where they refuse it, or there are none."""
        reply = self.line.request({"op": "emulated", "request": request})
        if not reply.get("ok"):
            raise BenchError(str(reply.get("what")), bench=self.bench, remedy=str(reply.get("remedy", "")))
        return dict(reply["result"])

    def _ask(self, name: str, request: dict[str, Any]) -> dict[str, Any]:
        reply = self.line.request(request)
        if reply.get("ok"):
            return reply
        what, remedy = f"instrument {name}: {reply.get('what')}", str(reply.get("remedy", ""))
        if reply.get("refused"):
            raise LimitRefused(what, bench=self.bench, remedy=remedy)
        self.line.failed(BenchError(what, bench=self.bench, evidence=str(self.line.log), remedy=remedy))
        raise AssertionError
