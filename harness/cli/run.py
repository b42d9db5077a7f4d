"""``hil97 run``: the lab suites on the benches of an inventory, with a page at the end."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from harness.errors import BadInput
from harness.i18n import _

UNDECIDED = 4  # the highest status that a run ends with by itself
DEFAULT_LAB = "lab_config/emulated.yaml"
DISPLAY = ("-qq", "--no-header", "--tb=no", "-rN", "-p", "harness.campaigns.display")  # ours in place of pytest's lines


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
    parser.add_argument("-k", dest="select", metavar="EXPRESSION", help=_("only tests that match, as in pytest"))
    parser.add_argument("--results", metavar="DIR", default="results", help=_("where runs are kept (default: results)"))
    parser.add_argument("--run-name", metavar="NAME", help=_("name of this run (default: date and time)"))
    parser.set_defaults(run=run)


def _workers(text: str) -> int:
    if text.isascii() and text.isdigit():
        return int(text)
    raise argparse.ArgumentTypeError(_("{text!r} is no number of benches; 0 or more").format(text=text))


def run(args: argparse.Namespace) -> int:
    """Checks what can be checked at once, then runs pytest inside the lab's own namespaces.

    Where pytest was killed there, what was seen is judged here.
    """
    from harness.campaigns.finish import finish_killed
    from harness.campaigns.plan import check_results, check_startable, new_run_name, open_lab
    from harness.lab import contained, rootless, scratch

    suites = args.suites or ["suites"]
    for suite in suites:
        if not Path(suite.split("::")[0]).exists():
            raise BadInput(
                _("there is no suite {suite}").format(suite=suite),
                remedy=_("start hil97 run in the project's folder, or name a path"),
            )
    lab = open_lab(Path(args.lab), args.firmware)
    check_startable(lab)
    check_results(Path(args.results), args.run_name)
    name = args.run_name or new_run_name()
    workers = min(len(lab.emulated), args.workers if args.workers is not None else len(lab.emulated))
    command = [
        sys.executable,
        "-m",
        "pytest",
        *suites,
        "--lab",
        args.lab,
        "-n",
        str(workers),
        "--results",
        args.results,
    ]
    command += [*DISPLAY, "-p", "no:cacheprovider"]
    for option, value in (("--firmware", args.firmware), ("--run-name", name), ("-k", args.select)):
        if value:
            command += [option, value]
    rootless.probe()
    language = {"HIL97_LANG": args.lang} if args.lang else {}
    status = contained.run_contained(command, dict(os.environ) | language)
    scratch.sweep()
    return status if status <= UNDECIDED else finish_killed(Path(args.results, name))
