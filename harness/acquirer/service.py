"""The acquirer put together in this process: host, its port, and where asked for control socket and management API.

One event loop runs them all, so that the database has one writer and nothing has to be locked.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import resource
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.acquirer.cards import IssuerCard
from harness.acquirer.control import Control
from harness.acquirer.download_data import DownloadData
from harness.acquirer.host import Host
from harness.acquirer.journal import JournalRow
from harness.acquirer.links import PLAIN, LinkSettings
from harness.acquirer.office import Office
from harness.acquirer.server import AT_A_TIME, Server
from harness.acquirer.store import Store
from harness.errors import BadInput
from harness.protocol.profile import Profile, Texts

IN_MEMORY = Path(":memory:")
_ENOUGH_FILES = 65_536
_OTHER_FILES = 6 * AT_A_TIME  # kept free: for what is accepted and not counted yet, books, API, control channel
DEFAULT_PROFILE = Profile(
    name="default", title="UnionPay, as most public sources have it", not_registered=["97"], success=["00"],
    reversal_success=["00"], force_sign_in=["77", "99", "A0"],
    texts=Texts(codes={}, unknown=[], approved=[], declined=[], code_labels=[]),
)


@dataclass(frozen=True)
class Tokens:
    """Bearer tokens of the management API. ``reading``: one that may only look ("": there is none)."""

    managing: str
    reading: str = ""


@dataclass(frozen=True)
class ApiSettings:
    address: str
    port: int
    tokens: Tokens


@dataclass(frozen=True)
class Settings:
    """What to run. ``listen`` is an address and a port (0: one that is free); ``also``: more of them.
    ``downloads`` None: those that come with the program. ``nii``: the four digits of a TPDU that lead here, "" any.
    """

    listen: tuple[str, int]
    profile: Profile = DEFAULT_PROFILE
    database: Path = IN_MEMORY
    cards: Mapping[str, IssuerCard] = field(default_factory=dict)
    control: Path | None = None
    api: ApiSettings | None = None
    link: LinkSettings = PLAIN
    also: tuple[tuple[str, int], ...] = ()
    downloads: DownloadData | None = None
    nii: str = ""


class Service:
    """A running acquirer. ``facts``: address, port, profile, database, api (its address), start_ms, start_cpu_ms."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self.host = Host(store, settings.profile, settings.cards, settings.downloads, settings.nii)
        self.cards = settings.cards
        self.facts: dict[str, Any] = {"profile": settings.profile.name, "database": str(settings.database)}
        self.on_row: list[Callable[[JournalRow], None]] = []
        self.server = Server(self.host, self._push, link=settings.link, room=_room())
        self.control = Control(Office(self.host), last_jid=self.host.journal.last_jid, status=self.status)
        self.host.troubles.tell.append(self.control.tell_trouble)
        self.host.activation.tell.append(lambda done: self.control.tell_activated(done.mid, done.tid, done.tmk))

    @property
    def shut_down(self) -> asyncio.Event:
        """Set when it is to end."""
        return self.control.shut_down

    def status(self) -> dict[str, Any]:
        armed = {str(rule_id): left for rule_id, left in self.host.misbehaviour.armed().items()}
        connections = len(self.server.connections)
        return {**self.facts, "connections": connections, "armed": armed, "last_jid": self.host.journal.last_jid()}

    def _push(self, row: JournalRow) -> None:
        self.control.push(row)
        for callback in self.on_row:
            callback(row)


@contextlib.asynccontextmanager
async def service(settings: Settings) -> AsyncIterator[Service]:
    """Listens until the block is left; SIGTERM sets ``shut_down``. Raises :class:`BadInput`.

    At the end connections are closed, answers held back are journalled as withheld, and the database is folded.
    """
    with _claimed(settings.database):
        store = Store(settings.database)
        try:
            running = Service(store, settings)
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.shut_down.set)
            async with contextlib.AsyncExitStack() as stack:
                stack.push_async_callback(_close, running)
                running.facts["address"], running.facts["port"] = await running.server.listen(*settings.listen)
                for address, port in settings.also:
                    await running.server.listen(address, port)
                if settings.api is not None:
                    from harness.acquirer.management.serving import serving  # FastAPI: only who asks for it pays for it

                    running.facts["api"] = await stack.enter_async_context(serving(running, settings.api))
                running.facts["start_ms"], running.facts["start_cpu_ms"] = _since_start()
                if settings.control is not None:
                    await running.control.listen(settings.control)
                yield running
        finally:
            store.close()


@contextlib.contextmanager
def _claimed(database: Path) -> Iterator[None]:
    """The books are this process's alone until the block is left, or the process is killed. New ones are readable for
    their owner alone: TMKs and card numbers are in them, and SQLite gives its other files the same mode.

    The descriptor must not be closed before SQLite has closed the file: that would take SQLite's own locks away.
    """
    if database == IN_MEMORY:
        yield
        return
    try:
        descriptor = os.open(database, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:  # SQLite would open what can only be read, and fail at the first message
        raise BadInput(
            f"not usable as the acquirer's database: {error.strerror}", where=str(database),
            remedy="Give --db a file that this user may write.",
        ) from error
    try:
        _lock(descriptor, database)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, database: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise BadInput(
            "another acquirer has these books open", where=str(database), remedy="Stop it, or give --db another file."
        ) from error


def address_of(text: str, option: str) -> tuple[str, int]:
    """``ADDRESS:PORT``, an IPv6 address in brackets. Raises :class:`BadInput` that names the option."""
    address, _, port = text.rpartition(":")
    if not address or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise BadInput(f"{text!r} is no ADDRESS:PORT", where=option, remedy="for instance 127.0.0.1:8583")
    return address.strip("[]"), int(port)


async def _close(running: Service) -> None:
    running.server.close()
    for _ in range(2):  # the last replies and events leave before their sockets close
        await asyncio.sleep(0)
    running.control.close()
    await asyncio.sleep(0)


def _since_start() -> tuple[float, float]:
    """Milliseconds since this process began, elapsed and of CPU."""
    fields = Path("/proc/self/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    began = int(fields[19]) / 100  # starttime of proc(5) in clock ticks of 10 ms, on the clock that counts since boot
    elapsed = time.clock_gettime(time.CLOCK_BOOTTIME) - began
    return round(elapsed * 1000, 1), round(time.process_time() * 1000, 1)


def _room() -> int:
    """How many terminals may be connected, after the limit on open files was raised as far as it goes.

    Beyond that limit asyncio reports the same failure to accept over and over, and nobody is heard any more.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _ENOUGH_FILES if hard == resource.RLIM_INFINITY else min(hard, _ENOUGH_FILES)
    if soft == resource.RLIM_INFINITY:
        soft = _ENOUGH_FILES
    elif soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return max(1, soft - _OTHER_FILES)
