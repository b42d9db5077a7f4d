"""A person in place of an instrument: for what a lab has by hand only, such as an ESD gun. The person is asked what to
do, does it, and answers: ``hil97 lab answer BENCH done``. Question and answer go into the history.

    instruments:
      esd: {driver: operator-esd, address: operator, options: {answer_within_s: 600}}

One of each kind: ``operator-chamber``, ``-supply``, ``-power-switch``, ``-burst``, ``-esd``, ``-surge``, ``-field``,
``-card-robot``, ``-key-pusher``, ``-camera``, ``-relay``. None in place of a printer sensor, which only measures.

``answer_within_s``: nobody answered for so long is a failure of the bench (300; a chamber 7200). What a person told is
what is read; nothing is read before. The safe state is asked for only where something was asked before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar, TypeVar

from harness.history.instrument_events import InstrumentKind, Quantity
from harness.instruments import desk
from harness.instruments.contracts import InstrumentError
from harness.instruments.transport import troubles
from harness.lab.instrument_entry import OPERATOR

T = TypeVar("T")
_PNG = b"\x89PNG\r\n\x1a\n"


class OperatorInstrument:
    """What all of them share. ``_told``: what was said, by quantity; ``_touched``: not known to be safe. Both belong to
    the person's instrument, and outlive this object."""

    tried: ClassVar[bool] = True
    kind: ClassVar[InstrumentKind]
    name: ClassVar[str]
    safe: ClassVar[str]
    make_safe_prompt: ClassVar[str] = ""
    _told: ClassVar[dict[str, dict[str, float]]] = {}
    _touched: ClassVar[set[str]] = set()

    def __init__(self, address: str, *, answer_within_s: float = 300.0) -> None:
        wrong = self.address_problem(address)
        if wrong:
            raise InstrumentError(wrong, remedy=troubles.ADDRESS)
        self._within_s, self._securing = answer_within_s, False

    @staticmethod
    def address_problem(address: str) -> str:
        return "" if address == OPERATOR else f"{address!r} is no address of an operator: write `address: operator`"

    def identity(self) -> str:
        return "the operator"

    def read(self) -> Mapping[str, float]:
        return dict(self._told.get(self.name, {}))

    def make_safe(self) -> None:
        self._secure(self.make_safe_prompt)

    def is_safe(self) -> bool:
        return self.name not in self._touched

    def close(self) -> None: ...

    def withdraw(self) -> None:
        """The question that is open is not asked any more, unless it is the one for the safe state. From any thread."""
        if not self._securing:
            desk.here().withdraw(self.name)

    def _secure(self, prompt: str, told: Mapping[str, float] | None = None) -> None:
        """Asks for the safe state, where it is not known to be there already."""
        if self.name not in self._touched:
            return
        self._securing = True
        try:
            self._ask(prompt, desk.done)
        finally:
            self._securing = False
        self._touched.discard(self.name)
        self._told[self.name] = dict(told or {})

    def _ask(self, prompt: str, read: Callable[[str], T]) -> T:
        return desk.here().ask(self.name, prompt, read, within_s=self._within_s)

    def _do(self, prompt: str, *, safe_again: bool = False, **told: float) -> str:
        """Asks for it. From then on it is not known to be safe, until it is answered to be ``safe_again``."""
        self._touched.add(self.name)
        remark = self._ask(prompt, desk.done)
        if safe_again:
            self._touched.discard(self.name)
        self._tell(**told)
        return remark

    def _tell(self, **told: float) -> None:
        self._told.setdefault(self.name, {}).update(told)


class OperatorChamber(OperatorInstrument):
    kind: ClassVar[InstrumentKind] = "chamber"
    name: ClassVar[str] = "operator-chamber"
    quantities: ClassVar[Mapping[str, Quantity]] = {
        "temperature_c": Quantity(unit="°C"), "humidity_pct": Quantity(unit="%"),
    }
    safe: ClassVar[str] = "stopped, at rest towards ambient"
    make_safe_prompt: ClassVar[str] = "stop the climate chamber"

    def __init__(self, address: str, *, answer_within_s: float = 7200.0) -> None:
        super().__init__(address, answer_within_s=answer_within_s)

    def set_climate(
        self, *, temperature_c: float | None = None, humidity_pct: float | None = None,
        ramp_k_per_min: float | None = None,
    ) -> None:
        wanted = [f"{temperature_c:g} °C"] if temperature_c is not None else []
        wanted += [f"{humidity_pct:g} % humidity"] if humidity_pct is not None else []
        ramp = f", no faster than {ramp_k_per_min:g} K/min" if ramp_k_per_min is not None else ""
        prompt = (
            f"set the climate chamber to {' and '.join(wanted) or 'go on'}{ramp}; when it is there, answer `done` and"
            " what it shows: done 40.1 55"
        )
        self._touched.add(self.name)
        shown = self._ask(prompt, lambda text: desk.numbers(text, 2))
        self._tell(**dict(zip(self.quantities, shown, strict=False)))


