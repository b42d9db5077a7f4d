"""Routes of terminals: binding, activation, keys, service, dormancy."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from harness.acquirer.management.merchants import Limit, MidPath
from harness.acquirer.management.shapes import (
    HOUR_S,
    Activation,
    Approval,
    Because,
    CodeShape,
    Days,
    KeyShape,
    Rejection,
    SignOut,
    Swap,
    TerminalShape,
)
from harness.acquirer.registration.back_office import BackOffice
from harness.acquirer.registration.documents import BindingRequest
from harness.acquirer.registration.terminals import DORMANT_DAYS
from harness.acquirer.registry import TerminalState

TidPath = Annotated[str, Path(pattern=r"^[ -.0-~]{8}$", description="terminal number")]
_ONE = "/terminals/{mid}/{tid}"


def router(office: BackOffice) -> APIRouter:
    routes = APIRouter()
    terminals, store = office.terminals, office.store

    def shown(mid: str, tid: str) -> TerminalShape:
        return TerminalShape.of(terminals.get(mid, tid))

    @routes.post("/terminals", status_code=201, summary="Bind a unit to a terminal number", tags=["terminals"])
    async def bind(request: BindingRequest) -> TerminalShape:
        """By its serial number and the five elements, which must be the merchant's. Pending until approved: 97."""
        with store.transaction():
            return shown(request.mid, terminals.bind(request))

    @routes.get("/terminals", summary="All terminals", tags=["terminals"])
    async def all_terminals(
        mid: Annotated[str | None, Query(description="only this merchant's", max_length=15)] = None,
        state: Annotated[TerminalState | None, Query(description="only those in this state")] = None,
        after: Annotated[str, Query(max_length=23, description="behind this MID and TID, as one text")] = "",
        limit: Limit = 100,
    ) -> list[TerminalShape]:
        """By merchant code and terminal number."""
        return [TerminalShape.of(terminal) for terminal in terminals.all(mid, state, after=after, limit=limit)]

    @routes.get(_ONE, summary="A terminal", tags=["terminals"])
    async def terminal(mid: MidPath, tid: TidPath) -> TerminalShape:
        return shown(mid, tid)

    @routes.post(f"{_ONE}/approve", summary="Approve a binding: gives an activation code", tags=["terminals"])
    async def approve(mid: MidPath, tid: TidPath, approval: Approval | None = None) -> CodeShape:
        """97 until the unit is activated."""
        with store.transaction():
            return CodeShape.of(mid, tid, terminals.approve(mid, tid, _valid_s(approval)))

    @routes.post(f"{_ONE}/reject", summary="Reject a binding, with reasons", tags=["terminals"])
    async def reject(mid: MidPath, tid: TidPath, rejection: Rejection) -> TerminalShape:
        with store.transaction():
            terminals.reject(mid, tid, rejection.reasons)
            return shown(mid, tid)

    @routes.post(f"{_ONE}/activation-code", summary="Give another activation code", tags=["terminals"])
    async def new_code(mid: MidPath, tid: TidPath, approval: Approval | None = None) -> CodeShape:
        with store.transaction():
            return CodeShape.of(mid, tid, terminals.new_code(mid, tid, _valid_s(approval)))

    @routes.post("/activation", summary="Activate a unit: gives MID, TID and TMK", tags=["terminals"])
    async def activate(activation: Activation) -> KeyShape:
        """A code is good once. The key is not shown again."""
        with store.transaction():
            done = terminals.activate(activation.serial_number, activation.code)
            return KeyShape.of(done.mid, done.tid, done.tmk, office.check_value(done.tmk))

    @routes.post(f"{_ONE}/tmk", summary="Issue a new TMK", tags=["keys"])
    async def tmk(mid: MidPath, tid: TidPath) -> KeyShape:
        """It holds from the next sign-in. The key is not shown again."""
        with store.transaction():
            key = terminals.issue_tmk(mid, tid)
            return KeyShape.of(mid, tid, key, office.check_value(key))

    @routes.delete(f"{_ONE}/working-keys", summary="Delete its working keys: A0 until it signs in", tags=["keys"])
    async def delete_working_keys(mid: MidPath, tid: TidPath) -> TerminalShape:
        with store.transaction():
            terminals.delete_working_keys(mid, tid)
            return shown(mid, tid)

    @routes.post(f"{_ONE}/sign-out", summary="Sign it off: 77 until it signs in", tags=["terminals"])
    async def sign_out(mid: MidPath, tid: TidPath, how: SignOut | None = None) -> TerminalShape:
        """Or put it into maintenance: 77 too; or close it: 58. Each until it signs in."""
        with store.transaction():
            terminals.sign_out(mid, tid, (how or SignOut()).state)
            return shown(mid, tid)

    @routes.post(f"{_ONE}/suspend", summary="Suspend it: 58", tags=["terminals"])
    async def suspend(mid: MidPath, tid: TidPath, because: Because) -> TerminalShape:
        with store.transaction():
            terminals.suspend(mid, tid, because.reason)
            return shown(mid, tid)

    @routes.post(f"{_ONE}/restore", summary="End its suspension", tags=["terminals"])
    async def restore(mid: MidPath, tid: TidPath) -> TerminalShape:
        with store.transaction():
            terminals.restore(mid, tid)
            return shown(mid, tid)

    @routes.post(f"{_ONE}/unbind", summary="Unbind its unit: 97", tags=["terminals"])
    async def unbind(mid: MidPath, tid: TidPath, because: Because) -> TerminalShape:
        with store.transaction():
            terminals.unbind(mid, tid, because.reason)
            return shown(mid, tid)

    @routes.post(f"{_ONE}/swap", summary="Put another unit in its place", tags=["terminals"])
    async def swap(mid: MidPath, tid: TidPath, swap: Swap) -> CodeShape:
        """97 for both units until the new one is activated with the code; then for the old one."""
        with store.transaction():
            code = terminals.swap(
                mid, tid, swap.serial_number, swap.device_type, swap.valid_hours * HOUR_S, write_off=swap.write_off
            )
            return CodeShape.of(mid, tid, code)

    @routes.post(f"{_ONE}/deregister", summary="Take it off the register: 97", tags=["terminals"])
    async def deregister(mid: MidPath, tid: TidPath, because: Because) -> TerminalShape:
        with store.transaction():
            terminals.deregister(mid, tid, because.reason)
            return shown(mid, tid)

    @routes.get("/dormancy", summary="Which terminals are dormant", tags=["dormancy"])
    async def dormant(days: Annotated[int, Query(ge=1, le=3660)] = DORMANT_DAYS) -> list[TerminalShape]:
        """Registered, and without a message for so many days by the host's clock."""
        return [TerminalShape.of(terminal) for terminal in terminals.dormant(days)]

    @routes.post("/dormancy", summary="Deregister dormant terminals", tags=["dormancy"])
    async def deregister_dormant(days: Days) -> list[TerminalShape]:
        """Returns those that were deregistered, as they are now."""
        with store.transaction():
            gone = terminals.deregister_dormant(days.days)
            return [shown(terminal.row.mid, terminal.row.tid) for terminal in gone]

    return routes


def _valid_s(approval: Approval | None) -> int:
    """How long the code is good; a request without a body asks for nothing special."""
    return (approval or Approval()).valid_hours * HOUR_S
