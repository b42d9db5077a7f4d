"""A report as a file: JSON lines, the first about the sweep, then one a cut."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.campaigns.sweep.journal import Cut
from harness.campaigns.sweep.run import Report, Result
from harness.campaigns.sweep.unit import Unit


def write(report: Report, path: Path) -> None:
    with path.open("w", encoding="utf-8") as file:
        head = {"before": _plain(report.before), "new": report.new, "resets": report.resets,
                "operations": report.operations, "by_stage": dict(report.by_stage), "seconds": report.seconds,
                "seed": report.seed}
        file.write(json.dumps(head) + "\n")
        for result in report.results:
            line = asdict(result) | {"cut": list(result.cut), "unit": _plain(result.unit),
                                     "cold": result.cold and _plain(result.cold)}
            file.write(json.dumps(line) + "\n")


def load(path: Path) -> Report:
    with path.open(encoding="utf-8") as file:
        head, *lines = map(json.loads, file)
    results = tuple(
        Result(Cut(*line["cut"]), line["stage"], _unit(line["unit"]), line["outcome"], line["reason"],
               _unit(line["cold"]) if line["cold"] else None, line["differs"])
        for line in lines
    )
    before = _unit(head.pop("before"))
    return Report(before=before, results=results, **head)


def _plain(unit: Unit) -> dict[str, Any]:
    return {"version": unit.version, "held": unit.held, "resets": unit.resets, "trouble": unit.trouble}


def _unit(values: dict[str, Any]) -> Unit:
    return Unit(**values)
