"""An emulated chip card: what a terminal's commands find in it, and what it decides.

It answers as a PBOC debit card would, with real BER-TLV data and a cryptogram that its key has made. The key is a test
key; no certification is claimed, and issuer authentication is taken as it comes. Commands and answers are JSON objects:

    {"command": "select"}                                        {"data": hex}
    {"command": "read_objects"}                                  {"data": hex}
    {"command": "generate_ac", "asked": "ARQC", "data": hex}     {"gave": "ARQC", "data": hex}
    {"command": "external_authenticate", "data": hex}            {"status": "9000"}
    {"command": "issuer_script", "data": hex}                    {"status": "9000"}
"""

from __future__ import annotations

import hashlib
from typing import Any

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes

from harness.protocol.frames import FrameError
from harness.protocol.tlv import Tlv, read_ber, write_ber

CRYPTOGRAMS = ("AAC", "TC", "ARQC")  # by the two top bits of 9F27
_STRENGTH = ("AAC", "ARQC", "TC")  # a card gives what it is asked for, or something to the left of it
_MASTER = bytes.fromhex("97979797979797970123456789ABCDEF")  # TEST ONLY: of which each card's key is made
_BLOCK = 8
_LEAST_ARPC, _MOST_ARPC = 8, 16  # bytes of 91
_SELECTED = ("4F", "84", "50", "9F38")
_OK, _NOT_NOW, _WRONG = "9000", "6985", "6A80"


class Chip:
    """One card, from the panel's ``chip`` object (checked by ``panel_requests.chip``). ``atc``: its transaction
    counter, which outlives the card's removal."""

    def __init__(self, card: dict[str, Any], atc: int = 0) -> None:
        self._card, self.atc = card, atc
        self.pan = str(card["pan"])
        self._objects: dict[str, str] = {
            "5A": self.pan + "F" * (len(self.pan) % 2), "57": _track2(str(card["track2"])),
            "5F34": str(card["psn"]).rjust(2, "0")[-2:], **card["objects"],
        }
        if card["expiry"]:
            self._objects.setdefault("5F24", str(card["expiry"]) + "31")
        self._generated = 0

    def command(self, command: dict[str, Any]) -> dict[str, str]:
        """What the card answers; to a command that it does not know or can't do now, only ``status``."""
        match command.get("command"):
            case "select":
                self._generated = 0
                return {"status": _OK, "data": self._list(*_SELECTED)}
            case "read_objects":
                return {"status": _OK, "data": self._list(*(tag for tag in self._objects if tag not in _SELECTED))}
            case "generate_ac":
                return self._generate(str(command.get("asked")), str(command.get("data", "")))
            case "external_authenticate":
                size = len(str(command.get("data", ""))) // 2
                return {"status": _OK if _LEAST_ARPC <= size <= _MOST_ARPC else _WRONG}
            case "issuer_script":
                return {"status": _script(str(command.get("data", "")))}
            case _:
                return {"status": _WRONG}

    def told(self, command: dict[str, Any], reply: dict[str, str]) -> dict[str, Any]:
        """The panel's event of a command that was answered so. ``number`` counts GENERATE AC of the transaction."""
        name = str(command.get("command"))
        if name != "generate_ac":
            return {"command": name, "number": 0, "asked": "", "gave": ""}
        asked, gave = str(command.get("asked")), reply.get("gave", "")
        return {"command": name, "number": self._generated, "asked": asked, "gave": gave}

    def _generate(self, asked: str, data: str) -> dict[str, str]:
        """The first of a transaction counts the ATC up; there is no third."""
        if asked not in CRYPTOGRAMS or self._generated >= 2:
            return {"status": _NOT_NOW}
        try:
            read_ber(bytes.fromhex(data))
        except (ValueError, FrameError):
            return {"status": _WRONG}
        self._generated += 1
        if self._generated == 1:
            self.atc = self.atc % 0xFFFF + 1
        mind = str(self._card["first" if self._generated == 1 else "second"])
        gave = min(asked, mind or asked, key=_STRENGTH.index)
        if self._generated == 2 and gave == "ARQC":
            gave = "AAC"
        atc = f"{self.atc:04X}"
        information = f"{CRYPTOGRAMS.index(gave) << 6:02X}"
        cryptogram = self._mac(bytes.fromhex(data) + bytes.fromhex(atc + information)).hex().upper()
        results = f"{0xA0 | CRYPTOGRAMS.index(gave):02X}"
        issuer = f"07010103{results}0000010A0100000000{cryptogram[:8]}"
        found = {"9F27": information, "9F36": atc, "9F26": cryptogram, "9F10": issuer}
        return {"status": _OK, "gave": gave, "data": write_ber([_tlv(*item) for item in found.items()]).hex().upper()}

    def _list(self, *tags: str) -> str:
        found = [_tlv(tag, self._objects[tag]) for tag in tags if tag in self._objects]
        return write_ber(found).hex().upper()

    def _mac(self, data: bytes) -> bytes:
        """ISO 9797-1 algorithm 3 under the card's own key."""
        key = hashlib.sha256(_MASTER + self.pan.encode()).digest()[:16]
        left, right = key[:_BLOCK], key[_BLOCK:]
        data += b"\x80"
        data += bytes(-len(data) % _BLOCK)
        chained = Cipher(TripleDES(left * 3), modes.CBC(bytes(_BLOCK))).encryptor().update(data)[-_BLOCK:]
        opened = Cipher(TripleDES(right * 3), modes.ECB()).decryptor().update(chained)
        return Cipher(TripleDES(left * 3), modes.ECB()).encryptor().update(opened)


def _track2(track2: str) -> str:
    """57: as on the stripe, filled to whole bytes."""
    text = track2.replace("=", "D")
    return text + "F" * (len(text) % 2)


def _tlv(tag: str, value: str) -> Tlv:
    return Tlv(tag, bytes.fromhex(value))


def _script(apdu: str) -> str:
    """A command of the issuer is performed if it is one: class 84 or 04, and as long as it says."""
    try:
        data = bytes.fromhex(apdu)
    except ValueError:
        return _WRONG
    if len(data) < 5 or data[0] not in (0x84, 0x04) or len(data) != 5 + data[4]:
        return _WRONG
    return _OK
