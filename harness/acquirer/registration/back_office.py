"""The back office: everything that registration consists of, on one host."""

from __future__ import annotations

from collections.abc import Mapping

from harness.acquirer.cards import IssuerCard
from harness.acquirer.cases import kcv_text
from harness.acquirer.fees import Fees
from harness.acquirer.host import Host
from harness.acquirer.registration.merchants import Merchants
from harness.acquirer.registration.terminals import Terminals
from harness.protocol.keys import algorithm_of


class BackOffice:
    """``store`` for transactions around what is changed; ``cards`` are the issuer's, for the card types of fees."""

    def __init__(self, host: Host, cards: Mapping[str, IssuerCard]) -> None:
        self.host, self.store = host, host.store
        self.fees = Fees(host.store, cards)
        self.merchants = Merchants(host.store, host.registry, self.fees)
        self.terminals = Terminals(host.store, host.registry, host.ledger, self.merchants)

    def check_value(self, tmk: bytes) -> str:
        """The check value of a TMK, as terminals show it."""
        return kcv_text(tmk, algorithm_of(self.host.profile.sign_in_network_code))
