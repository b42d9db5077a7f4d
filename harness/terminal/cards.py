"""Test cards and payment codes: data for the card robot. No real account; numbers from ranges that no issuer uses for
customers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from harness.terminal.model import EntryMode


@dataclass(frozen=True)
class Card:
    """What a customer presents.

    ``entry``: how. ``track2`` is as on the stripe with ``D`` as separator and no sentinels; ``psn`` the PAN sequence
    number (F23), 3 digits; ``expiry`` YYMM; ``pin`` is the right one. ``objects``: the chip's data objects, tag (hex)
    -> value (hex). ``first`` and ``second``: the cryptogram it gives to the first and second GENERATE AC where it has a
    mind of its own ("": what it is asked for). ``code``: the payment code on the customer's screen.
    """

    name: str
    pan: str
    track2: str
    pin: str
    entry: EntryMode = "magnetic"
    psn: str = "001"
    expiry: str = "3012"
    objects: tuple[tuple[str, str], ...] = ()
    first: str = ""
    second: str = ""
    code: str = ""

    def chip(self) -> dict[str, Any]:
        """What an emulated chip is made of when it is inserted or tapped."""
        return {
            "pan": self.pan, "track2": self.track2, "psn": self.psn, "expiry": self.expiry,
            "objects": dict(self.objects), "first": self.first, "second": self.second,
        }


# PBOC debit; the values that change with every transaction (9F26, 9F27, 9F36, 9F10) are the chip's own work.
_OBJECTS = (
    ("4F", "A000000333010101"), ("82", "7C00"), ("84", "A000000333010101"), ("8E", "000000000000000042031F03"),
    ("9F08", "0030"), ("9F0D", "D86004A800"), ("9F0E", "0010980000"), ("9F0F", "D86804F800"), ("5F24", "301231"),
    ("5F28", "0156"), ("5F30", "0201"), ("9F07", "FF00"),
)
MAGNETIC = Card("magnetic", "6225880000000097", "6225880000000097D30122010000097000000", pin="123456")
CHIP = Card(
    "chip", "6228480000000970", "6228480000000970D30122010000097000000", pin="123456", entry="chip", objects=_OBJECTS
)
CONTACTLESS = Card(
    "contactless", "6230580000000979", "6230580000000979D30122010000097000000", pin="123456", entry="contactless",
    objects=_OBJECTS,
)
MANUAL = Card("manual", "6212260000000097979", "", pin="123456", entry="manual")
WECHAT = Card("wechat", "", "", pin="", entry="scan", code="134597979797979797")  # 18 digits, 10 to 15 first
ALIPAY = Card("alipay", "", "", pin="", entry="scan", code="289797979797979797")  # 16 to 24 digits, 25 to 30 first
CARDS = {card.name: card for card in (MAGNETIC, CHIP, CONTACTLESS, MANUAL, WECHAT, ALIPAY)}
