"""The management API on the event loop of the host: one thread, one writer to the database."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator

import uvicorn

from harness.acquirer.management.app import build
from harness.acquirer.registration.back_office import BackOffice
from harness.acquirer.service import ApiSettings, Service
from harness.errors import BadInput

_GRACE_S = 2


class _Server(uvicorn.Server):
    """Signals are the acquirer's, not the API's."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def serving(running: Service, settings: ApiSettings) -> AsyncIterator[str]:
    """Serves inside the block, and gives the URL. Raises :class:`BadInput` where the port can't be had."""
    listener = _listener(settings)
    app = build(running, BackOffice(running.host, running.cards), settings.tokens)
    config = uvicorn.Config(
        app, log_config=None, access_log=False, lifespan="off", ws="none", timeout_graceful_shutdown=_GRACE_S,
        server_header=False,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    address, port = listener.getsockname()[:2]
    try:
        yield f"http://{f'[{address}]' if ':' in address else address}:{port}"
    finally:
        server.should_exit = True
        await task


def _listener(settings: ApiSettings) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in settings.address else socket.AF_INET
        # With the protocol named, asyncio switches Nagle's algorithm off: else every answer costs 40 ms.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((settings.address, settings.port))
        listener.listen(128)
    except OSError as error:
        raise BadInput(
            f"can't listen: {error.strerror or error}", where=f"{settings.address}:{settings.port}",
            remedy="Give --api an address of this machine and a port that nobody uses.",
        ) from error
    listener.setblocking(False)
    return listener
