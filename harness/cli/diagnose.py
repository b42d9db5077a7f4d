"""``hil97 diagnose BENCH``: what is the matter with a terminal, from its last run or by looking at it now."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import BadInput, BenchError
from harness.i18n import _

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.diagnosis.judging import Diagnosis
    from harness.diagnosis.signs import Level
    from harness.history.events import AnyEvent, RunOpened

NOT_KNOWN = 4
LAB = "lab_config/emulated.yaml"
KEPT = "diagnoses"  # under results: what a look at a bench leaves is no run of tests
_INSIDE = "HIL97_DIAGNOSE_INSIDE"  # set where this process is the one in the lab of its own


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "diagnose", help=_("say what is the matter with a terminal, and what cures it"),
        description=_(
            "Works from what was seen to the causes that fit it, the likeliest first, with the evidence and the cure. "
            "From the history of the bench's last run, or with --live by looking at it now: questions that a "
            "technician may ask, none of which moves money."
        ),
        epilog=_("Exit status: 0 found, or nothing is wrong; 4 not known; 2 bad input or usage; 3 the bench failed."),
    )  # fmt: skip
    parser.add_argument("bench", metavar="BENCH", help=_("the bench, by its name in run or inventory"))
    parser.add_argument("--run", dest="stored", metavar="RUN",
                        help=_("folder of a run, or its name under results/ (default: latest)"))
    parser.add_argument("--test", metavar="ID", help=_("of the run only this test: its id, or a part that only it has"))
    parser.add_argument("--live", action="store_true", help=_("open the bench and look at it now"))
    parser.add_argument("--lab", metavar="FILE",
                        help=_("its inventory, for --live (default: lab_config/emulated.yaml)"))
    parser.add_argument("--with", dest="trouble", metavar="TROUBLE",
                        help=_("with --live: set this up on the emulated bench first, to practise; 'list' lists them"))
    parser.add_argument("--firmware", metavar="WHAT", help=_("with --live: boot this on the emulated bench"))
    parser.add_argument("--seed", default="practice", help=_("with --with: what is left to chance"))
    parser.add_argument("--outside", action="store_true",
                        help=_("without the acquirer's view: wire, screen, slip and service port only"))
    parser.add_argument("--json", action="store_true", help=_("for programs (docs/diagnosis.md)"))
    parser.add_argument("--results", metavar="DIR", default="results", help=_("where runs are kept (default: results)"))
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    if args.trouble == "list":
        return _list()
    if args.live and args.stored:
        raise BadInput(_("--live looks at the bench now, --run at a stored run: name one of them"))
    if args.trouble and not args.live:
        raise BadInput(_("--with sets a trouble up, which takes --live"))
    return _live(args) if args.live else _stored(args)


def _list() -> int:
    from harness.campaigns.practice import TROUBLES
    from harness.diagnosis.causes import TOLD

    for name, trouble in TROUBLES.items():
        needs = f"  ({', '.join(sorted(trouble.needs))})" if trouble.needs else ""
        print(f"{name:24} {_(TOLD[trouble.cause].name)}{needs}")
    return 0


# -- a stored run ------------------------------------------------------------------------------------------------------


def _stored(args: argparse.Namespace) -> int:
    from harness.cli.judge import find_run

    folder = find_run(args.stored) if args.stored else find_run(str(Path(args.results) / "latest"))
    found = list(_of_run(folder.resolve(), args.bench, args.test, _level(args)))
    if args.json:
        print(json.dumps({"bench": args.bench, "run": folder.resolve().name,
                          "diagnoses": [{"of": name, **_as_json(one)} for name, one in found]},
                         ensure_ascii=False, indent=1))
    else:
        for name, one in found:
            print(name or _("As the log ends:"))
            _print(one)
    return 0 if all(one.known for _name, one in found) else NOT_KNOWN


def _of_run(folder: Path, bench: str, test: str | None, level: Level) -> Iterator[tuple[str, Diagnosis]]:
    """Of each test of the bench that did not pass; of one that is named; else of how its log ends (name "")."""
    from harness.diagnosis.diagnosing import of_log
    from harness.history.events import TestOpened

    logs = _logs_of(folder, bench)
    tests = [event.test for events in logs for event in events if isinstance(event, TestOpened)]
    if test is not None:
        named = [one for one in tests if one == test] or [one for one in tests if test in one]
        if len(named) != 1:
            raise BadInput(
                _("{count} tests of this bench are called so").format(count=len(named)), where=test,
                remedy=_("There are: {names}.").format(names=", ".join(tests[:8]) or "-"),
            )
        test = named[0]
    found = [one for events in logs for one in _of_tests(events, test, level)]
    yield from found or [("", of_log(logs[-1], level))]


def _of_tests(events: Sequence[AnyEvent], test: str | None, level: Level) -> Iterator[tuple[str, Diagnosis]]:
    """Of those of one log: the one that is named, else each that did not pass."""
    from harness.checkers.reading import Reading
    from harness.diagnosis.diagnosing import of_test
    from harness.history.events import RunOpened, TestClosed, TestOpened
    from harness.judge import judge

    tests = [event.test for event in events if isinstance(event, TestOpened)]
    if not tests or (test is not None and test not in tests):
        return
    findings = judge(Reading.of(events))
    closed = {event.test: event.outcome for event in events if isinstance(event, TestClosed)}
    broken = {one.span for one in findings if one.verdict == "FAIL"}
    for one in tests:
        if one == test or (test is None and (one in broken or closed.get(one, "failed") == "failed")):
            span = [event for event in events if event.span == one or isinstance(event, RunOpened)]
            yield one, of_test(span, [finding for finding in findings if finding.span == one], level)


def _logs_of(folder: Path, bench: str) -> list[list[AnyEvent]]:
    """The bench's logs in the run, in order: one for each time that it was opened. BadInput where there is none."""
    from harness.checkers.observed import check_header
    from harness.history import reader

    if bench != Path(bench).name:
        raise BadInput(_("{bench} can't be the name of a bench").format(bench=bench))
    again = re.compile(re.escape(bench) + r"(?:\.(\d+))?")
    places = {path: again.fullmatch(path.parent.name) for path in folder.glob("benches/*/history.jsonl")}
    numbered = sorted((int(found[1] or 0), path) for path, found in places.items() if found)
    if not places:
        raise BadInput(_("this run has no histories: no bench was opened"), where=str(folder))
    if not numbered:
        raise BadInput(
            _("this run has no bench {bench}").format(bench=bench), where=str(folder),
            remedy=_("There are: {names}.").format(names=", ".join(sorted(path.parent.name for path in places))),
        )
    logs = [(path, reader.read(path)) for _number, path in numbered]
    headers = [reader.header_of(events, path) for path, events in logs]
    for (path, _events), header in zip(logs, headers, strict=True):
        if header is not None:
            check_header(header, path)

    def belongs(path: Path, header: RunOpened | None) -> bool:
        """The second time of bench a, and the first of bench a.2, are both in a.2."""
        return header is not None and (path.parent.name == bench or header.bench == bench)

    its = [events for (path, events), header in zip(logs, headers, strict=True) if belongs(path, header)]
    if not its:
        raise BadInput(_("the log is empty: nothing was seen"), where=str(logs[-1][0]))
    return its


