# SPDX-License-Identifier: GPL-2.0-only
"""Which way of diverting this machine has: nft where it can, since then the kernel itself heals; else netlink."""

from __future__ import annotations

from harness.errors import BadInput
from harness.wire.injector.devices import Devices
from harness.wire.injector.divert import Divert
from harness.wire.injector.divert_netlink import NetlinkDivert
from harness.wire.injector.divert_nft import NftDivert


def open_divert(which: str, devices: Devices) -> Divert:
    """``nft``, ``netlink``, or ``auto``. Raises :class:`BadInput` with the reason where it can't be had."""
    reasons = []
    if which in ("auto", "nft"):
        try:
            return NftDivert(devices)
        except OSError as error:
            reasons.append(f"nft: {error}")
    if which in ("auto", "netlink"):
        try:
            return NetlinkDivert(devices)
        except OSError as error:
            reasons.append(f"netlink: {error}")
    raise BadInput(
        f"packets can't be diverted here ({'; '.join(reasons)})", where="--divert",
        remedy="It needs nftables with fwd, or the kernel's ingress qdisc with u32 and mirred.",
    )
