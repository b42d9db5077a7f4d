"""All instruments of a bench and the terminal among them: who does what when, and what the terminal feels.

Nothing is polled. Physics catches up when somebody asks, and by itself only while something changes that somebody
feels or waits for.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from harness.instruments.emulated.board import Board
from harness.instruments.emulated.faults import Faults
from harness.instruments.emulated.physics.supply import Effect

RESOLUTION = {"temperature_c": 0.05, "humidity_pct": 0.2, "voltage_v": 0.1, "field_v_m": 0.05}
LONGEST_SILENCE_S = 1.0  # while something changes, however slowly


class Emulated(Protocol):
    """One instrument with its port. Surroundings are named as the panel's op ``surroundings`` has them."""

    name: str
    kind: str
    faults: Faults

    @property
    def protocol(self) -> str:
        """The module that speaks it; "" where it is there already."""

    @property
    def address(self) -> str:
        """Where it is reached, as inventories have it."""

    async def open(self) -> None: ...
    async def close(self) -> None: ...

    async def fault(self, faults: Faults) -> None:
        """From now on the conversation has these."""

    def door(self, is_open: bool) -> None:
        """Raises BadInput where it has none."""

    def advance(self, now: float) -> None: ...

    def wake_s(self, felt: bool) -> float | None:
        """When it wants to be advanced; None: not before somebody asks. ``felt``: a terminal is there."""

    def pending(self) -> bool:
        """Something is under way that ends by itself and is waited for."""

    def take_effects(self) -> list[Effect]: ...

    def state(self) -> dict[str, Any]:
        """The truth, and ``safe``."""


class Rig:
    """The bench's. ``around`` gives what is around the terminal, ``fed`` whether its supply reaches it; ``mains_v`` and
    ``mains_a`` are those before the power switch."""

    def __init__(self) -> None:
        self._epoch = time.monotonic()
        self.instruments: dict[str, Emulated] = {}
        self.board = Board(self.kick)
        self.around: Callable[[], dict[str, float]] = dict
        self.fed: Callable[[], bool] = lambda: True
        self.mains_v: Callable[[], float] = lambda: 0.0
        self.mains_a: Callable[[], float] = lambda: 0.0
        self.say: Callable[[dict[str, Any]], None] = lambda event: None  # to the control socket
        self._told: dict[str, float] = {}
        self._told_at, self._told_came = 0.0, 0
        self._alarm: asyncio.TimerHandle | None = None
        self._happened: list[asyncio.Future[None]] = []

    def now(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._epoch

    def catch_up(self) -> None:
        """Everything is where it is now; who feels it or waits for it is told."""
        now = self.now()
        for one in self.instruments.values():
            one.advance(now)
        for one in self.instruments.values():
            for effect in one.take_effects():
                if effect[0] != "dip" or self.fed():
                    self.board.tell(*effect)
        self._tell(now)
        happened, self._happened = self._happened, []
        for future in happened:
            if not future.done():
                future.set_result(None)

    def kick(self) -> None:
        """Something was changed: catches up, and arranges when to do so next."""
        self.catch_up()
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        waits = [wait for one in self.instruments.values() if (wait := one.wake_s(self.board.there)) is not None]
        if waits:
            self._alarm = asyncio.get_running_loop().call_later(max(0.0005, min(waits)), self.kick)

    async def completed(self, instrument: Emulated) -> None:
        """Until nothing of it is pending."""
        self.kick()
        while instrument.pending():
            future = asyncio.get_running_loop().create_future()
            self._happened.append(future)
            await future

    async def close(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        await self.board.detach()
        for one in self.instruments.values():
            await one.close()

    def state(self) -> Mapping[str, Any]:
        """Of all, as it truly is."""
        self.catch_up()
        return {
            name: {"kind": one.kind, "faults": one.faults.named(), **one.state()}
            for name, one in self.instruments.items()
        }

    def _tell(self, now: float) -> None:
        """What is around the terminal, where it has changed: at once by more than the resolution, else now and then."""
        if not self.board.there:
            return
        around = {name: round(value, 3) for name, value in self.around().items()}
        if self.board.came != self._told_came:
            self._told_came, self._told = self.board.came, {}
        new = {name: value for name, value in around.items() if name not in self._told}
        moved = any(abs(around[name] - told) >= RESOLUTION[name] for name, told in self._told.items())
        late = around != self._told and now - self._told_at >= LONGEST_SILENCE_S
        if new or moved or late:
            changed = {name: value for name, value in around.items() if value != self._told.get(name)}
            self._told, self._told_at = around, now
            self.board.tell("surroundings", changed)
