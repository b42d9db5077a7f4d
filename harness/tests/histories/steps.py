"""Steps that many histories have in common."""

from __future__ import annotations

from harness.tests.golden import World


def meet_97(world: World) -> None:
    world.sign_in()
    world.remove_terminal()
    world.sign_in()


def recovered(world: World) -> None:
    meet_97(world)
    world.register_terminal()
    world.sign_in()


def deny_success(world: World) -> None:
    """The operation under way last was granted on the wire, and the terminal says that it failed."""
    index = max(i for i, e in enumerate(world.events) if e.kind == "operation.completed")
    world.events[index] = world.events[index].model_copy(update={"outcome": "fail", "code": "Z3"})


def claim_success(world: World) -> None:
    index = max(i for i, e in enumerate(world.events) if e.kind == "operation.completed")
    world.events[index] = world.events[index].model_copy(update={"outcome": "ok", "code": None})
