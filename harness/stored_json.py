"""JSON of stored runs: whatever is wrong with a file is one BadInput, with the file and the place in it.

Read by pydantic's own parser: it says line and column, stops at a depth, and takes no half of a surrogate pair, which
could be written nowhere again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from harness.errors import BadInput

M = TypeVar("M", bound=BaseModel)
_LONGEST = 60  # of one part of a place: keys are the file's own words


def load(data: bytes, where: str, *, remedy: str = "") -> Any:
    """What the text of a file holds."""
    try:
        return from_json(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise BadInput(f"is damaged: {error}", where=where, remedy=remedy) from None


def read(path: Path, *, remedy: str = "") -> Any:
    """What a file holds. An OSError is the caller's: what a missing file means, differs."""
    return load(path.read_bytes(), str(path), remedy=remedy)


def parsed(
    kind: type[M], data: bytes, where: str, *, newest: int, key: str = "schema_version", strict: bool = False,
    remedy: str = "",
) -> M:
    """The text of a file as a ``kind``. ``key`` names its version, of which ``newest`` is the last one known."""
    value = load(data, where, remedy=remedy)
    version = value.get(key) if isinstance(value, dict) else None
    if isinstance(version, int) and newest < version < 10**6:
        raise BadInput(
            f"version {version} of the format; this hil97 knows versions up to {newest}", where=where,
            remedy=remedy if remedy else "read it with the hil97 that wrote it, or a newer one",
        )
    try:
        return kind.model_validate_json(data.decode("utf-8-sig"), strict=strict)
    except ValidationError as error:
        raise BadInput(f"is damaged: {first_problem(error)}", where=where, remedy=remedy) from None


def first_problem(error: ValidationError) -> str:
    """Its first field, and what was expected there; not what stood there, which may be of any length."""
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(_part(part) for part in first["loc"])
    told = first["msg"][:1].lower() + first["msg"][1:]
    return f"{place}: {told}" if place else told


def _part(part: str | int) -> str:
    text = str(part)
    text = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
    return text if text.isprintable() else ascii(text)
