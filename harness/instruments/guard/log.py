"""What the guard leaves in the bench's folder, for whoever looks when nobody is left to be told."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

LOG, STATE = "logs/instruments.log", "instruments.safe.json"


class Log:
    """Lines with date and time in ``logs/instruments.log``; the newest safe state in ``instruments.safe.json``.

    Neither raises where it can't be written (a full disk, a folder that was moved): who is told on here has
    instruments to make safe, and that comes first.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._lock = folder, threading.Lock()
        (folder / LOG).parent.mkdir(parents=True, exist_ok=True)

    def note(self, text: str) -> None:
        line = f"{_now()} {text}\n"
        with self._lock, _whatever_the_disk_says(line), (self._folder / LOG).open("a", encoding="utf-8") as file:
            file.write(line)

    def state(self, why: str, safe: list[str], unsafe: Mapping[str, str]) -> None:
        """``unsafe``: instrument -> why it is not known to be safe; empty: all are."""
        told = {"at": _now(), "why": why, "safe": safe, "unsafe": dict(unsafe), "guard": os.getpid()}
        with self._lock, _whatever_the_disk_says(f"{STATE} of {told['at']}"):
            scratch = self._folder / f".{STATE}"
            scratch.write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
            scratch.replace(self._folder / STATE)


@contextlib.contextmanager
def _whatever_the_disk_says(lost: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        with contextlib.suppress(OSError):
            print(f"not written: {error}: {lost.strip()}", file=sys.stderr, flush=True)


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="milliseconds")
