"""Which of the collected tests a run wants: those that can decide some requirements, the most promising first."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

_RULE = re.compile(r"[A-Z]{3}-\d{2}")


@dataclass(frozen=True)
class Only:
    """What ``--only`` says. ``rules``: tests that declare one of these. ``transactions``: where any are named, of the
    transaction cases those of these transactions instead."""

    rules: frozenset[str]
    transactions: frozenset[str]

    @classmethod
    def of(cls, text: str | None) -> Only | None:
        """ "MSG-01,balance"; None where nothing is asked for."""
        words = frozenset(word for word in (text or "").split(",") if word)
        if not words:
            return None
        rules = frozenset(word for word in words if _RULE.fullmatch(word))
        return cls(rules, words - rules)

    def has_case(self, transaction: str, declares: Collection[str]) -> bool:
        """Whether a case of that transaction, which declares that, is wanted."""
        return transaction in self.transactions if self.transactions else bool(self.rules & set(declares))

    def has_test(self, declares: Collection[str]) -> bool:
        """Whether a test that is no case is wanted."""
        return bool(self.rules & set(declares))

    def order(self, is_case: bool, declares: Collection[str]) -> tuple[bool, int]:
        """The most promising first: where the defect sits by its transactions, else who declares little else."""
        return is_case != bool(self.transactions), len(set(declares))
