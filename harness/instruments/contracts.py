"""What an instrument can be asked for. A driver is a class with the methods of one of these kinds, one a file in
``harness/instruments/drivers`` or in a package of the lab's own (entry point group ``hil97.instruments``).

Drivers run in the guard process only (:mod:`harness.instruments.guard`), where limits are kept; tests reach them
through :mod:`harness.instruments.client`. Every method returns when the instrument has taken it, not when it is there,
and raises :class:`InstrumentError` with a cause and a remedy. Units are in the names: ``_c`` degrees Celsius, ``_pct``
per cent, ``_v`` volts (RMS for mains), ``_a`` amperes, ``_kv`` kilovolts, ``_v_m`` volts a metre, ``_ms`` milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Protocol

from harness.errors import Hil97Error
from harness.history.instrument_events import InstrumentKind, Quantity

NETWORK_CONTACT = 1  # of an emulated relay: the channel in the terminal's network cable


class InstrumentError(Hil97Error):
    """An instrument could not do it. ``what`` and ``remedy`` are for the person at the bench; which instrument and
    which bench it was is added by the guard."""

    def __init__(self, what: str, *, remedy: str = "") -> None:
        self.what, self.remedy = what, remedy
        super().__init__(f"{what}\n  next: {remedy}" if remedy else what)


class InstrumentRefused(InstrumentError):
    """It is there and understood, and said no: what was asked for was not done, and the instrument is not lost."""


class Instrument(Protocol):
    """What all of them have.

    Optional: ``address_problem(address)``, a static method: what is wrong with the form of an address, "" nothing, so
    that an inventory with another one is bad input; ``spans``: option -> its lowest and highest value; ``slow_s``, how
    long its readings may take where that is more than a second; ``withdraw()``, called from another thread where a call
    that waits for a person is to end.

    ``kind``; ``name``: of the driver, as inventories have it; ``tried``: False where nobody has run this driver on the
    hardware; ``quantities``: what :meth:`read` gives, limits still open; ``safe``: its safe state, in words.
    """

    kind: ClassVar[InstrumentKind]
    name: ClassVar[str]
    tried: ClassVar[bool]
    quantities: ClassVar[Mapping[str, Quantity]]
    safe: ClassVar[str]

    def identity(self) -> str:
        """What it says of itself: ``*IDN?``, or what its protocol has in place of that."""

    def read(self) -> Mapping[str, float]:
        """All its quantities, now. Costs one exchange with the instrument where that can be done."""

    def make_safe(self) -> None:
        """Into its safe state. Must work from any state, and twice."""

    def is_safe(self) -> bool:
        """As read back from the instrument (a chamber is safe once it no longer heats or cools)."""

    def close(self) -> None: ...


class Chamber(Instrument, Protocol):
    """``temperature_c``, ``humidity_pct``, ``door_open``. Safe: stopped, at rest towards ambient."""

    def set_climate(
        self, *, temperature_c: float | None = None, humidity_pct: float | None = None,
        ramp_k_per_min: float | None = None,
    ) -> None:
        """Heads for this. None leaves a set point as it is, and the ramp as fast as the chamber can."""


class Supply(Instrument, Protocol):
    """``voltage_v``, ``current_a``, ``output_on``. Safe: nominal voltage, its current limit, output on (the terminal is
    left running)."""

    def set_voltage(self, voltage_v: float) -> None: ...

    def set_current_limit(self, current_a: float) -> None: ...

    def output(self, on: bool) -> None: ...

    def dip(self, *, residual_pct: float, duration_ms: float, count: int = 1, every_ms: float = 1000) -> None:
        """IEC 61000-4-11: to ``residual_pct`` of nominal for ``duration_ms``, ``count`` times; 0 %: interrupted."""


class PowerSwitch(Instrument, Protocol):
    """``output_on``. Safe: on."""

    def switch(self, on: bool) -> None: ...


class Generator(Instrument, Protocol):
    """Burst (IEC 61000-4-4), ESD (-2) or surge (-5): ``level_kv``, ``armed``, ``pulses``. Safe: disarmed, high voltage
    off."""

    def arm(self, *, level_kv: float) -> None:
        """Charges. ``ready`` tells when it can be fired."""

    def ready(self) -> bool: ...

    def fire(self, *, duration_ms: float = 0, count: int = 1) -> None:
        """A burst for so long, or so many pulses. Raises InstrumentError where it is not ready."""

    def disarm(self) -> None: ...


class FieldGenerator(Instrument, Protocol):
    """IEC 61000-4-3: ``field_v_m``, ``frequency_mhz``, ``output_on``. Safe: off."""

    def arm(self, *, field_v_m: float, frequency_mhz: float) -> None: ...

    def ready(self) -> bool: ...

    def radiate(self, on: bool) -> None: ...


class CardRobot(Instrument, Protocol):
    """Holds test cards by name. ``card_inside``. Safe: no card in the terminal, arm parked."""

    def swipe(self, card: str, *, speed_cm_s: float = 40) -> None: ...

    def insert(self, card: str) -> None: ...

    def remove(self) -> None: ...

    def tap(self, card: str) -> None: ...


class KeyPusher(Instrument, Protocol):
    """A finger on the keys, by their names. Safe: parked."""

    def press(self, key: str, *, hold_ms: float = 80) -> None: ...


class Camera(Instrument, Protocol):
    """Eyes on the screen. Safe: always."""

    def snapshot(self) -> bytes:
        """A PNG of the screen."""


class PrinterSensor(Instrument, Protocol):
    """``paper_mm``: how much paper has come out since power-on; ``paper_left``: 0 or 1. Safe: always."""


class Relay(Instrument, Protocol):
    """A contact in a cable, by channel: ``ch1`` ... are 0 or 1. Safe: all closed. An emulated one's first,
    ``NETWORK_CONTACT``, is in the terminal's network cable."""

    def close_contact(self, channel: int) -> None: ...

    def open_contact(self, channel: int) -> None: ...
