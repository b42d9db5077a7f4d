"""The key under which a unit gets its first master key: the unit has it from its maker, the acquirer by report.

*Assumed*: public sources have it that makers report serial number and a key of each unit to the clearing organisation
(银发〔2017〕21号, field 59 A2), not how a master key travels to a unit that shares none yet; vendors differ.
"""

from __future__ import annotations

import hashlib
import hmac

TEST_ONLY_MASTER = b"hil97 TEST ONLY master of transport keys"
SIZE = 16


def transport_key(serial_number: str) -> bytes:
    """TEST ONLY: 16 bytes, the same for a serial number wherever they are asked for. A maker draws a random key."""
    return hmac.new(TEST_ONLY_MASTER, serial_number.encode(), hashlib.sha256).digest()[:SIZE]
