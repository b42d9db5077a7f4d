"""The board: power, flash, watchdog and the ends of the serial lines. It outlives the CPU. What it feels: ``body``.

Power on forks the CPU process out of this one, which has everything imported that an application needs; power off is
SIGKILL. One thread, one selector loop.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from harness.emulator import bus, panel_requests
from harness.emulator.body import Body, Reason
from harness.emulator.boot import boot
from harness.emulator.card_readers import CardReaders
from harness.emulator.cpu import Cpu
from harness.emulator.flash import Flash
from harness.emulator.font import load
from harness.emulator.hardware import Board
from harness.emulator.panel_server import PanelServer
from harness.emulator.serial_line import SerialLine
from harness.emulator.slots import REGIONS, Slot
from harness.errors import BadInput

if TYPE_CHECKING:
    from harness.emulator.data_port import DataPort
    from harness.emulator.mobile import Mobile

WATCHDOG_S = 5.0
STABLE_S = 10.0  # an application that ran this long is restarted at once, one that died sooner ever later


class BoardProcess:
    """One emulated terminal's hardware. ``boot_key``: DER of the public key that the boot loader trusts."""

    def __init__(
        self, *, flash: Flash, model: dict[str, Any], boot_key: bytes, serial_number: str, time_scale: float,
        control: Path, ethernet: str = "", data_port: DataPort | None = None,
    ) -> None:
        """``ethernet``: the terminal's own network interface; ``data_port``: its far end, by which a modem, or what a
        disturbance does to the line, switches it."""
        self._ethernet = ethernet
        self._flash, self._model, self._boot_key = flash, model, boot_key
        self._serial_number, self._time_scale = serial_number, time_scale
        self._font = load()
        self._cashier, self._service = SerialLine("cashier"), SerialLine("service")
        self._selector = selectors.DefaultSelector()
        self._body = Body(flash, model, serial_number, time_scale, self._tell, self)
        self._data_port = data_port
        self._switched_on = False
        self._cpu: Cpu | None = None
        self._readers = CardReaders(self._body)
        self._restart_at: float | None = None
        self._restart_delay = 0.1
        self._ended = False
        self._mobile: Mobile | None = None
        if model.get("modem"):
            from harness.emulator.mobile import Mobile

            self._mobile = Mobile(self._selector, time_scale, data_port, self._report_modem)
        self._panel = PanelServer(control, self._selector, self._greeting, self._handle)
        self._drain_serial(True)

    def run(self) -> None:
        """Serves until SIGTERM (or, started by hand, Ctrl-C)."""
        wake, end = socket.socketpair()
        wake.setblocking(False)
        end.setblocking(False)
        signal.set_wakeup_fd(end.fileno())
        signal.signal(signal.SIGTERM, self._end)
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # by hand; else Ctrl-C is the parent's
            signal.signal(signal.SIGINT, self._end)
        self._selector.register(wake, selectors.EVENT_READ, lambda _: wake.recv(64))
        try:
            while not self._ended:
                for key, events in self._selector.select(self._timeout()):
                    if key.fd in self._selector.get_map():  # an earlier one may have removed it
                        key.data(events)
                self._check_timers()
        finally:
            if self._cpu is not None:
                self._kill()
            self._body.close()
            self._panel.close()
            self._flash.close()

    def _end(self, *_: object) -> None:
        self._ended = True

    # Panel

    def _greeting(self) -> list[dict[str, Any]]:
        ready = {"ev": "ready", "t": time.monotonic_ns(), "cashier": self._cashier.path, "service": self._service.path,
                 "serial_number": self._serial_number, "power": "on" if self._powered else "off"}
        modem = [] if self._mobile is None else [self._modem_event(self._mobile.modem.told())]
        return [ready, self._body.display.event(), *modem]

    def _tell(self, event: dict[str, Any]) -> None:
        self._panel.broadcast(event)

    def _handle(self, op: str, request: dict[str, Any]) -> dict[str, Any]:
        match op:
            case "key":
                key = panel_requests.key(request)
                if self._body.key(key):
                    self._signal_cpu({"key": key})
            case "swipe":
                tracks = self._body.swipe(request, panel_requests.swipe(request))
                if tracks is not None:
                    self._signal_cpu({"swipe": tracks})
            case "insert":
                self._readers.insert(panel_requests.chip(request))
                self._signal_cpu({"insert": True})
            case "remove":
                self._readers.remove()
                self._signal_cpu({"remove": True})
            case "tap":
                if self._readers.tap(panel_requests.chip(request)):
                    self._signal_cpu({"tap": True})
            case "scan":
                self._signal_cpu({"scan": panel_requests.scan(request)})
            case "sign":
                self._signal_cpu({"sign": panel_requests.sign(request)})
            case "power":
                self._switch(panel_requests.power(request))
            case "cut_at":
                operation, torn = panel_requests.cut(request)
                if operation is None:
                    self._flash.disarm()
                else:
                    self._flash.cut_at(operation, torn=torn)
            case "modem" if self._mobile is not None:
                self._mobile.obey(panel_requests.modem(request))
            case "tamper":
                return self._tamper(*panel_requests.tamper(request))
            case "change_stored":
                return {"count": self._flash.replace(*panel_requests.stored(request))}
            case "flash_operations":
                return {"count": self._flash.operations}
            case _ if not self._body.obey(op, request):
                raise BadInput(f"unknown op {op!r}")
        return {}

    def _tamper(self, slot: Slot, offset: int) -> dict[str, Any]:
        was, now = self._flash.invert(REGIONS[slot].offset + offset)
        return {"was": was, "is": now}

    def _signal_cpu(self, event: dict[str, Any]) -> None:
        """To the application. Lost when there is no power, or when it has left too many unread: keys have no memory."""
        if self._cpu is not None:
            with contextlib.suppress(BlockingIOError, BrokenPipeError, ConnectionResetError):
                self._cpu.wires.send(json.dumps(event).encode(), socket.MSG_DONTWAIT)

    # Power

    @property
    def _powered(self) -> bool:
        return self._cpu is not None or self._restart_at is not None

    def _switch(self, state: str) -> None:
        """The unit's own switch. Without a supply it does nothing until there is one."""
        self._switched_on = state == "on"
        if state == "on" and not self._powered and self._body.supplied:
            self._restart_delay = 0.1
            self._power_on("operator")
        elif state == "off" and self._powered:
            self._pull("operator")

    def _pull(self, reason: Reason) -> None:
        """The CPU has no power any more; an armed cut may have been quicker."""
        self._restart_at = None
        was_cut = self._cpu is not None and self._kill()
        self._lights_out("cut" if was_cut else reason)

    # What the body does to it

    def lose_supply(self, reason: Reason) -> None:
        if self._powered:
            self._pull(reason)

    def regain_supply(self) -> None:
        if self._switched_on and not self._powered:
            self._restart_delay = 0.1
            self._power_on(self._body.lost_by)

    def reset(self) -> None:
        if (cpu := self._cpu) is not None:
            if self._kill():
                self._lights_out("cut")
            else:
                self._reset(cpu, at_once=True)

    def hang(self) -> None:
        if self._cpu is not None:
            self._cpu.hangs = True
            os.kill(self._cpu.pid, signal.SIGSTOP)

    def set_link(self, up: bool) -> bool:
        if self._mobile is not None:
            if not up:
                self._mobile.obey({"drop": True})
            return True
        if self._data_port is None:
            return False
        self._data_port.set_up(up)
        return True

    def _power_on(self, reason: Reason) -> None:
        self._restart_at = None
        self._drain_serial(False)
        self._report_power("on", reason)
        self._body.power(True, reason)
        if self._mobile is not None:
            self._mobile.power(True)
        self._flash.fed = time.monotonic_ns()
        cpu = self._cpu = Cpu.start(self._be_the_cpu)
        self._selector.register(cpu.wires, selectors.EVENT_READ, lambda _: self._of_current(cpu, self._take_messages))
        self._selector.register(cpu.stderr, selectors.EVENT_READ, lambda _: self._of_current(cpu, self._take_words))
        self._selector.register(cpu.reader, selectors.EVENT_READ, lambda _: self._of_current(cpu, self._take_command))
        self._selector.register(cpu.pidfd, selectors.EVENT_READ, lambda _: self._of_current(cpu, self._cpu_ended))
        if self._readers.occupied:
            self._signal_cpu({"insert": True})  # the slot's switch is closed

    def _be_the_cpu(self, wires: socket.socket, reader: socket.socket) -> NoReturn:
        for descriptor in self._panel.descriptors():
            os.close(descriptor)
        self._selector.close()
        hardware = Board(model=self._model, serial_number=self._serial_number, time_scale=self._time_scale,
                         flash=self._flash, font=self._font, wires=wires, reader=reader,
                         cashier_fd=self._cashier.master, service_fd=self._service.master,
                         ethernet=self._ethernet, sensors=self._body.sensors,
                         modem_fd=-1 if self._mobile is None else self._mobile.terminal_fd)
        boot(hardware, self._boot_key)

    def _kill(self) -> bool:
        """Pulls the supply. What the CPU had sent before still counts. True if an armed cut had been quicker."""
        assert self._cpu is not None
        os.kill(self._cpu.pid, signal.SIGKILL)
        os.waitpid(self._cpu.pid, 0)
        self._forget_cpu()
        return self._flash.take_cut()

    def _forget_cpu(self) -> None:
        """After the CPU process was reaped."""
        cpu = self._cpu
        assert cpu is not None
        self._take_messages(cpu)
        self._take_words(cpu)
        self._cpu = None
        self._body.paper.forget_parts()
        for descriptor in cpu.descriptors():
            with contextlib.suppress(KeyError):
                self._selector.unregister(descriptor)
        cpu.close()

    def _lights_out(self, reason: Reason) -> None:
        self._report_power("off", reason)
        if reason == "cut":
            self._switched_on = False
        self._body.power(False, reason)
        if self._mobile is not None:
            self._mobile.power(False)
        self._body.display.lights_out(time.monotonic_ns())
        self._drain_serial(True)

    def _report_power(self, state: Literal["on", "off"], reason: Reason) -> None:
        self._panel.broadcast({"ev": "power", "t": time.monotonic_ns(), "state": state, "reason": reason})

    def _drain_serial(self, unpowered: bool) -> None:
        """What the other side sends to an unpowered UART is lost, and so is what was in its FIFO."""
        for line in (self._cashier, self._service):
            line.flush_input()
            if unpowered and line.master not in self._selector.get_map():
                self._selector.register(line.master, selectors.EVENT_READ, lambda _, line=line: line.flush_input())
            elif not unpowered and line.master in self._selector.get_map():
                self._selector.unregister(line.master)

    # CPU

    def _of_current(self, cpu: Cpu, act: Callable[[Cpu], None]) -> None:
        """Unless that CPU was killed by an earlier event of the same round, and its descriptors are another's now."""
        if cpu is self._cpu:
            act(cpu)

    def _take_messages(self, cpu: Cpu) -> None:
        try:
            while (message := bus.receive(cpu.wires)) is not None:
                self._take_message(message)
        except EOFError:  # it died, or has closed its end: nothing more will come
            with contextlib.suppress(KeyError):
                self._selector.unregister(cpu.wires)

    def _take_message(self, message: bus.Message) -> None:
        match message.kind:
            case bus.SCREEN:
                self._body.show(message.body, message.t)
            case bus.PAPER_PART:
                self._body.paper.part(message.body)
            case bus.PAPER:
                self._body.print_slip(message.width, message.height, message.body, message.t)
            case bus.BEEP:
                self._panel.broadcast({"ev": "beep", "t": message.t})
            case bus.HALT:
                detail = message.body.decode("utf-8", "replace")
                self._panel.broadcast({"ev": "halt", "t": message.t, "detail": detail})

    def _take_command(self, cpu: Cpu) -> None:
        """A command to a card: its answer goes back, and the panel is told what passed."""
        try:
            data = cpu.reader.recv(bus.LARGEST, socket.MSG_DONTWAIT)
        except (BlockingIOError, ConnectionResetError):
            data = b""
        if not data:
            with contextlib.suppress(KeyError):
                self._selector.unregister(cpu.reader)
            return
        reply, told = self._readers.answer(json.loads(data))
        if told:
            self._tell({"ev": "chip", "t": time.monotonic_ns(), **told})
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            cpu.reader.send(json.dumps(reply).encode())

    def _take_words(self, cpu: Cpu) -> None:
        """The application's stderr: kept for a halt, and copied into the board's own log."""
        if not cpu.listen():
            with contextlib.suppress(KeyError):
                self._selector.unregister(cpu.stderr)

    def _cpu_ended(self, cpu: Cpu) -> None:
        _, wait_status = os.waitpid(cpu.pid, 0)
        status = os.waitstatus_to_exitcode(wait_status)
        was_cut = self._flash.take_cut()
        self._forget_cpu()
        if was_cut:
            self._lights_out("cut")
            return
        if status != bus.REBOOT_STATUS:
            how = f"killed by signal {-status}" if status < 0 else f"ended with status {status}"
            self._report_halt(cpu, f"application {how}")
        self._reset(cpu, at_once=status == bus.REBOOT_STATUS)

    def _report_halt(self, cpu: Cpu, how: str) -> None:
        words = cpu.words.decode("utf-8", "replace").strip()
        self._panel.broadcast({"ev": "halt", "t": time.monotonic_ns(), "detail": f"{how}\n{words}" if words else how})

    def _reset(self, cpu: Cpu, *, at_once: bool) -> None:
        """The reset line: off now, on again soon. One that keeps dying at boot is restarted ever more slowly."""
        self._lights_out("watchdog")
        if at_once or time.monotonic() - cpu.since > STABLE_S:
            self._restart_delay = 0.1
        self._restart_at = time.monotonic() + (0.0 if at_once else self._restart_delay)
        self._restart_delay = min(2 * self._restart_delay, WATCHDOG_S)

    def _timeout(self) -> float | None:
        modem = None if self._mobile is None else self._mobile.timeout
        timeouts = (self._own_timeout(), modem, self._body.timeout)
        return min((one for one in timeouts if one is not None), default=None)

    def _own_timeout(self) -> float | None:
        if self._restart_at is not None:
            return max(0.0, self._restart_at - time.monotonic())
        if self._cpu is not None and not self._cpu.hangs and (fed := self._flash.fed):
            return max(0.0, WATCHDOG_S - (time.monotonic_ns() - fed) / 1e9) + 0.001
        return None

    def _report_modem(self, told: dict[str, Any]) -> None:
        self._panel.broadcast(self._modem_event(told))

    @staticmethod
    def _modem_event(told: dict[str, Any]) -> dict[str, Any]:
        return {"ev": "modem", "t": time.monotonic_ns(), **told}

    def _check_timers(self) -> None:
        if self._mobile is not None:
            self._mobile.tick()
        self._body.tick()
        if self._restart_at is not None and time.monotonic() >= self._restart_at:
            self._power_on("watchdog")
        cpu, fed = self._cpu, self._flash.fed
        if cpu is not None and not cpu.hangs and fed and time.monotonic_ns() - fed > WATCHDOG_S * 1e9:
            cpu.say_where_it_hangs()
            if self._kill():
                self._lights_out("cut")
                return
            self._report_halt(cpu, f"watchdog not fed for {WATCHDOG_S:g} s")
            self._reset(cpu, at_once=False)


def freeze_imports(warm: Callable[[], None]) -> None:
    """Imports what applications need, once, and takes it out of the garbage collector's sight before any fork."""
    warm()
    gc.collect()
    gc.freeze()
