"""``hil97 lab answer``: what a bench asks its operator, and the answer."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from harness import stored_json
from harness.errors import BadInput
from harness.i18n import _

if TYPE_CHECKING:
    from argparse import _SubParsersAction


def add_answer(commands: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """``answer``, below ``lab``."""
    parser = commands.add_parser(
        "answer", help=_("answer what a bench asks its operator"),
        description=_(
            "Answers what a running bench asks whoever stands at it: `done`, with what there is to remark or to read"
            " off, or `no` and why. Without a text it shows what is asked. Exit 0 or 2."
        ),
    )
    parser.add_argument("bench", metavar="BENCH", help=_("its name in the inventory"))
    parser.add_argument("text", metavar="TEXT", nargs="*", help=_("the answer"))
    parser.add_argument("--instrument", metavar="NAME", help=_("which one, where more than one is asked about"))
    parser.set_defaults(run=answer)


def answer(args: argparse.Namespace) -> int:
    """Shows the questions, or answers the one that is open."""
    from harness import i18n
    from harness.i18n_errors import chinese
    from harness.instruments import desk

    folders = folders_of(args.bench)
    if not folders:
        raise BadInput(f"no bench {args.bench} is open on this machine; open: {', '.join(open_benches()) or 'none'}",
                       remedy="its name is that of the inventory; its run must be going on, here, under this user")
    found = [one for folder in folders for one in desk.questions(folder)]
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


def folders_of(bench: str) -> list[Path]:
    """The scratch folders of benches of that name, also of one whose worker has died: its guard may still ask."""
    return [folder for name, folder in _cards() if name == bench]


def open_benches() -> list[str]:
    """Their names, sorted."""
    return sorted({name for name, _folder in _cards()})


def _cards() -> Iterator[tuple[str, Path]]:
    from harness.bench.door import CARD
    from harness.lab.lease import runtime_folder

    for card in sorted(runtime_folder().glob(f"scratch-*/{CARD}")):
        try:
            yield str(stored_json.read(card)["bench"]), card.parent
        except (OSError, BadInput, KeyError, TypeError):  # it is being made, or was just closed
            continue
