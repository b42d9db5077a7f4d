"""The screen and the printer: lines of text in the model's geometry."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from . import condition
from .hardware import Board
from .pixels import TextRenderer


class Screen:
    """Row 0 is the status, given by ``status``; below it stand the lines of what is shown."""

    def __init__(self, board: Board, status: Callable[[], str]) -> None:
        geometry = board.model["screen"]
        self._board, self._status = board, status
        self._width, self._height = int(geometry["width"]), int(geometry["height"])
        left, self._top = (int(value) for value in geometry.get("origin", (0, 0)))
        self._text = TextRenderer(board.glyph, width=self._width, left=left, scale=int(geometry.get("scale", 1)))
        self._rows = (self._height - self._top) // self._text.row_height
        self.columns, self.rows = self._text.columns, self._rows - 1  # below the status
        self._lines: tuple[str, ...] = ()
        self._painted_status = ""

    def show(self, lines: Iterable[str]) -> None:
        """Replaces everything below the status row. Text wraps."""
        self._lines = tuple(lines)
        self._paint(self._status())

    def refresh(self) -> None:
        """Paints again if the status has changed."""
        status = self._status()
        if status != self._painted_status:
            self._paint(status)

    def in_columns(self, items: list[str]) -> list[str]:
        """The items one below the other, in two columns where they would not fit under a title."""
        if len(items) < self.rows:
            return items
        half = (len(items) + 1) // 2
        left = [item + " " * (self.columns // 2 - self._text.cells(item)) for item in items[:half]]
        return [first + second for first, second in zip(left, [*items[half:], ""], strict=False)]

    @property
    def lines(self) -> tuple[str, ...]:
        return self._lines

    def _paint(self, status: str) -> None:
        self._painted_status = status
        rows = self._text.wrap((status, *self._lines))[: self._rows]
        pixels = bytes(self._top * self._width // 8) + b"".join(map(self._text.row, rows))
        self._board.show(pixels.ljust(self._width * self._height // 8, b"\0"))


class Printer:
    """A slip is printed as a whole."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._width = int(board.model.get("slip_width", 384))
        self._text = TextRenderer(board.glyph, width=self._width)

    @property
    def trouble(self) -> str:
        """Why a slip would not come out now; "": it would."""
        return condition.of_printer(self._board.condition())

    def print(self, lines: Iterable[str]) -> None:
        rows = self._text.wrap(lines)
        self._board.print_slip(self._width, b"".join(map(self._text.row, rows)))
