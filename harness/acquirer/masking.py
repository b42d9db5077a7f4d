"""Card numbers as people may see them: the first six and the last four digits."""

from __future__ import annotations

import re

_NUMBER = re.compile(r"(?<![0-9A-Za-z])\d{13,24}(?![0-9A-Za-z])")
_MERCHANT = 15  # a merchant code has as many digits, and stands in notes; no card of this acquirer's test data has


def masked(number: str) -> str:
    """A card number or payment code; what is too short to be one stays."""
    return number if len(number) < 12 else f"{number[:6]}{'*' * (len(number) - 10)}{number[-4:]}"


def masked_in(text: str) -> str:
    """Every card number in a text."""
    return _NUMBER.sub(lambda found: found[0] if len(found[0]) == _MERCHANT else masked(found[0]), text)
