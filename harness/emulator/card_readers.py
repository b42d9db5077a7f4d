"""The card in the slot and the card at the contactless reader."""

from __future__ import annotations

from typing import Any

from harness.emulator.body import Body
from harness.emulator.chip import Chip
from harness.errors import BadInput


class CardReaders:
    """Cards keep their transaction counters from one presentation to the next."""

    def __init__(self, body: Body) -> None:
        self._body = body
        self._chip: Chip | None = None  # in the slot
        self._tapped: Chip | None = None  # at the contactless reader, until the next
        self._counters: dict[str, int] = {}  # card number -> transaction counter

    @property
    def occupied(self) -> bool:
        """A card is in the slot: its switch is closed."""
        return self._chip is not None

    def insert(self, chip: dict[str, Any]) -> None:
        if self._chip is not None:
            raise BadInput("there is a card in the slot already")
        self._chip = self._card(chip)

    def remove(self) -> None:
        if self._chip is None:
            raise BadInput("there is no card in the slot")
        self._chip = None

    def tap(self, chip: dict[str, Any]) -> bool:
        """False: the reader does not see it."""
        self._tapped = self._card(chip)
        return self._body.tap()

    def answer(self, command: dict[str, Any]) -> tuple[dict[str, Any] | None, dict[str, Any]]:
        """(the card's answer, None where there is none; what the panel is told of it, empty: nothing)."""
        contactless = bool(command.get("contactless"))
        chip = self._tapped if contactless else self._chip
        if chip is None or not self._body.reads_cards(contactless=contactless):
            return None, {}
        reply = chip.command(command)
        self._counters[chip.pan] = chip.atc
        return reply, {} if reply is None else chip.told(command, reply)

    def _card(self, chip: dict[str, Any]) -> Chip:
        """A card as it is presented: its transaction counter goes on where it was."""
        return Chip(chip, self._counters.get(chip["pan"], 0))
