"""``hil97 lab``: is an inventory right, which benches does it make, and are its instruments safe?"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.lab_answer import add_answer
from harness.errors import BadInput, BenchError
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
    check.add_argument(
        "--open", action="store_true", help=_("also open the serial ports of physical benches, and all instruments")
    )
    check.set_defaults(run=_check)
    safe = commands.add_parser(
        "safe", help=_("bring all instruments to their safe state"),
        description=_(
            "Brings the instruments of an inventory to their safe state by hand: all at the same time, each tried "
            "again until it is there. Those of a run are the affair of its guard; emulated ones live with their run. "
            "Exit 0, 2, or 3 where one could not be reached."
        ),
    )
    safe.add_argument("file", type=Path, metavar="FILE", help=_("the inventory, YAML"))
    safe.add_argument("benches", nargs="*", metavar="BENCH", help=_("only these benches"))
    safe.add_argument("--within", type=float, default=30.0, metavar="S", help=_("for how many seconds (default: 30)"))
    safe.set_defaults(run=_safe)
    add_answer(commands)


def _check(args: argparse.Namespace) -> int:
    from harness.lab.inventory import load_lab
    from harness.lab.stress import check_all

    lab = load_lab(args.file)
    check_all(lab.benches)
    if args.open:
        from harness.lab.ports import missing

        problems = [problem for entry in lab.physical for problem in missing(entry)]
        answers, silent = _instruments(lab)
        if problems or silent:
            told = [*silent, *problems]  # an instrument says itself what to do next
            raise BadInput("\n".join(told), remedy=_("plug it in, or correct the inventory") if problems else "")
        print("\n".join(answers), end="\n" if answers else "")
    _print(lab)
    return 0


def _instruments(lab: Lab) -> tuple[list[str], list[str]]:
    """What those that can be reached say of themselves and read; and what is wrong with the others."""
    if not any(entry.instruments for entry in lab.benches):
        return [], []
    from harness.instruments.by_hand import asked, each, real

    answers, silent = [], []
    for (bench, one), result in each(real(lab.benches), asked):
        if isinstance(result, str):
            silent.append(result)
            continue
        identity, values = result
        told = ", ".join(f"{name} {value:g}" for name, value in values.items())
        answers.append(f"{bench.name}: {one.name}: {identity}{f': {told}' if told else ''}")
    return answers, silent


def _safe(args: argparse.Namespace) -> int:
    from harness.instruments.by_hand import by_operator, each, made_safe, real
    from harness.lab.inventory import load_lab

    lab = load_lab(args.file)
    unknown = [name for name in args.benches if name not in {entry.name for entry in lab.benches}]
    if unknown:
        known = ", ".join(entry.name for entry in lab.benches)
        raise BadInput(f"there is no bench {unknown[0]}; known: {known}", where=str(args.file))
    chosen = [entry for entry in lab.benches if not args.benches or entry.name in args.benches]
    ones, persons = real(chosen), by_operator(chosen)
    for bench, one, state in persons:
        print(_("{bench}: {instrument}: see for yourself that it is safe: {state}").format(
            bench=bench.name, instrument=one.name, state=state))
    if not ones and not persons:
        print(_("no instruments here but emulated ones, which live and end with their run"))
        return 0
    troubles = []
    for (bench, one), result in each(ones, lambda entry, around: made_safe(entry, around, args.within)):
        if isinstance(result, str):
            troubles.append(result)
        else:
            print(_("{bench}: {instrument}: safe").format(bench=bench.name, instrument=one.name))
    if troubles:
        raise BenchError("\n".join(troubles), remedy="bring it to its safe state by hand, at its own panel")
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
            if entry.instruments:
                details.append(", ".join(one.name for one in entry.instruments))
            print(f"    {entry.name}: {', '.join(details)}")
            _print_warnings(entry)


def _print_warnings(entry: BenchEntry) -> None:
    if not any(not one.emulated for one in entry.instruments):
        return
    from harness.instruments.drivers import known
    from harness.lab.instrument_entry import EMULATED, OPERATOR

    for one in entry.instruments:
        driver = known()[one.driver]
        doorless = driver.kind == "chamber" and "door_open" not in driver.quantities
        if doorless and one.address not in (EMULATED, OPERATOR):
            text = _(
                "instrument {name}: the driver {driver} reads no door contact, so nothing stops it while its door is"
                " open (docs/instruments.md)"
            )
            print(f"      {text.format(name=one.name, driver=one.driver)}")
        if not one.emulated and not driver.tried:
            text = _("instrument {name}: nobody has tried the driver {driver} on hardware yet (docs/instruments.md)")
            print(f"      {text.format(name=one.name, driver=one.driver)}")
