"""What the back office did, step by step, beside what is the case now."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.acquirer.registry import Registry
from harness.acquirer.store import Store


@dataclass(frozen=True)
class Step:
    """``at``: seconds since 1970 on the host's clock. ``tid`` "": it was about the merchant."""

    at: int
    mid: str
    tid: str
    step: str
    details: Mapping[str, Any]


class Steps:
    """Every change is the caller's transaction."""

    def __init__(self, store: Store, registry: Registry) -> None:
        self._db, self._registry = store.db, registry

    def note(self, step: str, mid: str, tid: str = "", **details: Any) -> None:
        self._db.execute(
            "INSERT INTO steps (at, mid, tid, step, details) VALUES (?, ?, ?, ?, ?)",
            (self._registry.seconds(), mid, tid, step, json.dumps(details, ensure_ascii=False)),
        )

    def of(self, mid: str, tid: str = "") -> list[Step]:
        """In the order in which they were done."""
        rows = self._db.execute("SELECT * FROM steps WHERE mid = ? AND tid = ? ORDER BY id", (mid, tid))
        return [Step(row["at"], row["mid"], row["tid"], row["step"], json.loads(row["details"])) for row in rows]
