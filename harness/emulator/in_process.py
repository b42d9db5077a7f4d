"""The CPU inside this process: boot loader and application run as on the board, and come back when the power goes.

For work that starts an application thousands of times (the power-cut sweep). The boot loader is the board's, the
application is loaded out of the image that it chose. What differs from a CPU process: an image's modules are executed
once a process and used by all its later starts here (a process for each few starts keeps what they leave behind apart);
the panel is a list of keys, the screen a callback, the clock stands still; there is no chip card, no network interface
and no modem. A real board process has the last word (harness.campaigns.sweep.cold).
"""

from __future__ import annotations

import importlib
import socket
import sys
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, NoReturn, cast

from harness.emulator import font
from harness.emulator.boot import ImageFinder, prepare
from harness.emulator.hardware import Board
from harness.emulator.image import Application
from harness.emulator.journal import JournalledNor
from harness.emulator.slots import Verifier, choose

if TYPE_CHECKING:
    from harness.emulator.flash import Flash

_READ = 65536


class _PowerGone(BaseException):
    """Ends the application, which catches no BaseException."""


class _Reset(BaseException):
    """The application asked for a reset."""


class _Halted(BaseException):
    """Nothing to boot."""


@dataclass(frozen=True)
class Rom:
    """What a board is beside its flash. ``model``: the model file as a dict; ``boot_key``: 32 bytes; ``clock``: what
    its battery-backed clock says, seconds since 1970."""

    model: dict[str, Any]
    boot_key: bytes
    serial_number: str
    time_scale: float = 20.0
    clock: float = 1_770_000_000.0


@dataclass(frozen=True)
class End:
    """How a power-on ended. ``off``: ``outside`` had seen enough; ``cut``: the supply died at an armed operation, or
    the flash was misused; ``reset``: the application asked for it; ``crash``: it ended with an error; ``halt``: the
    boot loader found nothing to start."""

    how: Literal["off", "cut", "reset", "crash", "halt"]
    detail: str = ""


class Ends:
    """Our ends of the wires that a board without hardware has: one object does for many boards, one after another."""

    def __init__(self) -> None:
        self._sockets = [*socket.socketpair(), *socket.socketpair(), *socket.socketpair(), *socket.socketpair()]
        for one in self._sockets:
            one.setblocking(False)
        self.service, self.service_inside, self.till, self.till_inside = self._sockets[:4]
        self.wires_inside, self._wires = self._sockets[4:6]
        self.reader_inside = self._sockets[6]
        self._wires.send(b"!")  # always readable: the application's loop never sleeps

    def drain(self) -> None:
        """What nobody has read is lost, as at a real board without power."""
        for one in (self.service, self.service_inside, self.till, self.till_inside):
            try:
                while one.recv(_READ):
                    pass
            except BlockingIOError:
                pass

    def close(self) -> None:
        for one in self._sockets:
            one.close()


class MemoryBoard(Board):
    """One power-on's view of a board without hardware. ``shown``: the last picture."""

    def __init__(self, chip: JournalledNor, rom: Rom, ends: Ends, outside: Callable[[MemoryBoard], bool]) -> None:
        super().__init__(
            model=rom.model, serial_number=rom.serial_number, time_scale=rom.time_scale,
            flash=cast("Flash", chip), font=font.load(),  # nothing else of a Flash is used here
            wires=ends.wires_inside, reader=ends.reader_inside, cashier_fd=ends.till_inside.fileno(),
            service_fd=ends.service_inside.fileno(),
        )
        self.ends, self.shown = ends, b""
        self.keys: deque[str] = deque()
        self._outside, self._memory, self._now = outside, chip, rom.clock

    def now(self) -> float:
        return self._now

    def set_clock(self, epoch_s: float) -> None:
        self._now = epoch_s

    def show(self, bits: bytes) -> None:
        self.shown = bytes(bits)

    def print_slip(self, width: int, rows_bits: bytes) -> None:
        pass

    def beep(self) -> None:
        pass

    def read_event(self) -> dict[str, Any] | None:
        return {"key": self.keys.popleft()} if self.keys else None

    def chip(self, command: dict[str, Any]) -> dict[str, Any] | None:
        return None

    def feed_watchdog(self) -> None:
        """Every turn of the application comes by here: so does whoever watches it."""
        if self._memory.dead or self._outside(self):
            raise _PowerGone

    def reboot(self) -> NoReturn:
        raise _Reset

    def halt(self, reason: str) -> NoReturn:
        raise _Halted(reason)