class OperatorSupply(OperatorInstrument):
    kind: ClassVar[InstrumentKind] = "supply"
    name: ClassVar[str] = "operator-supply"
    quantities: ClassVar[Mapping[str, Quantity]] = {"voltage_v": Quantity(unit="V"), "output_on": Quantity(unit="")}
    safe: ClassVar[str] = "nominal voltage, output on"

    def __init__(self, address: str, *, answer_within_s: float = 300.0, nominal_v: float = 230.0) -> None:
        super().__init__(address, answer_within_s=answer_within_s)
        self._nominal_v = nominal_v

    def set_voltage(self, voltage_v: float) -> None:
        self._do(f"set the supply to {voltage_v:g} V", voltage_v=voltage_v)

    def set_current_limit(self, current_a: float) -> None:
        self._do(f"set the current limit of the supply to {current_a:g} A")

    def output(self, on: bool) -> None:
        self._do(f"switch the supply's output {'on' if on else 'off'}", output_on=float(on))

    def dip(self, *, residual_pct: float, duration_ms: float, count: int = 1, every_ms: float = 1000) -> None:
        self._do(
            f"let the supply dip to {residual_pct:g} % for {duration_ms:g} ms, {count} times, one each {every_ms:g} ms"
        )

    def make_safe(self) -> None:
        self._secure(
            f"set the supply to {self._nominal_v:g} V, output on", {"voltage_v": self._nominal_v, "output_on": 1.0}
        )


class OperatorPowerSwitch(OperatorInstrument):
    kind: ClassVar[InstrumentKind] = "power_switch"
    name: ClassVar[str] = "operator-power-switch"
    quantities: ClassVar[Mapping[str, Quantity]] = {"output_on": Quantity(unit="")}
    safe: ClassVar[str] = "on"
    make_safe_prompt: ClassVar[str] = "switch the terminal's supply on"

    def switch(self, on: bool) -> None:
        self._do(f"switch the terminal's supply {'on' if on else 'off'}", safe_again=on, output_on=float(on))


class _OperatorGenerator(OperatorInstrument):
    """Nothing is asked to arm it: it is charged where it is fired, and off again when that is answered."""

    quantities: ClassVar[Mapping[str, Quantity]] = {
        "level_kv": Quantity(unit="kV"), "armed": Quantity(unit=""), "pulses": Quantity(unit=""),
    }
    safe: ClassVar[str] = "switched off and discharged"
    what: ClassVar[str]

    def __init__(self, address: str, *, answer_within_s: float = 300.0) -> None:
        super().__init__(address, answer_within_s=answer_within_s)
        self._level_kv = 0.0

    def arm(self, *, level_kv: float) -> None:
        self._level_kv = level_kv
        self._tell(level_kv=level_kv, armed=1.0, pulses=self._pulses())

    def ready(self) -> bool:
        return self._level_kv > 0

    def fire(self, *, duration_ms: float = 0, count: int = 1) -> None:
        if not self.ready():
            raise InstrumentError("it is not armed", remedy="arm it first: at which level is it to be fired?")
        amount = f"for {duration_ms / 1000:g} s" if duration_ms else f"{count} times"
        self._do(
            f"{self.what} at {self._level_kv:g} kV, {amount}; then switch it off and discharge it", safe_again=True,
            pulses=self._pulses() + count,
        )

    def _pulses(self) -> float:
        return self._told.get(self.name, {}).get("pulses", 0.0)

    def disarm(self) -> None:
        self._level_kv = 0.0
        self._tell(level_kv=0.0, armed=0.0)

    def make_safe(self) -> None:
        self.disarm()
        self._secure(f"{self.what}: no more; switch it off and discharge it", {"level_kv": 0.0, "armed": 0.0})


class OperatorBurst(_OperatorGenerator):
    kind: ClassVar[InstrumentKind] = "burst"
    name: ClassVar[str] = "operator-burst"
    what: ClassVar[str] = "burst generator (IEC 61000-4-4) on the terminal's supply"


class OperatorEsd(_OperatorGenerator):
    kind: ClassVar[InstrumentKind] = "esd"
    name: ClassVar[str] = "operator-esd"
    what: ClassVar[str] = "ESD gun (IEC 61000-4-2) at the terminal"


