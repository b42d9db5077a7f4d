"""What each terminal has yet to download: the data as it is now, and the marks.

The back office may replace a part of the data, or say that one terminal is to come for it: then header nibble 5 of the
answer to its next sign-in, and of those that end a download, asks for that, one at a time, until it has done it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal, get_args

from harness.acquirer.download_data import DownloadData, parse, shipped
from harness.acquirer.store import Store
from harness.errors import BadInput

Kind = Literal["parameters", "status", "ca_keys", "ic_parameters", "blacklist"]
KINDS: tuple[Kind, ...] = get_args(Kind)
NIBBLES: Mapping[Kind, str] = {  # header nibble 5 that asks for it
    "parameters": "1", "status": "2", "ca_keys": "4", "ic_parameters": "5", "blacklist": "7",
}


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
        self._asked.clear()
        parse({**self.data.model_dump(exclude_none=True), kind: value}, kind)
        self._db.execute(
            "INSERT INTO download_data VALUES (?, 1, ?)"
            " ON CONFLICT (kind) DO UPDATE SET version = version + 1, data = excluded.data", (kind, json.dumps(value))
        )

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
