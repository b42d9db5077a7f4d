"""The evidence model and what is made of histories: golden ones, whole and with events taken away."""

from __future__ import annotations

import functools
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import harness.diagnosis
from harness.campaigns.diagnose import seen_before
from harness.diagnosis.causes import CAUSES, TOLD
from harness.diagnosis.diagnosing import body_of, of_log, of_looking, of_test
from harness.diagnosis.episode import last_story
from harness.diagnosis.judging import Diagnosis, Seen, diagnose_signs
from harness.diagnosis.observing import NEVER, signs_in
from harness.diagnosis.signs import SIGNS, Level
from harness.diagnosis.telling import as_json, lines
from harness.history.diagnosis_events import HostLookedUp, WireLooked
from harness.history.events import (
    AnyEvent,
    FaultArmed,
    HostArmed,
    HostChanged,
    HostJournal,
    OperationCompleted,
    Power,
    RunOpened,
    Screen,
    Service,
    TestOpened,
    TestPhase,
    WireConnection,
    WireFrame,
    WireLink,
)
from harness.history.instrument_events import HardwareState, Readings
from harness.i18n import catalogue
from harness.judge import judge_bench
from harness.tests.golden import MID, TID, World, says
from harness.tests.golden_stories import Story
from harness.tests.golden_wire import MID_2, TID_2
from harness.tests.histories import money_cut, network_97, network_after, recovery_registration, recovery_sign_in

LEVELS: tuple[Level, ...] = ("outside", "host")
HOME = Path(harness.diagnosis.__file__).parent
STORIES: list[Story] = [
    story
    for module in (money_cut, network_97, network_after, recovery_registration, recovery_sign_in)
    for story in (*module.stories.kept, *module.stories.broken, *module.stories.open)
]


@functools.cache
def told(number: int) -> tuple[AnyEvent, ...]:
    return tuple(STORIES[number].events())


def looked(world: World, **found: object) -> World:
    """The back office was asked, and has everything in order but for ``found``."""
    values: dict[str, object] = {"merchant": "active", "terminal": "active", "heard": 1, "ways": ["10.97.0.1:8583"]}
    values |= {"mid": MID, "tid": TID}
    world.append(HostLookedUp(t=0, since=0, **{**values, **found}))  # type: ignore[arg-type]
    return world


# -- the model ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SIGNS)
def test_a_row_says_something_about_some_cause(name: str) -> None:
    row = SIGNS[name].row
    assert row and set(row) <= set(CAUSES) and all(0 < weight <= 1 for weight in row.values())
    assert len(set(row.values())) > 1 or len(row) < len(CAUSES), "a sign that treats all causes alike is none"
    assert SIGNS[name].words.format(about="x") in (SIGNS[name].words, SIGNS[name].words.replace("{about}", "x"))


def test_every_sign_is_looked_for() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in HOME.glob("*.py") if path.name != "signs.py")
    assert [name for name in SIGNS if f'"{name}"' not in source] == []


@pytest.mark.parametrize("cause", CAUSES)
def test_every_cause_can_be_named_first_and_has_words(cause: str) -> None:
    firsts = {diagnose_signs([Seen(name, (1,), 1)], "host").causes[0] for name in SIGNS}
    assert cause in firsts
    told_of = TOLD[cause]
    assert told_of.prior > 0
    assert all(text in catalogue() for text in (told_of.name, told_of.words, told_of.cure))


TIMES = st.integers(1, 10**9)
SOME = st.lists(st.sampled_from(sorted(SIGNS)), max_size=8)


@given(SOME, SOME, st.sampled_from(LEVELS))
def test_fewer_signs_leave_more_causes(some: list[str], more: list[str], level: Level) -> None:
    """And what is certain without them is not contradicted by any cause with them."""
    few = diagnose_signs([Seen(name, (1,), 1) for name in some], level)
    many = diagnose_signs([Seen(name, (1,), 1) for name in some + more], level)
    assert_wider(few, many)


@given(SOME, st.sampled_from(LEVELS))
def test_the_acquirers_view_only_narrows(names: list[str], level: Level) -> None:
    del level
    seen = [Seen(name, (1,), 1) for name in names]
    assert_wider(diagnose_signs(seen, "outside"), diagnose_signs(seen, "host"))