class Computer:
    """A CPU that can be switched on again and again. It keeps the modules of each image that it has run."""

    def __init__(self, rom: Rom) -> None:
        self.rom = rom
        self._ends = Ends()
        self._verifier = Verifier(rom.boot_key, str(rom.model["name"]), memo=True)
        self._modules: dict[str, dict[str, ModuleType]] = {}
        self.running = ""  # SHA-256 of the image that was started last

    def close(self) -> None:
        self._ends.close()

    def own_wires(self) -> None:
        """In a forked process: the wires are shared with the process that it comes from."""
        self._ends.close()
        self._ends = Ends()

    def power_on(self, chip: JournalledNor, outside: Callable[[MemoryBoard], bool]) -> End:
        """From switching on until the power goes. ``outside`` is called at every turn of the application and says
        whether it has seen enough."""
        self._ends.drain()
        board = MemoryBoard(chip, self.rom, self._ends, outside)
        try:
            application = prepare(board, self._verifier, fatal=False)
            self.enter(application).start(board)
            return End("crash", "app.main.start returned")
        except _PowerGone:
            return End("cut", chip.misuse) if chip.dead else End("off")
        except _Reset:
            return End("cut", chip.misuse) if chip.dead else End("reset")
        except _Halted as halted:
            return End("halt", str(halted))
        except Exception:
            return End("cut", chip.misuse) if chip.dead else End("crash", traceback.format_exc(limit=-3))

    @property
    def modules(self) -> dict[str, ModuleType]:
        """The modules of the application that ran last, by name (``app.store``)."""
        return {name: module for name, module in sys.modules.items() if _is_app(name)}

    def stores(self, chip: JournalledNor, merchants: int) -> list[Any]:
        """What the flash holds, opened with the store of the application that ran last (``app.store.Store``): one for
        each merchant."""
        first = sys.modules["app.store"].Store(chip.partition(fatal=True))
        return [first, *(first.of_merchant(number) for number in range(2, merchants + 1))]

    def enter_chosen(self, chip: JournalledNor) -> bool:
        """As :meth:`enter`, of the image that would be started from ``chip``; False: none would."""
        application = choose(chip, self._verifier).application
        if application is not None:
            self.enter(application)
        return application is not None

    def enter(self, application: Application) -> ModuleType:
        """Makes package ``app`` that of ``application``. Returns its ``main``."""
        if application.sha256 != self.running:
            current = self.modules
            self._modules[self.running] = current  # with what it has imported since it was started
            for name in current:
                del sys.modules[name]
            sys.meta_path[:] = [one for one in sys.meta_path if not isinstance(one, ImageFinder)]
            sys.meta_path.insert(0, ImageFinder(application))
            sys.modules.update(self._modules.get(application.sha256, {}))
            self.running = application.sha256
        return importlib.import_module("app.main")


def read_service(ends: Ends) -> bytes:
    """What the application has sent on its service port and nobody has read."""
    try:
        return ends.service.recv(_READ)
    except BlockingIOError:
        return b""


def format_file_system(chip: JournalledNor) -> None:
    """An empty littlefs of the whole partition, as the factory makes it; nothing of it is in the journal."""
    from littlefs import LittleFS

    partition = chip.partition(fatal=True)
    LittleFS(context=partition.littlefs_context(), mount=False, block_size=partition.block_size,
             block_count=partition.block_count).format()
    chip.journal.clear()


def _is_app(name: str) -> bool:
    return name == "app" or name.startswith("app.")
