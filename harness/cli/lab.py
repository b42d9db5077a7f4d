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
    answer = commands.add_parser(
        "answer", help=_("answer what a bench asks its operator"),
        description=_(
            "Answers what a running bench asks whoever stands at it: `done`, with what there is to remark or to read"
            " off, or `no` and why. Without a text it shows what is asked. Exit 0 or 2."
        ),
    )
    answer.add_argument("bench", metavar="BENCH", help=_("its name in the inventory"))
    answer.add_argument("text", metavar="TEXT", nargs="*", help=_("the answer"))
    answer.add_argument("--instrument", metavar="NAME", help=_("which one, where more than one is asked about"))
    answer.set_defaults(run=_answer)


def _answer(args: argparse.Namespace) -> int:
    from harness import i18n
    from harness.i18n_errors import chinese
    from harness.instruments import desk

    found = [one for folder in _folders_of(args.bench) for one in desk.questions(folder)]
    if args.instrument:
        found = [one for one in found if one[1]["instrument"] == args.instrument]
    if not args.text:
        for _path, told in found:
            prompt = chinese(told["prompt"]) if i18n.language() == "zh" else told["prompt"]
            print(_("{instrument}: {prompt} ({seconds:.0f} s left)").format(
                instrument=told["instrument"], prompt=prompt, seconds=told["left_s"]))
        if not found:
            print(_("nothing is asked at bench {bench}").format(bench=args.bench))
        return 0
    if not found:
        raise BadInput(f"nothing is asked at bench {args.bench}", remedy="is its run still going, on this machine?")
    if len(found) > 1:
        names = ", ".join(told["instrument"] for _path, told in found)
        raise BadInput(f"more than one thing is asked at bench {args.bench}: {names}", remedy="name one: --instrument")
    desk.answer(found[0][0], " ".join(args.text))
    return 0


def _folders_of(bench: str) -> list[Path]:
    """The scratch folders of benches of that name, also of one whose worker has died: its guard may still ask."""
    import json

    from harness.bench.door import CARD
    from harness.lab.lease import runtime_folder

    found = []
    for card in sorted(runtime_folder().glob(f"scratch-*/{CARD}")):
        try:
            name = json.loads(card.read_text(encoding="utf-8"))["bench"]
        except (OSError, ValueError, KeyError, TypeError):  # it is being made, or was just closed
            continue
        if name == bench:
            found.append(card.parent)
    return found


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
