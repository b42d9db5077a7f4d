"""Reads frames with tshark and the shipped dissector: the second opinion of test_oracle_*.py.

Captures are written here by hand: no code of the harness that is under test takes part.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.wire.dissector import SCRIPT

TSHARK = shutil.which("tshark")
PORT = 8583
needs_tshark = pytest.mark.skipif(
    TSHARK is None and not os.environ.get("HIL97_NEEDS_TSHARK"),
    reason="tshark is not installed (apt-get install tshark)",
)

_SEGMENT = 1400
Pairs = list[tuple[str, Any]]


@dataclass(frozen=True)
class Seen:
    """One frame as the dissector shows it.

    ``raw_frame``: its bytes, from the length on. ``values``: hil97.* name -> what is shown, in order; a name that comes
    several times has several. ``raw``: the bytes of each, prefix included. ``malformed``: the frame was refused;
    ``notes``: other remarks on its content.
    """

    raw_frame: bytes
    values: dict[str, list[str]]
    raw: dict[str, list[bytes]]
    malformed: str | None
    notes: list[str]

    def one(self, name: str) -> str:
        """The value of a name that stands once."""
        (value,) = self.values[name]
        return value

    @property
    def fields(self) -> dict[int, str]:
        """Field number -> what is shown."""
        return {int(name[1:]): found[0] for name, found in self.values.items() if name[1:].isdigit() and name[0] == "f"}


def write_capture(path: Path, streams: Sequence[Sequence[bytes]], port: int = PORT) -> None:
    """A pcap with a TCP connection a stream, each of its items in a packet (or several, where it is long)."""
    packets = [packet for number, stream in enumerate(streams) for packet in _connection(number, stream, port)]
    head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 1 << 18, 1)
    records = [struct.pack("<IIII", n // 1000, n % 1000 * 1000, len(p), len(p)) + p for n, p in enumerate(packets)]
    path.write_bytes(head + b"".join(records))


def dissect(path: Path, *options: str) -> list[Seen]:
    """Every frame that tshark finds in the capture, in order."""
    assert TSHARK is not None
    command = [TSHARK, "-n", "-X", f"lua_script:{SCRIPT}", "-r", str(path), "-T", "json", "-x", *options]
    done = subprocess.run(command, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert b"Lua" not in done.stderr, done.stderr.decode()
    packets = json.loads(done.stdout.decode("utf-8", "replace"), object_pairs_hook=list)
    found = []
    for packet in packets:
        raw: list[Any] = list(_named(packet, "hil97_raw"))
        whole = [bytes.fromhex(one[0]) for value in raw for one in (value if _several(value) else [value])]
        found += [_seen(data, content) for data, content in zip(whole, _named(packet, "hil97"), strict=True)]
    return found


def _named(pairs: Any, name: str) -> Iterator[Pairs]:
    """Every object called ``name``, however deep."""
    if isinstance(pairs, list):
        for pair in pairs:
            if isinstance(pair, tuple) and pair[0] == name and isinstance(pair[1], list):
                yield pair[1]
            elif isinstance(pair, tuple):
                yield from _named(pair[1], name)
            else:
                yield from _named(pair, name)


def _seen(whole: bytes, content: Pairs) -> Seen:
    values: dict[str, list[str]] = {}
    raw: dict[str, list[bytes]] = {}
    malformed, notes = None, []
    for name, value in _flat(content):
        if name.startswith("hil97."):
            short = name.removeprefix("hil97.")
            if short.endswith("_raw"):
                several = value if _several(value) else [value]
                raw.setdefault(short.removesuffix("_raw"), []).extend(_bytes(one[0]) for one in several)
            elif not short.endswith("_tree"):
                values.setdefault(short, []).append(value)
    for expert in _named(content, "_ws.expert"):
        said = dict(expert)
        if "hil97.malformed" in said:
            malformed = str(said["_ws.expert.message"])
        elif "hil97.declined" not in said:
            notes.append(str(said["_ws.expert.message"]))
    return Seen(whole, values, raw, malformed, notes)


def _several(raw: list[Any]) -> bool:
    """A name that stands more than once has a list of [hex, offset, length, mask, type] instead of one."""
    return isinstance(raw[0], list)


def _bytes(text: str) -> bytes:
    """Of a whole number of bytes: a nibble alone stands as one digit."""
    return bytes.fromhex(text.rjust(len(text) + len(text) % 2, "0"))


def _flat(content: Pairs) -> Iterator[tuple[str, Any]]:
    for name, value in content:
        yield name, value
        if isinstance(value, list) and value and isinstance(value[0], tuple) and name != "_ws.expert":
            yield from _flat(value)


def _connection(number: int, stream: Sequence[bytes], port: int) -> Iterator[bytes]:
    source, sequence = 1024 + number % 60000, 1
    address = (10 << 24) + 1 + number // 60000
    yield _tcp(address, source, port, 0, 0x02, b"")
    for item in stream:
        for at in range(0, len(item), _SEGMENT):
            part = item[at : at + _SEGMENT]
            yield _tcp(address, source, port, sequence, 0x18, part)
            sequence += len(part)


def _tcp(address: int, source: int, port: int, sequence: int, flags: int, data: bytes) -> bytes:
    tcp = struct.pack(">HHIIBBHHH", source, port, sequence, 0, 0x50, flags, 65535, 0, 0) + data
    ip = struct.pack(">BBHHHBBHII", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0, address, (10 << 24) + 0xFFFF)
    return bytes(12) + b"\x08\x00" + ip + tcp
