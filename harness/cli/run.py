"""``hil97 run``: the lab suites on the benches of an inventory, with a page at the end."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.i18n import _

DEFAULT_LAB = "lab_config/emulated.yaml"


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "run",
        help=_("run the lab suites and judge"),
        description=_("Runs the suites on the benches of an inventory, judges what happened, writes the page."),
        epilog=_(
            "Exit status: 0 every declared requirement PASS (or an allowed NOT APPLICABLE); 1 a FAIL; "
            "2 bad input or usage; 3 no FAIL but an ERROR of the bench; "
            "4 neither, but a declared requirement is undecided."
        ),
    )
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=_("folders, files or tests (default: suites)"))
    parser.add_argument(
        "--lab", metavar="FILE", default=DEFAULT_LAB, help=_("inventory of benches (default: lab_config/emulated.yaml)")
    )
    parser.add_argument(
        "-n",
        dest="workers",
        metavar="N",
        type=_workers,
        help=_("how many benches at the same time (default: all; 0: one process)"),
    )
    parser.add_argument(
        "--firmware",
        metavar="WHAT",
        help=_("boot this on every emulated bench: a shipped defect, an image or a source folder"),
    )
    parser.add_argument(
        "--from", dest="from_versions", metavar="V[,V...]",
        help=_("versions (released, or image files) from which tests of firmware updates begin"),
    )
    parser.add_argument("--nightly", action="store_true", help=_("the tests for the night too"))
    parser.add_argument("-k", dest="select", metavar="EXPRESSION", help=_("only tests that match, as in pytest"))
    parser.add_argument(
        "--seed", metavar="NAME", help=_("another pairwise set of transaction cases (default: hil97)")
    )
    parser.add_argument(
        "--cases", metavar="FROM:COUNT", help=_("these of all transaction cases, counted from 0, not a pairwise set")
    )
    parser.add_argument("--results", metavar="DIR", default="results", help=_("where runs are kept (default: results)"))
    parser.add_argument("--run-name", metavar="NAME", help=_("name of this run (default: date and time)"))
    parser.set_defaults(run=run)


def _workers(text: str) -> int:
    if text.isascii() and text.isdigit():
        return int(text)
    raise argparse.ArgumentTypeError(_("{text!r} is no number of benches; 0 or more").format(text=text))


def run(args: argparse.Namespace) -> int:
    """Checks what can be checked at once, then runs pytest inside the lab's own namespaces."""
    from harness.campaigns.launch import Request, check, launch
    from harness.campaigns.plan import check_results, new_run_name

    request = Request(
        lab=args.lab, suites=args.suites or ["suites"], results=args.results, firmware=args.firmware,
        select=args.select, workers=args.workers, seed=args.seed, part=args.cases,
        language=args.lang, from_versions=args.from_versions, nightly=args.nightly,
    )
    check(request)
    check_results(Path(args.results), args.run_name)
    return launch(request, args.run_name or new_run_name())
