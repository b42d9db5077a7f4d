"""Activation over the terminal's ordinary link: a unit asks with its serial number and a code, and becomes a terminal.

*Assumed*, since vendors differ: 0800 with F60.3 396, without F41 and F42; F62 as in a sign-in (``Sequence No``, the
vendor's four characters, the serial number) and the 12 digits of the code behind it. The answer brings MID and TID in
F42 and F41 and in F62 the TMK under the unit's transport key with its check value (16 and 4 bytes). A code that is not
good, or not this unit's, is answered like a terminal that is not registered, as the activation service of a published
acquirer does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from harness.acquirer.answers import APPROVED, Answer
from harness.acquirer.cards import IssuerCard
from harness.acquirer.fees import Fees
from harness.acquirer.ledger import Ledger
from harness.acquirer.registration.documents import MerchantNotActive, NotNow, Refused, Unknown
from harness.acquirer.registration.merchants import Merchants
from harness.acquirer.registration.terminals import Activated, Terminals
from harness.acquirer.registry import Registry
from harness.acquirer.store import Store
from harness.protocol import keys
from harness.protocol.frames import Frame, FrameError
from harness.protocol.nested import SEQUENCE_NO
from harness.protocol.profile import Profile
from harness.protocol.transport import transport_key

CODE_DIGITS = 12
_CERTIFICATE = 4
_NO_MERCHANT = "03"


class Activation:
    """``tell`` is called for each unit that was activated, inside the message's database transaction."""

    def __init__(
        self, store: Store, registry: Registry, ledger: Ledger, profile: Profile, cards: Mapping[str, IssuerCard]
    ) -> None:
        self._profile = profile
        self.terminals = Terminals(store, registry, ledger, Merchants(store, registry, Fees(store, cards)))
        self.tell: list[Callable[[Activated], None]] = []

    def answer(self, frame: Frame) -> Answer:
        """What the unit is told. 30: it says no serial number or no code."""
        try:
            serial_number, code = asked(frame)
        except FrameError as error:
            return Answer("30", str(error))
        try:
            done = self.terminals.activate(serial_number, code, again=True)
        except MerchantNotActive as error:
            return Answer(_NO_MERCHANT, error.message)
        except (Refused, NotNow, Unknown) as error:
            return Answer(self._profile.not_registered[0], f"unit {serial_number} not activated: {error.message}")
        for told in self.tell:
            told(done)
        algorithm = keys.algorithm_of(self._profile.sign_in_network_code)
        wrapped = keys.wrap(transport_key(serial_number), done.tmk, algorithm) + keys.kcv(done.tmk, algorithm)
        why = f"unit {serial_number} is terminal {done.tid} of merchant {done.mid}"
        return Answer(APPROVED, why, {41: done.tid, 42: done.mid, 62: wrapped.hex().upper()})


def asked(frame: Frame) -> tuple[str, str]:
    """Serial number (without the vendor's certificate) and code of a request. Raises :class:`FrameError`."""
    data = frame.binary(62) if 62 in frame else b""
    start = len(SEQUENCE_NO) + 2
    digits = data[len(SEQUENCE_NO) : start]
    if not (data.startswith(SEQUENCE_NO) and digits.isdigit()):
        raise FrameError("it does not begin with 'Sequence No' and a 2-digit length", field=62)
    said, code = data[start : start + int(digits)], data[start + int(digits) :]
    if len(said) <= _CERTIFICATE or len(code) != CODE_DIGITS or not code.isdigit():
        raise FrameError(f"it has no serial number with {CODE_DIGITS} digits of a code behind it", field=62)
    return said[_CERTIFICATE:].decode("latin-1"), code.decode("ascii")