@given(SOME)
def test_likelihoods_are_shares_and_the_likeliest_comes_first(names: list[str]) -> None:
    found = diagnose_signs([Seen(name, (1,), 1) for name in names], "host")
    shares = [fit.likelihood for fit in found.fits]
    assert shares == sorted(shares, reverse=True)
    assert not shares or found.contradictory <= (len(shares) == 1 or found.two_likelier)
    assert not shares or sum(shares) == pytest.approx(1)
    assert found.certain <= (len(shares) == 1)


def test_nothing_seen_is_not_known() -> None:
    found = diagnose_signs([])
    assert not found.known and not found.certain and set(found.causes) == set(CAUSES)
    assert next(iter(lines(found))).startswith("not known")
    assert as_json(found)["causes"] == []


def test_what_contradicts_itself_is_not_known() -> None:
    found = diagnose_signs([Seen("host_pending", (1,), 1), Seen("told_no_sim", (2,), 2)], "host")
    assert found.contradictory and not found.known and not found.certain
    assert "no single cause" in next(iter(lines(found)))


def test_what_merely_survives_two_strong_signs_is_not_certain() -> None:
    """The host's journal says that it gave no answer, and the terminal looked for a host where none is: only a bad line
    could have brought both, and hardly would have."""
    found = diagnose_signs([Seen("host_silent", (1,), 1), Seen("way_wrong", (2,), 2, "10.97.0.9")], "host")
    assert found.causes == ("line",) and not found.certain and not found.known
    assert "no single cause" in next(iter(lines(found)))


@pytest.mark.parametrize(
    "names",
    [
        ["dhcp_refused", "told_broken"], ["dhcp_refused", "told_hot"], ["unanswered", "identity_blank"],
        ["told_software", "sign_in_approved", "dhcp_refused"], ["code_not_registered", "wire_connected", "told_broken"],
        ["code_not_registered", "told_broken", "host_tid_missing"],
    ],
)  # fmt: skip
def test_two_troubles_at_once_are_not_a_defect_that_merely_survives_both(names: list[str]) -> None:
    """However many causes of that kind are left."""
    found = diagnose_signs([Seen(name, (1,), 1) for name in names], "host")
    assert found.causes[0] == "firmware" and found.contradictory and not found.known
    assert "no single cause" in next(iter(lines(found)))


def test_of_two_signs_no_defect_is_certain() -> None:
    """A broken rule beside one is the judge's word, and is never seen with what the line does."""
    for pair in combinations((name for name in SIGNS if name != "rule_broken"), 2):
        found = diagnose_signs([Seen(name, (1,), 1) for name in pair], "host")
        assert not (found.certain and found.causes == ("firmware",)), pair


def assert_wider(few: Diagnosis, many: Diagnosis) -> None:
    assert set(many.causes) <= set(few.causes)
    if few.certain:
        assert many.causes in ((), few.causes)


# -- golden histories --------------------------------------------------------------------------------------------------


@given(st.integers(0, len(STORIES) - 1), st.randoms(use_true_random=False), st.sampled_from(LEVELS))
@settings(max_examples=60)
def test_events_taken_away_rule_nothing_out(number: int, chance, level: Level) -> None:  # type: ignore[no-untyped-def]
    events = told(number)
    share = chance.random()
    kept = [event for event in events if isinstance(event, RunOpened) or chance.random() < share]
    assert_wider(of_looking(kept, level), of_looking(events, level))
    for found in (of_log(kept, level), of_test(kept, (), level)):  # whatever is left: an answer
        assert "\n".join(lines(found)) and as_json(found)


