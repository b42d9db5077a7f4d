"""What all events have, and the values that several of them hold."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Hex = Annotated[str, Field(pattern=r"^([0-9A-F]{2})*$")]
Count = Annotated[int, Field(ge=0, lt=2**63)]
Moment = Annotated[int, Field(ge=0, lt=2**63)]
"""Nanoseconds of CLOCK_MONOTONIC."""
Seconds = Annotated[float, Field(ge=0, le=10**9)]


class Event(BaseModel):
    """What all events have. ``seq`` and ``span`` are filled by the recorder."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    seq: Count = 0
    t: Moment
    span: str | None = None


class Firmware(BaseModel):
    """The image that the terminal booted: its name, version and the SHA-256 of the whole image (hex)."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    version: str
    sha256: str
