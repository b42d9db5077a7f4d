# SPDX-License-Identifier: GPL-2.0-only
"""An answer that nobody gave, made of the request as it passes."""

from __future__ import annotations

from harness.errors import BadInput
from harness.protocol import frames
from harness.protocol.codes import response_mti
from harness.protocol.frames import Frame
from harness.wire.faults.forge import Forge
from harness.wire.injector.splicer.plan import Plan
from harness.wire.injector.splicer.session_keys import SessionKeys

_ECHOED = (2, 3, 4, 11, 25, 41, 42, 49, 60)
_WRONG_MAC = "00000000"

KEEPS = False


def strike(fault: Forge, plan: Plan, keys: SessionKeys, match: int) -> tuple[str, bytes]:
    request = frames.decode(plan.message.frame)
    if request.is_response:
        raise BadInput(
            f"{request.mti} is no request", where="forge: moment", remedy="A forged answer's moment is its request."
        )
    fields: dict[int, str | None] = {n: request.get(n) for n in _ECHOED if n in request}
    fields |= {39: fault.code} | fault.fields
    answer = frames.build(
        response_mti(request.mti), {n: v for n, v in fields.items() if v is not None},
        tpdu=frames.swap_tpdu(request.tpdu), header=request.header, f48=request.f48,
    )
    if fault.mac == "wrong":
        answer = answer.but({64: _WRONG_MAC})
    elif fault.mac == "recompute":
        answer = keys.seal(answer, like=request)
    plan.forged = answer.raw
    if fault.then == "swallow":
        plan.true_answer = _Answers(request)
    rest = "the true one will be swallowed" if fault.then == "swallow" else "the true one will follow"
    return f"{answer.mti} with F39={answer.get(39)} forged, {rest}", answer.raw


class _Answers:
    """Whether a message is the true answer to a request."""

    def __init__(self, request: Frame) -> None:
        self._mti, self._stan = response_mti(request.mti), request.get(11)

    def __call__(self, data: bytes) -> bool:
        try:
            frame = frames.decode(data)
        except BadInput:
            return False
        return frame.mti == self._mti and frame.get(11) == self._stan
