"""Packets are lost."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from harness.wire.faults.base import Fault, Percent


class Drop(Fault):
    """All that match, by ``percent``; or every n-th, the first n, or in bursts: ``burst_enter`` and ``burst_leave``
    are the probabilities (%) to fall into and out of a burst in which everything is lost (Gilbert's model).
    """

    known_as: ClassVar[tuple[str, ...]] = ("loss",)
    fault: Literal["drop"] = "drop"
    every_nth: int | None = Field(default=None, ge=2)
    first_n: int | None = Field(default=None, ge=1)
    burst_enter: Percent | None = None
    burst_leave: Percent | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Drop:
        if (self.burst_enter is None) != (self.burst_leave is None):
            raise ValueError("burst_enter and burst_leave go together")
        if sum(one is not None for one in (self.every_nth, self.first_n, self.burst_enter)) > 1:
            raise ValueError("every_nth, first_n and burst_enter exclude each other")
        return self
