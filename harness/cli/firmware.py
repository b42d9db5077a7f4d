"""``hil97 firmware``: build, check and key generation for images of the emulated terminal; the self-test on defects."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import BadInput
from harness.i18n import _

if TYPE_CHECKING:
    from argparse import _SubParsersAction


def add_parser(subparsers: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """``firmware`` with its sub-commands."""
    parser = subparsers.add_parser("firmware", help=_("build and check firmware images"))
    commands = parser.add_subparsers(dest="action", required=True, metavar=_("COMMAND"))

    build = commands.add_parser("build", help=_("build a signed image from a source directory"))
    build.add_argument("--source", type=Path, required=True, help=_("directory with firmware.yaml or defect.yaml"))
    build.add_argument("--version", required=True, help=_("MAJOR.MINOR.REVISION[+BUILD]"))
    build.add_argument("--key", type=Path, required=True, help=_("private ed25519 key, PEM"))
    build.add_argument("-o", "--output", type=Path, required=True, metavar="IMAGE")
    build.set_defaults(run=_build)

    check = commands.add_parser("check", help=_("what is in an image, and is it sound"))
    check.add_argument("image", type=Path, metavar="IMAGE")
    check.add_argument("--boot-key", type=Path, help=_("public key: the signature is checked too"))
    check.set_defaults(run=_check)

    keygen = commands.add_parser("keygen", help=_("make an ed25519 key pair: KEY and KEY.pub"))
    keygen.add_argument("-o", "--output", type=Path, required=True, metavar="KEY")
    keygen.set_defaults(run=_keygen)

    self_test = commands.add_parser(
        "self-test", help=_("run the suites on defective firmwares: do they find what is wrong?"),
        description=_("Runs the suites on shipped firmwares and compares what fails with what each of them breaks."),
        epilog=_("Exit status: 0 every defect caught and the reference clean; 1 not so; 2 bad input or usage."),
    )
    self_test.add_argument("firmwares", nargs="*", metavar="FIRMWARE",
                           help=_("shipped defects, or reference (default: all of them)"))
    self_test.add_argument("--model", default="HT-200",
                           help=_("model of the bench, but for defects that name theirs (default: HT-200)"))
    self_test.add_argument("--lab-config", type=Path, default=Path("lab_config"), metavar="DIR",
                           help=_("folder with models and profiles (default: lab_config)"))
    self_test.add_argument("-n", dest="workers", type=int, default=2, metavar="N",
                           help=_("how many firmwares at the same time (default: 2)"))
    self_test.add_argument("--results", type=Path, metavar="DIR",
                           help=_("where the runs are kept (default: a new folder in results)"))
    self_test.add_argument("--whole", action="store_true",
                           help=_("every test on every firmware, to its end"))
    self_test.set_defaults(run=_self_test)


def _build(args: argparse.Namespace) -> int:
    from harness.emulator.build import build

    if not args.source.is_dir():
        raise BadInput(_("is no directory"), where=str(args.source))
    info = build(args.source, args.version, args.key, args.output)
    print(f"{args.output}: {info.name} {info.version}, {info.size} B, sha256 {info.sha256}")
    return 0


def _check(args: argparse.Namespace) -> int:
    from harness.emulator.image import ImageRefused, public_key_bytes, read

    key = None
    if args.boot_key is not None:
        try:
            key = public_key_bytes(_read(args.boot_key).decode("ascii", "replace"))
        except ValueError as error:
            raise BadInput(str(error), where=str(args.boot_key)) from error
    data = _read(args.image)
    try:
        application = read(data, key)
        if application.size != len(data):
            raise ImageRefused(_("bytes after the end of the image"), application.size)
    except ImageRefused as error:
        raise BadInput(error.reason, where=f"{args.image}: offset {error.offset}",
                       remedy=_("The terminal would refuse it. Build the image again.")) from error
    signature = _("verified") if key else _("not checked (no --boot-key)")
    rows = [
        (_("name"), application.name), (_("version"), application.version),
        (_("models"), ", ".join(application.models)),
        (_("data format"), str(application.data_format)), (_("Python"), application.python),
        (_("modules"), ", ".join(sorted(application.modules))), (_("size"), f"{application.size} B"),
        ("SHA-256", application.sha256), (_("signature"), signature),
    ]
    for label, value in rows:
        print(f"{label}: {value}")
    return 0


def _keygen(args: argparse.Namespace) -> int:
    from harness.emulator.build import generate_key

    public = args.output.with_name(args.output.name + ".pub")
    generate_key(args.output, public)
    print(f"{args.output}\n{public}")
    return 0


def _self_test(args: argparse.Namespace) -> int:
    from harness.campaigns.plan import new_run_name
    from harness.campaigns.selftest import FILE, Outcome, Plan, all_names, self_test, table

    if args.workers < 1:
        raise BadInput(_("{text!r} is no number of firmwares; 1 or more").format(text=str(args.workers)))
    words = {
        "caught": _("caught"), "clean": _("clean"), "missed": _("missed"), "unexpected": _("unexpected"),
        "undecided": _("undecided"), "error": _("error"),
    }

    def finished(outcome: Outcome) -> None:
        print(table([outcome], words), flush=True)

    folder = args.results or Path("results", f"self-test-{new_run_name()}")
    names = list(dict.fromkeys(args.firmwares)) or all_names()
    plan = Plan(folder, args.lab_config, args.model, whole=args.whole)
    outcomes = self_test(names, plan, workers=args.workers, finished=finished)
    good = sum(outcome.good for outcome in outcomes)
    print(_("{good} of {count} as they must be: {file}").format(good=good, count=len(outcomes), file=folder / FILE))
    return 0 if good == len(outcomes) else 1


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput(error.strerror or str(error), where=str(path)) from error
