"""The boot loader: chooses a slot (harness.emulator.slots), loads package ``app`` from memory, starts it.

When no slot can be booted the screen says 固件损坏 with the reasons, and the terminal halts until it is switched off.
"""

from __future__ import annotations

import importlib
import marshal
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType
from typing import Any, NoReturn

from harness.emulator.hardware import Board
from harness.emulator.image import Application
from harness.emulator.services import Services
from harness.emulator.slots import Verifier, start


def boot(board: Board, key: bytes) -> NoReturn:
    """Never returns: the application runs until the power goes. Raises what the application raises."""
    application = prepare(board, Verifier(key, str(board.model["name"])), fatal=True)
    sys.meta_path.insert(0, ImageFinder(application))
    importlib.import_module("app.main").start(board)
    raise RuntimeError("app.main.start returned: an application runs until the power goes")


def prepare(board: Board, verifier: Verifier, *, fatal: bool) -> Application:
    """All that comes before the application is loaded: the choice, what it asks for, ``board.boot``. Where nothing can
    be started it does not return. ``fatal``: as of :class:`harness.emulator.nor.Partition`."""
    choice = start(board.nor, verifier)
    if choice.application is None:
        _refuse(board, choice.reasons)
    application = choice.application
    board.boot = Services(board.nor, choice, verifier, fatal=fatal)
    board.firmware = {"name": application.name, "version": application.version}
    return application


def _refuse(board: Board, reasons: Sequence[str]) -> NoReturn:
    board.show(_message(board, ["固件损坏", *reasons]))
    board.halt("boot loader: " + "; ".join(reasons))


class ImageFinder(MetaPathFinder, Loader):
    """Imports package ``app`` from an image in memory."""

    def __init__(self, application: Application) -> None:
        self._application = application

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        if fullname not in self._application.modules:
            return None
        return ModuleSpec(fullname, self, is_package=fullname in self._application.packages, origin="firmware image")

    def exec_module(self, module: ModuleType) -> None:
        code: CodeType = marshal.loads(self._application.modules[module.__name__][16:])
        exec(code, module.__dict__)


def _message(board: Board, lines: list[str]) -> bytes:
    """A frame with ``lines``, wrapped, in the model's geometry."""
    geometry: dict[str, Any] = board.model["screen"]
    width, height, scale = int(geometry["width"]), int(geometry["height"]), int(geometry.get("scale", 1))
    left, top = geometry.get("origin", (0, 0))
    rows = [0] * height
    y = top
    for line in lines:
        x = left
        for character in line:
            glyph = board.glyph(character) or board.glyph("?") or bytes(16)
            cell = len(glyph) // 2 * scale
            if x + cell > width:
                x, y = left, y + 16 * scale
            if y + 16 * scale > height:
                break
            for row in range(16):
                bits = int.from_bytes(glyph[row * len(glyph) // 16 : (row + 1) * len(glyph) // 16], "big")
                wide = sum(((1 << scale) - 1) << (bit * scale) for bit in range(cell // scale) if bits >> bit & 1)
                for copy in range(scale):
                    rows[y + row * scale + copy] |= wide << (width - x - cell)
            x += cell
        y += 16 * scale
    return b"".join(row.to_bytes(width // 8, "big") for row in rows)
