"""Routes of the books, the journal, misbehaviour and the status."""

from __future__ import annotations

from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Query, Response

from harness.acquirer.management.merchants import Limit, MidPath
from harness.acquirer.management.shapes import (
    Armed,
    ClockShape,
    EntryShape,
    MisbehaviourRule,
    ReportShape,
    RowShape,
    StatusShape,
)
from harness.acquirer.management.terminals import TidPath
from harness.acquirer.misbehaviour import parse_rule
from harness.acquirer.registration.back_office import BackOffice
from harness.acquirer.registration.documents import Refused, Unknown
from harness.errors import BadInput

_LAST_NUMBER = (1 << 63) - 1


class Running(Protocol):
    def status(self) -> dict[str, Any]: ...


def router(running: Running, office: BackOffice) -> APIRouter:
    routes, host = APIRouter(), office.host

    @routes.get("/ledger/{mid}/{tid}", summary="What was booked for a terminal", tags=["books"])
    async def ledger(
        mid: MidPath, tid: TidPath, after: Annotated[int, Query(ge=0, le=_LAST_NUMBER)] = 0, limit: Limit = 100
    ) -> list[EntryShape]:
        """In the order of booking, from the entry behind ``after`` on."""
        office.terminals.get(mid, tid)
        return [EntryShape.of(entry) for entry in host.ledger.entries(mid, tid, after=after, limit=limit)]

    @routes.get("/settlements/{mid}/{tid}", summary="The settlement reports of a terminal", tags=["books"])
    async def settlements(mid: MidPath, tid: TidPath, limit: Limit = 20) -> list[ReportShape]:
        """Of each batch, the newest first, with the merchant's fees."""
        office.terminals.get(mid, tid)
        return [ReportShape.of(report) for report in office.fees.reports(mid, tid, limit)]

    @routes.get("/settlements/{mid}/{tid}/{batch}", summary="The settlement report of a batch", tags=["books"])
    async def settlement(mid: MidPath, tid: TidPath, batch: int) -> ReportShape:
        """Of the newest batch with this number."""
        report = office.fees.newest(mid, tid, batch) if 0 < batch < 1_000_000 else None
        if report is None:
            raise Unknown(f"terminal {tid} of merchant {mid} has no batch {batch}")
        return ReportShape.of(report)

    @routes.get("/journal", summary="What came and what was answered", tags=["journal"])
    async def journal(
        since: Annotated[int, Query(ge=0, le=_LAST_NUMBER)] = 0, limit: Limit = 100, frames: bool = False
    ) -> list[RowShape]:
        """Rows behind ``since``. With ``frames`` the messages too, in hex; card numbers in them are clear."""
        return [RowShape.of(row, frames) for row in host.journal.since(since, limit)]

    @routes.get("/misbehaviour", summary="Which misbehaviours are armed", tags=["misbehaviour"])
    async def armed() -> dict[str, int | None]:
        """Number of a rule -> how many requests it still has, null: no limit."""
        return {str(rule_id): left for rule_id, left in host.misbehaviour.armed().items()}

    @routes.post("/misbehaviour", status_code=201, summary="Arm a misbehaviour", tags=["misbehaviour"])
    async def arm(rule: MisbehaviourRule) -> Armed:
        try:
            parsed = parse_rule(rule.model_dump(exclude_unset=True))
        except BadInput as error:
            raise Refused([("rule", str(error).removeprefix("rule: "))]) from error
        return Armed(rule_id=host.misbehaviour.arm(parsed))

    @routes.delete("/misbehaviour", status_code=204, summary="Be honest again", tags=["misbehaviour"])
    async def clear() -> Response:
        host.misbehaviour.clear()
        return Response(status_code=204)

    @routes.put("/clock", summary="Set the host's clock", tags=["status"])
    async def set_clock(clock: ClockShape) -> ClockShape:
        """It goes on from there, also after a restart; null: the machine's clock again."""
        with office.store.transaction():
            try:
                host.clock.set(clock.epoch)
            except BadInput as error:
                raise Refused([("epoch", str(error))]) from error
        return clock

    @routes.get("/status", summary="Where it listens, and how it does", tags=["status"])
    async def status() -> StatusShape:
        found = running.status()
        return StatusShape(**{name: found[name] for name in StatusShape.model_fields})

    return routes
