"""``hil97 wire open``: the wire of a physical bench, between two network cards of the lab host, until Ctrl-C."""

from __future__ import annotations

import argparse
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import BadInput
from harness.i18n import _

if TYPE_CHECKING:
    from harness.history.events import AnyEvent
    from harness.lab.inventory import BenchEntry

_LOOK_S = 0.5


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "open", help=_("bridge the two network cards of a physical bench"),
        description=_(
            "Bridges the two network cards that the inventory names, shows and records what passes, and gives the "
            "cards back at the end. Faults are armed with `hil97 wire arm` meanwhile. Ends with Ctrl-C or SIGTERM."
        ),
        epilog=_("Exit status: 0 it was ended; 2 bad input, or the cards can't be taken; 3 it broke."),
    )  # fmt: skip
    parser.add_argument("--bench", required=True, metavar="NAME", help=_("the bench, by its name in the inventory"))
    parser.add_argument("--lab", type=Path, required=True, metavar="FILE", help=_("its inventory"))
    parser.add_argument("--results", type=Path, default=Path("results"), metavar="DIR",
                        help=_("where the run's folder is made (default: results)"))
    parser.add_argument("--for", type=float, metavar="SECONDS", dest="seconds", help=_("end by itself after so long"))
    parser.set_defaults(run=_open)


def _open(args: argparse.Namespace) -> int:
    from harness.bench.open_wire import OpenWire
    from harness.campaigns.plan import new_run_name
    from harness.lab.lease import lease

    entry = _entry(args.lab, args.bench)
    run = new_run_name()
    folder = (args.results / run / "benches" / entry.name).resolve()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_ignored: stop.set())
    with lease(entry.name, run=run, scope=entry.scope), OpenWire.open(entry, run, folder, _Told().tell) as wire:
        print(_("{bench}: the wire is open between {terminal} and {acquirer}; evidence in {folder}").format(
            bench=entry.name, terminal=wire.ports[0], acquirer=wire.ports[1], folder=folder), flush=True)  # fmt: skip
        left = args.seconds
        while not stop.wait(_LOOK_S if left is None else min(_LOOK_S, max(left, 0.0))):
            wire.check()
            if left is not None:
                left -= _LOOK_S
                if left <= 0:
                    break
    print(_("the cards are as they were"), flush=True)
    return 0


def _entry(lab: Path, name: str) -> BenchEntry:
    from harness.lab.inventory import load_lab

    entries = load_lab(lab).benches
    entry = next((one for one in entries if one.name == name), None)
    if entry is None:
        known = ", ".join(one.name for one in entries)
        raise BadInput(f"there is no bench {name}", where=str(lab), remedy=f"it has {known}")
    return entry


class _Told:
    """A line for each event that somebody at the bench wants to see, with the seconds since the wire was opened."""

    def __init__(self) -> None:
        self._zero: int | None = None

    def tell(self, event: AnyEvent) -> None:
        self._zero = event.t if self._zero is None else self._zero
        line = _line(event)
        if line:
            print(f"{(event.t - self._zero) / 1e9:9.3f}  {line}", flush=True)


def _line(event: Any) -> str:
    """"" where there is nothing to be said."""
    from harness.history.events import (
        BenchFailed,
        FaultArmed,
        FaultHealed,
        FaultStruck,
        WireBytes,
        WireConnection,
        WireFrame,
    )
    from harness.reports import mask, messages
    from harness.wire.faults import read, spoken

    if isinstance(event, WireFrame):
        frame = messages.decode(event.hex)
        said = _("no message") if frame is None else str(messages.title(frame))
        code = "" if frame is None else messages.code_of(frame)
        return f"{'-->' if event.direction == 'to_acquirer' else '<--'} {said}{f'  {code}' if code else ''}"
    if isinstance(event, WireConnection):
        return f"    {_('connection {number}').format(number=event.stream)}: {event.state}"
    if isinstance(event, WireBytes):
        return f"    {mask.text(event.reason)}"
    if isinstance(event, FaultArmed):
        return f" *  {_('fault {number} armed').format(number=event.fault_id)}: {spoken.words(read(event.fault))}"
    if isinstance(event, FaultStruck):
        return f" *  {_('fault {number} struck').format(number=event.fault_id)}: {event.what}"
    if isinstance(event, FaultHealed):
        return f" *  {_('fault {number} healed').format(number=event.fault_id)}: {event.why}"
    if isinstance(event, BenchFailed):
        return f" !  {event.what}"
    return ""
