# SPDX-License-Identifier: GPL-2.0-only
"""The splicer between two modelled ends: whatever the network does, each gets exactly the stream that it should."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.protocol.frames import build
from harness.wire import faults
from harness.wire.faults.base import Side
from harness.wire.injector.dice import dice
from harness.wire.injector.splicer import TcpSplicer
from harness.wire.injector.tests.splicer_model import MS, Network

SIDES: tuple[Side, Side] = ("terminal", "acquirer")
MTI: dict[Side, str] = {"terminal": "0200", "acquirer": "0210"}


def message(mti: str, number: int, filler: int = 0) -> bytes:
    """A frame with this STAN, as long as wanted."""
    fields = {3: "000000", 11: f"{number:06d}", 39: "00", 41: "12345678", 42: "123456789012345", 63: "x" * filler}
    if mti[2] == "0":
        del fields[39]
    return build(mti, {k: v for k, v in fields.items() if v}).raw


def arm(splicer: TcpSplicer, fault_id: int = 1, **values: Any) -> None:
    fault = faults.read(values)
    splicer.arm(fault_id, fault, dice(fault))


def speak(network: Network, says: dict[Side, list[bytes]], dice: random.Random, close: bool = True) -> None:
    """Both say all of it, in segments and at times that the dice choose; then they close, and all is done."""
    for side in SIDES:
        end, stream = network.ends[side], b"".join(says[side])
        count = dice.randrange(0, 1 + min(12, len(stream)))
        end.cuts = sorted(dice.randrange(1, max(2, len(stream))) for _ in range(count))
        at = 0
        while at < len(stream):
            size = dice.choice([1, 7, 60, 200, 900, 5000])
            part = stream[at : at + size]
            network.later(dice.randrange(0, 700) * MS, lambda end=end: end.say(end.parts.pop(0)))  # type: ignore[misc]
            end.parts.append(part)
            at += size
        network.later(750 * MS, end.close if close else lambda: None)


def finished(network: Network) -> bool:
    return network.now > 0 and all(end.quiet and end.closing and end.peer_closed for end in network.ends.values())


def settled(network: Network, expected: dict[Side, bytes]) -> None:
    """All was said, all arrived, both closed."""
    done = network.run(lambda: finished(network), seconds=600)
    for side in SIDES:
        end = network.ends[side]
        assert not end.reset, f"{side} was reset"
        assert bytes(end.got) == expected[side], f"{side} got another stream"
    assert done, {side: (end.una, end.nxt, len(end.data), end.peer_closed) for side, end in network.ends.items()}


DRAWN = st.fixed_dictionaries({
    "seed": st.integers(0, 1 << 32), "loss": st.sampled_from([0.0, 0.0, 0.05, 0.25]),
    "twice": st.sampled_from([0.0, 0.1]), "mess": st.sampled_from([0.0, 0.1, 0.4]), "stamps": st.booleans(),
    "mss": st.sampled_from([100, 536, 1448]), "begin": st.sampled_from([0, (1 << 32) - 400]),
})
KINDS = ("hold", "swallow", "replace", "replay before", "replay after", "replay instead", "dribble", "cut heal")


def values_of(kind: str, dice: random.Random) -> tuple[dict[str, Any], bytes]:
    """A fault without its match, and the bytes that it brings."""
    name, _, how = kind.partition(" ")
    other = message("0430", 7, dice.choice([0, 1, 30, 400, 900, 3000 - 1]) % 990)
    if dice.random() < 0.2:
        other *= 4
    values: dict[str, Any] = {"fault": name}
    if name in ("replace", "replay"):
        values["hex"] = other.hex()
    if name == "replay":
        values["when"] = how
    if name == "hold":
        values["release_s"] = dice.choice([0.0, 0.05, 1.0, 3.0])
    if name == "dribble":
        values |= {"size": dice.choice([1, 5, 50]), "gap_ms": dice.choice([0.0, 1.0, 30.0]), "variation": 3}
    if name == "cut":
        values |= {"after_bytes": dice.choice([-3, 0, 1, 17, 5000]), "then": "heal"}
        values |= {"pause_s": dice.choice([0, 0.3, 2])}
    return values, other


def edited(kind: str, original: bytes, other: bytes) -> bytes:
    name, _, how = kind.partition(" ")
    if name == "swallow":
        return b""
    if name == "replace" or how == "instead":
        return other
    return {"before": other + original, "after": original + other}.get(how, original)


@settings(max_examples=150, deadline=None)
@given(DRAWN, st.lists(st.sampled_from(KINDS), max_size=3, unique=True))
def test_each_end_gets_exactly_the_edited_stream(drawn: dict[str, Any], kinds: list[str]) -> None:
    begin, seed = drawn["begin"], drawn["seed"]
    dice = random.Random(seed)
    splicer = TcpSplicer(patience=1000_000 * MS)
    network = Network(splicer, dice, begin=begin, **{k: drawn[k] for k in ("loss", "twice", "mess", "stamps", "mss")})
    says: dict[Side, list[bytes]] = {
        side: [message(MTI[side], n, dice.choice([0, 20, 300, 990])) for n in range(dice.randrange(1, 12))]
        for side in SIDES
    }
    streams = {side: list(frames) for side, frames in says.items()}
    for number, kind in enumerate(kinds, 1):
        side = dice.choice(SIDES)
        nth = dice.randrange(1, len(says[side]) + 1)
        values, other = values_of(kind, dice)
        arm(splicer, number, **values, match={"moment": f"{nth}th {MTI[side]}"})
        if streams[side][nth - 1] != says[side][nth - 1]:
            return  # two faults at one message are told elsewhere
        streams[side][nth - 1] = edited(kind, says[side][nth - 1], other)
    network.open()
    speak(network, says, dice)
    settled(network, {"terminal": b"".join(streams["acquirer"]), "acquirer": b"".join(streams["terminal"])})
    assert len(network.strikes) == len(kinds)
