"""How what is remembered lies in files: data format 1.

Of each merchant the file ``state``, and ``log<generation>`` with the batch, a line a record; from the second merchant
on with its number before them (``2.state``). Each table is a file of its name. All of it at the root.

A commit is one atomic replacement of ``state``. A booked transaction is first appended to the log, where it does not
count until the state that is committed next counts its bytes.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from typing import Any

from .files import Files
from .records import Record, State, from_json, record_from_json, to_json

FORMAT = 1
FOLDER = ""
_STATE, _LOG = "state", "log"
_NO_TABLE = re.compile(r"state|log[0-9]+|format|.*\..*")


class Layout:
    """One merchant's files (from 1). What can't be read raises ValueError, TypeError or KeyError."""

    def __init__(self, files: Files, merchant: int) -> None:
        self._files, self._prefix = files, "" if merchant == 1 else f"{merchant}."

    def load_state(self) -> State:
        data = self._files.read_checked(self._prefix + _STATE)
        return State() if data is None else from_json(json.loads(data))

    def save_state(self, state: State) -> None:
        """The commit."""
        self._files.write_checked(self._prefix + _STATE, json.dumps(to_json(state), separators=(",", ":")).encode())

    def load_log(self, state: State) -> list[Record]:
        if not state.log_bytes:
            return []
        raw = self._files.read(self._log_name(state)) or b""
        if len(raw) < state.log_bytes:
            raise ValueError(f"the batch log has {len(raw)} bytes, not {state.log_bytes}")
        return [record_from_json(json.loads(line)) for line in raw[: state.log_bytes].splitlines()]

    def append(self, state: State, record: Record) -> int:
        """Puts a record behind what counts; returns how many bytes count with it."""
        line = json.dumps(asdict(record), separators=(",", ":")).encode() + b"\n"
        self._files.append(self._log_name(state), state.log_bytes, line)
        return state.log_bytes + len(line)

    def tidy(self, state: State) -> None:
        """Removes what does not count any more."""
        for name in self._files.names():
            if name.startswith(self._prefix + _LOG) and name != self._log_name(state):
                self._files.remove(name)

    def _log_name(self, state: State) -> str:
        return f"{self._prefix}{_LOG}{state.generation}"


def table_names(files: Files) -> list[str]:
    """Every table that was ever put; their names have no dot."""
    return [name for name in files.names() if not _NO_TABLE.fullmatch(name)]


def read_table(files: Files, name: str) -> Any:
    """What was last put into a table, None: nothing ever was. Raises ValueError."""
    data = files.read_checked(name)
    return None if data is None else json.loads(data)


def write_table(files: Files, name: str, values: Any) -> None:
    """One atomic replacement."""
    files.write_checked(name, json.dumps(values, separators=(",", ":")).encode())
