"""Pairwise and whole coverage of a space of combinations, by a named seed.

A space is a union of blocks; a block is a product of parts, of which each offers some alternatives. So what goes with
what is data, and no combination is made only to be thrown away. The usual libraries take one product and a filter; they
leave pairs out, unsaid, where a filter cuts deep.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod

Values = Mapping[str, str]  # attribute -> level
Pair = tuple[tuple[str, str], tuple[str, str]]  # two (attribute, level), the attributes in order
_TRIES = 12  # candidates a row is the best of


@dataclass(frozen=True)
class Block:
    """``parts``: of each its alternatives, which fix the same attributes; no two parts have one in common."""

    parts: tuple[tuple[Values, ...], ...]

    @property
    def size(self) -> int:
        """How many rows it has."""
        return prod(len(part) for part in self.parts)

    def row(self, number: int) -> dict[str, str]:
        """The row of that number, 0 up to :attr:`size`."""
        values: dict[str, str] = {}
        for part in self.parts:
            number, index = divmod(number, len(part))
            values |= part[index]
        return values

    def pairs(self) -> Iterator[Pair]:
        """Every pair that some row of it has. Some come more than once."""
        for part in self.parts:
            for values in part:
                yield from pairs_of(values)
        for one, other in itertools.combinations(self.parts, 2):
            for first, second in itertools.product(one, other):
                for a, b in itertools.product(first.items(), second.items()):
                    yield (a, b) if a[0] < b[0] else (b, a)

    def some(self, pair: Pair, chance: random.Random) -> dict[str, str]:
        """A row of it that has the pair."""
        wanted = dict(pair)
        values: dict[str, str] = {}
        for part in self.parts:
            fitting = [one for one in part if all(one.get(name, level) == level for name, level in wanted.items())]
            values |= chance.choice(fitting)
        return values


def pairs_of(values: Values) -> Iterator[Pair]:
    """Every pair in one row."""
    yield from itertools.combinations(sorted(values.items()), 2)


def pairwise(
    blocks: Sequence[Block], seed: str, wanted: Callable[[Pair], bool] = lambda pair: True
) -> list[dict[str, str]]:
    """Rows that have every pair that any row of the space has, of those that are ``wanted``; the same seed gives the
    same rows.

    Greedy: for a pair that is still missing, the row that brings the most that are missing, out of a few drawn.
    """
    chance = random.Random(seed)
    homes: dict[Pair, list[Block]] = {}
    for block in blocks:
        for pair in dict.fromkeys(block.pairs()):
            if wanted(pair):
                homes.setdefault(pair, []).append(block)
    missing = dict.fromkeys(homes)
    order = sorted(homes, key=lambda pair: (len(homes[pair]), chance.random()))
    rows = []
    for pair in order:
        if pair in missing:
            drawn = (chance.choice(homes[pair]).some(pair, chance) for _ in range(_TRIES))
            best = max(drawn, key=lambda values: sum(other in missing for other in pairs_of(values)))
            for other in pairs_of(best):
                missing.pop(other, None)
            rows.append(best)
    return rows


class Whole:
    """Every row of a space, in the order that the seed gives; rows are made when they are asked for."""

    def __init__(self, blocks: Sequence[Block], seed: str) -> None:
        self._blocks = list(blocks)
        total = sum(block.size for block in blocks)
        self._order = random.Random(seed).sample(range(total), total)

    def __len__(self) -> int:
        return len(self._order)

    def rows(self, start: int, count: int) -> list[dict[str, str]]:
        """``count`` rows from the ``start``-th on (from 0), fewer at the end."""
        return [self._row(number) for number in self._order[start : start + count]]

    def _row(self, number: int) -> dict[str, str]:
        for block in self._blocks:
            if number < block.size:
                return block.row(number)
            number -= block.size
        raise IndexError(number)
