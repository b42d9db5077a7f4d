"""What a version makes sure of when it starts, before anything else is possible.

On trial a failure ends in a reset, and the boot loader returns to the version before. A confirmed version that fails
shows 存储故障 and does nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from . import crypto, keystore, tables, texts
from .hardware import Board
from .store import Store, StoreDamaged

_GLYPH_SIZES = (16, 32)
_KNOWN_KEY = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
_KNOWN_CHECKS = {False: "08D7B4FB", True: "2677F46B"}  # check values of that key: triple DES, SM4


class SelfTestFailed(Exception):
    """Says what does not work."""


def modules() -> None:
    """Every module of the image can be imported, also those that are imported only when they are needed."""
    from . import (  # noqa: F401
        activation,
        asking,
        at,
        backup,
        batch,
        cards,
        carrying,
        cashier,
        codec,
        comms,
        condition,
        desk,
        dhcp,
        dhcp_message,
        dialect,
        dialogs,
        dns,
        dns_message,
        downloads,
        emv,
        files,
        financial,
        interface,
        kinds,
        layout,
        link,
        link_http,
        link_setup,
        link_stream,
        link_tls,
        loop,
        main,
        messages,
        migration,
        modem,
        net_setup,
        network,
        notice,
        online,
        operator,
        parameters,
        pending,
        pixels,
        provisioning,
        records,
        results,
        rules,
        screen,
        serial_load,
        service,
        settling,
        signatures,
        signing,
        slips,
        tamper,
        tlv,
        tms,
        transactions,
        unattended,
        unprinted,
        updates,
        version,
        xmodem,
    )


def hardware(board: Board) -> None:
    """Clock, screen's characters and random numbers answer; ciphers give what is known. Raises
    :class:`SelfTestFailed`."""
    if not board.now() > 0:
        raise SelfTestFailed("the clock")
    for character in texts.WELCOME + "0":
        if len(board.glyph(character) or b"") not in _GLYPH_SIZES:
            raise SelfTestFailed(f"no glyph of {character}")
    if len(board.random(16)) != 16 or board.random(16) == board.random(16):
        raise SelfTestFailed("random numbers")
    for sm, known in _KNOWN_CHECKS.items():
        if crypto.kcv(_KNOWN_KEY, sm=sm).hex().upper() != known:
            raise SelfTestFailed("the ciphers")


def records(stores: Sequence[Store]) -> None:
    """Tables and keys of every merchant can be read. State and batch have been, when the stores were opened. Raises
    :class:`StoreDamaged`."""
    tables.check(stores[0])
    for store in stores:
        state = store.state
        for name in ("tmk", "pik", "mak", "tdk"):
            try:
                key = bytes.fromhex(getattr(state, name))
                if key:
                    crypto.kcv(key, sm=state.dialect.sm and len(key) == keystore.TMK_SIZE)
            except (TypeError, ValueError) as error:
                raise StoreDamaged(f"{name}: {error}") from error
