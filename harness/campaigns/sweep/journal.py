"""The flash operations of an update in order, and the moments at which the supply can die among them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from harness.campaigns.sweep import Stage
from harness.emulator.journal import JournalledNor, Operation


class Step(NamedTuple):
    """One operation, and what the terminal was at."""

    stage: Stage
    operation: Operation


class Cut(NamedTuple):
    """The supply dies at an operation: before it, or with ``torn`` half of its bytes done. ``number`` (from 1) counts
    through all paths."""

    number: int
    torn: bool


@dataclass(frozen=True)
class Path:
    """What is done to the flash from ``start`` (the chip's content) on. ``first``: the number of its first step."""

    start: bytes
    steps: tuple[Step, ...]
    first: int

    def content(self, cut: Cut) -> bytes:
        """The chip after the cut."""
        chip = JournalledNor(self.start)
        at = cut.number - self.first
        chip.apply(step.operation for step in self.steps[:at])
        if cut.torn:
            chip.apply([self.steps[at].operation.half])
        return chip.content

    def moments(self, cuts: Sequence[Cut]) -> Iterator[tuple[Cut, JournalledNor]]:
        """Each of ``cuts`` (of this path, in order) with the chip as it then is. Whatever is done to the chip until the
        next one is asked for is taken back. One chip for all: nothing is copied."""
        chip, done = JournalledNor(self.start), 0
        for cut in cuts:
            at = cut.number - self.first
            chip.apply(step.operation for step in self.steps[done:at])
            done = at
            half = [self.steps[at].operation.half] if cut.torn else []
            chip.apply(half)
            yield cut, chip
            chip.revive()
            chip.forget()
            chip.undo(half)


@dataclass(frozen=True)
class Journal:
    """An update: its own path first, then the ways back out of trials that did not end."""

    paths: tuple[Path, ...]

    @property
    def operations(self) -> int:
        return sum(len(path.steps) for path in self.paths)

    def path(self, cut: Cut) -> Path:
        return next(path for path in reversed(self.paths) if path.first <= cut.number)

    def step(self, cut: Cut) -> Step:
        path = self.path(cut)
        return path.steps[cut.number - path.first]

    def content(self, cut: Cut) -> bytes:
        return self.path(cut).content(cut)

    def cuts(self) -> list[Cut]:
        """Every one, plain and torn, in order."""
        return [Cut(number, torn) for number in range(1, self.operations + 1) for torn in (False, True)]

    def count(self, stage: Stage) -> int:
        """Operations of a stage."""
        return sum(step.stage == stage for path in self.paths for step in path.steps)