TEXT = st.one_of(st.text(max_size=60), st.sampled_from([
    "OK NET DHCP INIT dns=none", "OK NET NONE dns=none", "OK TID= MID= SN=", "应答码:97", "打印机过热",
    "OK NET STATIC dns=", "97: terminal x of merchant y not registered (pending)", "; connection closed",
    "dropped: NII 0001 leads elsewhere",
]))
HEX = st.binary(max_size=60).map(lambda data: data.hex().upper())
WILD = st.one_of(
    st.builds(Service, t=TIMES, direction=st.sampled_from(["to_terminal", "from_terminal"]), text=TEXT),
    st.builds(Screen, t=TIMES, image=st.just("x.png"), lines=st.lists(TEXT, max_size=3), unreadable=st.integers(0, 99)),
    st.builds(WireFrame, t=TIMES, frame=st.integers(1, 9), stream=st.integers(0, 2), hex=HEX, t_first=TIMES,
              packets=st.just([1]), direction=st.sampled_from(["to_acquirer", "to_terminal"])),
    st.builds(WireConnection, t=TIMES, stream=st.integers(0, 2), packet=st.just(1), peer=TEXT,
              state=st.sampled_from(["opening", "open", "refused", "closed", "reset"]),
              by=st.sampled_from([None, "terminal", "acquirer"])),
    st.builds(OperationCompleted, t=TIMES, op=st.integers(1, 4), outcome=st.sampled_from(["ok", "fail", "unknown"]),
              code=st.sampled_from([None, "97", "Z1", "Z2", "00", "??"])),
    st.builds(HostJournal, t=TIMES, jid=st.integers(1, 9), connection=st.just(1), hex=HEX, note=TEXT,
              direction=st.sampled_from(["in", "out", "withheld"])),
    st.builds(WireLooked, t=TIMES, since=st.just(0), first=st.just(1), last=st.just(2),
              names=st.lists(TEXT, max_size=2),
              counts=st.dictionaries(st.sampled_from(["packets", "syn", "sent", "dns_asked"]), st.integers(0, 5))),
    st.builds(HostLookedUp, t=TIMES, since=st.just(0), mid=TEXT, tid=TEXT, merchant=TEXT, terminal=TEXT, bound=TEXT,
              ways=st.lists(TEXT, max_size=2)),
    st.builds(Readings, t=TIMES, instrument=st.just("x"),
              values=st.dictionaries(st.sampled_from(["temperature_c", "voltage_v", "level_kv"]), st.floats())),
)  # fmt: skip


@given(st.lists(WILD, max_size=12), st.sampled_from(LEVELS), st.booleans())
def test_whatever_stands_in_a_history_there_is_an_answer(wild: list[AnyEvent], level: Level, shared: bool) -> None:
    log = World(model="HT-200").events if shared else told(0)
    opened = next(event for event in log if isinstance(event, RunOpened))
    events = [opened, *(event.model_copy(update={"seq": 2 + number}) for number, event in enumerate(wild))]
    for found in (of_looking(events, level), of_log(events, level), of_test(events, (), level)):
        assert "\n".join(lines(found)) and as_json(found)
        assert found.certain <= found.known


def test_without_its_beginning_a_history_says_nothing() -> None:
    assert signs_in([event for event in told(0) if not isinstance(event, RunOpened)]) == []
    assert not of_looking([]).known


LIES: tuple[AnyEvent, ...] = (
    HardwareState(t=5, seq=90001, part="printer", state="dead"),
    HostChanged(t=5, seq=90002, change="terminal_rejected", mid=MID, tid=TID),
    HostArmed(t=5, seq=90003, rule_id=7, rule={"mti": "0200", "action": "never"}),
    FaultArmed(t=5, seq=90004, fault_id=3, fault={"fault": "partition"}),
    WireLink(t=5, seq=90005, state="down"),
)  # fmt: skip


@pytest.mark.parametrize("number", range(0, len(STORIES), 9))
@pytest.mark.parametrize("level", LEVELS)
def test_what_the_harness_did_is_no_evidence(number: int, level: Level) -> None:
    events = told(number)
    bare = [event for event in events if not isinstance(event, NEVER)]
    for made in (bare, [*events, *LIES]):
        assert of_looking(made, level) == of_looking(events, level)
        assert of_log(made, level) == of_log(events, level)


def test_97_from_outside_leaves_what_looks_alike() -> None:
    world = World(registered=False)
    world.sign_in()
    found = of_looking(world.events)
    assert {"not_registered", "under_review", "wrong_tid"} == set(found.alike())
    assert not found.certain and found.causes[0] == "not_registered"


