"""Whatever faults strike a good terminal at a good host, no rule says FAIL: drawn by Hypothesis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.history.events import WireFrame
from harness.judge import judge_bench
from harness.tests.golden import Reply, World, dropped, host_closes, late, lost, withheld
from harness.tests.golden_faults import (
    Strike,
    cut,
    damaged,
    dribbled,
    forged,
    replayed,
    request_swallowed,
    reset,
    rewritten,
    swallowed,
)

DENIED = st.sampled_from([None, "97", "51", "91"])
Step = Callable[[World], None]


def earlier_answers(world: World) -> list[bytes]:
    return [bytes.fromhex(e.hex) for e in world.events if isinstance(e, WireFrame) and e.direction == "to_terminal"]


@st.composite
def strikes(draw: st.DrawFn) -> Callable[[World], Strike]:
    plain: list[Strike] = [
        swallowed(), cut(draw(st.integers(0, 90))), cut(-draw(st.integers(1, 20)), "reset"), cut(30, ""), reset(),
        dribbled(), request_swallowed(), damaged(draw(st.integers(13, 60))), rewritten(mac="strip"),
        rewritten(mac="break"), rewritten({37: "999999999999"}), rewritten({4: "000000000001"}, mac="recompute"),
        forged("97"), forged("97", mac="wrong"), forged("51"), forged("97", mac="none"), forged("00", mac="none"),
        forged("00", f37="500100999999"),
    ]  # fmt: skip
    one = draw(st.integers(0, len(plain)))
    if one < len(plain):
        return lambda world: plain[one]
    which, before = draw(st.integers(0, 5)), draw(st.booleans())

    def replay(world: World) -> Strike:
        earlier = earlier_answers(world)
        return replayed(earlier[-1 - which % len(earlier)], "before" if before else "instead") if earlier else reset()

    return replay


@st.composite
def replies(draw: st.DrawFn) -> Callable[[World], Reply]:
    code = draw(DENIED)
    hosts = [late, lost]
    if draw(st.integers(0, 3)) == 0:
        one = draw(st.sampled_from([withheld, dropped, host_closes]))
        return lambda world: one()
    if draw(st.integers(0, 3)) == 0:
        other = draw(st.sampled_from(hosts))
        return lambda world: other(code)
    if draw(st.booleans()):
        return lambda world: Reply(code=code)
    strike = draw(strikes())
    return lambda world: Reply(code=code, wire=strike(world))


@st.composite
def steps(draw: st.DrawFn) -> Step:
    name = draw(st.sampled_from(["sale", "sale", "sale", "void", "sign_in", "echo", "refund", "settle", "reboot"]))
    reply = draw(replies())
    amount = draw(st.integers(1, 5)) * 100

    def step(world: World) -> None:
        terminal: Any = world.terminal
        if name == "void" and terminal.log:
            done = {s.original for s in terminal.log}
            open_ones = [s.trace for s in terminal.log if s.kind == "sale" and s.trace not in done]
            if open_ones:
                world.void(open_ones[-1], reply(world))
        elif name == "refund":
            world.perform("refund", amount, reply(world), original="000001")
        elif name == "sale":
            world.sale(amount, reply(world))
        elif name == "sign_in":
            if not world.sign_in(reply(world)).code.startswith(("Z", "00")):
                terminal.signed_in = False  # a sign-in that was refused ends the one before
            world.host.working = terminal.working  # where its answer was lost, this host goes on with the keys before
        elif name == "echo":
            world.echo(reply(world))
        elif name == "settle" and terminal.signed_in:
            world.settle()
        elif name == "reboot":
            world.reboot()

    return step


@settings(max_examples=150, deadline=None)
@given(st.lists(steps(), min_size=1, max_size=7))
def test_a_good_terminal_breaks_nothing(told: list[Step]) -> None:
    world = World()
    world.sign_in()
    for step in told:
        step(world)
    world.sign_in()
    world.sale(700)
    world.settle(unbalanced=True)
    world.ledger()
    world.close()
    broken = [f for f in judge_bench(world.checked()) if f.verdict in ("FAIL", "ERROR")]
    assert not broken, broken
