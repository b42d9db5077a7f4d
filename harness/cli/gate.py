"""``hil97 gate``: may this image be released? Also its own tests: on defective firmwares, for hours on sound ones."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import BadInput
from harness.i18n import _

if TYPE_CHECKING:
    from harness.campaigns.gate import Wanted
    from harness.campaigns.gate_soak import One, Pair
    from harness.gate import GateRecord

DEFAULT_LAB = "lab_config/emulated.yaml"
GATE = "hil97 gate IMAGE"
# What each of the four takes beside IMAGE, -n and --results.
_TAKES = {
    GATE: ("from_versions", "baseline", "lab", "seed", "run_name"),
    "--soak": ("from_versions", "baseline", "lab", "seed", "hours", "count"),
    "--self-test": ("whole", "model", "lab_config"),
    "--reproduce": ("run_name",),
}
_NOT_GIVEN = {"from_versions": "", "lab": DEFAULT_LAB, "model": "HT-200", "lab_config": Path("lab_config")}


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "gate",
        help=_("decide whether a firmware image may be released"),
        description=_(
            "Installs an image on leased benches, runs install, firmware, registration, recovery and network suites, "
            "runs again once what did not pass, compares with a baseline, and decides. A rerun never turns a failure "
            "green. Writes gate.json, the page, junit.xml, and for a blocked release a bundle that reproduces the "
            "finding on another machine."
        ),
        epilog=_(
            "Exit status: 0 released; 1 blocked: a FAIL; 2 bad input or usage; 3 no FAIL but an ERROR of the bench; "
            "4 neither, but something that had to be decided is undecided or flaky."
        ),
    )
    parser.add_argument(
        "images", nargs="*", metavar="IMAGE",
        help=_("the image; with --self-test firmwares that ship with the project (default: all)"),
    )
    parser.add_argument(
        "--from", dest="from_versions", metavar="V[,V...]",
        help=_("versions that it is updated from: released ones, or image files"),
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--quick", action="store_true", help=_("a minute's check before a merge; says what it left out"))
    what.add_argument("--self-test", action="store_true", help=_(
        "drive each defective firmware on one bench through the tests that declare what it breaks, of all suites, to "
        "its first FAIL, and the references: does the gate's judge find that, and nothing else? No gate is run"
    ))
    what.add_argument("--soak", action="store_true", help=_("gate sound images again and again, one core kept busy"))
    what.add_argument("--reproduce", type=Path, metavar="BUNDLE",
                      help=_("run again what a blocked gate's bundle tells of"))
    parser.add_argument("--baseline", type=Path, metavar="RUN", help=_("folder of a run to compare with"))
    parser.add_argument(
        "--lab", metavar="FILE", help=_("inventory of benches (default: lab_config/emulated.yaml)")
    )
    parser.add_argument("-n", dest="workers", metavar="N", type=_number,
                        help=_(
                            "how many benches at the same time (default: all; 0: one process); "
                            "with --self-test: how many firmwares (default: 2)"
                        ))
    parser.add_argument(
        "--seed", metavar="NAME", help=_(
            "another pairwise set of transaction cases (default: hil97); with --soak its gates have NAME-1, NAME-2 and "
            "so on (default: soak- and the date in UTC)"
        )
    )
    parser.add_argument("--results", metavar="DIR", help=_("where runs are kept (default: results)"))
    parser.add_argument("--run-name", metavar="NAME", help=_("name of this run (default: date and time)"))
    own = parser.add_argument_group(_("with --self-test"))
    own.add_argument("--whole", action="store_true", help=_("every test on every firmware, to its end"))
    own.add_argument("--model", help=_("model of the bench, but for defects that name theirs (default: HT-200)"))
    own.add_argument("--lab-config", type=Path, metavar="DIR",
                     help=_("folder with models and profiles (default: lab_config)"))
    own = parser.add_argument_group(_("with --soak"))
    own.add_argument("--hours", type=_positive, metavar="H", help=_("begin no further gate after so many hours"))
    own.add_argument("--count", type=_count, metavar="N", help=_("so many gates (default: each image once)"))
    parser.set_defaults(run=run)


def _number(text: str) -> int:
    if text.isascii() and text.isdigit():
        return int(text)
    raise argparse.ArgumentTypeError(_("{text!r} is no number of benches; 0 or more").format(text=text))


def _count(text: str) -> int:
    if text.isascii() and text.isdigit() and int(text):
        return int(text)
    raise argparse.ArgumentTypeError(_("{text!r} is no count from 1 on").format(text=text))


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if 0 < value < 1e6:
        return value
    raise argparse.ArgumentTypeError(_("{text!r} is no number above 0").format(text=text))


def run(args: argparse.Namespace) -> int:
    """One of the four things that it does. BadInput for an option that is not of that one."""
    _check_options(args)
    if args.self_test:
        from harness.cli.gate_self_test import run_self_test

        return run_self_test(args.images, args)
    if args.reproduce is not None:
        return _reproduce(args)
    if args.soak:
        return _soak(args)
    return _gate(args)


def _check_options(args: argparse.Namespace) -> None:
    """Refuses what would be without effect, and puts in what was not given."""
    doing = "--self-test" if args.self_test else "--soak" if args.soak else GATE
    doing = "--reproduce" if args.reproduce is not None else doing
    every = dict.fromkeys(name for names in _TAKES.values() for name in names)
    given = [name for name in every if getattr(args, name) not in (None, False)]
    idle = [_flag(name) for name in given if name not in _TAKES[doing]]
    if idle:
        raise BadInput(_("{doing} does not take {options}").format(doing=doing, options=", ".join(idle)),
                       remedy=_("leave it out: it would be without effect here; see hil97 gate --help"))
    if args.soak and "from_versions" in given and not args.images:
        raise BadInput(_("--from names what an image is updated from, and no image is named"),
                       remedy=_("name one, or leave --from out: then each released version is gated from those below"))
    for name, value in _NOT_GIVEN.items():
        if getattr(args, name) is None:
            setattr(args, name, value)


def _flag(name: str) -> str:
    return "--from" if name == "from_versions" else f"--{name.replace('_', '-')}"


def _gate(args: argparse.Namespace) -> int:
    from harness.campaigns.gate import check, gate, request_of
    from harness.campaigns.launch import check as launch_check
    from harness.campaigns.launch import launch
    from harness.campaigns.plan import check_results, new_run_name

    wanted = _wanted(args, args.images, args.from_versions, args.seed)
    check(wanted)
    launch_check(request_of(wanted))
    check_results(Path(wanted.results), args.run_name)
    name = args.run_name or new_run_name()
    record = gate(wanted, name, launch=launch, told=_say)
    if record is None:
        return 2
    _finish(record, Path(wanted.results, name))
    return record.status


def _wanted(args: argparse.Namespace, images: list[str], from_versions: str, seed: str | None) -> Wanted:
    from harness.campaigns.gate import Wanted
    from harness.cli.judge import find_run

    if len(images) != 1:
        raise BadInput(
            _("one image is to be named, and {count} are").format(count=len(images)),
            remedy=_("hil97 gate IMAGE --from V; build one: hil97 firmware build --help"),
        )
    return Wanted(
        image=Path(images[0]), from_versions=from_versions, lab=args.lab, results=args.results or "results",
        baseline=find_run(str(args.baseline)) if args.baseline else None, quick=args.quick, workers=args.workers,
        seed=seed, language=args.lang,
    )


def _say(what: str, count: int) -> None:
    if what == "again":
        print("\n" + _("{count} tests did not pass; they are run again once").format(count=count), flush=True)


def _finish(record: GateRecord, folder: Path) -> None:
    """The page and JUnit once more, now with the decision; and the decision in words."""
    from harness.reports import junit, page
    from harness.reports.gate import lines

    if (folder / "run.json").exists():
        page.write(folder)
        junit.write(folder)
    for line in lines(record, folder):
        print(line)
    sys.stdout.flush()


def _reproduce(args: argparse.Namespace) -> int:
    from harness.campaigns.gate import reproduce
    from harness.campaigns.launch import launch
    from harness.campaigns.plan import check_results, new_run_name

    if args.images:
        raise BadInput(_("--reproduce takes its image from the bundle"), where=args.images[0])
    results = args.results or "results"
    check_results(Path(results), args.run_name)
    ended = reproduce(args.reproduce, args.run_name or f"reproduce-{new_run_name()}", results=results, launch=launch,
                      workers=args.workers, language=args.lang)
    if ended is None:
        return 2
    then, now, status = ended
    if set(now) == set(then):
        print(_("reproduced: {rules}").format(rules=", ".join(now)))
    elif now:
        gone = ", ".join(rule for rule in then if rule not in now)
        print(_("reproduced: {rules}; not again: {gone}").format(rules=", ".join(now), gone=gone))
    else:
        print(_("not reproduced: {rules}").format(rules=", ".join(then)))
    return status


def _soak(args: argparse.Namespace) -> int:
    from harness.campaigns.gate import check, gate
    from harness.campaigns.gate_soak import FILE, Pair, busy_core, soak
    from harness.campaigns.launch import launch
    from harness.campaigns.plan import new_run_name
    from harness.reports.gate import DECISIONS

    folder = Path(args.results or Path("results", f"gate-soak-{new_run_name()}"))
    pairs = [Pair(image, args.from_versions) for image in args.images] or _released_pairs(folder)
    for pair in pairs:
        check(_wanted(args, [pair.image], pair.from_versions, None))

    def one(pair: Pair, name: str, seed: str) -> GateRecord | None:
        wanted = _wanted(args, [pair.image], pair.from_versions, seed)
        record = gate(replace(wanted, results=str(folder)), name, launch=launch, told=_say)
        if record is not None:
            _finish(record, folder / name)
        return record

    def told(gated: One) -> None:
        print(f"{gated.run}: {gated.image}, {DECISIONS[gated.decision]}, {gated.seconds:.0f} s", flush=True)

    seed = args.seed or f"soak-{datetime.now(UTC):%Y-%m-%d}"
    with busy_core():
        tally = soak(pairs, folder, seed=seed, gate=one, clock=time.monotonic, hours=args.hours, told=told,
                     count=args.count or (None if args.hours else len(pairs)))
    text = _(
        "{gates} gates in {hours:.2f} h: {released} released, {blocked} false blocks, {undecided} undecided, "
        "{errors} bench errors; --seed {seed}: {file}"
    )
    print(text.format(
        gates=len(tally.gates), hours=tally.hours, released=tally.count("released"), blocked=tally.count("blocked"),
        undecided=tally.count("undecided"), errors=tally.count("error"), seed=tally.seed,
        file=folder / FILE,
    ))
    return tally.status


def _released_pairs(folder: Path) -> list[Pair]:
    """Each released version that is above another one, from all below it."""
    from harness.campaigns.gate_soak import Pair
    from harness.lab.firmware_images import make_from, released, version_key

    versions = sorted(released(), key=version_key)
    if len(versions) < 2:
        raise BadInput(
            _("there is one released version, and none that it could be updated from"),
            remedy=_("name an image: hil97 gate IMAGE --from V --soak"),
        )
    images = make_from(versions, folder / "images")
    return [
        Pair(images[version].path, ",".join(versions[:number])) for number, version in enumerate(versions) if number
    ]
