"""``hil97 lab check``: is an inventory right, and which benches does it make?"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import BadInput
from harness.i18n import _

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from harness.lab.inventory import BenchEntry, Lab


def add_parser(subparsers: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """``lab`` with its sub-commands."""
    parser = subparsers.add_parser("lab", help=_("check an inventory of benches"))
    commands = parser.add_subparsers(dest="action", required=True, metavar=_("COMMAND"))
    check = commands.add_parser(
        "check", help=_("validate an inventory"),
        description=_("Validates an inventory with its models and profiles; prints its benches by group. Exit 0 or 2."),
    )
    check.add_argument("file", type=Path, metavar="FILE", help=_("the inventory, YAML"))
    check.add_argument("--open", action="store_true", help=_("also open the serial ports of physical benches"))
    check.set_defaults(run=_check)


def _check(args: argparse.Namespace) -> int:
    from harness.lab.inventory import load_lab

    lab = load_lab(args.file)
    if args.open:
        from harness.lab.ports import missing

        problems = [problem for entry in lab.physical for problem in missing(entry)]
        if problems:
            raise BadInput("\n".join(problems), remedy=_("plug it in, or correct the inventory"))
    _print(lab)
    return 0


def _print(lab: Lab) -> None:
    print(_("{file}: {benches} benches in {groups} groups").format(
        file=lab.path, benches=len(lab.benches), groups=len(lab.groups)))
    for group, entries in lab.groups.items():
        print(f"  {group}")
        for entry in entries:
            details = [_("emulated") if entry.kind == "emulated" else _("physical")]
            if entry.time_scale != 1:
                details.append(_("time x{scale:g}").format(scale=entry.time_scale))
            if entry.physical_like:
                details.append(_("used like a physical one"))
            print(f"    {entry.name}: {', '.join(details)}")
            _print_untried(entry)


def _print_untried(entry: BenchEntry) -> None:
    if not any(not one.emulated for one in entry.instruments):
        return
    from harness.instruments.drivers import known

    for one in entry.instruments:
        if not one.emulated and not known()[one.driver].tried:
            text = _("instrument {name}: nobody has tried the driver {driver} on hardware yet (docs/instruments.md)")
            print(f"      {text.format(name=one.name, driver=one.driver)}")
