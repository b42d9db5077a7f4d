"""The page of a self-test: which defective firmware was found by what, and which was not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.reports import mask, reasons
from harness.reports.bilingual import Both, _, language
from harness.reports.page import FILE, environment

RESULTS: dict[str, Both] = {
    "caught": _("caught"), "clean": _("clean"), "missed": _("missed"), "unexpected": _("unexpected"),
    "undecided": _("undecided"), "error": _("error"),
}  # fmt: skip
_GOOD = ("caught", "clean")


@dataclass(frozen=True)
class Row:
    """A firmware. ``reason`` and ``test``: where the broken requirement was seen first; ``others``: what failed too."""

    firmware: str
    title: str
    breaks: str
    good: bool
    result: Both
    seconds: float
    page: str
    reason: Both | None
    test: str
    others: tuple[str, ...]
    unexpected: tuple[str, ...]
    detail: str


def write(outcomes: Sequence[Mapping[str, Any]], folder: Path) -> Path:
    """Make ``folder/index.html`` (replaced in one step). ``outcomes``: as they stand in self-test.json."""
    rows = [_row(one) for one in outcomes]
    text = environment().get_template("selftest.html").render(
        rows=rows, good=sum(row.good for row in rows), language=language()
    )
    path = folder / FILE
    half = path.with_name(f".{FILE}.new")
    half.write_text(text, encoding="utf-8")
    return half.replace(path)


def _row(one: Mapping[str, Any]) -> Row:
    first = next((found for found in one["failures"] if found["requirement"] == one["breaks"]), None)
    return Row(
        firmware=one["firmware"], title=one["title"], breaks=one["breaks"], good=one["result"] in _GOOD,
        result=RESULTS[one["result"]], seconds=one["seconds"], page=f"{Path(one['run']).name}/{FILE}",
        reason=reasons.both(mask.text(first["reason"])) if first else None, test=(first or {}).get("test") or "",
        others=tuple(found["requirement"] for found in one["failures"] if found["requirement"] != one["breaks"]),
        unexpected=tuple(one["unexpected"]), detail=mask.text(one["detail"]),
    )
