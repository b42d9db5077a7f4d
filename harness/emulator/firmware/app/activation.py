"""Activation: against a code the acquirer tells a unit which terminal it is, and gives it its master key.

The request names nothing but the unit: a frame with a blank terminal number is none that may leave. What the answer
brings is checked first and stored as one.
"""

from __future__ import annotations

from . import keystore, messages, provisioning, results, texts
from .comms import Show
from .desk import Desk
from .loop import Flow
from .messages import Request
from .results import Result
from .rules import Outcome

NETWORK_ACTIVATION = "396"
CODE_DIGITS = 12


def activate(desk: Desk, code: str, show: Show) -> Flow[Result]:
    """0800 with 60.3 = 396: MID and TID in F42 and F41, the TMK under the unit's transport key in F62."""
    if not desk.state.host:
        return results.local(results.SIGN_IN_FIRST, texts.NOT_SET_UP)
    yield from desk.line.take(show)
    try:
        verdict = yield from desk.numbered(_request(desk, code), show)
        if verdict.outcome is not Outcome.APPROVED:
            return desk.failure(verdict)
        return _store(desk, verdict.fields)
    finally:
        desk.line.release()


def _request(desk: Desk, code: str) -> Request:
    state = desk.state
    note = messages.unit_note(desk.board.serial_number) + code
    fields = {11: f"{state.trace:06d}", 60: f"00{state.batch:06d}{NETWORK_ACTIVATION}", 62: note.encode().hex()}
    return Request("0800", fields | {63: state.dialect.operator})


def _store(desk: Desk, fields: dict[int, str]) -> Result:
    """All of it, or nothing."""
    try:
        sm = desk.state.dialect.sm
        tmk = keystore.from_transport(desk.board.transport_key, bytes.fromhex(fields.get(62, "")), sm=sm)
        provisioning.activated(desk.store, fields.get(41, ""), fields.get(42, ""), tmk)
    except keystore.KeyFault:
        return results.local(results.INVALID, texts.NO_VALID_ANSWER, texts.KEY_FAULT)
    except provisioning.Refused as refused:
        text = texts.SETTLE_FIRST if refused.number in ("85", "86") else texts.NO_VALID_ANSWER
        return results.local(results.INVALID, text)
    return results.done(texts.ACTIVATED, desk.state.tid, texts.KCV + keystore.check_value(tmk, sm=sm))
