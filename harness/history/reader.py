"""Reading a stored log. Tolerant of exactly one thing: a torn last line, which is what kill -9 leaves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from harness.errors import BadInput
from harness.history.events import ADAPTER, SCHEMA_VERSION, AnyEvent, RunOpened


def read(path: Path) -> list[AnyEvent]:
    """The events of a ``history.jsonl`` by time, those of one moment by ``seq``.

    Raises BadInput with ``file:line`` where a line other than a torn last one is damaged, where ``seq`` does not
    ascend, and where the log was written with a newer schema than this one knows.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadInput(f"can't be read: {error.strerror}", where=str(path)) from None
    events = list(_events(data, path))
    events.sort(key=lambda event: (event.t, event.seq))
    return events


def _events(data: bytes, path: Path) -> Iterator[AnyEvent]:
    lines = data.split(b"\n")
    torn = lines.pop()  # b"" where the last write was whole
    seq = 0
    for number, line in enumerate(lines, 1):
        event = _event(line, path, number)
        if event.seq <= seq:
            raise BadInput(
                f"seq {event.seq} comes after {seq}: the lines were moved or written twice", where=f"{path}:{number}",
                remedy="a log is append-only; take it from the run's own folder",
            )
        seq = event.seq
        yield event
    if torn:
        try:
            last = ADAPTER.validate_json(torn)
        except ValidationError:
            return
        if last.seq > seq:
            yield last


def _event(line: bytes, path: Path, number: int) -> AnyEvent:
    try:
        event = ADAPTER.validate_json(line)
    except ValidationError as error:
        version = _schema_version(line)
        if version is not None and version > SCHEMA_VERSION:
            raise _newer(version, path, number) from None
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise BadInput(
            f"this line is no event: {f'{place}: ' if place else ''}{first['msg']}", where=f"{path}:{number}",
            remedy="only a torn last line is forgiven; the file was damaged or edited after the run",
        ) from None
    if isinstance(event, RunOpened) and event.schema_version > SCHEMA_VERSION:
        raise _newer(event.schema_version, path, number)
    return event


def _newer(version: int, path: Path, number: int) -> BadInput:
    return BadInput(
        f"written with event schema {version}; this hil97 knows schemas up to {SCHEMA_VERSION}",
        where=f"{path}:{number}", remedy="judge it with the hil97 that wrote it, or a newer one",
    )


def _schema_version(line: bytes) -> int | None:
    """The version that a ``run.opened`` line names, even if the rest of it is unknown to us."""
    try:
        value = json.loads(line)
    except ValueError:
        return None
    version = value.get("schema_version") if isinstance(value, dict) and value.get("kind") == "run.opened" else None
    return version if isinstance(version, int) else None
