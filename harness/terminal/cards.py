"""Test cards: data for the card robot. No real account; numbers from ranges that no issuer uses for customers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Card:
    """A test card.

    ``track2`` is as on the stripe with ``D`` as separator and no sentinels; ``f55`` is the online data object list
    (BER-TLV, hex) that the chip gives for a sale; ``psn`` the PAN sequence number (F23), 3 digits; ``pin`` is the
    right one.
    """

    name: str
    pan: str
    track2: str
    pin: str
    psn: str = "001"
    f55: str = ""

    def chip(self) -> dict[str, str]:
        """What an emulated chip gives the terminal when it is inserted."""
        return {"pan": self.pan, "track2": self.track2, "psn": self.psn, "f55": self.f55}


_F55 = (
    "9F2608AABBCCDDEEFF00119F2701809F101307010103A0A802010A010000000000112233449F3704DEADBEEF9F360200019505008004E000"
    "9A032611239C01009F02060000000001005F2A02015682027C009F1A0201569F03060000000000009F3303E0F1C89F34034203009F3501229F1E08"
    "48494C39375445538408A0000003330101019F0902008C9F410400000001"
)
MAGNETIC = Card("magnetic", "6225880000000097", "6225880000000097D30122010000097000000", pin="123456")
CHIP = Card("chip", "6228480000000970", "6228480000000970D30122010000097000000", pin="123456", f55=_F55)
CARDS = {card.name: card for card in (MAGNETIC, CHIP)}
