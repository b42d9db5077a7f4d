"""``hil97 soak``: every case there is, again and again, until time, rounds or a FAIL end it."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from harness.i18n import _

if TYPE_CHECKING:
    from harness.campaigns.soak import Ended

SUITES = {"transactions": "case", "network": "trouble", "security": "attack"}  # folder -> the kind of its cases


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "soak",
        help=_("run every case there is, for hours"),
        description=_(
            "Runs all cases of an inventory - transactions, network faults, attacks - in the order of a seed and a "
            "part at a time, each part a run of its own. Ends after the rounds or hours given, at the first FAIL, or "
            "with Ctrl-C, and says what was done."
        ),
        epilog=_("Exit status: the worst of its runs (see hil97 run --help); an interrupted soak keeps that too."),
    )
    parser.add_argument(
        "suites", nargs="*", metavar="SUITE", type=_suite,
        help=_("only the cases of transactions, network or security (default: all of them, in this order)"),
    )
    parser.add_argument(
        "--lab", metavar="FILE", default="lab_config/emulated.yaml",
        help=_("inventory of benches (default: lab_config/emulated.yaml)"),
    )
    ends = parser.add_mutually_exclusive_group()
    ends.add_argument("--hours", type=_positive, metavar="H", help=_("begin no further part after so many hours"))
    ends.add_argument("--rounds", type=_count, metavar="N", help=_("how often all of them (default: 1)"))
    parser.add_argument("--part", type=_count, metavar="N", default=500, help=_("cases in one run (default: 500)"))
    parser.add_argument("--seed", metavar="NAME", default="hil97", help=_("names the order (default: hil97)"))
    parser.add_argument("--keep-going", action="store_true", help=_("go on after a FAIL"))
    parser.add_argument("--firmware", metavar="WHAT", help=_("boot this on every emulated bench, as in hil97 run"))
    parser.add_argument("--results", metavar="DIR", default="results", help=_("where runs are kept (default: results)"))
    parser.set_defaults(run=run)


def _suite(text: str) -> str:
    if text in SUITES:
        return text
    raise argparse.ArgumentTypeError(
        _("{text!r} has no cases; there are {known}").format(text=text, known=", ".join(SUITES))
    )


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if 0 < value < 1e6:
        return value
    raise argparse.ArgumentTypeError(_("{text!r} is no number above 0").format(text=text))


def _count(text: str) -> int:
    if text.isascii() and text.isdigit() and int(text):
        return int(text)
    raise argparse.ArgumentTypeError(_("{text!r} is no count from 1 on").format(text=text))


def run(args: argparse.Namespace) -> int:
    """The soak, and its end in words."""
    from harness.campaigns.cases import KINDS
    from harness.campaigns.launch import Request, check, launch
    from harness.campaigns.plan import new_run_name, open_lab
    from harness.campaigns.soak import Plan, soak

    kinds = [KINDS[asked] for folder, asked in SUITES.items() if folder in (args.suites or SUITES)]
    request = Request(
        lab=args.lab, suites=[str(kind.suite) for kind in kinds], results=args.results, firmware=args.firmware,
        seed=args.seed, language=args.lang,
    )
    check(request)
    plan = Plan.of(
        open_lab(Path(args.lab), args.firmware), kinds, part=args.part,
        hours=args.hours, rounds=args.rounds or (None if args.hours else 1), keep_going=args.keep_going,
    )
    print(
        _("{cases} cases in parts of {part}, seed {seed}").format(cases=plan.cases, part=plan.part, seed=args.seed),
        flush=True,
    )
    ended = soak(plan, request, launch=launch, clock=time.monotonic, name=f"soak-{new_run_name()}", told=_say)
    _tell(ended, Path(args.results))
    return ended.status


def _say(run: int, round_: int, first: int, last: int) -> None:
    """Before a part begins."""
    text = _("part {run}: round {round}, cases {first} to {last}")
    print("\n" + text.format(run=run, round=round_, first=first, last=last), flush=True)


def _tell(ended: Ended, results: Path) -> None:
    why = {
        "rounds": _("all rounds are done"), "hours": _("the time is over"), "fail": _("stopped at the first FAIL"),
        "interrupted": _("interrupted"),
    }[ended.why]
    text = _("soak: {why}. {cases} cases in {runs} runs, {rounds} whole rounds, {hours:.2f} h; status {status}")
    print("\n" + text.format(
        why=why, cases=ended.cases, runs=len(ended.runs), rounds=ended.rounds, hours=ended.hours, status=ended.status
    ))
    for one in ended.runs:
        if one.status:
            print(_("  status {status}: {page}").format(status=one.status, page=results / one.name / "index.html"))
    sys.stdout.flush()
