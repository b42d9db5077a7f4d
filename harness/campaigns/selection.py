"""Which of the collected tests a run wants: those that can decide some requirements, the most promising first."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

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


QUICK = Path("suites/quick.txt")


def quick_tests(text: str) -> list[str]:
    """The ids in :data:`QUICK`, one a line, without the group of benches; # begins a comment. One without
    brackets stands for all of that function, a file for all in it that are not long."""
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return [line for line in lines if line]


_PROMISE = re.compile(r"^\s*(?P<test>\S+)\s+# (?P<rules>[A-Z]{3}-\d{2}(?: [A-Z]{3}-\d{2})*)", re.MULTILINE)


def quick_promises(text: str) -> dict[str, set[str]]:
    """The requirements that stand behind each id in :data:`QUICK`: what that test has decided before."""
    return {line["test"]: set(line["rules"].split()) for line in _PROMISE.finditer(text)}


def quick_names_of(test: str) -> tuple[str, str, str]:
    """By which names a test may stand in the list: itself, its function, its file."""
    test = without_group(test)
    return test, test.partition("[")[0], test.partition("::")[0]


def without_group(test: str) -> str:
    """ "x.py::test_y[a-@HT-200]" -> "x.py::test_y[a]"; "x.py::test_y[@HT-200]" -> "x.py::test_y"."""
    return re.sub(r"\[@[^\[\]]*\]$", "", re.sub(r"-@[^\[\]]*\]$", "]", test))


@dataclass(frozen=True)
class Candidate:
    """What a test decided in a run: requirements, in how many seconds."""

    test: str
    decides: frozenset[str]
    seconds: float


def cover(candidates: Sequence[Candidate]) -> list[Candidate]:
    """A few tests that together decide whatever any of them decides, in their order.

    Greedy: the test that decides most of what is still missing a second; of equal ones that which comes first.
    """
    missing: frozenset[str] = frozenset().union(*(one.decides for one in candidates))
    chosen: list[int] = []
    while missing:
        best = max(
            range(len(candidates)),
            key=lambda at: (len(candidates[at].decides & missing) / max(candidates[at].seconds, 0.01), -at),
        )
        chosen.append(best)
        missing -= candidates[best].decides
    return [candidates[at] for at in sorted(chosen)]
