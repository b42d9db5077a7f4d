"""The transactions that move money or ask for it: one row each, for acquirer, judge, drivers and reports alike.

Sources: transaction tables of CaoEnXin/LiaoYang_POS, Innoverex/pos, a Newland payment application. Names are those of
:func:`harness.protocol.codes.transaction_name`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Side = Literal["debit", "credit", "none"]
Reference = Literal["trace", "receipt", "authorisation", "none"]


@dataclass(frozen=True)
class Kind:
    """A financial transaction. ``processing`` F3, ``condition`` F25, ``message_type`` F60.1.

    ``side``: what it adds to in a settlement; ``none`` is not in the batch either. ``originals``: the kinds that it
    may name, and ``names`` how: by ``trace`` (F61 batch and trace, F37), by the ``receipt`` (F37, F61 with the date),
    by the ``authorisation`` (F38, F61 with the date), or not at all. ``stored``: the terminal keeps it and sends it
    later, as an advice. ``replaces``: the original's amount counts no more, this one's does instead.
    """

    name: str
    mti: str
    processing: str
    condition: str
    message_type: str
    side: Side = "none"
    originals: frozenset[str] = frozenset()
    names: Reference = "none"
    reversible: bool = False
    stored: bool = False
    replaces: bool = False

    @property
    def in_batch(self) -> bool:
        """Stands in the terminal's batch, its totals and its upload."""
        return self.side != "none"

    @property
    def key(self) -> tuple[str, str]:
        """(request MTI, F60.1)."""
        return self.mti, self.message_type


_COMPLETIONS = frozenset({"completion", "completion_advice"})
_OFFLINE = frozenset({"offline_sale", "offline_adjust"})

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("balance", "0200", "310000", "00", "01"),
        Kind("sale", "0200", "000000", "00", "22", "debit", reversible=True),
        Kind("void", "0200", "200000", "00", "23", "credit", frozenset({"sale"}), "trace", reversible=True),
        Kind("refund", "0220", "200000", "00", "25", "credit", frozenset({"sale"}), "receipt"),
        Kind("pre_authorisation", "0100", "030000", "06", "10", reversible=True),
        Kind(
            "pre_authorisation_void", "0100", "200000", "06", "11", "none", frozenset({"pre_authorisation"}),
            "authorisation", reversible=True,
        ),
        Kind(
            "completion", "0200", "000000", "06", "20", "debit", frozenset({"pre_authorisation"}), "authorisation",
            reversible=True,
        ),
        Kind("completion_void", "0200", "200000", "06", "21", "credit", _COMPLETIONS, "trace", reversible=True),
        Kind(
            "completion_advice", "0220", "000000", "06", "24", "debit", frozenset({"pre_authorisation"}),
            "authorisation",
        ),
        Kind("offline_sale", "0220", "000000", "00", "30", "debit", stored=True),
        Kind("offline_chip_sale", "0220", "000000", "00", "36", "debit", stored=True),
        Kind("offline_adjust", "0220", "000000", "00", "32", "debit", _OFFLINE, "trace", stored=True, replaces=True),
        Kind(
            "offline_tip", "0220", "000000", "00", "34", "debit", frozenset({"sale", *_OFFLINE}), "trace", stored=True,
            replaces=True,
        ),
    )
}
BY_KEY: dict[tuple[str, str], Kind] = {kind.key: kind for kind in KINDS.values()}
REVERSIBLE = frozenset(name for name, kind in KINDS.items() if kind.reversible)
STORED = frozenset(name for name, kind in KINDS.items() if kind.stored)
IN_BATCH = frozenset(name for name, kind in KINDS.items() if kind.in_batch)
