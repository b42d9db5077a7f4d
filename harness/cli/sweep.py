"""``hil97 firmware sweep``: the power cut at every flash operation of an update, and what the unit is after it."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from harness.campaigns.sweep import STAGES
from harness.errors import BadInput
from harness.i18n import _

if TYPE_CHECKING:
    from argparse import _SubParsersAction
    from collections.abc import Mapping

    from harness.campaigns.sweep.run import Report, Result
    from harness.terminal.model import Model

_SHOWN = 10  # findings; the report has them all
_EVERY_S = 0.5


def add_parser(commands: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """``sweep``."""
    parser = commands.add_parser(
        "sweep", help=_("cut the power at every flash operation of an update"),
        description=_("Updates an emulated terminal once, and starts it from every moment at which its power could "
                      "have been cut: it must be the old or the new version, with all that it held."),
        epilog=_("Exit status: 0 every cut ends well; 1 one does not; 2 bad input or usage; 3 a real board says "
                 "something else than the replay, or a process failed."),
    )
    parser.add_argument("image", metavar="IMAGE", help=_("what is installed: a released version or an image file"))
    parser.add_argument("--from", dest="old", required=True, metavar="IMAGE",
                        help=_("what runs before: a released version or an image file"))
    parser.add_argument("--flash", type=Path, help=_("flash file of a unit to begin with (default: one is made)"))
    parser.add_argument("--model", default="HT-100", help=_("model of the terminal (default: HT-100)"))
    parser.add_argument("--lab-config", type=Path, default=Path("lab_config"), metavar="DIR",
                        help=_("folder with models and profiles (default: lab_config)"))
    parser.add_argument("--sample", action="store_true", help=_("of the transfer only some cuts, chosen by the seed"))
    parser.add_argument("--stage", action="append", choices=STAGES, metavar="STAGE",
                        help=_("only in this one, may be repeated: {stages}").format(stages=", ".join(STAGES)))
    parser.add_argument("--confirm", type=int, default=200, metavar="N",
                        help=_("results that a real board confirms (default: 200)"))
    parser.add_argument("--seed", type=int, default=1, help=_("which those are (default: 1)"))
    parser.add_argument("-n", dest="workers", type=int, default=2, metavar="N",
                        help=_("how many processes at the same time (default: 2)"))
    parser.add_argument("-o", "--output", type=Path, metavar="FILE",
                        help=_("every cut and what became of it, JSON lines"))
    parser.set_defaults(run=_sweep)


def _sweep(args: argparse.Namespace) -> int:
    from harness.campaigns.sweep.run import Job, sweep
    from harness.campaigns.sweep.stored import write
    from harness.emulator.shipped import TEST_PUBLIC_KEY
    from harness.lab.firmware_images import make_from

    if args.workers < 1 or args.confirm < 0:
        text = f"{args.workers}, {args.confirm}"
        raise BadInput(_("{text!r} is no number of processes or results").format(text=text))
    if args.output and (args.output.is_dir() or not args.output.parent.is_dir()):
        raise BadInput(_("the report can't be written there"), where=str(args.output))
    model = _model(args.lab_config, args.model)
    with tempfile.TemporaryDirectory(prefix="hil97-sweep-") as folder:
        images = make_from([args.old, args.image], Path(folder))
        job = Job(model, TEST_PUBLIC_KEY, Path(images[args.image].path), Path(images[args.old].path), args.flash,
                  stages=tuple(args.stage or STAGES),
                  everything=not args.sample, cold=args.confirm, seed=args.seed, workers=args.workers)
        try:
            report = sweep(job, _Progress())
        except BadInput as error:
            raise _as_named(error, {image.path: name for name, image in images.items()}) from error
    if args.output:
        write(report, args.output)
    _print(report)
    return 1 if report.bad else 3 if report.disagreeing else 0


def _as_named(error: BadInput, names: Mapping[str, str]) -> BadInput:
    """The same about what the user named. ``names``: path of a copy, which is gone by then -> that."""
    path, colon, offset = error.where.partition(": ")
    if path not in names:
        return error
    return BadInput(error.message, where=names[path] + colon + offset, remedy=error.remedy)


class _Progress:
    """One line on a terminal, nothing elsewhere."""

    def __init__(self) -> None:
        self._at = 0.0

    def __call__(self, what: str, done: int, total: int) -> None:
        if not sys.stderr.isatty() or (done < total and time.monotonic() - self._at < _EVERY_S):
            return
        self._at = time.monotonic()
        words = {"record": _("the update is recorded"), "replay": _("cuts replayed"), "cold": _("confirmed by a board")}
        end = "\n" if done == total else ""
        print(f"\r{words[what]}: {done}/{total}", end=end, file=sys.stderr, flush=True)


def _model(folder: Path, name: str) -> Model:
    from harness.lab.catalogue import load_model, names
    from harness.terminal.model import Model

    path = folder / "models" / f"{name}.yaml"
    if not path.is_file():
        known = names(folder, Model)
        remedy = _("There are: {names}.").format(names=", ".join(known)) if known else _(
            "There is no such folder. Start it in the project's folder, or give a path."
        )
        raise BadInput(_("there is no model {name}").format(name=name), where=str(folder), remedy=remedy)
    return load_model(path)


def _print(report: Report) -> None:
    words = {"transfer": _("transfer"), "commit": _("commit"), "trial": _("trial"), "migration": _("migration"),
             "confirmation": _("confirmation"), "return": _("return")}
    print(_("{old} to {new}: {operations} flash operations, {cuts} cuts, {rate:.0f} a second").format(
        old=report.before.version, new=report.new, operations=report.operations, cuts=len(report.results),
        rate=len(report.results) / report.seconds if report.seconds else 0,
    ))
    rows: list[tuple[str, ...]] = [(_("stage"), _("operations"), _("cuts"), _("old"), _("new"), _("neither"))]
    for stage in STAGES:
        count = report.count(stage)
        rows.append((words[stage], str(report.by_stage[stage]), str(count.total()),
                     *(str(count[one]) for one in ("old", "new", "neither"))))
    widths = [max(_cells(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(text + " " * (width - _cells(text)) for text, width in zip(row, widths, strict=True)).rstrip())
    asked = sum(result.cold is not None for result in report.results)
    print(_("{agree} of {asked} confirmed by a real board, seed {seed}").format(
        agree=asked - len(report.disagreeing), asked=asked, seed=report.seed))
    for result in report.bad[:_SHOWN]:
        print(f"{_place(result)}: {result.reason}")
    for result in report.disagreeing[:_SHOWN]:
        print(_("{place}: the board says {cold}, the replay {replayed}").format(
            place=_place(result), cold=result.cold, replayed=result.unit))


def _place(result: Result) -> str:
    torn = _("in the middle of") if result.cut.torn else _("before")
    return f"{torn} {result.cut.number} ({result.stage})"


def _cells(text: str) -> int:
    """Columns on a terminal: a Chinese character takes two."""
    return sum(2 if ord(one) > 0x2E7F else 1 for one in text)
