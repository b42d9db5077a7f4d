"""Pictures inside the page: each different one once, however often it was seen."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path

_PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Picture:
    """A picture to be shown at its place. ``id`` names the embedded one ("" where only ``href`` leads to it)."""

    id: str
    width: int
    height: int
    href: str


@dataclass(frozen=True)
class Embedded:
    """A picture as the page holds it once: ``data`` is a data URI."""

    id: str
    width: int
    height: int
    data: str


class Album:
    """Collects pictures of a run up to ``limit`` bytes of page; what comes later is only linked."""

    def __init__(self, run_dir: Path, limit: int) -> None:
        self._run_dir, self._left = run_dir, limit
        self._by_digest: dict[bytes, Embedded] = {}
        self._by_path: dict[str, Picture | None] = {}

    @property
    def embedded(self) -> list[Embedded]:
        """Every embedded picture, in the order of first use."""
        return list(self._by_digest.values())

    def add(self, path: str, *, secret: bool = False) -> Picture | None:
        """The PNG at ``path`` (relative to the run); None where there is none.

        ``secret``: it shows what must not stand in the page; it is linked, not embedded.
        """
        if path not in self._by_path:
            self._by_path[path] = self._read(path, secret)
        return self._by_path[path]

    def _read(self, path: str, secret: bool) -> Picture | None:
        file = (self._run_dir / path).resolve()
        if not file.is_relative_to(self._run_dir.resolve()):
            return None
        try:
            data = file.read_bytes()
        except OSError:
            return None
        if not data.startswith(_PNG) or len(data) < 24:
            return None
        width, height = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
        digest = hashlib.sha256(data).digest()
        if digest not in self._by_digest:
            uri = f"data:image/png;base64,{base64.b64encode(data).decode('ascii')}"
            if secret or len(uri) > self._left:
                return Picture("", width, height, path)
            self._left -= len(uri)
            self._by_digest[digest] = Embedded(f"i{len(self._by_digest) + 1}", width, height, uri)
        return Picture(self._by_digest[digest].id, width, height, path)
