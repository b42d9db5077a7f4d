"""A hand that holds test cards to an emulated terminal."""

from __future__ import annotations

from harness.instruments.panel import Panel


class CardSlot:
    """Magnetic-stripe slot and chip slot."""

    def __init__(self, panel: Panel) -> None:
        self._panel = panel

    def swipe(self, track2: str, track3: str | None = None) -> None:
        """``track2`` with D as separator, without sentinels."""
        self._panel.request("swipe", track2=track2, track3=track3)

    def insert(self, *, pan: str, track2: str, psn: str, f55: str) -> None:
        """A chip card; ``psn`` is its sequence number, ``f55`` hex. It stays in until :meth:`remove`."""
        self._panel.request("insert", chip={"pan": pan, "track2": track2, "psn": psn, "f55": f55})

    def remove(self) -> None:
        self._panel.request("remove")
