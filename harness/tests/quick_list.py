"""suites/quick.txt, from a run of the reference: ``python -m harness.tests.quick_list RUN`` writes it.

A few tests that decide, on one group of benches, whatever the gate's suites decided there in that run, at the least
time. To be made anew when a listed test is gone, or when a requirement has got its first test.
"""

from __future__ import annotations

import sys
from pathlib import Path

import harness
from harness import verdicts
from harness.campaigns.selection import QUICK, Candidate, cover, without_group
from harness.campaigns.selftest import GATED
from harness.verdicts import RunVerdict

ROOT = Path(harness.__file__).resolve().parents[1]
LONGEST_S = 30.0
MATRIX = "suites/firmware/test_from_versions.py"
HEAD = """\
# What `hil97 gate --quick` runs: a few tests that decide most requirements in little time.
# Made from a run of the reference: python -m harness.tests.quick_list RUN
"""


def candidates(run: RunVerdict) -> dict[str, list[Candidate]]:
    """By group of benches: its passed tests of the gate's suites, and what they decided."""
    found: dict[str, list[Candidate]] = {}
    for test in run.tests:
        decides = frozenset(rule for rule, verdict in test.rules.items() if verdict == "PASS")
        quick = test.outcome == "passed" and test.duration_s < LONGEST_S
        if quick and test.test.startswith(tuple(f"suites/{name}/" for name in GATED)):
            name = without_group(test.test)
            if name.startswith(MATRIX):
                name = MATRIX  # its tests share the versions that it is updated from
            one = Candidate(name, decides, test.duration_s)
            found.setdefault(test.group, []).append(one)
    return found


def main() -> None:
    by_group = candidates(verdicts.read(Path(sys.argv[1])))
    best = max(by_group, key=lambda group: len(frozenset().union(*(one.decides for one in by_group[group]))))
    chosen = cover(by_group[best])
    lines = [f"{one.test}  # {' '.join(sorted(one.decides))}, {one.seconds:.1f} s" for one in chosen]
    (ROOT / QUICK).write_text(HEAD + "\n".join(lines) + "\n", encoding="utf-8")
    print(f"{len(chosen)} tests, {sum(one.seconds for one in chosen):.1f} s of one bench, from {best}")


if __name__ == "__main__":
    main()
