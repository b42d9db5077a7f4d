"""``hil97 wire``: which faults the wire knows; and one of them armed by hand on a bench that is open."""

from __future__ import annotations

import argparse
import json
import re
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cli import wire_open
from harness.errors import BadInput
from harness.i18n import _

if TYPE_CHECKING:
    from harness.bench.door import Card
    from harness.history.events import FaultStruck
    from harness.wire.faults import Fault

_COMMON = ("count", "percent", "seed", "only", "for_s")


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("wire", help=_("faults of the wire: which there are, and one armed by hand"))
    commands = parser.add_subparsers(dest="action", required=True, metavar=_("COMMAND"))
    faults = commands.add_parser(
        "faults", help=_("list them, with their parameters"),
        description=_("Lists the faults of the wire, or tells all about one: parameters, defaults, other names."),
    )
    faults.add_argument("name", nargs="?", metavar="NAME", help=_("one fault, by any of its names"))
    faults.add_argument("--json", action="store_true", help=_("for programs"))
    faults.set_defaults(run=_faults)
    arm = commands.add_parser(
        "arm", help=_("arm one on a bench that is open"),
        description=_(
            "Arms a fault on a bench that is open in a run of this user, shows what it strikes, and heals it after the "
            "time given, when it has ended by itself, with the test of the run, or with Ctrl-C."
        ),
        epilog=_("Exit status: 0 it was armed and is healed; 2 bad input, or no such bench is open; 3 it broke."),
    )
    arm.add_argument("--bench", required=True, metavar="NAME", help=_("the bench, by its name in the inventory"))
    arm.add_argument("--lab", type=Path, metavar="FILE", help=_("its inventory, where several have such a bench"))
    arm.add_argument("--for", type=_seconds, metavar="TIME", dest="seconds",
                     help=_("heal it after so long, such as 30s or 2m (default: when it ends by itself)"))
    arm.add_argument("fault", nargs="+", metavar="FAULT",
                     help=_("FAULT [key=value ...] [at MOMENT], such as: swallow at response to 0200"))
    arm.set_defaults(run=_arm)
    wire_open.add_parser(commands)


def _seconds(text: str) -> float:
    found = re.fullmatch(r"(\d{1,6}(?:\.\d+)?)(s|m|h|)", text, re.ASCII)
    if found is None:
        raise argparse.ArgumentTypeError(_("{text!r} is no time such as 30s or 2m").format(text=text))
    return float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[found[2]]


# -- faults -----------------------------------------------------------------------------------------------------------


def _faults(args: argparse.Namespace) -> int:
    from harness.wire.faults import catalogue, named

    kinds = list(catalogue().values())
    if args.name is not None:
        kind = named(args.name)
        if kind is None:
            raise BadInput(f"there is no fault {args.name!r}", remedy=f"Known: {', '.join(catalogue())}.")
        kinds = [kind]
    if args.json:
        print(json.dumps([_described(kind) for kind in kinds], ensure_ascii=False, indent=1))
    elif args.name is not None:
        _tell(kinds[0])
    else:
        width = max(len(kind.called()) for kind in kinds)
        for kind in kinds:
            print(f"{kind.called():{width}}  {_level(kind):8} {_about(kind)}")
        print(_("\nhil97 wire faults NAME tells all about one; docs/wire.md tells what a moment is."))
    return 0


def _described(kind: type[Fault]) -> dict[str, Any]:
    """A fault for programs. A parameter without default is required."""
    schema = kind.model_json_schema()
    return {
        "fault": kind.called(),
        "level": kind.level,
        "also": list(kind.known_as),
        "changes_content": kind.changes_content,
        "about": _about(kind),
        "parameters": {name: one for name, one in schema["properties"].items() if name != "fault"},
        "required": [name for name in schema.get("required", []) if name != "fault"],
    }


def _tell(kind: type[Fault]) -> None:
    also = f" ({', '.join(kind.known_as)})" if kind.known_as else ""
    print(f"{kind.called()}{also}: {_about(kind)}\n")
    print(" ".join((kind.__doc__ or "").split()))
    level = _("acts on: {level}").format(level=_level(kind))
    print(f"\n{level}" + (_("; changes content: not on TLS links") if kind.changes_content else ""))
    for title, names in ((_("parameters"), _own(kind)), (_("of every fault"), _COMMON)):
        print(f"\n{title}:" if names else "", end="\n" if names else "")
        for name in names:
            field = kind.model_fields[name]
            default = _("required") if field.is_required() else _shown(field.default)
            print(f"  {name:14} {_type_of(kind, name)}  [{default}]")
    print("\n" + _("of the match, written as the others: direction (to_acquirer, to_terminal, both), address, port; "
                   "the moment behind `at`"))  # fmt: skip


