"""REC-04: everything works again, and balances."""

from __future__ import annotations

from harness.tests.golden import World
from harness.tests.golden_stories import Stories
from harness.tests.histories.steps import recovered, under_way

stories = Stories("REC-")
good, bad, undecided, no_occasion = stories.good, stories.bad, stories.undecided, stories.no_occasion


# -- REC-04: everything works and balances -----------------------------------------------------------------------------


@good("REC-04", "sale, void, settle worked")
def sale_void_and_settlement_work(world: World) -> None:
    recovered(world)
    sale = world.sale(1200)
    world.void(sale.trace)
    world.settle()


@good("REC-04", "the batch balanced")
def the_host_is_told_to_find_a_difference(world: World) -> None:
    recovered(world)
    sale = world.sale(1200)
    world.void(sale.trace)
    world.settle(unbalanced=True)


@good("REC-04", "sale, settle worked", declaration={"transactions": ["sign_in", "sale", "settle"]})
def a_model_without_voids(world: World) -> None:
    recovered(world)
    world.sale(1200)
    world.settle()


@bad("REC-04", "was answered A0: its MAC is wrong")
def the_old_key_is_used(world: World) -> None:
    recovered(world)
    world.terminal.working = world.host.working.next()
    request = world.sale(1200, "A0").request
    assert request is not None
    world.events = [
        e.model_copy(update={"rule_id": None}) if e.kind == "host.journal" and e.rule_id else e for e in world.events
    ]


@bad("REC-04", "was approved, but the terminal said 96")
def an_approved_sale_is_shown_as_failed(world: World) -> None:
    recovered(world)
    world.sale(1200)
    index = max(i for i, e in enumerate(world.events) if e.kind == "operation.completed")
    world.events[index] = world.events[index].model_copy(update={"outcome": "fail", "code": "96"})


@bad("REC-04", "does not balance")
def the_settlement_does_not_balance(world: World) -> None:
    recovered(world)
    sale = world.sale(1200)
    world.void(sale.trace)
    world.sale(1300)
    world.terminal.log.pop()
    world.settle()


@undecided("REC-04", "not seen to work: void")
def a_void_that_is_refused(world: World) -> None:
    recovered(world)
    sale = world.sale(1200)
    world.void(sale.trace, "91")
    world.settle()


@no_occasion("REC-04")
def the_batch_is_set_anew_while_a_sale_is_under_way(world: World) -> None:
    recovered(world)
    under_way(world, lambda: world.set_host_batch("000007"), lambda: decided_by_the_host(world, "77"))


def decided_by_the_host(world: World, code: str) -> None:
    """A sale to which it says that code, told by no rule."""
    world.sale(1200, code)
    world.events = [
        e.model_copy(update={"rule_id": None}) if e.kind == "host.journal" and e.rule_id else e for e in world.events
    ]


@no_occasion("REC-04")
def not_everything_was_tried(world: World) -> None:
    recovered(world)
    world.sale(1200)
    world.settle()
