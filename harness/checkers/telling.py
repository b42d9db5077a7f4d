"""What a screen, a slip or a message to the till tells of a transaction: 97, or that it was approved."""

from __future__ import annotations

from harness.checkers import shown
from harness.checkers.reading import Reading
from harness.history.events import Cashier, Screen, Slip


def says_97(reading: Reading, event: Screen | Slip | Cashier) -> str | None:
    """What says 97 there, in the words of ``shown.says_not_registered``; at the till the result DF07 or its text."""
    if not isinstance(event, Cashier):
        return shown.says_not_registered(event.lines, reading.profile)
    if event.direction != "from_terminal":
        return None
    if event.fields.get("DF07") in reading.profile.not_registered:
        return event.fields["DF07"]
    return shown.says_not_registered([event.fields.get("DF09", "")], reading.profile)


def says_approved(reading: Reading, event: Screen | Slip | Cashier) -> str | None:
    """What says "approved" of a financial transaction there."""
    if isinstance(event, Cashier):
        if event.direction != "from_terminal":
            return None
        result = event.fields.get("DF07")
        if result in reading.profile.success:
            return result
        return shown.contains_any(event.fields.get("DF09", ""), reading.profile.texts.approved)
    return shown.contains_any(event.lines, reading.profile.texts.approved)
