"""TLS to the host. Imported only where the link is TLS: the module ``ssl`` takes its time to load.

The host is whoever has a server's certificate of the one authority that the terminal was given; under which address it
is reached is not compared, because hosts of one acquirer share theirs. Keys and certificates are base64 of DER.
"""

from __future__ import annotations

import base64
import binascii
import os
import ssl

from .link_stream import Stream
from .loop import READABLE, TIMEOUT, WRITABLE, Flow, Wait


class Fault(Exception):
    """Not usable; the text says why."""


def context(ca: str, certificate: str = "", key: str = "") -> ssl.SSLContext:
    """TLS 1.2 or later with the authority's certificate and, where there are both, a certificate and key of our own.

    Raises :class:`Fault`.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        made.load_verify_locations(cadata=_der(ca))
    except (ssl.SSLError, ValueError) as error:
        raise Fault("not the base64 of a certificate") from error
    if certificate and key:
        pem = _pem("CERTIFICATE", certificate) + _pem("PRIVATE KEY", key)
        memory = os.memfd_create("tls")  # the module reads a key from a file only, and this one is on no disk
        try:
            os.write(memory, pem)
            made.load_cert_chain(f"/proc/self/fd/{memory}")
        except (ssl.SSLError, OSError) as error:
            raise Fault("not the base64 of a private key (PKCS #8), or not that of the certificate") from error
        finally:
            os.close(memory)
    return made


def handshake(stream: Stream, settings: ssl.SSLContext, deadline: float) -> Flow[Stream | None]:
    """The stream under TLS; None, and closed, where the handshake fails or is not over in time."""
    sock = settings.wrap_socket(stream.sock, do_handshake_on_connect=False)
    secured = TlsStream(sock)
    while True:
        try:
            sock.do_handshake()
            return secured
        except (OSError, ValueError) as error:
            mask = secured.blocked(error, 0) if isinstance(error, OSError) else 0
        if mask:
            signal = yield Wait(sock=sock, mask=mask, deadline=deadline)
        if not mask or signal.kind == TIMEOUT:
            secured.close()
            return None


class TlsStream(Stream):
    """A socket under TLS: whether it sends or receives, it may have to wait for either."""

    def blocked(self, error: OSError, ordinary: int) -> int:
        if isinstance(error, ssl.SSLWantReadError):
            return READABLE
        if isinstance(error, ssl.SSLWantWriteError):
            return WRITABLE
        return super().blocked(error, ordinary)


def _der(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Fault("not base64") from error


def _pem(name: str, text: str) -> bytes:
    body = base64.encodebytes(_der(text)).decode()
    return f"-----BEGIN {name}-----\n{body}-----END {name}-----\n".encode()
