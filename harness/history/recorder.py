"""The append-only log of one bench, as it is written; and waiting for what it will hold.

Each event is one JSON line and one ``write`` on a descriptor opened with ``O_APPEND``: whatever dies, kill -9 included,
every event appended before is whole in the file, and at most the last line is torn.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import TypeVar, cast

from harness.errors import BenchError, TerminalTimeout
from harness.history.events import ADAPTER, AnyEvent, BenchFailed, Event, Screen, TestClosed, TestOpened

E = TypeVar("E", bound=Event)
Listener = Callable[[AnyEvent], None]


class Recorder:
    """Writes ``path``. Safe to use from many threads.

    ``events`` holds what was appended, in the order of ``seq``. An existing log is continued: its events stay, a torn
    last line is cut off, ``seq`` goes on. ``bench`` is the name used in errors.
    """

    def __init__(self, path: Path, *, bench: str = "") -> None:
        self.path, self.bench = path, bench
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._last_seq = _continue(self._file, path)
        except BlockingIOError:
            os.close(self._file)
            raise BenchError(
                f"{path} is being written by another process", bench=bench, evidence=str(path),
                remedy="one recorder a log: give this bench a folder of its own, or end the other run",
            ) from None
        except BaseException:
            os.close(self._file)
            raise
        self._first_seq = self._last_seq + 1
        self._events: list[AnyEvent] = []
        self._span: str | None = None
        self._changed = threading.Condition()
        self._listeners: list[Listener] = []
        self._to_tell: deque[AnyEvent] = deque()
        self._telling = False
        self._closed = False
        self._waiting_ns = 0
        self._waits = threading.local()

    # ---- writing

    def append(self, event: E) -> E:
        """Number the event, put it into the test under way, write it, and tell the listeners. Returns it as written.

        Raises BenchError if it can't be written (disk full, recorder closed).
        """
        with self._changed:
            if self._closed:
                raise BenchError(f"{event.__class__.__name__} came after the log was closed", bench=self.bench)
            if isinstance(event, TestOpened):
                self._span = event.test
            seq = self._last_seq + 1
            stored = event.model_copy(update={"seq": seq, "span": self._span})
            self._write(stored.model_dump_json().encode() + b"\n")
            self._last_seq = seq
            if isinstance(event, TestClosed):
                self._span = None
            known = cast("AnyEvent", stored)
            self._events.append(known)
            self._to_tell.append(known)
            self._changed.notify_all()
        self._tell()
        return stored

    def _write(self, line: bytes) -> None:
        size = os.fstat(self._file).st_size
        try:
            written = os.write(self._file, line)
        except OSError as error:
            raise BenchError(
                f"the log can't be written: {error.strerror}", bench=self.bench, evidence=str(self.path),
                remedy="free some space on this disk; what was recorded before is safe",
            ) from error
        if written != len(line):
            os.ftruncate(self._file, size)
            raise BenchError(
                f"the log took only {written} of {len(line)} bytes", bench=self.bench, evidence=str(self.path),
                remedy="the disk is full; what was recorded before is safe",
            )

    def add_listener(self, listener: Listener) -> Callable[[], None]:
        """``listener(event)`` is called for every event from now on, one at a time, in order. It may append.

        It runs in some thread that appends, so it must not wait. Returns a function that removes it.
        """
        with self._changed:
            self._listeners.append(listener)

        def remove() -> None:
            with self._changed, contextlib.suppress(ValueError):
                self._listeners.remove(listener)

        return remove

    def _tell(self) -> None:
        with self._changed:
            if self._telling:
                return  # whoever is telling will come to ours too
            self._telling = True
        try:
            while True:
                with self._changed:
                    if not self._to_tell:
                        self._telling = False
                        return
                    event, listeners = self._to_tell.popleft(), tuple(self._listeners)
                for listener in listeners:
                    listener(event)
        except BaseException:
            with self._changed:
                self._telling = False
            raise

    def close(self) -> None:
        """Flush to the disk and let go of the file. Appending afterwards is an error."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._changed.notify_all()
            os.fsync(self._file)
            os.close(self._file)

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ---- reading what was written

    @property
    def events(self) -> tuple[AnyEvent, ...]:
        """What this recorder appended so far."""
        with self._changed:
            return tuple(self._events)

    @property
    def seq(self) -> int:
        """``seq`` of the last event: give it as ``since`` to wait for what comes after this moment."""
        with self._changed:
            return self._last_seq

    def since(self, seq: int) -> tuple[AnyEvent, ...]:
        """The events with a greater ``seq``."""
        with self._changed:
            return tuple(self._events[max(0, seq + 1 - self._first_seq) :])

    def last(self, kind: type[E]) -> E | None:
        """The newest event of a class."""
        with self._changed:
            return next((e for e in reversed(self._events) if isinstance(e, kind)), None)

    # ---- waiting

    @property
    def waiting_s(self) -> float:
        """Seconds spent so far waiting for the terminal or the host (waits within waits count once)."""
        return self._waiting_ns / 1e9

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """What runs inside counts as waiting for the terminal or the host, not as harness time."""
        depth = getattr(self._waits, "depth", 0)
        self._waits.depth = depth + 1
        began = time.monotonic_ns()
        try:
            yield
        finally:
            self._waits.depth = depth
            if depth == 0:
                with self._changed:
                    self._waiting_ns += time.monotonic_ns() - began

    def wait_for(
        self, predicate: Callable[[AnyEvent], bool], deadline_s: float, what: str, *, since: int | None = None
    ) -> AnyEvent:
        """The first event for which ``predicate`` holds, among those with ``seq > since`` (None: from now on).

        Raises TerminalTimeout naming ``what`` and what was seen last, BenchError if the bench fails meanwhile.
        """
        began = time.monotonic()
        position = self.seq if since is None else since
        with self.waiting():
            while True:
                for event in self.since(position):
                    position = event.seq
                    if predicate(event):
                        return event
                    if isinstance(event, BenchFailed):
                        raise BenchError(
                            f"{event.what} (while waiting for {what})", bench=self.bench, evidence=str(self.path)
                        )
                left = deadline_s - (time.monotonic() - began)
                with self._changed:
                    if self._last_seq > position:
                        continue
                    if left <= 0 or self._closed:
                        break
                    self._changed.wait(left)
        raise TerminalTimeout(
            what, time.monotonic() - began, bench=self.bench, seen=self.seen(), evidence=str(self.path)
        )

    def seen(self) -> str:
        """What was seen last, for the person who reads an error: the screen, and the newest event."""
        screen = self.last(Screen)
        with self._changed:
            newest = self._events[-1] if self._events else None
        if newest is None:
            return "nothing at all"
        shown = " / ".join(line.strip() for line in screen.lines if line.strip()) if screen else ""
        text = f"screen: {shown or 'blank'}" if screen else "no screen"
        return f"{text}; newest event: {newest.kind} (seq {newest.seq})"


def _continue(file: int, path: Path) -> int:
    """``seq`` of the last whole line; what stands behind it (a torn write) is cut off."""
    size = os.fstat(file).st_size
    end, tail = size, b""
    while end > 0 and tail.count(b"\n") < 2:
        begin = max(0, end - 65_536)
        tail = os.pread(file, end - begin, begin) + tail
        end = begin
    whole = tail.rfind(b"\n") + 1
    if whole < len(tail):
        os.ftruncate(file, size - (len(tail) - whole))
    lines = tail[:whole].splitlines()
    if not lines:
        return 0
    try:
        return ADAPTER.validate_json(lines[-1]).seq
    except ValueError:
        raise BenchError(
            f"{path} is no history that can be continued: its last line is damaged", evidence=str(path),
            remedy="move the file away and start the run again",
        ) from None
