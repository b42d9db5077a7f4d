"""The acquirer's own record of every frame: what came, what was sent, what was decided but not sent."""

from __future__ import annotations

import sqlite3
from typing import Any, Literal, NamedTuple

from harness.acquirer.store import Store

Direction = Literal["in", "out", "withheld"]


class JournalRow(NamedTuple):
    """``frame`` includes the 2-byte length; ``t`` is CLOCK_MONOTONIC in ns; ``connection`` counts TCP connections."""

    jid: int
    t: int
    connection: int
    direction: Direction
    frame: bytes
    note: str
    rule_id: int | None

    def as_event(self) -> dict[str, Any]:
        """As control clients get it."""
        return {
            "ev": "journal", "jid": self.jid, "t": self.t, "connection": self.connection, "direction": self.direction,
            "hex": self.frame.hex().upper(), "note": self.note, "rule_id": self.rule_id,
        }


class Journal:
    """Rows belong to the caller's transaction, together with what they are the evidence of. Its commit writes them all
    at once; before that nobody reads them."""

    def __init__(self, store: Store) -> None:
        self._db, self._appended = store.db, store.journal
        self._links: dict[int, str] = {}

    def name_link(self, connection: int, link: str) -> None:
        """What the notes of a connection's rows end with; "" for an ordinary TCP connection, or one that is gone."""
        if link:
            self._links[connection] = link
        else:
            self._links.pop(connection, None)

    def append(
        self, t: int, connection: int, direction: Direction, frame: bytes, note: str, rule_id: int | None = None
    ) -> JournalRow:
        if connection in self._links:
            note = f"{note} [{self._links[connection]}]"
        row = JournalRow(self._appended.number, t, connection, direction, frame, note, rule_id)
        self._appended.rows.append(row)
        return row

    def since(self, jid: int, limit: int = -1) -> list[JournalRow]:
        """The rows after ``jid`` (0: all), at most so many (-1: all)."""
        rows = self._db.execute("SELECT * FROM journal WHERE jid > ? ORDER BY jid LIMIT ?", (jid, limit))
        return [_row(row) for row in rows]

    def last_jid(self) -> int:
        """The newest row's number, 0 where there is none."""
        return self._appended.last

    def last_connection(self) -> int:
        return int(self._db.execute("SELECT coalesce(max(connection), 0) FROM journal").fetchone()[0])

    def last_rule_id(self) -> int:
        return int(self._db.execute("SELECT coalesce(max(rule_id), 0) FROM journal").fetchone()[0])


def _row(row: sqlite3.Row) -> JournalRow:
    return JournalRow(
        row["jid"], row["t"], row["connection"], row["direction"], row["frame"], row["note"], row["rule_id"]
    )
