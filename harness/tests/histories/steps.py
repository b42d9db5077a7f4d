"""Steps that many histories have in common."""

from __future__ import annotations

from collections.abc import Callable

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


def begun_before(world: World) -> None:
    """A sign-in asked for in the middle of a connection that the terminal began by itself. Both come to nothing."""
    stream = world.next("stream")
    world.connection(stream, "opening", "terminal")
    operation = world.invoke("sign_in")
    world.display("连接失败")
    world.connection(stream, "refused", "acquirer")
    world.complete(operation, "fail")


def under_way(world: World, change: Callable[[], object], request: Callable[[], object]) -> None:
    """The back office makes the change between the first frame of the request and the host's decision."""
    start = len(world.events)
    change()
    changed = len(world.events)
    request()
    asked = next(e for e in world.events[changed:] if e.kind == "wire.frame")
    for index in range(start, changed):
        world.events[index] = world.events[index].model_copy(update={"t": asked.t + 1 + index - start})


def nothing_sent(world: World, name: str, told: str, **args: str) -> None:
    """Asked for at the keys, and failed with these words on the screen before anything went out."""
    operation = world.invoke(name, "keypad", **args)
    world.display(told)
    world.complete(operation, "fail")
    world.idle(3)


def end_unseen(world: World) -> None:
    """Nobody saw how the operation under way last ended."""
    index = max(i for i, e in enumerate(world.events) if e.kind == "operation.completed")
    world.events[index] = world.events[index].model_copy(update={"outcome": "unknown", "code": None, "detail": ""})
