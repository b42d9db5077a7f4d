"""``hil97 replay RUN``: the tests of a stored run, or one of them, driven again from their histories."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from harness.errors import BadInput
from harness.i18n import _


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "replay",
        help=_("drive a stored run again, from its histories"),
        description=_(
            "Does again what the histories of a run say was done: operations, back office, misbehaviour, power, cable, "
            "faults with the same values and seeds, at the same moments. The result is a run of its own, judged anew."
        ),
        epilog=_("Exit status: as of hil97 run."),
    )
    parser.add_argument("run_dir", metavar="RUN", help=_("folder of a run, or its name under results/"))
    parser.add_argument("--test", metavar="ID", help=_("only this test: its id, or a part that only it has"))
    parser.add_argument("--lab", metavar="FILE", help=_("inventory of benches (default: that of the run)"))
    parser.add_argument(
        "--firmware", metavar="WHAT", help=_("boot this on every emulated bench (default: what the run booted)")
    )
    parser.add_argument("--results", metavar="DIR", default="results", help=_("where runs are kept (default: results)"))
    parser.add_argument("--run-name", metavar="NAME", help=_("name of this run (default: date and time)"))
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Checks what can be checked at once, then runs the one test that plays recorded ones."""
    import harness.campaigns.replaying
    from harness.campaigns.launch import Request, check, launch
    from harness.campaigns.plan import check_results, new_run_name, open_lab
    from harness.campaigns.recorded import recorded
    from harness.cli.judge import find_run
    from harness.run_info import RunInfo, read

    folder = find_run(args.run_dir).resolve()
    info = read(folder) or RunInfo()
    tests = recorded(folder, args.test)
    lab = args.lab or info.lab
    if not lab:
        raise BadInput("it is not known on which inventory this run was", where=str(folder), remedy="Name one: --lab.")
    known = {entry.label for entry in open_lab(Path(lab)).emulated}
    if not any(one.label in known for one in tests):
        wanted = ", ".join(sorted({one.label for one in tests}))
        raise BadInput(
            f"no bench of this inventory is of a group on which it ran: {wanted}", where=lab,
            remedy="Name the inventory of that run: --lab.",
        )
    request = Request(
        lab=lab, suites=[str(Path(harness.campaigns.replaying.__file__).with_name("test_recorded.py"))],
        results=args.results, firmware=args.firmware or _option(info.arguments, "--firmware"),
        workers=min(len({one.label for one in tests}), len(tests)), replay=str(folder),
        replay_test=tests[0].test if args.test else None, language=args.lang,
    )
    check(request)
    check_results(Path(args.results), args.run_name)
    return launch(request, args.run_name or new_run_name())


def _option(arguments: Sequence[str], name: str) -> str | None:
    return arguments[arguments.index(name) + 1] if name in arguments[:-1] else None
