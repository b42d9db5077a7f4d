"""The units of a bench: one stands on it, others lie beside it with their memory as it was."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import BadInput
from harness.history.events import Firmware, UnitReplaced
from harness.history.recorder import Recorder
from harness.lab.firmware_images import Image
from harness.lab.process import Child, spawn
from harness.terminal.cashier import Framing
from harness.terminal.drivers.panel import PanelTerminal
from harness.terminal.front import Front
from harness.terminal.links import CashierLink, ServicePort
from harness.wire.topology import END, TERMINAL_PORT, Topology

if TYPE_CHECKING:
    from harness.bench.plan import BenchPlan


@dataclass
class Unit:
    """A terminal with its memory. ``provisioned``, ``second_host``, ``money_moved``: what was true of it when it was
    taken away; ``firmware``: what its factory put on it;
    ``runs``, ``slot``: name and version that ran last, and where."""

    serial: str
    flash: Path
    firmware: Firmware
    image: str
    provisioned: bool = False
    second_host: bool = False
    money_moved: bool = False
    runs: tuple[str, str] = ("", "")
    slot: str = "A"


class Standing:
    """A unit that stands on the bench: its process, its panel, its lines."""

    def __init__(self, unit: Unit, child: Child, front: Front, terminal: PanelTerminal, stack: contextlib.ExitStack):
        self.unit, self.child, self.front, self.terminal, self._stack = unit, child, front, terminal, stack

    def close(self) -> None:
        self._stack.close()


class Units:
    """Starts them. ``second``: the serial number of another unit than the bench's own. ``attach`` is told the panel of
    the board that stands there, and None before it is taken away."""

    def __init__(
        self, plan: BenchPlan, scratch: Path, topology: Topology, history: Recorder,
        attach: Callable[[Path | None], None],
    ) -> None:
        self._plan, self._scratch, self._topology, self._history = plan, scratch, topology, history
        self._attach = attach
        self._number = 0
        self._beside: dict[str, Unit] = {}
        self.second = f"{plan.serial_number}B"

    def new(self, serial: str, why: str, image: Image | None = None) -> Standing:
        """One from its box: blank memory, ``image`` (None: the bench's) in slot A, supply on."""
        plan = self._plan
        firmware = Firmware(name=image.name, version=image.version, sha256=image.sha256) if image else plan.firmware
        self._beside.pop(serial, None)
        flash = self._scratch / f"flash-{self._number + 1}.bin"
        runs = firmware.name, firmware.version
        unit = Unit(serial, flash, firmware, image.path if image else str(plan.image), runs=runs)
        return self._start(unit, UnitReplaced(t=time.monotonic_ns(), serial=serial, why=why, firmware=firmware))

    def put_beside(self, standing: Standing) -> None:
        """It is taken off the bench, and keeps what it has."""
        standing.close()
        self._beside[standing.unit.serial] = standing.unit

    def again(self, serial: str, why: str) -> Standing:
        """The one that lies beside the bench is put back. Raises BadInput where none does."""
        unit = self._beside.pop(serial, None)
        if unit is None:
            raise BadInput(f"no unit {serial} lies beside bench {self._plan.bench}", remedy="put_unit makes a new one")
        return self._start(unit, UnitReplaced(
            t=time.monotonic_ns(), serial=serial, why=why, firmware=unit.firmware, kept=True
        ))

    def lies_beside(self, serial: str) -> bool:
        return serial in self._beside

    def _start(self, unit: Unit, event: UnitReplaced) -> Standing:
        plan, stack = self._plan, contextlib.ExitStack()
        self._number += 1
        control = self._scratch / f"panel-{self._number}.sock"
        wire = self._topology.wire_fd
        child = spawn(
            [
                sys.executable, "-m", "harness.emulator", "--control", str(control), "--flash", str(unit.flash),
                "--model", str(self._scratch / "model.json"), "--boot-key", str(plan.boot_key),
                "--serial-number", unit.serial, "--time-scale", str(plan.time_scale), "--image", unit.image,
                "--ethernet", END,
                "--data-port", TERMINAL_PORT, "--data-netns-fd", str(wire),
            ],
            netns_fd=self._topology.terminal_fd, pass_fds=(wire,), log=plan.folder / "logs" / "terminal.log",
            name="terminal",
        )
        stack.callback(child.stop)
        try:
            return self._wired(unit, event, child, control, stack)
        except BaseException:
            stack.close()
            raise

    def _wired(
        self, unit: Unit, event: UnitReplaced, child: Child, control: Path, stack: contextlib.ExitStack
    ) -> Standing:
        """With its panel and its two lines, all recorded."""
        plan = self._plan
        self._history.append(event)
        front = Front(control, plan.model, self._history, plan.folder, plan.bench, alive=child.check)
        stack.callback(front.close)
        self._attach(control)
        stack.callback(self._attach, None)
        cashier = service = None
        if plan.model.cashier_link:
            framing = Framing(plan.profile.cashier_length, plan.profile.cashier_lrc)
            cashier = CashierLink(front.cashier_port, self._history, bench=plan.bench, framing=framing)
            stack.callback(cashier.close)
        if plan.model.service_port:
            service = ServicePort(front.service_port, self._history, bench=plan.bench)
            stack.callback(service.close)
        terminal = PanelTerminal(
            plan.model, front, self._history, cashier=cashier, service=service, answer_s=3 * plan.timeout_s + 15,
            keys_by_operator=plan.physical_like, bench=plan.bench,
        )
        terminal.money_moved = unit.money_moved
        return Standing(unit, child, front, terminal, stack)
