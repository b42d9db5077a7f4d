"""The board: supply, flash, screen controller, watchdog and the ends of the serial lines. It outlives the CPU.

Power on forks the CPU process out of this one, which has everything imported that an application needs; power off is
SIGKILL. One thread, one selector loop.
"""

from __future__ import annotations

import base64
import contextlib
import gc
import json
import os
import selectors
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from harness.emulator import bus, panel_requests
from harness.emulator.boot import boot
from harness.emulator.chip import Chip
from harness.emulator.flash import Flash
from harness.emulator.font import load
from harness.emulator.hardware import Board
from harness.emulator.panel_server import PanelServer
from harness.emulator.serial_line import SerialLine
from harness.emulator.slots import REGIONS, Slot
from harness.errors import BadInput
from harness.lab.kernel import die_with_parent

if TYPE_CHECKING:
    from harness.emulator.data_port import DataPort
    from harness.emulator.mobile import Mobile

Reason = Literal["operator", "cut", "watchdog"]
WATCHDOG_S = 5.0
STABLE_S = 10.0  # an application that ran this long is restarted at once, one that died sooner ever later
_LAST_WORDS = 8192


class BoardProcess:
    """One emulated terminal's hardware. ``boot_key``: DER of the public key that the boot loader trusts."""

    def __init__(
        self, *, flash: Flash, model: dict[str, Any], boot_key: bytes, serial_number: str, time_scale: float,
        control: Path, ethernet: str = "", data_port: DataPort | None = None,
    ) -> None:
        """``ethernet``: the terminal's own network interface; ``data_port``: its far end, where a modem switches it."""
        self._ethernet = ethernet
        self._flash, self._model, self._boot_key = flash, model, boot_key
        self._serial_number, self._time_scale = serial_number, time_scale
        self._font = load()
        self._cashier, self._service = SerialLine("cashier"), SerialLine("service")
        self._selector = selectors.DefaultSelector()
        self._width, self._height = int(model["screen"]["width"]), int(model["screen"]["height"])
        self._blank = bus.compress(bytes(self._width * self._height // 8))
        self._screen, self._screen_t, self._screens, self._slips = self._blank, time.monotonic_ns(), 0, 0
        self._paper = bytearray()
        self._cpu: _Cpu | None = None
        self._chip: Chip | None = None  # the card in the slot
        self._tapped: Chip | None = None  # the card at the contactless reader, until the next
        self._counters: dict[str, int] = {}  # card number -> transaction counter
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
            self._panel.close()
            self._flash.close()

    def _end(self, *_: object) -> None:
        self._ended = True

    # Panel

    def _greeting(self) -> list[dict[str, Any]]:
        ready = {"ev": "ready", "t": time.monotonic_ns(), "cashier": self._cashier.path, "service": self._service.path,
                 "serial_number": self._serial_number, "power": "on" if self._powered else "off"}
        modem = [] if self._mobile is None else [self._modem_event(self._mobile.modem.told())]
        return [ready, self._screen_event(), *modem]

    def _handle(self, op: str, request: dict[str, Any]) -> dict[str, Any]:
        match op:
            case "key":
                self._signal_cpu({"key": panel_requests.key(request)})
            case "swipe":
                self._signal_cpu({"swipe": panel_requests.swipe(request)})
            case "insert":
                self._insert(panel_requests.chip(request))
            case "remove":
                self._remove()
            case "tap":
                self._tapped = self._card(panel_requests.chip(request))
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
            case _:
                raise BadInput(f"unknown op {op!r}")
        return {}

    def _tamper(self, slot: Slot, offset: int) -> dict[str, Any]:
        was, now = self._flash.invert(REGIONS[slot].offset + offset)
        return {"was": was, "is": now}

    def _insert(self, chip: dict[str, Any]) -> None:
        if self._chip is not None:
            raise BadInput("there is a card in the slot already")
        self._chip = self._card(chip)
        self._signal_cpu({"insert": True})

    def _remove(self) -> None:
        if self._chip is None:
            raise BadInput("there is no card in the slot")
        self._chip = None
        self._signal_cpu({"remove": True})

    def _card(self, chip: dict[str, Any]) -> Chip:
        """A card as it is presented: its transaction counter goes on where it was."""
        return Chip(chip, self._counters.get(chip["pan"], 0))

    def _signal_cpu(self, event: dict[str, Any]) -> None:
        """To the application. Lost when there is no power, or when it has left too many unread: keys have no memory."""
        if self._cpu is not None:
            with contextlib.suppress(BlockingIOError, BrokenPipeError, ConnectionResetError):
                self._cpu.wires.send(json.dumps(event).encode(), socket.MSG_DONTWAIT)

    def _screen_event(self) -> dict[str, Any]:
        return {"ev": "screen", "t": self._screen_t, "n": self._screens, "width": self._width, "height": self._height,
                "bits": base64.b64encode(self._screen).decode()}

    def _set_screen(self, rows: bytes, t: int) -> None:
        if rows != self._screen:
            self._screen, self._screen_t, self._screens = rows, t, self._screens + 1
            self._panel.broadcast(self._screen_event())

    # Power

    @property
    def _powered(self) -> bool:
        return self._cpu is not None or self._restart_at is not None

    def _switch(self, state: str) -> None:
        if state == "on" and not self._powered:
            self._restart_delay = 0.1
            self._power_on("operator")
        elif state == "off" and self._powered:
            self._restart_at = None
            was_cut = self._cpu is not None and self._kill()
            self._lights_out("cut" if was_cut else "operator")

    def _power_on(self, reason: Reason) -> None:
        self._restart_at = None
        self._drain_serial(False)
        self._report_power("on", reason)
        if self._mobile is not None:
            self._mobile.power(True)
        ours, theirs = bus.socket_pair()
        reader, reader_inside = bus.socket_pair()
        read_end, write_end = os.pipe()
        self._flash.fed = time.monotonic_ns()
        sys.stdout.flush()
        sys.stderr.flush()
        board = os.getpid()
        pid = os.fork()
        if pid == 0:
            os.close(read_end)
            ours.close()
            reader.close()
            self._be_the_cpu(board, theirs, reader_inside, write_end)
        theirs.close()
        reader_inside.close()
        os.close(write_end)
        os.set_blocking(read_end, False)
        cpu = self._cpu = _Cpu(pid, ours, reader, read_end)
        self._selector.register(ours, selectors.EVENT_READ, lambda _: self._of_current(cpu, self._take_messages))
        self._selector.register(read_end, selectors.EVENT_READ, lambda _: self._of_current(cpu, self._take_words))
        self._selector.register(reader, selectors.EVENT_READ, lambda _: self._of_current(cpu, self._take_command))
        self._selector.register(cpu.pidfd, selectors.EVENT_READ, lambda _: self._of_current(cpu, self._cpu_ended))
        if self._chip is not None:
            self._signal_cpu({"insert": True})  # the slot's switch is closed

    def _be_the_cpu(self, board: int, wires: socket.socket, reader: socket.socket, stderr: int) -> NoReturn:
        status = 1
        try:
            die_with_parent(signal.SIGKILL)
            if os.getppid() != board:  # it died before the line above: no signal will come
                os._exit(1)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            os.dup2(stderr, 1)
            os.dup2(stderr, 2)
            os.close(stderr)
            for descriptor in self._panel.descriptors():
                os.close(descriptor)
            self._selector.close()
            import faulthandler

            faulthandler.register(signal.SIGUSR1, file=2)
            hardware = Board(model=self._model, serial_number=self._serial_number, time_scale=self._time_scale,
                             flash=self._flash, font=self._font, wires=wires, reader=reader,
                             cashier_fd=self._cashier.master, service_fd=self._service.master,
                             ethernet=self._ethernet,
                             modem_fd=-1 if self._mobile is None else self._mobile.terminal_fd)
            boot(hardware, self._boot_key)
        except BaseException:
            traceback.print_exc()
            with contextlib.suppress(OSError):
                sys.stderr.flush()
        finally:
            os._exit(status)

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
        self._paper.clear()
        for descriptor in (cpu.wires.fileno(), cpu.reader.fileno(), cpu.stderr, cpu.pidfd):
            with contextlib.suppress(KeyError):
                self._selector.unregister(descriptor)
        cpu.wires.close()
        cpu.reader.close()
        os.close(cpu.stderr)
        os.close(cpu.pidfd)

    def _lights_out(self, reason: Reason) -> None:
        self._report_power("off", reason)
        if self._mobile is not None:
            self._mobile.power(False)
        self._set_screen(self._blank, time.monotonic_ns())
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

    def _of_current(self, cpu: _Cpu, act: Callable[[_Cpu], None]) -> None:
        """Unless that CPU was killed by an earlier event of the same round, and its descriptors are another's now."""
        if cpu is self._cpu:
            act(cpu)

    def _take_messages(self, cpu: _Cpu) -> None:
        try:
            while (message := bus.receive(cpu.wires)) is not None:
                self._take_message(message)
        except EOFError:  # it died, or has closed its end: nothing more will come
            with contextlib.suppress(KeyError):
                self._selector.unregister(cpu.wires)

    def _take_message(self, message: bus.Message) -> None:
        match message.kind:
            case bus.SCREEN:
                self._set_screen(message.body, message.t)
            case bus.PAPER_PART:
                self._paper += message.body
            case bus.PAPER:
                self._slips += 1
                bits = base64.b64encode(bytes(self._paper) + message.body).decode()
                self._paper.clear()
                self._panel.broadcast({"ev": "paper", "t": message.t, "n": self._slips, "width": message.width,
                                       "height": message.height, "bits": bits})
            case bus.BEEP:
                self._panel.broadcast({"ev": "beep", "t": message.t})
            case bus.HALT:
                detail = message.body.decode("utf-8", "replace")
                self._panel.broadcast({"ev": "halt", "t": message.t, "detail": detail})

    def _take_command(self, cpu: _Cpu) -> None:
        """A command to a card: its answer goes back, and the panel is told what passed."""
        try:
            data = cpu.reader.recv(bus.LARGEST, socket.MSG_DONTWAIT)
        except (BlockingIOError, ConnectionResetError):
            data = b""
        if not data:
            with contextlib.suppress(KeyError):
                self._selector.unregister(cpu.reader)
            return
        command = json.loads(data)
        chip = self._tapped if command.get("contactless") else self._chip
        reply = None if chip is None else chip.command(command)
        if chip is not None and reply is not None:
            self._counters[chip.pan] = chip.atc
            self._panel.broadcast({"ev": "chip", "t": time.monotonic_ns(), **chip.told(command, reply)})
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            cpu.reader.send(json.dumps(reply).encode())

    def _take_words(self, cpu: _Cpu) -> None:
        """The application's stderr: kept for a halt, and copied into the board's own log."""
        try:
            while data := os.read(cpu.stderr, 65536):
                cpu.words = (cpu.words + data)[-_LAST_WORDS:]
                with contextlib.suppress(OSError):
                    os.write(2, data)
            self._selector.unregister(cpu.stderr)
        except (BlockingIOError, KeyError):
            pass

    def _cpu_ended(self, cpu: _Cpu) -> None:
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

    def _report_halt(self, cpu: _Cpu, how: str) -> None:
        words = cpu.words.decode("utf-8", "replace").strip()
        self._panel.broadcast({"ev": "halt", "t": time.monotonic_ns(), "detail": f"{how}\n{words}" if words else how})

    def _reset(self, cpu: _Cpu, *, at_once: bool) -> None:
        """The reset line: off now, on again soon. One that keeps dying at boot is restarted ever more slowly."""
        self._lights_out("watchdog")
        if at_once or time.monotonic() - cpu.since > STABLE_S:
            self._restart_delay = 0.1
        self._restart_at = time.monotonic() + (0.0 if at_once else self._restart_delay)
        self._restart_delay = min(2 * self._restart_delay, WATCHDOG_S)

    def _timeout(self) -> float | None:
        own, modem = self._own_timeout(), None if self._mobile is None else self._mobile.timeout
        return min((one for one in (own, modem) if one is not None), default=None)

    def _own_timeout(self) -> float | None:
        if self._restart_at is not None:
            return max(0.0, self._restart_at - time.monotonic())
        if self._cpu is not None and (fed := self._flash.fed):
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
        if self._restart_at is not None and time.monotonic() >= self._restart_at:
            self._power_on("watchdog")
        cpu, fed = self._cpu, self._flash.fed
        if cpu is not None and fed and time.monotonic_ns() - fed > WATCHDOG_S * 1e9:
            self._let_it_say_where_it_hangs(cpu)
            if self._kill():
                self._lights_out("cut")
                return
            self._report_halt(cpu, f"watchdog not fed for {WATCHDOG_S:g} s")
            self._reset(cpu, at_once=False)

    def _let_it_say_where_it_hangs(self, cpu: _Cpu) -> None:
        os.kill(cpu.pid, signal.SIGUSR1)
        with selectors.DefaultSelector() as quiet:
            quiet.register(cpu.stderr, selectors.EVENT_READ)
            before = None
            while before != cpu.words and quiet.select(0.2):
                before = cpu.words
                self._take_words(cpu)


class _Cpu:
    """A running CPU process and our ends of its wires."""

    def __init__(self, pid: int, wires: socket.socket, reader: socket.socket, stderr: int) -> None:
        self.pid, self.wires, self.reader, self.stderr = pid, wires, reader, stderr
        self.pidfd = os.pidfd_open(pid)
        self.since = time.monotonic()
        self.words = b""


def freeze_imports(warm: Callable[[], None]) -> None:
    """Imports what applications need, once, and takes it out of the garbage collector's sight before any fork."""
    warm()
    gc.collect()
    gc.freeze()
