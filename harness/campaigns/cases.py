"""Every kind of case there is, by the name of the argument by which a test asks for one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.campaigns import matrix, troubles
from harness.campaigns.matrix import Case
from harness.campaigns.troubles import Trouble
from harness.errors import BadInput
from harness.lab.inventory import BenchEntry

AnyCase = Case | Trouble


@dataclass(frozen=True)
class Kind:
    """``suite``: the test that plays them. ``pairwise(entries, seed)``: a few that cover pairs; ``whole(entries, seed,
    first, count)``: a part of all, of which there are ``how_many(entries)``."""

    suite: Path
    pairwise: Callable[[Sequence[BenchEntry], str], Sequence[AnyCase]]
    whole: Callable[[Sequence[BenchEntry], str, int, int], Sequence[AnyCase]]
    how_many: Callable[[Sequence[BenchEntry]], int]


def _of_troubles(suite: str, table: str) -> Kind:
    return Kind(
        Path(suite),
        lambda entries, seed: troubles.pairwise_cases(entries, seed, table),
        lambda entries, seed, first, count: troubles.whole_cases(entries, seed, first, count, table),
        lambda entries: troubles.how_many(entries, table),
    )


KINDS: dict[str, Kind] = {
    "case": Kind(
        Path("suites/transactions/test_97_and_back.py"), matrix.pairwise_cases, matrix.whole_cases, matrix.how_many
    ),
    "trouble": _of_troubles("suites/network/test_troubles.py", "network"),
    "attack": _of_troubles("suites/security/test_attacks.py", "security"),
}


def part_of(text: str) -> tuple[int, int]:
    """ "500:100" -> the first, and how many. Raises :class:`BadInput`."""
    start, colon, count = text.partition(":")
    if not (colon and start.isascii() and start.isdigit() and count.isascii() and count.isdigit() and int(count)):
        raise BadInput(f"{text!r} is no part of all cases: two numbers such as 500:100 were expected", where="--cases")
    return int(start), int(count)
