"""What stands between a connection's bytes and its messages: nothing, TLS, HTTP, or HTTP under TLS.

TLS runs over memory buffers rather than in asyncio's transport, so that a handshake that fails is journalled, and a
terminal that has closed its side still gets a late answer, as on a plain connection.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from harness.errors import BadInput
from harness.i18n import _
from harness.protocol.stream import HTTP_PATH, FrameSplitter, Piece

if TYPE_CHECKING:
    from harness.acquirer.http import HttpFraming

LARGEST_MESSAGE = 8192  # the largest that all fields together can make is smaller
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:AES128-GCM-SHA256:AES256-GCM-SHA384"
"""Of TLS 1.2: those whose records the tap can open (``harness.wire.tls``). TLS 1.3 has no others."""


class Framing(Protocol):
    """Bytes into messages and answers into bytes. One for each connection."""

    def split(self, data: bytes) -> Iterator[Piece]:
        """Whole messages and garbage. What comes after a message waits until it is answered where the link wants it
        so: then ``split(b"")`` goes on."""

    @property
    def rest(self) -> bytes:
        """What has come of a message that is not whole yet."""

    def answer(self, message: bytes) -> bytes:
        """The bytes that carry an answer."""

    def refusal(self) -> bytes:
        """What is sent before the connection is closed because of garbage."""

    @property
    def over(self) -> bool:
        """The terminal has said that it wants no more on this connection after the answer."""


class PlainFraming:
    """Messages one after the other, each with its length."""

    over = False

    def __init__(self) -> None:
        self._splitter = FrameSplitter(LARGEST_MESSAGE)

    def split(self, data: bytes) -> Iterator[Piece]:
        return iter(self._splitter.split(data))

    @property
    def rest(self) -> bytes:
        return self._splitter.rest

    def answer(self, message: bytes) -> bytes:
        return message

    def refusal(self) -> bytes:
        return b""


class TlsFault(Exception):
    """The connection can't go on; the text says why."""


class Tls:
    """The server's side of one TLS connection."""

    def __init__(self, settings: ssl.SSLContext) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._object = settings.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self.version = ""
        self.begun = self.established = self.ended = False

    def receive(self, data: bytes) -> bytes:
        """The plain bytes; :attr:`ended` once the terminal has closed its side. Raises :class:`TlsFault`."""
        self.begun = True
        self._incoming.write(data)
        plain = b""
        try:
            if not self.established:
                self._object.do_handshake()
                self.established = True
                self.version = (self._object.version() or "TLS").replace("TLSv", "TLS ")
            while more := self._object.read(65536):
                plain += more
            self.ended = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.ended = True
        except ssl.SSLError as error:
            raise TlsFault((error.reason or str(error)).lower().replace("_", " ")) from error
        return plain

    def seal(self, data: bytes) -> bytes:
        """``data`` as records, behind whatever the handshake has to say; with ``b""`` that alone."""
        if data:
            self._object.write(data)
        return self._outgoing.read()

    def end(self) -> bytes:
        """What tells the terminal that no more comes."""
        with contextlib.suppress(ssl.SSLError):  # the terminal has not said so too, or there was no handshake
            self._object.unwrap()
        return self._outgoing.read()


@dataclass(frozen=True)
class LinkSettings:
    """How terminals reach this acquirer: ``tls`` None: in the clear; ``http_path`` None: no HTTP."""

    tls: ssl.SSLContext | None = None
    http_path: str | None = None

    def framing(self) -> PlainFraming | HttpFraming:
        if self.http_path is None:
            return PlainFraming()
        from harness.acquirer.http import HttpFraming  # h11 only where it is needed

        return HttpFraming(self.http_path)


PLAIN = LinkSettings()


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options that concern links; :func:`settings_of` reads them."""
    parser.add_argument("--also", action="append", default=[], metavar="ADDRESS:PORT",
                        help=_("another address of the same acquirer, to fall back to"))
    parser.add_argument("--tls", type=Path, metavar="FOLDER",
                        help=_("TLS with server.pem and server.key of this folder; made, with a test CA, if none"))
    parser.add_argument("--tls-clients", action="store_true",
                        help=_("only terminals with a certificate of ca.pem's"))
    parser.add_argument("--tls-keys", type=Path, metavar="FILE",
                        help=_("where the session keys of TLS go (SSLKEYLOGFILE format)"))
    parser.add_argument("--http", nargs="?", const=HTTP_PATH, metavar="PATH",
                        help=_("messages in HTTP requests to this path (default: /mjc/webtrans/VPB_lb)"))


def settings_of(options: argparse.Namespace, addresses: Sequence[str]) -> LinkSettings:
    """``addresses``: where it will listen, for a certificate that has to be made. Raises :class:`BadInput`."""
    if options.tls is None and (options.tls_clients or options.tls_keys):
        raise BadInput("there is no TLS", where="--tls-clients, --tls-keys", remedy="Give --tls FOLDER as well.")
    if options.http is not None and not options.http.startswith("/"):
        raise BadInput(f"{options.http!r} is no path", where="--http", remedy=f"for instance {HTTP_PATH}")
    tls = None
    if options.tls is not None:
        tls = server_side(options.tls, addresses, clients=options.tls_clients, keys=options.tls_keys)
    return LinkSettings(tls, options.http)


def server_side(
    folder: Path, addresses: Sequence[str], *, clients: bool = False, keys: Path | None = None
) -> ssl.SSLContext:
    """TLS 1.2 or 1.3 with the certificate in ``folder``, made where there is none. Raises :class:`BadInput`."""
    from harness.acquirer import certificates  # cryptography only where it is needed

    if not any((folder / name).exists() for name in certificates.FILES):
        certificates.make(folder, addresses)
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    made.num_tickets = 0
    made.set_ciphers(CIPHERS)
    where = folder / certificates.SERVER
    try:
        made.load_cert_chain(where, folder / certificates.SERVER_KEY)
        if clients:
            where = folder / certificates.CA
            made.load_verify_locations(where)
            made.verify_mode = ssl.CERT_REQUIRED
        if keys is not None:
            where = keys
            os.close(os.open(keys, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))  # who has them reads everything
            made.keylog_filename = str(keys)
    except OSError as error:  # ssl.SSLError is one
        remedy = "" if where == keys else "PEM is wanted: server.pem, its server.key, ca.pem. An empty one gets them."
        raise BadInput(f"not usable for TLS: {error.strerror or error}", where=str(where), remedy=remedy) from error
    return made
