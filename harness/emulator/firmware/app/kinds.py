"""The financial transactions, a row each: how one is written on the wire, asked for, booked and printed. Pure data."""

from __future__ import annotations

from dataclasses import dataclass

MANUAL, MAGNETIC, CHIP, CONTACTLESS, SCAN = "manual", "magnetic", "chip", "contactless", "scan"
_CARDS = frozenset({MANUAL, MAGNETIC, CHIP, CONTACTLESS})
BY_TRACE, BY_RECEIPT, BY_AUTHORISATION = "trace", "receipt", "authorisation"
DEBIT, CREDIT, NEITHER = "debit", "credit", "none"
_REFUND_OF_CHIP = "27"


@dataclass(frozen=True)
class Kind:
    """``title`` in menu and on slip; ``processing`` F3, ``condition`` F25, ``message_type`` F60.1.

    ``questions``: what is asked for, in this order. ``originals``: the kinds it may name, and ``names`` how: BY_TRACE
    (in the batch, F61 batch and trace), BY_RECEIPT or BY_AUTHORISATION (F61 with the date).
    ``side`` DEBIT or CREDIT: it is in the batch. ``reversible``: an unknown outcome is reversed. ``stored``: kept, and
    sent later. ``replaces``: its amount counts instead of the original's. ``entries``: how a card may be presented.
    ``signed``: the customer signs where no PIN was entered.
    """

    name: str
    title: str
    mti: str
    processing: str
    condition: str
    message_type: str
    questions: tuple[str, ...]
    side: str = NEITHER
    originals: frozenset[str] = frozenset()
    names: str = ""
    takes_pin: bool = False
    reversible: bool = False
    stored: bool = False
    replaces: bool = False
    signed: bool = False
    entries: frozenset[str] = _CARDS

    @property
    def in_batch(self) -> bool:
        return self.side != NEITHER

    @property
    def voids(self) -> bool:
        """It undoes another of the same batch."""
        return self.names == BY_TRACE and not self.replaces

    def message_type_of(self, chip: bool) -> str:
        """F60.1; a refund to a chip card has its own."""
        return _REFUND_OF_CHIP if chip and self.name == "refund" else self.message_type


_OF_AUTHORISATION = ("card", "authorisation", "date", "amount")
_PRE_AUTHORISED = frozenset({"pre_authorisation"})
KINDS = {
    kind.name: kind
    for kind in (
        Kind("balance", "余额查询", "0200", "310000", "00", "01", ("card",), takes_pin=True),
        Kind(
            "sale", "消费", "0200", "000000", "00", "22", ("amount", "card"), DEBIT, takes_pin=True, reversible=True,
            signed=True, entries=_CARDS | {SCAN},
        ),
        Kind(
            "void", "消费撤销", "0200", "200000", "00", "23", ("trace", "confirmation"), CREDIT, frozenset({"sale"}),
            BY_TRACE, reversible=True,
        ),
        Kind(
            "refund", "退货", "0220", "200000", "00", "25", ("reference", "date", "amount", "card"), CREDIT,
            frozenset({"sale"}), BY_RECEIPT, signed=True,
        ),
        Kind(
            "pre_authorisation", "预授权", "0100", "030000", "06", "10", ("amount", "card"), takes_pin=True,
            reversible=True, signed=True,
        ),
        Kind(
            "pre_authorisation_void", "预授权撤销", "0100", "200000", "06", "11", _OF_AUTHORISATION, NEITHER,
            _PRE_AUTHORISED, BY_AUTHORISATION, takes_pin=True, reversible=True,
        ),
        Kind(
            "completion", "预授权完成", "0200", "000000", "06", "20", _OF_AUTHORISATION, DEBIT, _PRE_AUTHORISED,
            BY_AUTHORISATION, takes_pin=True, reversible=True, signed=True,
        ),
        Kind(
            "completion_void", "预授权完成撤销", "0200", "200000", "06", "21", ("trace", "confirmation"), CREDIT,
            frozenset({"completion", "completion_advice"}), BY_TRACE, reversible=True,
        ),
        Kind(
            "completion_advice", "预授权完成通知", "0220", "000000", "06", "24", _OF_AUTHORISATION, DEBIT,
            _PRE_AUTHORISED, BY_AUTHORISATION, signed=True,
        ),
        Kind(
            "offline_sale", "离线消费", "0220", "000000", "00", "30", ("amount", "card", "voice_authorisation"), DEBIT,
            stored=True, signed=True,
        ),
        Kind(
            "offline_chip_sale", "电子现金消费", "0220", "000000", "00", "36", ("amount", "card"), DEBIT, stored=True,
            entries=frozenset({CHIP}),
        ),
        Kind(
            "offline_adjust", "离线调整", "0220", "000000", "00", "32", ("trace", "amount"), DEBIT,
            frozenset({"offline_sale", "offline_adjust"}), BY_TRACE, stored=True, replaces=True,
        ),
        Kind(
            "offline_tip", "小费", "0220", "000000", "00", "34", ("trace", "tip"), DEBIT,
            frozenset({"sale", "offline_sale", "offline_adjust"}), BY_TRACE, stored=True, replaces=True,
        ),
    )
}
VOIDS = frozenset(name for name, kind in KINDS.items() if kind.voids)
REPLACING = frozenset(name for name, kind in KINDS.items() if kind.replaces)
