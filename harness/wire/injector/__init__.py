# SPDX-License-Identifier: GPL-2.0-only
"""The injector: a program of its own, because it imports scapy (GPL-2.0-only). Nothing imports this package.

The rest of the project speaks to it over pipes, see docs/wire.md and ``harness.wire.injector_client``.
"""
