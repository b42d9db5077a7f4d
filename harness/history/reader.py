"""Reading a stored log. Tolerant of exactly one thing: a torn last line, which is what kill -9 leaves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import ValidationError

from harness import stored_json
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


def header_of(events: Sequence[AnyEvent], path: Path) -> RunOpened | None:
    """What the log is about; None where it is empty. BadInput where it is not, and does not say."""
    header = next((event for event in events if isinstance(event, RunOpened)), None)
    if header is None and events:
        raise BadInput("has no run.opened event, so nothing says what it is about", where=str(path))
    return header


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
        return ADAPTER.validate_json(line)
    except ValidationError as error:
        version = _schema_version(line)
        if version is not None and SCHEMA_VERSION < version < 10**6:
            raise _newer(version, path, number) from None
        raise BadInput(
            f"this line is no event: {stored_json.first_problem(error)}", where=f"{path}:{number}",
            remedy="only a torn last line is forgiven; the file was damaged or edited after the run",
        ) from None


def _newer(version: int, path: Path, number: int) -> BadInput:
    return BadInput(
        f"written with event schema {version}; this hil97 knows schemas up to {SCHEMA_VERSION}",
        where=f"{path}:{number}", remedy="judge it with the hil97 that wrote it, or a newer one",
    )


def _schema_version(line: bytes) -> int | None:
    """The version that a ``run.opened`` line names, even if the rest of it is unknown to us."""
    try:
        value = stored_json.load(line, "")
    except BadInput:
        return None
    version = value.get("schema_version") if isinstance(value, dict) and value.get("kind") == "run.opened" else None
    return version if isinstance(version, int) else None
