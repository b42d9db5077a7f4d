"""The instruments of a bench: its guard started, everything open and safe, before the terminal gets power.

Imported only where a bench has instruments, so that the others pay nothing for them.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.bench.cable import Cable
from harness.bench.plan import BenchPlan
from harness.errors import BenchError, TerminalTimeout
from harness.history.recorder import Recorder
from harness.instruments import drivers
from harness.instruments.client import Instruments
from harness.instruments.contracts import NETWORK_CONTACT
from harness.instruments.guard.plan import CLIMATE_SCALE, GuardPlan
from harness.instruments.guard_line import Contact, GuardLine
from harness.lab.instrument_entry import InstrumentEntry
from harness.terminal.surroundings import Surroundings

OPENS_S = 60.0  # on a machine with much else to do


def open_for(
    plan: BenchPlan, scratch: Path, history: Recorder, fail: Callable[[str], None], cable: Cable
) -> Instruments:
    """Those of a bench's plan; see :func:`open_instruments`. ``cable``: where an emulated relay's contact is in."""

    def contact(instrument: str, channel: int, closed: bool) -> None:
        if channel != NETWORK_CONTACT:
            return
        try:
            cable.contact(instrument, closed)
        except (BenchError, TerminalTimeout) as error:
            state = "closed" if closed else "opened"
            fail(f"the contact {channel} of instrument {instrument} {state}, and the cable did not follow: {error}")

    return open_instruments(
        bench=plan.bench, run=plan.run, folder=plan.folder, scratch=scratch, entries=plan.instruments,
        surroundings=plan.model.surroundings, seed=zlib.crc32(plan.serial_number.encode()), history=history, fail=fail,
        time_scale=plan.time_scale, contact=contact,
    )


def open_instruments(
    *, bench: str, run: str, folder: Path, scratch: Path, entries: Sequence[InstrumentEntry],
    surroundings: Surroundings | None, seed: int, history: Recorder, fail: Callable[[str], None],
    silence_s: float | None = None, time_scale: float = 1.0, contact: Contact = lambda *_: None,
) -> Instruments:
    """All open, identified and in their safe state. Raises BenchError naming each that is not, and why. ``time_scale``:
    how much faster emulated ones charge, warm up and heat than at time scale 1. ``contact``: told when a contact of an
    emulated relay opens or closes, before the call that did it returns."""
    plan = GuardPlan(
        bench=bench, run=run, folder=folder, scratch=scratch, instruments=list(entries), surroundings=surroundings,
        seed=seed, climate_scale=CLIMATE_SCALE * time_scale,
        time_scale=time_scale, **({} if silence_s is None else {"silence_s": silence_s}),
    )
    known = drivers.known()
    line = GuardLine.start(plan, history, fail, contact)
    instruments = Instruments(line, bench, {one.name: known[one.driver].kind for one in entries})
    try:
        reply = line.request({"op": "open", "within_s": OPENS_S}, timeout_s=OPENS_S + 5)
        if not reply.get("ok"):
            troubles = reply.get("troubles", {})
            raise BenchError(
                "\n".join(f"instrument {name}: {what}" if name else what for name, what in troubles.items()),
                bench=bench, evidence=str(line.log),
                remedy="bring it up, or take it out of the inventory; hil97 lab check --open asks each of them",
            )
    except BaseException:
        line.close()
        raise
    return instruments
