"""Loading what a link needs beside the host's address: a second address, certificates and a key for TLS."""

from __future__ import annotations

from . import provisioning
from .provisioning import Refused
from .store import Store

NONE = "NONE"


def set_second_host(store: Store, address: str, port: str) -> None:
    """The address to fall back to, as in :func:`provisioning.set_host`."""
    store.commit(host2=address, port2=provisioning.endpoint(address, port))


def forget_second_host(store: Store) -> None:
    store.commit(host2="", port2=0)


def set_tls(store: Store, what: str, text: str) -> None:
    """``what`` CA, CERT or KEY, ``text`` base64 of DER; or NONE, which forgets it. A new certificate ends its key.

    The key comes last: it is tried with the certificate. Raises :class:`Refused`.
    """
    state = store.state
    value = "" if text == NONE else text
    match what:
        case "CA":
            if value:
                _try(value, "", "")
            store.commit(tls_ca=value)
        case "CERT":
            if value:
                _try(value, "", "")  # whether it is a certificate at all
            store.commit(tls_cert=value, tls_key="")
        case "KEY":
            if value:
                if not state.tls_cert:
                    raise Refused("03", "the certificate comes before its key")
                _try(state.tls_cert, state.tls_cert, value)
            store.commit(tls_key=value)
        case _:
            raise Refused("03", "TLS CA, TLS CERT or TLS KEY")


def _try(authority: str, certificate: str, key: str) -> None:
    from . import link_tls

    try:
        link_tls.context(authority, certificate, key)
    except link_tls.Fault as fault:
        raise Refused("03", str(fault)) from fault
