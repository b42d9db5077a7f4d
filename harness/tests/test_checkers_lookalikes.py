"""What looks like a 97 changes no verdict; and a profile in which another code means not registered gives the same
verdicts for that code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.checkers.reading import Reading
from harness.history.events import AnyEvent
from harness.judge import judge_bench
from harness.protocol import frames, keys
from harness.protocol.frames import Frame, decode
from harness.tests import test_checkers_money, test_checkers_recovery
from harness.tests.golden import World, dropped, late, lost
from harness.tests.golden_parts import profile_data
from harness.tests.golden_stories import Story

LOOKALIKES = [
    "金额:RMB 97.97", "97.97", "凭证号:000097", "终端号:97979797", "商户号:979797979797979", "余额:97.00", "0.97",
    "970000", "参考号:970097979797", "97/97", "付款码:97****97", "批次号:000097", "授权码:000097", "应答码:97.97",
    "第97笔", "97元",
]  # fmt: skip


def a_day(amount: int = 1200, trace: int = 1) -> World:
    """Approved, declined, unknown and refused, with and without 97."""
    world = World()
    world.terminal.trace = trace
    with world.test("a day"):
        world.sign_in()
        sale = world.sale(amount)
        world.sale(amount + 1, "51")
        world.sale(amount + 2, dropped())
        world.sale(amount + 3, late("51"))
        world.sale(amount + 4, "97", via="cashier")
        world.perform("offline_sale", amount + 5)
        world.remove_terminal()
        world.sign_in()
        world.register_terminal()
        world.sign_in()
        world.void(sale.trace)
        world.perform("pre_authorisation", amount + 6, lost(), card="chip")
        world.perform("refund", amount, "03", original=sale.trace)
        world.settle(unbalanced=True)
        world.ledger()
    world.close()
    return world


def verdicts(events: Sequence[AnyEvent]) -> list[tuple[str, str]]:
    return [(f.rule, f.verdict) for f in judge_bench(events)]


DAY = a_day()
PLAIN = verdicts(DAY.checked())


def test_the_day_says_something() -> None:
    assert len({rule for rule, _ in PLAIN}) >= 15
    assert {verdict for _, verdict in PLAIN} == {"PASS"}


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_numbers_on_screens_and_slips_change_no_verdict(data: st.DataObject) -> None:
    events: list[AnyEvent] = []
    for event in DAY.checked():
        if event.kind in ("screen", "slip") and any(line.strip() for line in event.lines):
            more = data.draw(st.lists(st.sampled_from(LOOKALIKES), max_size=2))
            if event.kind == "slip":  # there they would be another transaction
                more = [line for line in more if "金额" not in line and "凭证号" not in line]
            event = event.model_copy(update={"lines": [*event.lines, *more]})
        events.append(event)
    assert verdicts(events) == PLAIN


@settings(max_examples=20, deadline=None)
@given(st.sampled_from([9797, 9700, 97, 979797]), st.sampled_from([97, 970, 9797, 979797]))
def test_amounts_and_traces_change_no_verdict(amount: int, trace: int) -> None:
    assert verdicts(a_day(amount, trace).checked()) == PLAIN


def changed_frame(reading: Reading, raw: str, **changes: str) -> str:
    """A response with other fields, under the MAC key that it had."""
    frame = decode(bytes.fromhex(raw))
    fields = {**frame.fields, **{int(n[1:]): v for n, v in changes.items()}}
    built = frames.build(frame.mti, fields, tpdu=frame.tpdu, header=frame.header)
    key = next((k for k in reading.keyring.working if keys.verify(frame, k.mak) == "ok"), None)
    if 64 not in frame.fields:
        return built.raw.hex().upper()
    if key is None:  # a MAC that never was right stays none
        return built.raw.hex().upper()
    return keys.seal(built, key.mak).raw.hex().upper()


def with_frames(events: Sequence[AnyEvent], change: Any) -> list[AnyEvent]:
    """Every frame of wire and journal as ``change(Frame)`` says: fields to be changed, or none."""
    reading = Reading.of(events)
    done: dict[str, str] = {}

    def other(raw: str) -> str:
        if raw not in done:
            frame = decode(bytes.fromhex(raw))
            fields = change(frame)
            done[raw] = changed_frame(reading, raw, **fields) if fields else raw
        return done[raw]

    return [
        e.model_copy(update={"hex": other(e.hex)}) if e.kind in ("wire.frame", "host.journal") else e for e in events
    ]


def test_host_text_under_another_code_changes_no_verdict() -> None:
    text = "终端未登记97".encode("gbk").decode("latin-1")

    def told(frame: Frame) -> dict[str, str]:
        return {"f63": f"001{text}"} if frame.fields.get(39) in ("51", "03") else {}

    events = with_frames(DAY.checked(), told)
    assert events != DAY.checked()
    added = {"MSG-06"}  # host text in GBK is an occasion of its own
    assert [v for v in verdicts(events) if v[0] not in added] == [v for v in PLAIN if v[0] not in added]


# -- another code ------------------------------------------------------------------------------------------------------


def renamed_profile(profile: dict[str, Any], code: str) -> dict[str, Any]:
    """``code`` is what 97 was, in meaning and words; 97 is what ``code`` was."""
    swap = {"97": code, code: "97"}
    texts = profile["texts"]
    codes = {swap.get(name, name): words for name, words in texts["codes"].items()}
    return {**profile, "not_registered": [code], "texts": {**texts, "codes": codes}}


def renamed(events: Sequence[AnyEvent], code: str) -> list[AnyEvent]:
    """The history as it would be where ``code`` means not registered."""

    def told(frame: Frame) -> dict[str, str]:
        return {"f39": code} if frame.is_response and frame.fields.get(39) == "97" else {}

    found: list[AnyEvent] = []
    for e in with_frames(events, told):
        if e.kind == "run.opened":
            e = e.model_copy(update={"profile": renamed_profile(e.profile, code)})
        elif e.kind in ("screen", "slip"):
            lines = [line.replace("应答码:97", f"应答码:{code}") for line in e.lines]
            e = e.model_copy(update={"lines": lines})
        elif e.kind == "cashier" and e.fields.get("DF07") == "97":
            e = e.model_copy(update={"fields": {**e.fields, "DF07": code}})
        elif e.kind == "operation.completed" and e.code == "97":
            e = e.model_copy(update={"code": code})
        found.append(e)
    return found


STORIES = [
    story
    for stories in (test_checkers_money.stories, test_checkers_recovery.stories)
    for story in (*stories.kept, *stories.broken, *stories.open)
    if "not_registered" not in story.options
]


SAYS_58 = {"the_settlement_claims_the_declined_sale", "one_of_two_declined_sales_is_claimed", "a_void_is_booked_on_97"}


@pytest.mark.parametrize("code", ["58", "89"])
@pytest.mark.parametrize("story", STORIES, ids=str)
def test_another_code_gives_the_same_verdicts(story: Story, code: str) -> None:
    events = story.events()
    other = renamed(events, code)
    if any(code in (e.answer.fields.get(39) if e.answer else "",) for e in Reading.of(events).exchanges):
        assert story.telling.__name__ in SAYS_58  # there it means something else already
        return
    assert verdicts(other) == verdicts(events)


def test_the_day_under_another_code() -> None:
    for code in ("58", "89"):
        other = renamed(DAY.checked(), code)
        assert verdicts(other) == PLAIN
        assert not [e for e in Reading.of(other).definite_97s if e.code == "97"]
        assert Reading.of(other).definite_97s


def test_97_says_nothing_there() -> None:
    """Under a profile in which 97 means something else, a 97 on the wire and on the screen is just another code."""
    texts = {**profile_data()["texts"], "codes": {"89": ["终端未登记"], "97": ["总额已清零"]}}
    world = World(not_registered=["89"], texts=texts)
    world.sign_in()
    world.sale(500, "97")
    found = verdicts(world.checked())
    assert ("MSG-03", "PASS") in found
    assert not [rule for rule, _ in found if rule in ("MSG-01", "MON-01", "MON-02", "REC-08")]
