"""``hil97 acquirer serve``: the simulated acquirer alone, for people who have a terminal (docs/acquirer-alone.md)."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import BadInput
from harness.i18n import _

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

    from harness.acquirer.registration.back_office import BackOffice
    from harness.acquirer.service import Settings
    from harness.protocol.profile import Profile

CATALOGUE = Path("lab_config")
_DAY_CHANGED_S = 10.0  # how often the host's clock is asked whether a new day has begun


def add_parser(subparsers: Any) -> None:
    """Registers ``acquirer`` with its action."""
    from harness.acquirer import links

    parser: argparse.ArgumentParser = subparsers.add_parser("acquirer", help=_("the simulated acquirer, alone"))
    actions = parser.add_subparsers(dest="action", required=True, metavar=_("ACTION"))
    server = actions.add_parser(
        "serve",
        help=_("answer terminals, show each message, offer the management API"),
        description=_("Serves until Ctrl-C or SIGTERM, then exits with 0; 2 where an option can't be used."),
    )
    server.add_argument("--listen", default="127.0.0.1:8583", metavar="ADDRESS:PORT",
                        help=_("where terminals reach it (default: 127.0.0.1:8583; port 0: one that is free)"))
    server.add_argument("--api", default="127.0.0.1:9797", metavar="ADDRESS:PORT|off",
                        help=_("where the management API is (default: 127.0.0.1:9797)"))
    server.add_argument("--api-token-file", type=Path, metavar="FILE",
                        help=_("its token (default: HIL97_API_TOKEN, else a file beside the database, made once)"))
    server.add_argument("--db", type=Path, default=Path("acquirer.sqlite"), metavar="FILE",
                        help=_("where its books are kept (default: acquirer.sqlite)"))
    server.add_argument("--profile", metavar="NAME|FILE",
                        help=_("profile: a name below lab_config/profiles, or a file (default: plain UnionPay)"))
    server.add_argument("--cards", type=Path, metavar="FILE", help=_("test cards as JSON (default: any card, any PIN)"))
    server.add_argument("--downloads", type=Path, metavar="FILE", help=_("what terminals download, as JSON"))
    server.add_argument("--seed-demo", action="store_true",
                        help=_("register a demo merchant and terminal, and print what the terminal needs"))
    server.add_argument("--dormant-days", type=int, default=0, metavar="N",
                        help=_("once a day, deregister terminals without a message for N days (default: never)"))
    links.add_options(server)
    server.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Serves until it is told to stop."""
    import asyncio

    return asyncio.run(_serve(_settings(args), seed_demo=args.seed_demo, dormant_days=args.dormant_days))


def _settings(args: argparse.Namespace) -> Settings:
    from harness.acquirer import links
    from harness.acquirer.cards import read_cards
    from harness.acquirer.download_data import read_downloads
    from harness.acquirer.service import DEFAULT_PROFILE, ApiSettings, Settings, address_of
    from harness.acquirer.tokens import MANAGING, kept_tokens, read_tokens

    if args.dormant_days < 0:
        raise BadInput(f"{args.dormant_days} is no number of days", where="--dormant-days")
    profile = DEFAULT_PROFILE if args.profile is None else _profile(args.profile)
    cards = read_cards(args.cards) if args.cards else {}
    downloads = read_downloads(args.downloads) if args.downloads else None
    listen = address_of(args.listen, "--listen")
    also = tuple(address_of(text, "--also") for text in args.also)
    api = None
    if args.api != "off":
        import os

        address = address_of(args.api, "--api")
        if args.api_token_file is not None or MANAGING in os.environ or str(args.db) == ":memory:":
            tokens = read_tokens(args.api_token_file)
        else:
            tokens = kept_tokens(args.db.with_name(f"{args.db.name}.token"))
        api = ApiSettings(*address, tokens)
    return Settings(
        listen=listen, also=also, link=links.settings_of(args, [address for address, _port in (listen, *also)]),
        profile=profile, database=args.db, cards=cards, api=api, downloads=downloads,
    )


def _profile(text: str) -> Profile:
    from harness.lab.catalogue import load_named, load_profile
    from harness.protocol.profile import Profile

    is_file = text.endswith((".yaml", ".yml")) or "/" in text
    return load_profile(Path(text)) if is_file else load_named(CATALOGUE, Profile, text)


async def _daily(office: BackOffice, days: int, out: RichConsole) -> None:
    """Deregisters the dormant, at once and whenever a day has begun on the host's clock."""
    import asyncio

    checked = None
    while True:
        today = office.host.clock.now().date()
        if today != checked:
            checked = today
            with office.store.transaction():
                gone = office.terminals.deregister_dormant(days)
            for terminal in gone:
                out.print(_("deregistered, {days} days without a message: {tid} of {mid}").format(
                    days=days, tid=terminal.row.tid, mid=terminal.row.mid))
        await asyncio.sleep(_DAY_CHANGED_S)


async def _serve(settings: Settings, *, seed_demo: bool, dormant_days: int) -> int:
    import asyncio
    import contextlib
    import signal

    from harness.acquirer.console import Console, Paper
    from harness.acquirer.demo import seed
    from harness.acquirer.registration.back_office import BackOffice
    from harness.acquirer.service import service

    out = Paper(highlight=False, emoji=False, markup=False)
    async with service(settings) as running:
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, running.shut_down.set)
        office = BackOffice(running.host, running.cards)
        if seed_demo:
            demo = seed(office)
            check_value = office.check_value(demo.tmk)
            out.print(f"MID {demo.mid}\nTID {demo.tid}\nTMK {demo.tmk.hex().upper()}  (KCV {check_value})")
        running.on_row.append(Console(out, office.fees, running.host.clock.now).row)
        out.print(_("terminals: {address}:{port}   profile: {profile}   books: {database}").format(**running.facts))
        if "api" in running.facts:
            out.print(_("management API: {url}/v1/docs").format(url=running.facts["api"]))
        daily = asyncio.create_task(_daily(office, dormant_days, out)) if dormant_days else None
        await running.shut_down.wait()
        if daily is not None:
            daily.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await daily
    out.print(_("stopped"))
    return 0
