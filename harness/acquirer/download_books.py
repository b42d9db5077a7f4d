"""What each terminal has yet to download: the data as it is now, and the marks.

The back office may replace a part of the data, or say that one terminal is to come for it: then header nibble 5 of the
answer to its next sign-in, and of those that end a download, asks for that, one at a time, until it has done it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Literal, NamedTuple, get_args

from harness.acquirer.download_data import DownloadData, parse, shipped
from harness.acquirer.store import Store
from harness.errors import BadInput

Kind = Literal["parameters", "status", "ca_keys", "ic_parameters", "blacklist", "software"]
KINDS: tuple[Kind, ...] = get_args(Kind)
NIBBLES: Mapping[Kind, str] = {  # header nibble 5 that asks for it
    "parameters": "1", "status": "2", "ca_keys": "4", "ic_parameters": "5", "blacklist": "7",
    "software": "6",
}


class Software(NamedTuple):
    """An image on offer; ``size`` in bytes."""

    version: str
    sha256: str
    size: int


class Downloads:
    """Every call is inside the caller's database transaction."""

    def __init__(self, store: Store, data: DownloadData | None = None) -> None:
        """``data`` None: what comes with the program."""
        self._db = store.db
        self._given = data or shipped()
        self._asked: dict[tuple[str, str], str | None] = {}  # header nibbles
        store.keeps_rows(self._asked.clear)

    @property
    def data(self) -> DownloadData:
        """What is handed out now: the file's, with the parts that were replaced since."""
        rows = self._db.execute("SELECT kind, data FROM download_data WHERE data IS NOT NULL")
        replaced = {row["kind"]: json.loads(row["data"]) for row in rows}
        if not replaced:
            return self._given
        return DownloadData.model_validate({**self._given.model_dump(exclude_none=True), **replaced})

    def replace(self, kind: Kind, value: Any) -> None:
        """Other data for everybody: every terminal is to come for it. Raises :class:`BadInput`."""
        if kind == "status":
            raise BadInput("a status comes from the terminal, there is nothing to replace")
        if kind == "software":
            raise BadInput("software is offered as a file", remedy="Use offer_software.")
        self._asked.clear()
        parse({**self.data.model_dump(exclude_none=True), kind: value}, kind)
        self._db.execute(
            "INSERT INTO download_data VALUES (?, 1, ?)"
            " ON CONFLICT (kind) DO UPDATE SET version = version + 1, data = excluded.data", (kind, json.dumps(value))
        )

    def offer_software(self, image: bytes | None, version: str = "") -> None:
        """From now on this image is there for every terminal that asks; None: none is. Nobody is asked to come for it.
        Raises :class:`BadInput`."""
        self._db.execute("DELETE FROM software")
        if image is None:
            return
        if not (0 < len(version) <= 40 and version.isascii() and version.isprintable()):
            raise BadInput(f"{version!r} is no version of 1 to 40 characters")
        self._db.execute("INSERT INTO software VALUES (1, ?, ?, ?)", (version, sha256(image).hexdigest(), image))

    @property
    def software(self) -> Software | None:
        """What is on offer, without its bytes."""
        row = self._db.execute("SELECT version, sha256, length(image) AS size FROM software").fetchone()
        return None if row is None else Software(row["version"], row["sha256"], row["size"])

    def software_block(self, offset: int, size: int) -> bytes:
        """So many bytes of the image on offer, fewer at its end."""
        row = self._db.execute("SELECT substr(image, ?, ?) AS block FROM software", (offset + 1, size)).fetchone()
        return b"" if row is None else bytes(row["block"] or b"")

    def demand(self, mid: str, tid: str, kind: Kind) -> None:
        """This terminal is to come for it, whatever it has."""
        self._asked.pop((mid, tid), None)
        self._db.execute(
            "INSERT INTO downloads VALUES (?, ?, ?, 0, 1) ON CONFLICT (mid, tid, kind) DO UPDATE SET due = 1",
            (mid, tid, kind),
        )

    def due(self, mid: str, tid: str) -> list[Kind]:
        """What this terminal has yet to come for, in the order in which it is asked to."""
        had = {
            row["kind"]: row
            for row in self._db.execute("SELECT * FROM downloads WHERE mid = ? AND tid = ?", (mid, tid))
        }
        present = {row["kind"]: row["version"] for row in self._db.execute("SELECT kind, version FROM download_data")}
        return [
            kind for kind in KINDS
            if (kind in had and had[kind]["due"]) or present.get(kind, 0) > (had[kind]["version"] if kind in had else 0)
        ]

    def status(self, mid: str, tid: str) -> dict[str, str] | None:
        """The last status that this terminal sent, None: none yet."""
        row = self._db.execute("SELECT text FROM terminal_status WHERE mid = ? AND tid = ?", (mid, tid)).fetchone()
        if row is None:
            return None
        return dict(part.partition("=")[::2] for part in row["text"].split(";") if part)

    def header_request(self, mid: str, tid: str) -> str | None:
        """Nibble 5 for an answer to this terminal; None: it need not come for anything."""
        if (mid, tid) not in self._asked:
            due = self.due(mid, tid)
            self._asked[mid, tid] = NIBBLES[due[0]] if due else None
        return self._asked[mid, tid]

    def had(self, mid: str, tid: str, kind: Kind) -> None:
        """The terminal has what there is now."""
        self._asked.pop((mid, tid), None)
        row = self._db.execute("SELECT version FROM download_data WHERE kind = ?", (kind,)).fetchone()
        self._db.execute(
            "INSERT OR REPLACE INTO downloads VALUES (?, ?, ?, ?, 0)",
            (mid, tid, kind, 0 if row is None else row["version"]),
        )

    def note_status(self, mid: str, tid: str, text: str) -> None:
        """The status that this terminal sent."""
        self._db.execute("INSERT OR REPLACE INTO terminal_status VALUES (?, ?, ?)", (mid, tid, text))
        self.had(mid, tid, "status")
