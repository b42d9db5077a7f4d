"""What the guard leaves in the bench's folder, for whoever looks when nobody is left to be told."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

LOG, STATE = "logs/instruments.log", "instruments.safe.json"


class Log:
    """Lines with date and time in ``logs/instruments.log``; the newest safe state in ``instruments.safe.json``."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._lock = folder, threading.Lock()
        (folder / LOG).parent.mkdir(parents=True, exist_ok=True)

    def note(self, text: str) -> None:
        line = f"{_now()} {text}\n"
        with self._lock, (self._folder / LOG).open("a", encoding="utf-8") as file:
            file.write(line)

    def state(self, why: str, safe: list[str], unsafe: Mapping[str, str]) -> None:
        """``unsafe``: instrument -> why it is not known to be safe; empty: all are."""
        told = {"at": _now(), "why": why, "safe": safe, "unsafe": dict(unsafe), "guard": os.getpid()}
        with self._lock:
            scratch = self._folder / f".{STATE}"
            scratch.write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
            scratch.replace(self._folder / STATE)


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="milliseconds")
