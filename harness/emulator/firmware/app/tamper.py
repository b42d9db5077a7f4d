"""The tamper switch: whoever opens the case gets no keys, and the terminal does nothing more with money.

A service engineer resets it on the service port once the case is closed, and loads keys anew. Batch, reversal and
identity stay: what they name was sold before.
"""

from __future__ import annotations

from collections.abc import Sequence

from . import condition
from .hardware import Board
from .provisioning import Refused, erase_keys
from .store import Store


class Tamper:
    """``open``: seen and not reset."""

    def __init__(self, board: Board, stores: Sequence[Store]) -> None:
        self._board, self._stores = board, stores

    @property
    def open(self) -> bool:
        return condition.tampered(self._board.condition())

    def tick(self) -> None:
        """Erases the keys of every merchant as soon as the switch is seen."""
        if self.open:
            for store in self._stores:
                erase_keys(store)

    def refuse(self) -> None:
        """No key comes into an open terminal. Raises :class:`Refused`."""
        if self.open:
            raise Refused("91", "tampered: close the case, then TAMPER RESET")

    def reset(self) -> None:
        """Raises :class:`Refused` where the case is open."""
        self.tick()
        if not self._board.reset_tamper():
            raise Refused("91", "tampered: the case is open")