# -- now ---------------------------------------------------------------------------------------------------------------


def _live(args: argparse.Namespace) -> int:
    """In a lab of its own, as every run."""
    from harness.campaigns.plan import check_startable, open_lab
    from harness.campaigns.practice import TROUBLES
    from harness.lab import contained, rootless, scratch

    lab = open_lab(Path(args.lab or LAB), args.firmware)
    known = [entry.name for entry in (*lab.emulated, *lab.physical)]
    if args.bench not in known:
        raise BadInput(
            _("there is no bench {bench} in this inventory").format(bench=args.bench), where=str(lab.path),
            remedy=_("There are: {names}.").format(names=", ".join(known) or "-"),
        )
    if args.trouble is not None and args.trouble not in TROUBLES:
        raise BadInput(
            _("there is no trouble {name} to practise on").format(name=args.trouble),
            remedy=_("There are: {names}.").format(names=", ".join(TROUBLES)),
        )
    if any(entry.name == args.bench for entry in lab.physical):
        check_startable(lab)  # says that this version drives emulated benches only
    if os.environ.get(_INSIDE):
        return _look(args)
    rootless.probe()
    status = contained.run_contained(
        [sys.executable, "-m", "harness.cli", *_again(args)], dict(os.environ) | {_INSIDE: "1"}
    )
    scratch.sweep()
    return status


def _again(args: argparse.Namespace) -> Sequence[str]:
    """The same command line for the process in the lab."""
    words = ["--lang", args.lang] if args.lang else []
    words += ["diagnose", args.bench, "--live", "--results", args.results, "--seed", args.seed]
    for option, value in (("--lab", args.lab), ("--with", args.trouble), ("--firmware", args.firmware)):
        words += [option, value] if value else []
    return [*words, *(["--outside"] if args.outside else []), *(["--json"] if args.json else [])]


def _look(args: argparse.Namespace) -> int:
    from random import Random

    from harness.bench.bench import Bench
    from harness.bench.ready import make_ready
    from harness.campaigns.diagnose import diagnose
    from harness.campaigns.plan import RunPlan, new_run_name, open_lab
    from harness.campaigns.practice import TROUBLES
    from harness.lab.inventory import Lab
    from harness.lab.lease import lease

    whole = open_lab(Path(args.lab or LAB), args.firmware)
    entry = next(one for one in whole.emulated if one.name == args.bench)
    plan = RunPlan.make(Lab(whole.path, (entry,)), Path(args.results, KEPT), name=new_run_name())
    plan.write(["diagnose", args.bench, "--live", *(["--with", args.trouble] if args.trouble else [])])
    with (
        lease(entry.name, run=plan.run, scope=entry.scope),
        Bench(plan.bench_plan(entry.name)).opened() as bench,
    ):
        try:
            make_ready(bench)  # an emulated unit comes from its box: it is brought into service first
        except BenchError:
            bench.check()  # raises where it was the bench; a terminal that does not get ready is what is looked at
        if args.trouble:
            trouble = TROUBLES[args.trouble]
            if not trouble.fits(bench):
                raise BadInput(
                    _("{name} takes a bench with {needs}").format(
                        name=args.trouble, needs=", ".join(sorted(trouble.needs))), where=entry.name,
                )  # fmt: skip
            trouble.arrange(bench, Random(args.seed))
        found = diagnose(bench, _level(args), _progress)
    plan.close(0 if found.known else NOT_KNOWN)
    if args.json:
        print(json.dumps({"bench": args.bench, "run": plan.run, "diagnoses": [{"of": "", **_as_json(found)}]},
                         ensure_ascii=False, indent=1))
    else:
        _print(found)
        print(_("Evidence: {path}").format(path=plan.folder / "benches" / entry.name))
    return 0 if found.known else NOT_KNOWN


def _progress(name: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{name}", end="", file=sys.stderr, flush=True)


def _level(args: argparse.Namespace) -> Level:
    return "outside" if args.outside else "host"


def _as_json(found: Diagnosis) -> dict[str, object]:
    from harness.diagnosis.telling import as_json

    return as_json(found)


def _print(found: Diagnosis) -> None:
    from harness.diagnosis.telling import lines

    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
    for line in lines(found, _):
        print(line)
