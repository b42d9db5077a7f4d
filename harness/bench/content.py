"""Faults that change what a message says, on links that the wire can't open: done at the acquirer, by the same name."""

from __future__ import annotations

from typing import Any

from harness.bench.cable import STRIKE_S
from harness.bench.host import Host
from harness.errors import BadInput
from harness.history.events import HostJournal
from harness.history.recorder import Recorder
from harness.wire.faults import Fault
from harness.wire.faults.forge import Forge
from harness.wire.faults.replace import Replace
from harness.wire.faults.replay import Replay
from harness.wire.faults.rewrite import Rewrite


class ArmedAtHost:
    """Like :class:`harness.bench.cable.Armed`, for a fault that the acquirer does. A strike is the journal's row of
    what it sent because of it."""

    def __init__(self, host: Host, recorder: Recorder, fault: Fault) -> None:
        """Raises BadInput where an acquirer can't do that."""
        self._host, self._recorder = host, recorder
        self._armed_at = self._awaited = recorder.seq
        rule = rule_for(fault)
        self.fault, self._rule_id = fault, host.misbehave(rule.pop("mti"), rule.pop("action"), **rule)

    @property
    def strikes(self) -> tuple[HostJournal, ...]:
        """All so far."""
        since = self._recorder.since(self._armed_at)
        return tuple(event for event in since if isinstance(event, HostJournal) and self._is_strike(event))

    def await_strike(self, deadline_s: float = STRIKE_S) -> HostJournal:
        """The next strike that was not awaited yet. Raises TerminalTimeout when its moment does not come."""
        what = f"the acquirer to do: {self.fault.title}"
        event = self._recorder.wait_for(self._is_strike, deadline_s, what, since=self._awaited)
        assert isinstance(event, HostJournal)
        self._awaited = event.seq
        return event

    def heal(self) -> None:
        """The acquirer forgets it."""
        self._host.behave(self._rule_id)

    def _is_strike(self, event: object) -> bool:
        return isinstance(event, HostJournal) and event.rule_id == self._rule_id and event.direction == "out"


def rule_for(fault: Fault) -> dict[str, Any]:
    """The acquirer's rule (docs/acquirer.md) that does what ``fault`` does to a message. Raises BadInput with the
    reason where there is none."""
    moment = fault.match.moment
    if moment is None:
        raise _impossible(fault, "its moment must name the message")
    if (moment.direction == "to_acquirer") != isinstance(fault, Forge):
        raise _impossible(fault, "what the terminal sends is changed by nobody but the wire")
    if moment.fields:
        raise _impossible(fault, "conditions on fields are for the wire; name message type or network code")
    if fault.percent != 100.0 or fault.only is not None or fault.for_s is not None:
        raise _impossible(fault, "percent, only and for_s are for the wire")
    mti = moment.mti if isinstance(fault, Forge) else f"{int(moment.mti) - 10:04d}"
    rule: dict[str, Any] = {"mti": mti, "action": fault.fault, "count": fault.count}
    rule |= {"skip": moment.nth - 1} if moment.nth else {}
    rule |= {"message_type": moment.message_type} if moment.message_type else {}
    rule |= {"network_code": moment.network_code} if moment.network_code else {}
    match fault:
        case Rewrite():
            return rule | {"fields": _fields(fault.fields), "mac": fault.mac}
        case Replace():
            return rule | {"hex": fault.hex}
        case Replay():
            return rule | {"hex": fault.hex, "when": fault.when}
        case Forge():
            fields = _fields(fault.fields)
            return rule | {"code": fault.code, "fields": fields, "mac": fault.mac, "then": fault.then}
        case _:
            raise _impossible(fault, "the acquirer knows rewrite, replace, replay and forge")


def _fields(fields: dict[int, str | None]) -> dict[str, str | None]:
    return {str(number): value for number, value in fields.items()}


def _impossible(fault: Fault, why: str) -> BadInput:
    return BadInput(
        f"this can't be done on a link that the wire can't open: {why}", where=fault.title,
        remedy="Let this test run on benches without TLS: needs(...), or the tables of the suite.",
    )
