"""Routes of applications and merchants."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from harness.acquirer.management.shapes import Because, MerchantShape, Rejection
from harness.acquirer.registration.back_office import BackOffice
from harness.acquirer.registration.documents import Application, FeeRates
from harness.acquirer.registration.merchants import State

MidPath = Annotated[str, Path(pattern=r"^[ -.0-~]{15}$", description="merchant code")]
Limit = Annotated[int, Query(ge=1, le=1000, description="at most so many")]
StateQuery = Annotated[State | None, Query(description="only those in this state")]


def router(office: BackOffice) -> APIRouter:
    routes = APIRouter()
    merchants, store = office.merchants, office.store

    def shown(mid: str) -> MerchantShape:
        return MerchantShape.of(merchants.get(mid))

    @routes.post("/applications", status_code=201, summary="Submit an application", tags=["applications"])
    async def submit(application: Application) -> MerchantShape:
        """The answer has the merchant code: the wanted one, or a new one."""
        with store.transaction():
            return shown(merchants.submit(application))

    @routes.put("/applications/{mid}", summary="Submit it again, changed", tags=["applications"])
    async def amend(mid: MidPath, application: Application) -> MerchantShape:
        """While it is submitted or rejected."""
        with store.transaction():
            merchants.amend(mid, application)
            return shown(mid)

    @routes.post("/applications/{mid}/review", summary="Take it up for review", tags=["applications"])
    async def review(mid: MidPath) -> MerchantShape:
        with store.transaction():
            merchants.review(mid)
            return shown(mid)

    @routes.post("/applications/{mid}/approve", summary="Approve it", tags=["applications"])
    async def approve(mid: MidPath) -> MerchantShape:
        """The switch knows the merchant from now on; before, it answers 03."""
        with store.transaction():
            merchants.approve(mid)
            return shown(mid)

    @routes.post("/applications/{mid}/reject", summary="Reject it, with reasons", tags=["applications"])
    async def reject(mid: MidPath, rejection: Rejection) -> MerchantShape:
        with store.transaction():
            merchants.reject(mid, rejection.reasons)
            return shown(mid)

    @routes.get("/merchants", summary="All merchants and applications", tags=["merchants"])
    async def all_merchants(
        state: StateQuery = None,
        after: Annotated[str, Query(max_length=15, description="behind this merchant code")] = "",
        limit: Limit = 100,
    ) -> list[MerchantShape]:
        """By merchant code."""
        return [MerchantShape.of(merchant) for merchant in merchants.all(state, after=after, limit=limit)]

    @routes.get("/merchants/{mid}", summary="A merchant, with its application", tags=["merchants"])
    async def merchant(mid: MidPath) -> MerchantShape:
        return shown(mid)

    @routes.post("/merchants/{mid}/suspend", summary="Suspend it: 03", tags=["merchants"])
    async def suspend(mid: MidPath, because: Because) -> MerchantShape:
        with store.transaction():
            merchants.suspend(mid, because.reason)
            return shown(mid)

    @routes.post("/merchants/{mid}/resume", summary="End its suspension", tags=["merchants"])
    async def resume(mid: MidPath) -> MerchantShape:
        with store.transaction():
            merchants.resume(mid)
            return shown(mid)

    @routes.post("/merchants/{mid}/close", summary="Close it for good", tags=["merchants"])
    async def close(mid: MidPath, because: Because) -> MerchantShape:
        """03 from now on; its terminals are deregistered, and their units free."""
        with store.transaction():
            merchants.close(mid, because.reason)
            return shown(mid)

    @routes.put("/merchants/{mid}/fees", summary="Set its fees", tags=["merchants"])
    async def set_fees(mid: MidPath, rates: FeeRates) -> MerchantShape:
        with store.transaction():
            merchants.set_fees(mid, rates)
            return shown(mid)

    return routes
