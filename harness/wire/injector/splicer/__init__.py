# SPDX-License-Identifier: GPL-2.0-only
"""Faults on messages, over all TCP connections that are diverted: see :class:`~.contract.Splicer`."""

from harness.wire.injector.splicer.splicer import TcpSplicer

__all__ = ["TcpSplicer"]
