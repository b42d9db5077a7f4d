# SPDX-License-Identifier: GPL-2.0-only
"""How the messages of a link are found in its streams."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from harness.wire.injector.splicer.assembly import Assembly, Frames, Open
from harness.wire.injector.splicer.http_messages import HttpMessages, OpenHttp

ENCRYPTED = ("tls", "https")


def assemblies(link: str, keys: Path | None) -> Callable[[bool], Assembly]:
    """Makes an assembly for each connection of ``link`` (:data:`harness.wire.layers.LINKS`), told whether it was seen
    from its beginning. What TLS needs is imported here, so that an injector on plain TCP is small."""
    if link in ENCRYPTED:
        from harness.wire.injector.splicer.tls_join import JoinedReader
        from harness.wire.injector.splicer.tls_messages import TlsMessages
        from harness.wire.tls import TlsReader
        from harness.wire.tls_keys import KeyLog

        log = KeyLog(keys)
        divider = HttpMessages if link == "https" else Frames
        return lambda begun: TlsMessages(
            TlsReader(log) if begun else JoinedReader(log), lambda side: divider(side, begun)
        )
    if link == "http":
        return OpenHttp
    return lambda begun: Open(lambda side: Frames(side, begun))
