"""A plan served: all of its instruments and the control socket, until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import stat
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from harness.errors import BadInput
from harness.instruments.emulated.build import rig_of
from harness.instruments.emulated.control import Control
from harness.instruments.emulated.plan import Plan
from harness.instruments.emulated.rig import Rig


@dataclass(frozen=True)
class Running:
    """``ready``: the event that says where everything is; ``stop`` is set by SIGTERM, Ctrl-C, and the end of
    stdin where that is a pipe."""

    rig: Rig
    ready: dict[str, Any]
    stop: asyncio.Event

    async def warm_up(self) -> None:
        """Imports what will be spoken: after it is said that all listen, so that nobody waits for it."""
        for module in dict.fromkeys(one.protocol for one in self.rig.instruments.values() if one.protocol):
            await asyncio.sleep(0)  # who has come is served between
            import_module(module)


def _stop_at_the_end(stop: asyncio.Event) -> None:
    if not os.read(0, 4096):
        asyncio.get_running_loop().remove_reader(0)
        stop.set()


@contextlib.asynccontextmanager
async def serving(plan: Plan, control: Path | None) -> AsyncIterator[Running]:
    """Raises :class:`BadInput` where the plan asks for what can't be."""
    rig = await rig_of(plan)
    stop = asyncio.Event()
    channel = None
    try:
        addresses = {name: one.address for name, one in rig.instruments.items()}
        ready = {"ev": "ready", "t": time.monotonic_ns(), "addresses": addresses,
                 "control": None if control is None else str(control)}
        if control is not None:
            channel = Control(rig, control, ready)
            rig.say = channel.say
            try:
                await channel.open()
            except OSError as error:
                raise BadInput(f"there can be no socket: {error.strerror}", where=str(control)) from error
        loop = asyncio.get_running_loop()
        if stat.S_ISFIFO(os.fstat(0).st_mode):  # a child of ours is told to end so
            loop.add_reader(0, _stop_at_the_end, stop)
        for number in (signal.SIGTERM, signal.SIGINT):
            if signal.getsignal(number) is not signal.SIG_IGN:  # Ctrl-C is left to the parent where there is one
                loop.add_signal_handler(number, stop.set)
        yield Running(rig, ready, stop)
    finally:
        if channel is not None:
            await channel.close()
        await rig.close()