def _own(kind: type[Fault]) -> tuple[str, ...]:
    return tuple(name for name in kind.model_fields if name not in ("fault", "match", *_COMMON))


def _level(kind: type[Fault]) -> str:
    return {"message": _("message"), "packet": _("packet"), "service": _("service")}[kind.level]


def _about(kind: type[Fault]) -> str:
    """The first line of its file, in the language in force."""
    return _((sys.modules[kind.__module__].__doc__ or "").strip().splitlines()[0])


def _shown(value: object) -> str:
    return _("none") if value is None else str(value)


def _type_of(kind: type[Fault], name: str) -> str:
    """What it takes, in a word or two, out of the JSON schema."""
    schema = kind.model_json_schema()["properties"][name]
    parts = []
    for one in schema.get("anyOf", [schema]):
        if "enum" in one:
            parts.append("|".join(one["enum"]))
        elif one.get("type") != "null":
            low, high = one.get("minimum", one.get("exclusiveMinimum")), one.get("maximum")
            span = "" if low is None and high is None else f" {_limit(low)}..{_limit(high)}"
            parts.append(one.get("type", "") + span)
    return ", ".join(parts)


def _limit(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


# -- arm --------------------------------------------------------------------------------------------------------------


def _arm(args: argparse.Namespace) -> int:
    from harness.bench.door import knock
    from harness.wire.by_hand import ByHand
    from harness.wire.faults.spoken import parse, words

    fault = parse(" ".join(args.fault))
    card, scratch = _find(args.bench, args.lab)
    with ByHand(knock(scratch)) as hand:
        number = hand.arm(fault)
        print(_("{bench} ({run}): fault {number} armed: {fault}").format(
            bench=card.bench, run=card.run, number=number, fault=words(fault)), flush=True)  # fmt: skip
        try:
            healed = hand.watch(args.seconds, _say)
        except KeyboardInterrupt:
            hand.heal()
            print(_("\nhealed"))
            return 0
    if healed is None:
        print(_("the bench was closed, and every fault with it"))
    else:
        why = {
            "used_up": _("it has struck as often as it was to"), "over": _("its time is over"),
            "asked": _("healed"), "died": _("the injector ended, and every fault with it"),
        }[healed.why]
        print(why)
    return 0


def _find(name: str, lab: Path | None) -> tuple[Card, Path]:
    """The one open bench that is meant. Raises BadInput with those that are open."""
    from harness.bench.door import open_benches

    benches = list(open_benches())
    scope = None if lab is None else _scope(lab, name)
    found = [one for one in benches if one[0].bench == name and scope in (None, one[0].scope)]
    if len(found) == 1:
        return found[0]
    if found:
        inventories = ", ".join(sorted({card.scope for card, _scratch in found}))
        raise BadInput(
            f"{len(found)} benches named {name} are open",
            remedy=f"Say which with --lab; their inventories: {inventories}.",
        )
    names = ", ".join(sorted({card.bench for card, _scratch in benches}))
    remedy = f"Open now: {names}." if names else "None is open: start hil97 run, hil97 soak or pytest, and try again."
    raise BadInput(f"no bench named {name} is open", remedy=remedy)


def _scope(lab: Path, name: str) -> str:
    from harness.lab.inventory import load_lab

    entries = load_lab(lab).benches
    entry = next((one for one in entries if one.name == name), None)
    if entry is None:
        raise BadInput(
            f"there is no bench {name}", where=str(lab), remedy=f"it has {', '.join(one.name for one in entries)}"
        )
    return entry.scope


def _say(event: FaultStruck) -> None:
    at = datetime.now().strftime("%H:%M:%S")
    packets = _("packets {numbers}").format(numbers=", ".join(map(str, event.packets))) if event.packets else ""
    print(f"  {at}  {event.match:>4}  {event.what}  {packets}".rstrip(), flush=True)
