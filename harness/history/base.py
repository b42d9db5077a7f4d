"""What all events have, and the values that several of them hold."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Hex = Annotated[str, Field(pattern=r"^([0-9A-F]{2})*$")]


class Event(BaseModel):
    """What all events have. ``seq`` and ``span`` are filled by the recorder."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    seq: int = 0
    t: int
    span: str | None = None


class Firmware(BaseModel):
    """The image that the terminal booted: its name, version and the SHA-256 of the whole image (hex)."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    version: str
    sha256: str
