"""The supply of an emulated terminal, with a switch that can act at a chosen moment."""

from __future__ import annotations

import threading

from harness.errors import TerminalTimeout
from harness.instruments.panel import Event, Panel


class Supply:
    """``on`` and ``off`` return when it is done. ``cut_at`` and ``flash_operations`` have no physical counterpart."""

    def __init__(self, panel: Panel) -> None:
        self._panel = panel
        self._cut = threading.Event()
        self._panel.subscribe(self._notice)

    def on(self) -> None:
        self._panel.request("power", state="on")

    def off(self) -> None:
        self._panel.request("power", state="off")

    def cycle(self) -> None:
        """Off and on again."""
        self.off()
        self.on()

    def cut_at(self, operation: int, *, torn: bool = False) -> None:
        """The supply dies at the ``operation``-th (from 1) flash program or erase from now; ``torn``: half done."""
        self._cut.clear()
        self._panel.request("cut_at", operation=operation, torn=torn)

    def change_byte(self, slot: str, offset: int) -> None:
        """A byte of a firmware slot ("A" or "B") is inverted on the flash, as by somebody who has the chip in hand."""
        self._panel.request("tamper", slot=slot, offset=offset)

    def change_stored(self, old: str, new: str) -> int:
        """What is stored is changed on the flash, wherever ``old`` stands in it. Returns how often it did."""
        return int(self._panel.request("change_stored", old=old, new=new)["count"])

    def disarm(self) -> None:
        """No cut any more."""
        self._panel.request("cut_at", operation=None)

    def wait_cut(self, timeout: float) -> None:
        """Waits for the armed cut. Raises :class:`TerminalTimeout`."""
        if not self._cut.wait(timeout):
            raise TerminalTimeout("the power cut at a flash operation (fewer were done)", timeout)

    def flash_operations(self) -> int:
        """Flash programs and erases since the board was started."""
        return int(self._panel.request("flash_operations")["count"])

    def _notice(self, event: Event) -> None:
        if event["ev"] == "power" and event["reason"] == "cut":
            self._cut.set()