@pytest.mark.parametrize(
    ("row", "cause", "certain"),
    [
        ({"terminal": "pending"}, "under_review", True), ({"terminal": "rejected"}, "under_review", True),
        ({"terminal": "removed"}, "not_registered", True), ({"terminal": "missing"}, "wrong_tid", False),
        ({"terminal": "missing", "elsewhere": ["898970000000777"]}, "wrong_tid", False),
        ({"merchant": "missing", "terminal": "missing", "elsewhere": ["898970000000777"]}, "wrong_mid", False),
        ({"merchant": "missing"}, "not_registered", True), ({"merchant": "missing", "terminal": "missing"}, "", False),
    ],
)  # fmt: skip
def test_97_with_the_back_offices_word(row: dict[str, object], cause: str, certain: bool) -> None:
    world = World(registered=False)
    world.sign_in()
    found = of_looking(looked(world, **row).events, "host")
    assert found.certain is certain
    if cause:
        assert found.causes[0] == cause


def test_another_unit_is_bound() -> None:
    world = World(registered=False)
    world.sign_in()
    world.append(Service(t=0, direction="from_terminal", text=f"OK TID={TID} MID={MID} SN=HT1"))
    found = of_looking(looked(world, bound="HT2").events, "host")
    assert found.certain and found.causes == ("not_registered",)


def test_a_host_elsewhere_is_a_setting_whatever_else_is_seen() -> None:
    world = World()
    world.append(WireLooked(t=0, since=0, first=1, last=3, counts={"packets": 3, "syn": 3}, peers=["10.97.0.9:8583"]))
    found = of_looking(looked(world, heard=0).events, "host")
    assert found.causes[0] == "network_settings" and "line" in found.causes


def test_a_sale_that_works_is_nothing_wrong_and_never_certain() -> None:
    world = World()
    world.sign_in()
    world.sale(1000)
    for level in LEVELS:
        found = of_looking(world.events, level)
        assert found.healthy and not found.certain and {"hardware", "firmware"} <= set(found.causes)


def test_the_last_story_of_a_log_is_what_counts() -> None:
    world = World()
    world.sign_in()
    world.remove_terminal()
    world.sale(500)
    assert of_log(world.events).causes[0] == "not_registered"
    world.register_terminal()
    world.sign_in()
    world.sale(600)
    assert of_log(world.events).healthy
    assert of_log(world.events).causes[0] == "nothing"


def test_of_a_failed_test_its_body_is_what_counts() -> None:
    """Setup and conclusion are well; in between it was answered 97."""
    world = World()
    with world.test("a sale", declares=[]):
        world.sign_in()
        world.append(TestPhase(t=0, phase="body"))
        world.remove_terminal()
        world.sale(500)
        world.append(TestPhase(t=0, phase="conclude"))
        world.register_terminal()
        world.sign_in()
    span = [event for event in world.events if event.span is not None or isinstance(event, RunOpened)]
    assert len(body_of(span)) < len(span)
    assert of_test(span).causes[0] == "not_registered"


@pytest.mark.parametrize("number", [n for n, s in enumerate(STORIES) if s in money_cut.stories.broken][:4])
def test_a_broken_rule_is_the_firmwares(number: int) -> None:
    events = told(number)
    broken = [finding for finding in judge_bench(events) if finding.verdict == "FAIL"]
    span = next(event.test for event in events if isinstance(event, TestOpened))
    found = of_test(events, [one for one in broken if one.span == span])
    assert found.causes[0] == "firmware" and not found.certain
    assert found.fits[0].evidence[0].sign == "rule_broken"


def test_a_reading_out_of_range_is_evidence_and_what_set_it_is_not() -> None:
    world = World()
    world.power("off", "brown_out")
    restarted = of_looking(world.events)
    world.append(Readings(t=0, instrument="supply", values={"voltage_v": 120.0}))
    assert of_looking(world.events).causes[0] == "environment"
    share = {fit.cause: fit.likelihood for fit in restarted.fits}
    assert {f.cause: f.likelihood for f in of_looking(world.events).fits}["environment"] > share["environment"]


def test_a_field_above_what_the_model_bears_is_evidence() -> None:
    assert {"out_of_range"} == signs_of([{"field_v_m": 3.5}])
    assert not signs_of([{"field_v_m": 2.9}]), "an instrument that reads no climate does not say that this is in order"


