"""The issuer behind the acquirer: PINs, codes of test cards, balances, and what it says to a chip.

Chip answers are issuer authentication data as PBOC and EMV book 2 (8.1, 8.2) have them: from a master key the card's
key (option A, by PAN and sequence number), from that the session key of the transaction (by its counter, 9F36), and 91
= the cryptogram (9F26) xor the response code, enciphered, and the response code. The master key is the test issuer's,
not a secret. The card's own cryptogram is not verified: test cards have no keys.
"""

from __future__ import annotations

from harness.acquirer import tracks
from harness.acquirer.answers import APPROVED, Answer, card_number
from harness.acquirer.cards import IssuerCard
from harness.acquirer.cases import Case, Desk
from harness.protocol import keys
from harness.protocol.frames import Frame
from harness.protocol.tlv import Tlv, read_ber, read_text_tlv, write_ber

MASTER_KEY = bytes.fromhex("9797979797979797A7A7A7A7A7A7A7A7")
USUAL_BALANCE = 1_000_000  # cents, of a card without one of its own
_CHIP = "05"
_UNLISTED = IssuerCard("")


class Issuer:
    """Decides on a card. Reads only."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def refuses(self, case: Case, pan: str) -> Answer | None:
        """Enciphered track unreadable A7, PIN block unreadable 99, wrong PIN 55, or the card's own code; None:
        approved. ``pan``: or payment code."""
        if tracks.enciphered(case.frame):
            known = self._desk.registry.keys(case.request.mid, case.request.tid)
            unreadable = tracks.refusal(case.frame, known.tdk if known else None)
            if unreadable is not None:
                return unreadable
        card = self._card(pan)
        if 52 in case.frame:
            try:
                pin = self._pin(case, pan)
            except keys.KeyMaterialError as error:
                return self._no(case, pan, "99", f"PIN: {error}")
            if card.pin is not None and card.pin != pin:
                return self._no(case, pan, "55", "wrong PIN")
        if card.code is not None:
            return self._no(case, pan, card.code, f"the issuer answers this test card {card.code}")
        return None

    def chip_answer(self, case: Case, pan: str, code: str = APPROVED) -> dict[int, str]:
        """F55 of an answer to an inserted chip: 91, 8A, and the test card's scripts where it is approved. {}: none
        due."""
        frame = case.frame
        if frame.get(22)[:2] != _CHIP or 55 not in frame:
            return {}
        values = {element.tag: element.value for element in read_ber(frame.binary(55))}
        elements, arc = [], code.encode("ascii")
        if len(values.get("9F26", b"")) == 8 and len(values.get("9F36", b"")) == 2:
            key = session_key(pan, frame.get(23, "000"), values["9F36"])
            elements.append(Tlv("91", authentication(key, values["9F26"], arc)))
        elements.append(Tlv("8A", arc))
        script = self._card(pan).script if code == APPROVED else ""
        return {55: write_ber(elements).hex().upper() + script}

    def balance(self, pan: str) -> str:
        """F54: account type 10, amount type 02 (available), currency, C, amount."""
        balance = self._card(pan).balance
        return f"1002156C{USUAL_BALANCE if balance is None else balance:012d}"

    def _no(self, case: Case, pan: str, code: str, why: str) -> Answer:
        return Answer(code, why, self.chip_answer(case, pan, code))

    def _card(self, pan: str) -> IssuerCard:
        return self._desk.cards.get(pan, _UNLISTED)

    def _pin(self, case: Case, pan: str) -> str:
        known = self._desk.registry.keys(case.request.mid, case.request.tid)
        if known is None or known.pik is None:
            raise keys.KeyMaterialError("no PIK is known for this terminal")
        if self._desk.profile.sm:
            raise keys.KeyMaterialError("F52 has no room for a PIN block under an SM4 key")
        with_pan = case.frame.get(53, "2")[:1] != "1"  # F53 begins 2: block with PAN, 1: without
        return keys.pin_from_block(keys.decrypt(known.pik, case.frame.binary(52)), pan if with_pan else None)


def payer(frame: Frame) -> str:
    """Who pays: the card number of F2 or F35, or the payment code (A3 of F59); "" where the request says neither."""
    return card_number(frame) or payment(frame).get("A3", "")


def payment(frame: Frame) -> dict[str, str]:
    """The elements of F59 by tag: A3 payment code, A4 voucher. Raises FrameError where it is no list of them."""
    return dict(read_text_tlv(frame.get(59)))


def wallet(code: str) -> str:
    """Whose payment code it is, by length and prefix: "WeChat Pay", "Alipay", "" for neither."""
    if not (code.isascii() and code.isdigit()):
        return ""
    if len(code) == 18 and "10" <= code[:2] <= "15":
        return "WeChat Pay"
    return "Alipay" if 16 <= len(code) <= 24 and "25" <= code[:2] <= "30" else ""


def session_key(pan: str, psn: str, counter: bytes) -> bytes:
    """The key of one transaction of one card. ``psn``: F23, ``counter``: 9F36."""
    block = bytes.fromhex((pan + psn[-2:]).zfill(16)[-16:])
    inverted = bytes(byte ^ 0xFF for byte in block)
    card = keys.encrypt(MASTER_KEY, block) + keys.encrypt(MASTER_KEY, inverted)
    other = bytes(byte ^ 0xFF for byte in counter)
    return keys.encrypt(card, bytes(6) + counter) + keys.encrypt(card, bytes(6) + other)


def authentication(key: bytes, cryptogram: bytes, response_code: bytes) -> bytes:
    """Issuer authentication data (91), 10 bytes."""
    mixed = bytes(a ^ b for a, b in zip(cryptogram, response_code.ljust(8, b"\0"), strict=True))
    return keys.encrypt(key, mixed) + response_code
