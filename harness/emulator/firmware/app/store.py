"""The terminal's memory: one state record and the batch log, on littlefs.

Each merchant has its own; what is downloaded for the terminal as a whole is in files of its own (:meth:`Store.table`).

A commit is one atomic replacement of the file ``state``. A booked transaction is first appended to the log file, where
it does not count until the state that is committed next counts its bytes: whatever the moment of a power cut, the next
boot finds the old or the new state, whole.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from littlefs import LittleFS, LittleFSError, UserContext, lfs
from littlefs.lfs import LFSConfig, LFSFileFlag

from .hardware import BlockDevice
from .records import Record, State, from_json, record_from_json, to_json

_STATE, _LOG = "state", "log"
_READ, _REPLACE, _MODIFY = (  # littlefs: rdonly; wronly creat trunc; rdwr creat
    LFSFileFlag(0x001), LFSFileFlag(0x002 | 0x100 | 0x400), LFSFileFlag(0x003 | 0x100)
)


class StoreDamaged(Exception):
    """The file system or the state can't be read. It is never formatted or replaced: that is for the repair shop."""


class _Context(UserContext):
    """littlefs' callbacks on the board's flash."""

    def __init__(self, flash: BlockDevice) -> None:
        self._flash = flash  # the base class's buffer is not wanted

    def read(self, cfg: LFSConfig, block: int, off: int, size: int) -> bytearray:
        return bytearray(self._flash.read(block, off, size))

    def prog(self, cfg: LFSConfig, block: int, off: int, data: bytes) -> int:
        self._flash.program(block, off, bytes(data))
        return 0

    def erase(self, cfg: LFSConfig, block: int) -> int:
        self._flash.erase(block)
        return 0

    def sync(self, cfg: LFSConfig) -> int:
        return 0


class Store:
    """What one merchant (from 1) has in the flash: ``state`` and ``log`` are that, always. Raises
    :class:`StoreDamaged`."""

    def __init__(self, flash: BlockDevice, *, merchant: int = 1, files: LittleFS | None = None) -> None:
        """``files``: the mounted file system, where another merchant's store has it open already."""
        self._flash, self._prefix = flash, "" if merchant == 1 else f"{merchant}."
        self._fs = files or LittleFS(
            context=_Context(flash), mount=False, block_size=flash.block_size, block_count=flash.block_count,
            read_size=16, prog_size=16, cache_size=1024, lookahead_size=32, block_cycles=500,
        )
        try:
            if files is None:
                self._fs.mount()
            self.state = self._load_state()
            self.log = self._load_log()
            self._remove_old_logs()
        except (LittleFSError, TypeError, KeyError, ValueError) as error:
            raise StoreDamaged(f"{type(error).__name__}: {error}") from error

    def of_merchant(self, merchant: int) -> Store:
        """Another merchant's, on the same file system."""
        return Store(self._flash, merchant=merchant, files=self._fs)

    def commit(self, *, book: Record | None = None, **changes: Any) -> None:
        """All of ``changes`` (fields of :class:`State`) and ``book`` (into the batch log), or none of it."""
        if book is not None:
            line = json.dumps(asdict(book), separators=(",", ":")).encode() + b"\n"
            self._append(line)
            changes["log_bytes"] = self.state.log_bytes + len(line)
        new = replace(self.state, **changes)
        data = json.dumps(to_json(new), separators=(",", ":")).encode()
        self._write_checked(self._prefix + _STATE, data)
        self.state = new
        if book is not None:
            self.log = [*self.log, book]

    def clear_log(self, **changes: Any) -> None:
        """As :meth:`commit`, and the batch log is empty."""
        self.commit(generation=self.state.generation + 1, log_bytes=0, **changes)
        self.log = []
        self._remove_old_logs()

    def replace(self, state: State, log: Sequence[Record]) -> None:
        """Another state and another batch log in the place of these, with one commit."""
        generation = self.state.generation + 1
        data = b"".join(json.dumps(asdict(one), separators=(",", ":")).encode() + b"\n" for one in log)
        self._write(self._log_name(generation), data)
        new = replace(state, generation=generation, log_bytes=len(data))
        self._write_checked(self._prefix + _STATE, json.dumps(to_json(new), separators=(",", ":")).encode())
        self.state, self.log = new, list(log)
        self._remove_old_logs()

    # -- what the whole terminal shares --------------------------------------------------------------------------------

    def table(self, name: str) -> Any:
        """What was last put into table ``name`` (plain values); None: nothing ever was. Raises ValueError."""
        data = self._read_checked(name)
        return None if data is None else json.loads(data)

    def put_table(self, name: str, values: Any) -> None:
        """One atomic replacement."""
        self._write_checked(name, json.dumps(values, separators=(",", ":")).encode())

    def drop_table(self, name: str) -> None:
        """As if nothing had ever been put there."""
        if self._read(name) is not None:
            self._fs.remove(name)

    # -- files ---------------------------------------------------------------------------------------------------------

    def _load_state(self) -> State:
        data = self._read_checked(self._prefix + _STATE)
        return State() if data is None else from_json(json.loads(data))

    def _load_log(self) -> list[Record]:
        if not self.state.log_bytes:
            return []
        raw = self._read(self._log_name()) or b""
        if len(raw) < self.state.log_bytes:
            raise ValueError(f"the batch log has {len(raw)} bytes, not {self.state.log_bytes}")
        return [record_from_json(json.loads(line)) for line in raw[: self.state.log_bytes].splitlines()]

    def _log_name(self, generation: int | None = None) -> str:
        return f"{self._prefix}{_LOG}{self.state.generation if generation is None else generation}"

    def _remove_old_logs(self) -> None:
        for name in self._fs.listdir("/"):
            if name.startswith(self._prefix + _LOG) and name != self._log_name():
                self._fs.remove(name)

    def _read_checked(self, name: str) -> bytes | None:
        raw = self._read(name)
        if not raw:  # an empty one: the power went between its making and its first commit
            return None
        checksum, _, data = raw.partition(b"\n")
        if checksum != b"%08x" % zlib.crc32(data):
            raise ValueError(f"checksum of {name}")
        return data

    def _write_checked(self, name: str, data: bytes) -> None:
        self._write(name, b"%08x\n" % zlib.crc32(data) + data)

    def _read(self, name: str) -> bytes | None:
        try:
            size = lfs.stat(self._fs.fs, name).size
        except LittleFSError:
            return None
        file = lfs.file_open(self._fs.fs, name, _READ)
        data = bytes(lfs.file_read(self._fs.fs, file, size))
        lfs.file_close(self._fs.fs, file)
        return data

    def _write(self, name: str, data: bytes) -> None:
        file = lfs.file_open(self._fs.fs, name, _REPLACE)
        lfs.file_write(self._fs.fs, file, data)
        lfs.file_close(self._fs.fs, file)

    def _append(self, line: bytes) -> None:
        """Behind what counts; what a power cut left there is overwritten."""
        file = lfs.file_open(self._fs.fs, self._log_name(), _MODIFY)
        if lfs.file_size(self._fs.fs, file) > self.state.log_bytes:
            lfs.file_truncate(self._fs.fs, file, self.state.log_bytes)
        lfs.file_seek(self._fs.fs, file, self.state.log_bytes, 0)
        lfs.file_write(self._fs.fs, file, line)
        lfs.file_close(self._fs.fs, file)