class OperatorSurge(_OperatorGenerator):
    kind: ClassVar[InstrumentKind] = "surge"
    name: ClassVar[str] = "operator-surge"
    what: ClassVar[str] = "surge generator (IEC 61000-4-5) on the terminal's supply"


class OperatorField(OperatorInstrument):
    kind: ClassVar[InstrumentKind] = "field"
    name: ClassVar[str] = "operator-field"
    quantities: ClassVar[Mapping[str, Quantity]] = {
        "field_v_m": Quantity(unit="V/m"), "frequency_mhz": Quantity(unit="MHz"), "output_on": Quantity(unit=""),
    }
    safe: ClassVar[str] = "off"
    make_safe_prompt: ClassVar[str] = "switch the RF field off"

    def __init__(self, address: str, *, answer_within_s: float = 300.0) -> None:
        super().__init__(address, answer_within_s=answer_within_s)
        self._set: tuple[float, float] | None = None

    def arm(self, *, field_v_m: float, frequency_mhz: float) -> None:
        self._set = field_v_m, frequency_mhz

    def ready(self) -> bool:
        return self._set is not None

    def radiate(self, on: bool) -> None:
        if not on:
            self._do("switch the RF field off", safe_again=True, field_v_m=0.0, output_on=0.0)
            return
        if self._set is None:
            raise InstrumentError("it is not armed", remedy="arm it first: which field is it to be?")
        field_v_m, frequency_mhz = self._set
        self._do(
            f"switch an RF field of {field_v_m:g} V/m at {frequency_mhz:g} MHz on", field_v_m=field_v_m,
            frequency_mhz=frequency_mhz, output_on=1.0,
        )


class OperatorCardRobot(OperatorInstrument):
    kind: ClassVar[InstrumentKind] = "card_robot"
    name: ClassVar[str] = "operator-card-robot"
    quantities: ClassVar[Mapping[str, Quantity]] = {"card_inside": Quantity(unit="")}
    safe: ClassVar[str] = "no card in the terminal"
    make_safe_prompt: ClassVar[str] = "take the card out of the terminal"

    def swipe(self, card: str, *, speed_cm_s: float = 40) -> None:
        self._do(f"swipe the card {card} at about {speed_cm_s:g} cm/s", safe_again=True)

    def insert(self, card: str) -> None:
        self._do(f"put the card {card} into the terminal", card_inside=1.0)

    def remove(self) -> None:
        self._do("take the card out of the terminal", safe_again=True, card_inside=0.0)

    def tap(self, card: str) -> None:
        self._do(f"hold the card {card} to the terminal", safe_again=True)


class OperatorKeyPusher(OperatorInstrument):
    kind: ClassVar[InstrumentKind] = "key_pusher"
    name: ClassVar[str] = "operator-key-pusher"
    quantities: ClassVar[Mapping[str, Quantity]] = {}
    safe: ClassVar[str] = "no key is held"

    def press(self, key: str, *, hold_ms: float = 80) -> None:
        self._do(f"press the key {key}" + (f" for {hold_ms:g} ms" if hold_ms >= 500 else ""), safe_again=True)

    make_safe_prompt: ClassVar[str] = "let go of the terminal's keys"


class OperatorCamera(OperatorInstrument):
    kind: ClassVar[InstrumentKind] = "camera"
    name: ClassVar[str] = "operator-camera"
    quantities: ClassVar[Mapping[str, Quantity]] = {}
    safe: ClassVar[str] = "always"

    def snapshot(self) -> bytes:
        return self._ask("photograph the screen, and answer `done` and the path of the PNG file", _picture)


class OperatorRelay(OperatorInstrument):
    kind: ClassVar[InstrumentKind] = "relay"
    name: ClassVar[str] = "operator-relay"
    quantities: ClassVar[Mapping[str, Quantity]] = {f"ch{n}": Quantity(unit="") for n in range(1, 9)}
    safe: ClassVar[str] = "all cables plugged in"
    make_safe_prompt: ClassVar[str] = "plug all cables of the terminal in"

    def close_contact(self, channel: int) -> None:
        self._do(f"plug cable {channel} in")
        self._tell(**{f"ch{channel}": 1.0})

    def open_contact(self, channel: int) -> None:
        self._do(f"pull cable {channel}")
        self._tell(**{f"ch{channel}": 0.0})


def _picture(text: str) -> bytes:
    path = Path(desk.done(text))
    try:
        picture = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path} can't be read: {error.strerror}") from error
    if not picture.startswith(_PNG):
        raise ValueError(f"{path} is no PNG file")
    return picture