def test_a_generator_strikes_where_its_pulses_are_counted() -> None:
    standing, armed = {"pulses": 4.0, "armed": 0.0}, {"pulses": 4.0, "armed": 1.0}
    assert not signs_of([armed]) and not signs_of([standing, armed])
    assert "struck" in signs_of([armed, {**armed, "pulses": 5.0}])
    around = {"temperature_c": 23.0}
    assert "in_range" in signs_of([around]) and "in_range" not in signs_of([armed, {**armed, "pulses": 5.0}, around])


@pytest.mark.parametrize(
    ("readings", "kept"),
    [
        ([(0, 4), (1, 4), (1, 5)], [1, 2]),  # it has struck, and may again
        ([(0, 4), (1, 5)], [0, 1]),
        ([(0, 4), (1, 4)], [1]),  # armed by somebody, and has done nothing
        ([(1, 4), (1, 5), (0, 5)], [2]),  # over
        ([(1, 4), (1, 5), (0, 5), (1, 5)], [3]),
    ],
)
def test_a_look_knows_what_struck_before_it_began(readings: list[tuple[int, int]], kept: list[int]) -> None:
    events = [
        Readings(t=number, instrument="esd", values={"armed": armed, "pulses": pulses})
        for number, (armed, pulses) in enumerate(readings)
    ]
    assert [event.t for event in seen_before(events)] == kept


def signs_of(readings: list[dict[str, float]]) -> set[str]:
    world = World()
    for values in readings:
        world.append(Readings(t=0, instrument="x", values=values))
    return {one.sign for one in signs_in(world.events)} & {"out_of_range", "in_range", "struck"}


@pytest.mark.parametrize("reason", ["watchdog", "brown_out", "battery"])
def test_why_it_restarted_only_the_board_knows(reason: str) -> None:
    found = [of_looking(restarting(why).events) for why in ("watchdog", reason)]
    assert found[0].fits == found[1].fits


def restarting(reason: str) -> World:
    world = World()
    world.append(Power(t=0, state="off", reason=reason))  # type: ignore[arg-type]
    return world


def test_screens_of_the_model_tell_a_broken_part() -> None:
    for text, cause in (("打印机缺纸", "hardware"), ("设备被拆,请送修", "tampering"), ("未插SIM卡", "no_link")):
        world = World()
        world.append(Screen(t=0, image="x.png", lines=[text]))
        assert of_looking(world.events).causes[0] == cause, text


def swiped(world: World, *texts: str, detail: str = "") -> None:
    """A balance enquiry whose card is not read; the screen asks for it so often."""
    operation = world.invoke("balance", entry="magnetic")
    for text in ("请刷卡", *texts):
        world.display(text)
        world.wait(1)
    world.complete(operation, "fail", detail=detail)
    world.idle()


def test_a_swipe_that_was_not_read_at_once_is_no_fault() -> None:
    world = World()
    world.sign_in()
    swiped(world, "请重新刷卡")
    world.sale(100)
    assert of_looking(world.events).healthy
    world = World(registered=False)
    swiped(world, "请重新刷卡", "请重新刷卡(2)")
    world.sign_in()
    assert of_looking(world.events).causes[0] == "not_registered"


def test_a_card_that_is_never_read_is_a_fault() -> None:
    for texts in (("请重新刷卡", "请重新刷卡(2)", "请重新刷卡(3)"), ("读卡错误", "请插卡") * 3):
        world = World()
        world.sign_in()
        swiped(world, *texts)
        assert of_looking(world.events).causes[0] == "hardware"


def test_a_run_that_somebody_stopped_says_nothing_of_the_terminal() -> None:
    world = World()
    world.sign_in()
    before = of_looking(world.events).fits
    operation = world.invoke("sale", amount="1", entry="magnetic")
    world.complete(operation, "unknown", detail="KeyboardInterrupt")
    assert of_looking(world.events).fits == before
    world.complete(world.invoke("echo"), "unknown", detail="waited 24.0 s for the result on the screen")
    assert of_looking(world.events).causes[0] == "hardware"


