"""``hil97 firmware``: build, check and key generation for images of the emulated terminal; the self-test on defects."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from harness.emulator.image_key import SIGNATURES
from harness.errors import BadInput
from harness.given_file import whole
from harness.i18n import _

if TYPE_CHECKING:
    from argparse import _SubParsersAction


def add_parser(subparsers: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """``firmware`` with its sub-commands."""
    parser = subparsers.add_parser("firmware", help=_("build and check firmware images"))
    commands = parser.add_subparsers(dest="action", required=True, metavar=_("COMMAND"))

    build = commands.add_parser("build", help=_("build a signed image from a source directory"))
    build.add_argument("--source", type=Path, required=True,
                       help=_("directory with firmware.yaml, version.yaml or defect.yaml, or a shipped firmware"))
    build.add_argument("--version", default="", help=_("MAJOR.MINOR.REVISION[+BUILD] (default: that of the source)"))
    build.add_argument("--key", type=Path, required=True, help=_("private key, ed25519 or ECDSA P-256, PEM"))
    build.add_argument("-o", "--output", type=Path, required=True, metavar="IMAGE")
    build.set_defaults(run=_build)

    check = commands.add_parser("check", help=_("what is in an image, and is it sound"))
    check.add_argument("image", type=Path, metavar="IMAGE")
    check.add_argument("--boot-key", type=Path, help=_("public key: the signature is checked too"))
    check.set_defaults(run=_check)

    keygen = commands.add_parser("keygen", help=_("make a key pair: KEY and KEY.pub"))
    keygen.add_argument("--type", choices=list(SIGNATURES), default="ed25519",
                        help=_("kind of key (default: %(default)s)"))
    keygen.add_argument("-o", "--output", type=Path, required=True, metavar="KEY")
    keygen.set_defaults(run=_keygen)

    self_test = commands.add_parser(
        "self-test", help=_("another name of hil97 gate --self-test"),
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

    from harness.cli import sweep

    sweep.add_parser(commands)


def _build(args: argparse.Namespace) -> int:
    from harness.emulator.build import build
    from harness.emulator.shipped import firmware_sources

    source = firmware_sources().get(str(args.source), args.source)
    if not source.is_dir():
        raise BadInput(_("is no directory"), where=str(args.source))
    info = build(source, args.version, args.key, args.output)
    print(f"{args.output}: {info.name} {info.version}, {info.size} B, sha256 {info.sha256}")
    return 0


def _check(args: argparse.Namespace) -> int:
    from harness.emulator.image import ImageRefused, public_key_bytes, read
    from harness.lab.firmware_images import image_bytes

    key = None
    if args.boot_key is not None:
        try:
            key = public_key_bytes(whole(args.boot_key).decode("ascii", "replace"))
        except OSError as error:
            raise _unread(args.boot_key, error) from error
        except ValueError as error:
            raise BadInput(str(error), where=str(args.boot_key)) from error
    try:
        data = image_bytes(args.image)
        application = read(data, key)
        if application.size != len(data):
            raise ImageRefused(_("bytes after the end of the image"), application.size)
    except OSError as error:
        raise _unread(args.image, error) from error
    except ImageRefused as error:
        raise BadInput(error.reason, where=f"{args.image}: offset {error.offset}",
                       remedy=_("The terminal would refuse it. Build the image again.")) from error
    signature = _("verified") if key else _("not checked (no --boot-key)")
    rows = [
        (_("name"), application.name), (_("version"), application.version),
        (_("models"), ", ".join(application.models)),
        (_("data format"), str(application.data_format)), (_("security counter"), str(application.counter)),
        (_("begins with nothing stored"), _("yes") if application.resets else _("no")),
        (_("Python"), application.python),
        (_("modules"), ", ".join(sorted(application.modules))), (_("size"), f"{application.size} B"),
        ("SHA-256", application.sha256), (_("signature"), signature),
    ]
    for label, value in rows:
        print(f"{label}: {value}")
    return 0


def _keygen(args: argparse.Namespace) -> int:
    from harness.emulator.build import generate_key

    public = args.output.with_name(args.output.name + ".pub")
    generate_key(args.output, public, args.type)
    print(f"{args.output}\n{public}")
    return 0


def _self_test(args: argparse.Namespace) -> int:
    """The same as ``hil97 gate --self-test``."""
    from harness.cli.gate_self_test import run_self_test

    return run_self_test(args.firmwares, args)


def _unread(path: Path, error: OSError) -> BadInput:
    return BadInput(error.strerror or str(error), where=str(path))
