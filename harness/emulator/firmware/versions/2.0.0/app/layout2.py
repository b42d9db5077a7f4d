"""How what is remembered lies in files: data format 2, in folder ``d2``.

Of each merchant (``1.``, ``2.`` before the names) three parts in files of their own, ``identity`` (numbers and keys,
each key with its check value), ``money`` (what a transaction changes) and ``settings``, and ``log``; behind each name a
number that counts up. ``commit`` says which of them are valid together, and how many bytes of the log: its one atomic
replacement is the commit. Only the parts that changed are written anew. A log has a line a record: a checksum, and the
values in the order of the record's fields, without their names. Tables (``t.`` before the names) lie in the same
folder.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from . import crypto, layout
from .files import Files
from .records import Record, State, from_json, record_from_json, to_json

FORMAT = 2
FOLDER = f"d{FORMAT}"
_KEYS = ("tmk", "pik", "mak", "tdk")
_IDENTITY = ("tid", "mid", *_KEYS, "signed_in")
_MONEY = (
    "trace", "batch", "host_batch", "reversal", "script", "settlement", "undelivered", "refused", "failed",
    "signatures", "last", "note",
)
_IN_COMMIT = ("generation", "log_bytes")
_PARTS: Mapping[str, tuple[str, ...]] = {
    "identity": _IDENTITY,
    "money": _MONEY,
    "settings": tuple(one.name for one in fields(State) if one.name not in (*_IDENTITY, *_MONEY, *_IN_COMMIT)),
}
_RECORD = tuple(one.name for one in fields(Record))


class Layout:
    """One merchant's files (from 1). What can't be read raises ValueError, TypeError or KeyError."""

    def __init__(self, files: Files, merchant: int) -> None:
        self._files, self._prefix = files, f"{FOLDER}/{merchant}."
        self._numbers: dict[str, int] = {}
        self._saved: dict[str, dict[str, Any]] = {}  # what is in each part

    def load_state(self) -> State:
        data = self._files.read_checked(self._prefix + "commit")
        if data is None:
            raise ValueError("no commit record")
        commit = json.loads(data)
        self._numbers = {part: int(commit[part]) for part in _PARTS}
        values: dict[str, Any] = {name: int(commit[name]) for name in _IN_COMMIT}
        for part, number in self._numbers.items():
            raw = self._files.read_checked(f"{self._prefix}{part}.{number}")
            if raw is None:
                raise ValueError(f"{part} {number} is missing")
            self._saved[part] = json.loads(raw)
            values |= self._saved[part]
        return from_json(values | {name: _opened(values[name]) for name in _KEYS})

    def save_state(self, state: State) -> None:
        """The changed parts, then the commit."""
        values = json.loads(json.dumps(to_json(state)))
        values |= {name: _sealed(values[name]) for name in _KEYS}
        old: list[str] = []
        for part, names in _PARTS.items():
            content = {name: values[name] for name in names}
            if content == self._saved.get(part):
                continue
            if part in self._numbers:
                old.append(f"{self._prefix}{part}.{self._numbers[part]}")
            self._numbers[part] = self._numbers.get(part, 0) + 1
            self._files.write_new(f"{self._prefix}{part}.{self._numbers[part]}", _packed(content))
            self._saved[part] = content
        commit: dict[str, int] = {**self._numbers, **{name: values[name] for name in _IN_COMMIT}}
        self._files.write_checked(self._prefix + "commit", _packed(commit))
        for name in old:
            self._files.remove(name)

    def load_log(self, state: State) -> list[Record]:
        raw = self._files.read(self._log_name(state)) or b""
        if len(raw) < state.log_bytes:
            raise ValueError(f"the batch log has {len(raw)} bytes, not {state.log_bytes}")
        return list(map(_record, raw[: state.log_bytes].splitlines()))

    def append(self, state: State, record: Record) -> int:
        """Puts a record behind what counts; returns how many bytes count with it."""
        line = _line(record)
        self._files.append(self._log_name(state), state.log_bytes, line)
        return state.log_bytes + len(line)

    def tidy(self, state: State) -> None:
        """Removes what does not count any more."""
        valid = {f"{self._prefix}{part}.{number}" for part, number in self._numbers.items()}
        valid |= {self._prefix + "commit", self._log_name(state)}
        for name in self._files.names(FOLDER):
            path = f"{FOLDER}/{name}"
            if path.startswith(self._prefix) and path not in valid:
                self._files.remove(path)

    def take_over(self, state: State, log: list[Record]) -> None:
        """What another format held."""
        data = b"".join(map(_line, log))
        values = to_json(state) | {"generation": 0, "log_bytes": len(data)}
        state = from_json(json.loads(json.dumps(values)))
        if data:
            self._files.write(self._log_name(state), data)
        self.save_state(state)

    def _log_name(self, state: State) -> str:
        return f"{self._prefix}log.{state.generation}"


def read_table(files: Files, name: str) -> Any:
    """What was last put into a table, None: nothing ever was. Raises ValueError."""
    data = files.read_checked(f"{FOLDER}/t.{name}")
    return None if data is None else json.loads(data)


def write_table(files: Files, name: str, values: Any) -> None:
    """One atomic replacement."""
    files.write_checked(f"{FOLDER}/t.{name}", _packed(values))


def from_format_1(files: Files, merchants: int, feed: Callable[[], None]) -> None:
    """All that format 1 holds, of every merchant; every other file at the root is a table."""
    for merchant in range(1, merchants + 1):
        old = layout.Layout(files, merchant)
        state = old.load_state()
        Layout(files, merchant).take_over(state, old.load_log(state))
        feed()
    for name in layout.table_names(files):
        write_table(files, name, layout.read_table(files, name))
        feed()


def _packed(values: Any) -> bytes:
    return json.dumps(values, separators=(",", ":")).encode()


def _sealed(key: str) -> list[str]:
    """A key with its check value (as a DES key, whatever it is for); nothing where there is none."""
    return [key, crypto.kcv(bytes.fromhex(key)).hex()] if key else []


def _opened(sealed: list[str]) -> str:
    if not sealed:
        return ""
    key, check = sealed
    if crypto.kcv(bytes.fromhex(key)).hex() != check:
        raise ValueError("the check value of a key")
    return key


def _line(record: Record) -> bytes:
    data = _packed([getattr(record, name) for name in _RECORD])
    return b"%08x %s\n" % (zlib.crc32(data), data)


def _record(line: bytes) -> Record:
    checksum, _, data = line.partition(b" ")
    if checksum != b"%08x" % zlib.crc32(data):
        raise ValueError("checksum of a record")
    return record_from_json(dict(zip(_RECORD, json.loads(data), strict=True)))
