# SPDX-License-Identifier: GPL-2.0-only
"""The armed faults on messages: which of them a message concerns, and the plan they make for it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from harness.errors import BadInput
from harness.wire.faults.base import Fault, Side
from harness.wire.faults.forge import Forge
from harness.wire.injector.contract import Dice
from harness.wire.injector.splicer.deeds import deed
from harness.wire.injector.splicer.plan import Message, Plan
from harness.wire.injector.splicer.session_keys import SessionKeys
from harness.wire.packets import Endpoint

DIRECTION: dict[Side, str] = {"terminal": "to_acquirer", "acquirer": "to_terminal"}


@dataclass(slots=True)
class Armed:
    """``fits``: how many messages were such as the moment says, since it was armed."""

    fault_id: int
    fault: Fault
    dice: Dice
    fits: int = 0

    def wants(self, peer: Endpoint, sender: Side) -> bool:
        """Whether messages of ``sender``, in a connection with ``peer``, may be struck, or must be whole for it."""
        match = self.fault.match
        if self.dice.used_up or (match.address or peer[0]) != peer[0] or (match.port or peer[1]) != peer[1]:
            return False
        return isinstance(self.fault, Forge) or self._goes(sender)

    def is_at(self, message: Message) -> bool:
        """Whether this message is the moment; counts it."""
        moment = self.fault.match.moment
        if not self._goes(message.sender):
            return False
        if moment is not None:
            if not moment.fits(message.frame):
                return False
            self.fits += 1
            return moment.nth is None or moment.nth == self.fits
        return True

    def _goes(self, sender: Side) -> bool:
        moment, direction = self.fault.match.moment, self.fault.match.direction
        if isinstance(self.fault, Forge) and sender != "terminal":
            return False  # it answers a request
        if moment is not None and moment.direction != DIRECTION[sender]:
            return False
        return direction in ("both", DIRECTION[sender])


@dataclass(frozen=True, slots=True)
class Struck:
    """``what`` and ``delivered`` as in :class:`~harness.wire.injector.contract.Strike`. ``done``: something is.
    ``keeps``: it decides when the message goes."""

    fault_id: int
    match: int
    what: str
    delivered: bytes
    done: bool = True
    keeps: bool = False


class Armory:
    def __init__(self, keys: SessionKeys) -> None:
        self._keys = keys
        self._armed: dict[int, Armed] = {}

    def arm(self, fault_id: int, fault: Fault, dice: Dice) -> None:
        self._armed[fault_id] = Armed(fault_id, fault, dice)

    def heal(self, fault_id: int) -> None:
        self._armed.pop(fault_id, None)

    def covers(self, peer: Endpoint) -> bool:
        """Whether all packets of connections with that peer come here because of what is armed."""
        matches = [one.fault.match for one in self._armed.values()]
        return any((one.address or peer[0]) == peer[0] and (one.port or peer[1]) == peer[1] for one in matches)

    def wants(self, peer: Endpoint, sender: Side) -> bool:
        return any(one.wants(peer, sender) for one in self._armed.values())

    def count(self, message: Message, peer: Endpoint) -> None:
        """A message that was not whole in time to be struck: it is one of those that are counted."""
        for one in self._armed.values():
            if one.wants(peer, message.sender):
                one.is_at(message)

    def cannot(self, peer: Endpoint, sender: Side, why: str) -> list[Struck]:
        """What is to be told where the messages of a connection can't be found: nothing will be done to them."""
        return [
            Struck(one.fault_id, 0, why, b"", False)
            for one in self._armed.values() if one.wants(peer, sender)
        ]

    def judge(self, message: Message, peer: Endpoint) -> tuple[Plan, list[Struck]]:
        """The faults that strike this message, in the order in which they were armed, and what becomes of it."""
        plan = Plan(message, message.frame)
        struck: list[Struck] = []
        for one in self._armed.values():
            if not one.wants(peer, message.sender) or not one.is_at(message):
                continue
            match = one.dice.thrown()
            if match is None:
                continue
            doing = deed(one.fault)
            try:
                what, delivered = doing.strike(one.fault, plan, self._keys, match)
            except BadInput as error:
                struck.append(Struck(one.fault_id, match, error.message, b"", False))
            else:
                struck.append(Struck(one.fault_id, match, what, delivered, keeps=doing.KEEPS))
        return plan, struck
