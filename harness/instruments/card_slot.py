"""A hand that holds test cards, payment codes and a pen to an emulated terminal."""

from __future__ import annotations

from typing import Any

from harness.instruments.panel import Panel


class CardSlot:
    """Magnetic-stripe slot, chip slot, contactless reader, scanner, signature pad."""

    def __init__(self, panel: Panel) -> None:
        self._panel = panel

    def swipe(self, track2: str, track3: str | None = None) -> None:
        """``track2`` with D as separator, without sentinels."""
        self._panel.request("swipe", track2=track2, track3=track3)

    def insert(self, chip: dict[str, Any]) -> None:
        """A chip card (``Card.chip()``). It stays in until :meth:`remove`."""
        self._panel.request("insert", chip=chip)

    def remove(self) -> None:
        self._panel.request("remove")

    def tap(self, chip: dict[str, Any]) -> None:
        """A contactless card, held to the reader for one transaction."""
        self._panel.request("tap", chip=chip)

    def scan(self, code: str) -> None:
        """A payment code on the customer's screen."""
        self._panel.request("scan", code=code)

    def sign(self, strokes: bytes) -> None:
        """The customer signs on the pad; ``strokes`` is its bitmap."""
        self._panel.request("sign", strokes=strokes.hex())
