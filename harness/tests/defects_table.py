"""The table in docs/defects.md, from the defects themselves. ``python -m harness.tests.defects_table`` writes it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import harness
from harness.campaigns.selftest import OUTSIDE_A_GATE
from harness.emulator.shipped import defect_sources
from harness.emulator.source import Source, load_source
from harness.requirements import catalogue

DOCUMENT = Path(harness.__file__).resolve().parents[1] / "docs" / "defects.md"
HEAD = ["| breaks | firmware | what is wrong with it | what else fails, and why |", "| --- | --- | --- | --- |"]


def table(sources: Iterable[Source]) -> str:
    """One row a defect, in the order of the requirements. †: a gate does not decide it."""
    order = list(catalogue())
    rows = []
    for source in sorted(sources, key=lambda one: (order.index(one.breaks), one.name)):
        also = []
        for rule, why in sorted(source.consequences.items()):
            apart = f" (also at events of its own: {source.elsewhere[rule]})" if rule in source.elsewhere else ""
            also.append(f"{rule}: {why}{apart}")
        mark = " †" if source.breaks in OUTSIDE_A_GATE else ""
        rows.append(f"| {source.breaks}{mark} | {source.name} | {source.title} | {'<br>'.join(also) or '-'} |")
    return "\n".join([*HEAD, *rows])


def main() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    rows = table(load_source(path) for path in defect_sources().values())
    between = re.compile(r"(<!-- table -->\n).*?(\n<!-- end of table -->)", re.DOTALL)
    made = between.sub(lambda found: found[1] + rows + found[2], text)
    DOCUMENT.write_text(made, encoding="utf-8")


if __name__ == "__main__":
    main()
