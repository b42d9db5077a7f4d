"""``hil97 instruments``: emulated instruments by hand, for whoever writes a driver (docs/instruments-emulated.md)."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import BadInput
from harness.i18n import _

if TYPE_CHECKING:
    from harness.instruments.emulated.plan import Plan


def add_parser(subparsers: Any) -> None:
    """Registers ``instruments``."""
    from harness.instruments.emulated.plan import KINDS

    parser: argparse.ArgumentParser = subparsers.add_parser(
        "instruments",
        help=_("emulated instruments by hand: chamber, supply, generators, robot, ..."),
        description=_("Starts them, prints where and how each is reached, and serves until Ctrl-C or SIGTERM."),
    )
    parser.add_argument("--plan", type=Path, metavar="FILE", help=_("which ones, as JSON (default: one of each kind)"))
    parser.add_argument("--kind", action="append", default=[], choices=KINDS, help=_("only these; may be repeated"))
    parser.add_argument("--port", type=int, default=0, metavar="N",
                        help=_("the port of the first; each other has the next one (default: ports that are free)"))
    parser.add_argument("--seed", type=int, default=0, metavar="N", help=_("of noise and serial numbers (default: 0)"))
    parser.add_argument("--climate-scale", type=float, default=60, metavar="X",
                        help=_("seconds of the chamber in one of yours (default: 60)"))
    parser.add_argument("--panel", type=Path, metavar="SOCKET",
                        help=_("control socket of an emulated terminal that stands among them"))
    parser.add_argument("--control", type=Path, metavar="SOCKET",
                        help=_("where their own control socket is made: faults, the door, the true state"))
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Serves until it is told to stop."""
    import asyncio

    return asyncio.run(_serve(_plan(args), args.control, args.panel))


def _plan(args: argparse.Namespace) -> Plan:
    from harness.instruments.emulated.plan import KINDS, plan_of, read_plan

    if args.plan is not None:
        if args.kind or args.port:
            raise BadInput("--plan says which instruments and which ports: --kind and --port are for doing without it")
        return read_plan(args.plan)
    kinds = args.kind or list(KINDS)
    if args.port and not 1 <= args.port <= 65536 - len(kinds):
        raise BadInput(f"a port is 1 to {65536 - len(kinds)}, not {args.port}", where="--port")
    instruments: dict[str, dict[str, Any]] = {
        kind: {"kind": kind, "port": args.port and args.port + at} for at, kind in enumerate(kinds)
    }
    if "card_robot" in instruments:
        instruments["card_robot"]["cards"] = _magazine()
    return plan_of({"seed": args.seed, "climate_scale": args.climate_scale, "instruments": instruments}, "the options")


def _magazine() -> dict[str, Any]:
    """The test cards that have a stripe or a chip."""
    from harness.terminal.cards import CARDS

    return {
        name: {"track2": card.track2, "chip": card.chip() if card.objects else None}
        for name, card in CARDS.items() if card.track2
    }


async def _serve(plan: Plan, control: Path | None, panel: Path | None) -> int:
    from harness.instruments.emulated.serving import serving

    async with serving(plan, control) as running:
        if panel is not None:
            await running.rig.board.attach(panel)
        for name, address in running.ready["addresses"].items():
            print(f"{name:<16}{address:<42}{_example(running.rig.instruments[name].kind, address)}", flush=True)
        if control is not None:
            print(_("control: {path}").format(path=control), flush=True)
        print(_("commands: docs/instruments-emulated.md; Ctrl-C ends them"), flush=True)
        await running.warm_up()
        await running.stop.wait()
    print(_("stopped"))
    return 0


def _example(kind: str, address: str) -> str:
    """How to try it from a shell."""
    if address.startswith("TCPIP::"):
        _scheme, host, port, _socket = address.split("::")
        return f"printf '*IDN?\\nREAD?\\n' | nc -w 1 {host} {port}"
    if address.startswith("http://"):
        path = {"power_switch": "rpc/Switch.GetStatus?id=0", "camera": "snapshot.png"}.get(kind, "v1/status")
        return f"curl {'-o screen.png ' if kind == 'camera' else ''}'{address}/{path}'"
    if address.startswith("modbus://"):
        return _("coils from 0 on") if kind == "relay" else _("input registers 0 to 3")
    return ""