def test_the_story_ends_where_something_changed() -> None:
    healthy = [Seen("sign_in_approved", (1,), 1), Seen("money_approved", (2,), 2)]
    trouble = [Seen("told_no_connection", (3,), 3), Seen("told_no_connection", (4,), 4)]
    assert last_story([*healthy, *trouble]) == trouble
    assert last_story([*trouble, *healthy]) == healthy
    assert last_story([*trouble, *healthy], of_trouble=True) == trouble
    assert last_story(healthy, of_trouble=True) == []


def test_several_codes_of_one_host_are_told_apart() -> None:
    for code, cause in (("58", "suspended"), ("77", "not_signed_in"), ("A0", "keys"), ("96", "host_down")):
        world = World()
        world.sign_in()
        world.sale(700, says(code))
        assert of_log(world.events).causes[0] == cause, code


# -- merchants that share a terminal -----------------------------------------------------------------------------------


def a_shared_day() -> World:
    """The second merchant works all the time; the first has worked, and is unknown then."""
    world = World(model="HT-200")
    world.share()
    for number in ("1", "2"):
        world.select(number)
        world.sign_in()
        world.sale(100)
    world.select("1")
    world.remove_terminal()
    world.sign_in()
    world.select("2")
    world.sign_in()
    world.sale(300)
    return world


def its_end(world: World) -> list[AnyEvent]:
    """A look at it, from the change on."""
    changed = max(event.seq for event in world.events if isinstance(event, HostChanged))
    return [event for event in world.events if isinstance(event, RunOpened) or event.seq > changed]


def test_that_one_merchant_works_says_nothing_of_another() -> None:
    world = a_shared_day()
    for found in (of_log(world.events), of_looking(its_end(world))):
        assert {"not_registered", "under_review", "wrong_tid"} <= set(found.alike()) and not found.certain
        words = "\n".join(lines(found))
        assert f"(97, TID {TID})" in words and "one of its merchants was approved" in words
    looked(world, mid=MID_2, tid=TID_2)
    found = of_looking(its_end(world), "host")
    assert found.causes[0] == "not_registered" and not found.certain, "only the one that works was asked about"
    looked(world, terminal="removed", heard=0)
    found = of_looking(its_end(world), "host")
    assert found.certain and found.causes == ("not_registered",)


def test_a_blank_number_is_nobodys() -> None:
    world = World(model="HT-200")
    for mid, tid in ((" " * 15, " " * 8), ("", ""), (MID, ""), (f"{MID[:7]} {MID[:7]}", "10 00/01")):
        looked(world, mid=mid, tid=tid, terminal="removed")
    assert of_looking(world.events, "host").causes == ("not_registered",)


def test_the_story_of_a_merchant_ends_where_it_works_again() -> None:
    world = a_shared_day()
    world.select("1")
    world.register_terminal()
    world.sign_in()
    assert of_log(world.events).healthy
    world.select("2")
    world.remove_terminal()
    world.sale(100)
    found = of_log(world.events)
    assert found.causes[0] == "not_registered" and f"TID {TID_2}" in "\n".join(lines(found))


def test_of_two_merchants_each_with_a_trouble_of_its_own_nothing_is_certain() -> None:
    world = World(model="HT-200")
    world.share()
    world.remove_terminal()
    world.sign_in()
    world.select("2")
    world.sign_in()
    world.sale(100, says("58"))
    looked(world, terminal="removed")
    found = of_looking(looked(world, mid=MID_2, tid=TID_2, terminal="suspended").events, "host")
    assert not found.known


@given(st.randoms(use_true_random=False), st.sampled_from(LEVELS), st.booleans())
@settings(max_examples=60)
def test_events_taken_away_from_a_shared_day_rule_nothing_out(chance, level: Level, asked: bool) -> None:  # type: ignore[no-untyped-def]
    world = a_shared_day()
    if asked:
        looked(looked(world, mid=MID_2, tid=TID_2), terminal="removed", heard=0)
    share, events = chance.random(), its_end(world) if chance.random() < 0.5 else world.events
    kept = [event for event in events if isinstance(event, RunOpened) or chance.random() < share]
    assert_wider(of_looking(kept, level), of_looking(events, level))
