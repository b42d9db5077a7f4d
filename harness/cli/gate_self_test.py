"""``hil97 gate --self-test``: do suites and judge find what is wrong with a firmware, and nothing else?"""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.errors import BadInput
from harness.i18n import _


def run_self_test(firmwares: list[str], args: argparse.Namespace) -> int:
    """``firmwares``: shipped ones, none for all. ``args``: model, lab_config, workers, results, whole."""
    from harness.campaigns.plan import new_run_name
    from harness.campaigns.selftest import FILE, OUTSIDE_A_GATE, Outcome, Plan, all_names, self_test, table

    if args.workers is not None and args.workers < 1:
        raise BadInput(_("{text!r} is no number of firmwares; 1 or more").format(text=str(args.workers)))
    words = {
        "caught": _("caught"), "clean": _("clean"), "missed": _("missed"), "unexpected": _("unexpected"),
        "undecided": _("undecided"), "error": _("error"),
        "outside": _("in no suite of a gate"),
    }

    def finished(outcome: Outcome) -> None:
        print(table([outcome], words), flush=True)

    folder = Path(args.results) if args.results else Path("results", f"self-test-{new_run_name()}")
    names = list(dict.fromkeys(firmwares)) or all_names()
    plan = Plan(folder, args.lab_config, args.model, whole=args.whole)
    outcomes = self_test(names, plan, workers=args.workers or 2, finished=finished)
    good = sum(outcome.good for outcome in outcomes)
    print(_("{good} of {count} as they must be: {file}").format(good=good, count=len(outcomes), file=folder / FILE))
    outside = sum(outcome.breaks in OUTSIDE_A_GATE for outcome in outcomes)
    if outside:
        text = _("{count} of them break what no suite of a gate declares: a gate does not look for it")
        print(text.format(count=outside))
    return 0 if good == len(outcomes) else 1
