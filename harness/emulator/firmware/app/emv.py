"""The dialogue with a chip card, by commands of the board: read it, have it generate cryptograms, give it scripts.

No kernel: the data objects and the order of commands are those of an EMV transaction, offline data authentication and
cardholder verification by the chip are left out.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from . import cards, tlv
from .cards import Card
from .hardware import Board
from .kinds import CHIP, CONTACTLESS

ONLINE, APPROVED, DECLINED = "ARQC", "TC", "AAC"
_IN_F55 = (
    "9F26", "9F27", "9F10", "9F37", "9F36", "95", "9A", "9C", "9F02", "5F2A", "82", "9F1A", "9F03", "9F33", "9F34",
    "9F35", "9F1E", "84", "9F09", "9F41",
)
_IN_SCRIPT_RESULT = ("9F33", "95", "9F37", "9F1E", "9F10", "9F26", "9F36", "82", "DF31", "9F1A", "9A")
_BEFORE, _AFTER = "71", "72"  # issuer scripts, by when they are performed
_COMMAND, _IDENTIFIER = "86", "9F18"
_DONE, _FAILED = "2", "1"  # script result: first nibble; the second says which command failed, 0: none or not known
_GOOD = "9000"


def read_card(board: Board, mode: str) -> Card | None:
    """The card in the slot (CHIP) or at the reader (CONTACTLESS); None: there is none, or no payment card."""
    reply = board.chip({"command": "select", "contactless": mode == CONTACTLESS})
    found = cards.objects_of(_hex(reply, "data"))
    reply = board.chip({"command": "read_objects", "contactless": mode == CONTACTLESS})
    return cards.of_chip(found | cards.objects_of(_hex(reply, "data")), mode)


class Chip:
    """One transaction with a card that :func:`read_card` has read. A card that is gone gives no cryptogram: ""."""

    def __init__(self, board: Board, card: Card, *, trace: int, amount: int, processing: str) -> None:
        self._board, self._card = board, card
        clock = time.gmtime(board.now())
        self._objects = {
            "9F37": board.random(4).hex().upper(), "95": "0000000000" if card.mode == CONTACTLESS else "0000048000",
            "9A": time.strftime("%y%m%d", clock), "9C": processing[:2], "9F02": f"{amount:012d}", "5F2A": "0156",
            "82": card.objects.get("82", "0000"), "9F1A": "0156", "9F03": "0" * 12, "9F33": "E0F1C8",
            "9F34": "420300" if card.mode == CHIP else "000000", "9F35": "22",
            "9F1E": board.serial_number[-8:].rjust(8, "0").encode("ascii", "replace").hex().upper(),
            "84": card.objects.get("84", card.objects.get("4F", "")), "9F09": card.objects.get("9F08", "0030"),
            "9F41": f"{trace:08d}",
        }
        self._script_results = ""

    def generate(self, asked: str) -> str:
        """GENERATE AC; what the card gave: ONLINE, APPROVED or DECLINED, or "" where there is no card."""
        reply = self._command("generate_ac", asked=asked, data=tlv.write(self._objects))
        gave = reply.get("gave")
        if gave not in (ONLINE, APPROVED, DECLINED):
            return ""
        self._objects |= cards.objects_of(_hex(reply, "data"))
        return str(gave)

    @property
    def f55(self) -> str:
        return tlv.write({tag: self._objects[tag] for tag in _IN_F55 if self._objects.get(tag)})

    def answered(self, f55: str, approved: bool) -> bool:
        """The host's definite answer: issuer authentication, scripts, second cryptogram. A decline, 97 included, is no
        "unable to go online": AAC is asked for. True: the card approves.

        A contactless card has left the field: the host's word is the last.
        """
        if self._card.mode == CONTACTLESS:
            return approved
        answer = tlv.read(f55)
        for tag, value in answer:
            if tag == "91":
                self._command("external_authenticate", data=value)
        if approved:
            self._perform(answer, _BEFORE)
        gave = self.generate(APPROVED if approved else DECLINED)
        if approved and gave == APPROVED:
            self._perform(answer, _AFTER)
        return gave == APPROVED

    def not_answered(self) -> None:
        """Nothing came that counts: the card is told to decline; what the host knows is the reversal's concern."""
        if self._card.mode != CONTACTLESS:
            self.generate(DECLINED)

    @property
    def script_result(self) -> str:
        """F55 of the script notice; empty where the card performed none."""
        if not self._script_results:
            return ""
        objects = self._objects | {"DF31": self._script_results}
        return tlv.write({tag: objects[tag] for tag in _IN_SCRIPT_RESULT if objects.get(tag)})

    def _perform(self, answer: list[tuple[str, str]], when: str) -> None:
        """Every script of that time, command after command until one fails; its result into DF31."""
        for tag, script in answer:
            if tag != when:
                continue
            parts = tlv.read(script)
            result, number = _DONE + "0", 0
            for part, command in parts:
                if part != _COMMAND:
                    continue
                number += 1
                reply = self._command("issuer_script", data=command)
                if reply.get("status") != _GOOD:
                    result = _FAILED + f"{min(number, 15):X}"
                    break
            identifier = dict(parts).get(_IDENTIFIER, "00000000")
            self._script_results += result + identifier

    def _command(self, command: str, **values: str) -> Mapping[str, object]:
        contactless = self._card.mode == CONTACTLESS
        return self._board.chip({"command": command, "contactless": contactless, **values}) or {}


def _hex(reply: Mapping[str, object] | None, name: str) -> str:
    value = (reply or {}).get(name)
    return value if isinstance(value, str) else ""
