"""Every kind of transaction under every rule, by the tables; what is not in a table is reported, and passes nothing."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from harness.checkers import tables
from harness.checkers.reading import Reading
from harness.history.update_events import BackupTaken
from harness.judge import judge_bench
from harness.protocol import codes
from harness.protocol.frames import Frame
from harness.protocol.transactions import KINDS, STORED
from harness.requirements import catalogue
from harness.terminal.model import Transaction
from harness.tests.golden import World, dropped, lost, says
from harness.tests.golden_kinds import DOWNLOADS, rewritten
from harness.tests.golden_parts import reply_of
from harness.tests.judging import assert_rests_on_evidence, assert_verdict, changed, findings, is_screen, verdict, why

ONLINE = sorted(set(KINDS) - STORED)
CARDS = ["manual", "magnetic", "chip", "contactless", "wechat", "alipay"]
NOT_JUDGED = {  # known by name, sent by no terminal of this version
    "points_sign_in", "contactless_download", "contactless_end", "load_assigned", "load_cash", "load_unassigned",
    "load_cash_void",
}  # fmt: skip


def original_of(world: World, name: str) -> str:
    """What a transaction of this kind names, done before."""
    wanted = {"completion_void": "completion", "offline_adjust": "offline_sale"}
    kinds = sorted(KINDS[name].originals)
    if not kinds:
        return ""
    kind = wanted.get(name, "sale" if "sale" in kinds else kinds[0])
    return world.perform(kind, 3000, original=original_of(world, kind)).trace


def answered(name: str, code: Any = "97", card: str = "magnetic", **options: Any) -> World:
    """One transaction of this kind, answered ``code``, and the terminal left alone until idle. What is accepted offline
    is offered at the next settlement."""
    world = World(**options)
    world.sign_in()
    original = original_of(world, name)
    if name in STORED:
        world.deliver()
        world.perform(name, 1000, card="chip" if name == "offline_chip_sale" else card, original=original)
        offered(world, code)
    else:
        world.perform(name, 1000, code, card=card, original=original)
    world.wait(40)
    world.heartbeat(1)
    return world


def offered(world: World, code: str) -> None:
    """A settlement before which the stored one is offered."""
    operation = world.invoke("settle")
    outcome = world.deliver(code)
    assert outcome is not None
    world.result(outcome.code, "settle")
    world.complete(operation, "fail", outcome.code)
    world.idle()


# -- the tables --------------------------------------------------------------------------------------------------------


def test_every_operation_of_a_model_has_a_row() -> None:
    assert {*get_args(Transaction), "load_firmware", "activate"} == set(tables.OWN)
    assert set(tables.OWN) - {"load_firmware"} == tables.ONLINE_OPERATIONS | STORED
    assert set(KINDS) <= set(tables.OWN)


def test_every_name_of_the_wire_has_a_type() -> None:
    named = {name for table in codes._BY_F60.values() for name in table.values()} | set(codes._ALONE.values())
    assert named - NOT_JUDGED == set(tables.TYPE_OF)
    assert set(tables.DECLARED_AS.values()) <= set(get_args(Transaction))


def test_every_request_of_the_host_has_a_row() -> None:
    assert set(tables.ASKED_FOR_BY) == set(codes.PROCESSING) - {"0", "8", "9"}


# -- MSG ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(KINDS))
def test_97_is_shown(name: str) -> None:
    world = answered(name)
    assert_rests_on_evidence(world.events, "MSG-01")
    assert_verdict(world.events, "MSG-05", "PASS")
    assert verdict(world.events, "MSG-02") in ("", "PASS"), why(world.events, "MSG-02")
    hidden = changed(world.events, is_screen("应答码:97"), lines=["通讯超时"])
    assert_verdict(hidden, "MSG-01", "FAIL")
    approved = changed(world.events, is_screen("应答码:97"), lines=["交易成功"])
    if name not in STORED:
        assert_verdict(approved, "MSG-05", "FAIL")


@pytest.mark.parametrize("card", CARDS)
@pytest.mark.parametrize("name", ["sale", "pre_authorisation", "balance"])
def test_97_is_shown_however_the_card_came(name: str, card: str) -> None:
    world = answered(name, card=card)
    for rule in ("MSG-01", "MSG-05"):
        assert_verdict(world.events, rule, "PASS")


@pytest.mark.parametrize("name", sorted(DOWNLOADS))
def test_97_on_a_download(name: str) -> None:
    world = World()
    world.sign_in()
    world.download(name, "97")
    world.wait(40)
    world.heartbeat(1)
    assert_rests_on_evidence(world.events, "MSG-01")
    assert not [e for e in Reading.of(world.events).unattended if e.definite_97]
    assert_verdict(changed(world.events, is_screen("应答码:97"), lines=["下载完成"]), "MSG-01", "FAIL")


def test_97_on_a_sign_off() -> None:
    world = World()
    world.sign_in()
    world.sign_off("97")
    world.wait(40)
    assert_rests_on_evidence(world.events, "MSG-01")


@pytest.mark.parametrize("name", ONLINE)
def test_97_shown_for_no_answer_at_all(name: str) -> None:
    world = answered(name, dropped())
    assert_verdict(world.events, "MSG-02", "PASS")
    lying = changed(world.events, is_screen("通讯超时"), lines=["交易失败", "应答码:97", "终端未登记"])
    assert_verdict(lying, "MSG-02", "FAIL")


@pytest.mark.parametrize("name", ONLINE)
def test_another_code_has_its_own_text(name: str) -> None:
    world = answered(name, "03")
    assert_rests_on_evidence(world.events, "MSG-03")
    assert_verdict(changed(world.events, is_screen("应答码:03"), lines=["终端未登记"]), "MSG-03", "FAIL")


@pytest.mark.parametrize("name", [name for name in ONLINE if name not in ("balance",)])
def test_the_till_is_told(name: str) -> None:
    world = World()
    world.sign_in()
    original = original_of(world, name)
    world.perform(name, 1000, "97", original=original, via="cashier")
    assert_rests_on_evidence(world.events, "MSG-04")


def test_97_to_a_follow_up_on_the_way_of_a_sale_need_not_be_that_sales_result() -> None:
    """The script notice stays, and the sale goes on: what it shows is its own result."""
    world = World()
    world.sign_in()
    world.perform("sale", 1200, card="chip")
    world.owe_script_notice()
    operation = world.invoke("sale", amount="500", entry="magnetic")
    world.deliver("97")
    request = world._request("0200", {**world.terminal.last_request, 11: world.terminal.next_trace()})
    world._exchange(request, says())
    world.result("00")
    world.complete(operation, "ok")
    assert_verdict(world.events, "MSG-01", "")
    assert_verdict(world.events, "MSG-05", "")


def test_a_signature_refused_at_rest_is_told_at_the_next_action() -> None:
    for alert, expected in ((True, "PASS"), (False, "FAIL")):
        world = World()
        world.sign_in()
        world.sale(1200)
        world.upload_signature("97")
        world.idle()
        world.wait(5)
        operation = world.invoke("acknowledge")
        if alert:
            world.display("提示", "应答码:97", "终端未登记")
        world.idle(after=0.2)
        world.complete(operation, "ok")
        world.wait(5)
        world.heartbeat(1)
        assert_verdict(world.events, "MSG-07", expected)


@pytest.mark.parametrize("name", ["refund", "completion_advice", "pre_authorisation"])
def test_the_till_is_told_something_else(name: str) -> None:
    world = World()
    world.sign_in()
    world.perform(name, 1000, "97", original=original_of(world, name), via="cashier")
    told = changed(world.events, lambda e: e.kind == "cashier" and e.fields.get("DF07") == "97", fields={"DF07": "Z2"})
    assert_verdict(told, "MSG-04", "FAIL")


def test_host_text_crashes_a_refund() -> None:
    for resets, expected in ((False, "PASS"), (True, "FAIL")):
        world = World()
        world.sign_in()
        sale = world.sale(2000)
        world.perform("refund", 400, "51", original=sale.trace)
        text = "001" + "终端未登记".encode("gbk").decode("latin-1")
        answer: dict[bool, dict[int, str | None]] = {True: {63: text}, False: {}}
        rewritten(world.events, 2, world.host.working.mak, lambda frame: answer[frame.is_response])  # noqa: B023
        if resets:
            world.reboot("watchdog")
        world.echo()
        assert_verdict(world.events, "MSG-06", expected)


# -- STA, REC ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ONLINE)
def test_nothing_leaves_while_signed_out(name: str) -> None:
    world = World()
    world.sign_in()
    original = original_of(world, name)
    world.sign_in("97")
    world.terminal.signed_in = False
    world.perform(name, 1000, original=original)
    assert_verdict(world.events, "STA-01", "PASS")
    world.terminal.signed_in = True
    world.perform(name, 1000, original=original)
    assert_verdict(world.events, "STA-01", "FAIL")


def test_the_reversal_of_a_pre_authorisation_after_a_reboot() -> None:
    world = World()
    world.sign_in()
    world.perform("pre_authorisation", 3000, lost())
    world.remove_terminal()
    world.sign_in()
    world.reboot()
    world.terminal.signed_in = False
    world.register_terminal()
    world.sign_in()
    world.sale(500)
    assert "still there after 97 and a reboot" in why(world.events, "STA-04")
    assert verdict(world.events, "STA-04") == "PASS"


@pytest.mark.parametrize("name", sorted(DOWNLOADS))
def test_what_the_host_asked_for_is_no_sign_of_a_wipe(name: str) -> None:
    nibble = next(n for n, kinds in tables.ASKED_FOR_BY.items() if kinds & tables.OWN[name])
    world = World()
    world.sign_in()
    world.sign_in("97")
    world.sign_in(says(processing=nibble))
    world.download(name, by_itself=True)
    assert "asks anew" not in why(world.events, "STA-03")
    if tables.OWN[name] & tables.DOWNLOADS:
        asked = world.events
        world = World()
        world.sign_in()
        world.sign_in("97")
        world.sign_in()
        world.download(name, by_itself=True)
        assert "asks anew" in why(world.events, "STA-03")
        assert asked


@pytest.mark.parametrize("name", sorted(DOWNLOADS))
def test_the_host_is_obeyed_after_recovery(name: str) -> None:
    nibble = next(n for n, kinds in tables.ASKED_FOR_BY.items() if kinds & tables.OWN[name])
    for obeys, expected in ((True, "PASS"), (False, "FAIL")):
        world = World()
        world.remove_terminal()
        world.sign_in()
        world.register_terminal()
        world.sign_in(says(processing=nibble))
        if obeys:
            world.download(name, by_itself=True)
        world.sale(500)
        assert_verdict(world.events, "REC-05", expected)


@pytest.mark.parametrize("name", sorted(KINDS))
def test_recovery_from_every_kind(name: str) -> None:
    world = answered(name)
    world.remove_terminal()
    world.register_terminal()
    world.sign_in()
    assert f"97 on {name}, without a reboot" in why(world.events, "REC-08")
    assert_verdict(world.events, "REC-08", "PASS")


def test_a_script_notice_goes_first_after_recovery() -> None:
    for forgets, expected in ((False, "PASS"), (True, "FAIL")):
        world = World()
        world.sign_in()
        world.perform("sale", 1200, card="chip")
        world.owe_script_notice()
        world.remove_terminal()
        world.deliver("97")
        world.register_terminal()
        world.sign_in()
        if forgets:
            world.terminal.script = None
        world.sale(500)
        assert_verdict(world.events, "REC-03", expected)


def test_the_reversal_of_a_completion_is_lost_in_a_reboot() -> None:
    world = World()
    world.sign_in()
    held = world.perform("pre_authorisation", 3000)
    world.perform("completion", 3000, lost(), original=held.trace)
    world.remove_terminal()
    world.sign_in()
    world.reboot()
    world.terminal.pending = None
    world.register_terminal()
    world.sign_in()
    world.sale(500)
    assert_verdict(world.events, "STA-04", "FAIL")


def test_signatures_that_are_sent_again_and_again() -> None:
    world = World()
    world.sign_in()
    world.sale(1200)
    for _ in range(5):
        world.upload_signature("97")
        world.wait(3)
    world.wait(120)
    world.heartbeat(1)
    assert_verdict(world.events, "STA-05", "FAIL")


def test_keys_in_a_97_are_used_for_a_refund() -> None:
    for loads, expected in ((False, "PASS"), (True, "FAIL")):
        world = World()
        world.sign_in()
        sale = world.sale(2000)
        kept = world.host.working
        world.sign_in(says("97", f62="keys"))
        forged = kept.next()
        fields: dict[bool, dict[int, str | None]] = {True: {62: forged.wrapped(world.host.keys.tmk)}, False: {}}
        rewritten(world.events, 2, kept.mak, lambda frame: fields[frame.is_response])  # noqa: B023
        if loads:
            world.terminal.working = world.host.working = forged
        world.perform("refund", 400, original=sale.trace)
        assert_verdict(world.events, "STA-02", expected)


def test_identity_is_fixed_while_something_is_stored_offline() -> None:
    for answer, expected in (("ERR 85 transactions stored", "PASS"), ("OK", "FAIL")):
        world = World()
        world.sign_in()
        world.perform("offline_sale", 700)
        operation = world.invoke("set_identity", "service", tid="20000002")
        world.service("from_terminal", answer)
        world.complete(operation, "ok" if answer == "OK" else "fail")
        world.echo()
        assert_verdict(world.events, "STA-07", expected)


def test_a_row_of_97s_on_downloads() -> None:
    limits = {"repeated_97": 5}
    for hangs, expected in ((False, "PASS"), (True, "FAIL")):
        world = World(limits=limits)
        world.sign_in()
        for name in sorted(DOWNLOADS):
            world.download(name, "97")
        world.wait(40)
        operation = world.invoke("menu")
        world.complete(operation, "fail" if hangs else "ok")
        world.heartbeat(1)
        assert_verdict(world.events, "STA-06", expected)


def test_what_was_stored_offline_keeps_its_batch_number_over_a_restart_at_000001() -> None:
    """It is sent under its own number, and settled there: no failure to take the host's number."""
    world = World()
    world.set_host_batch("000007")
    world.sign_in()
    world.perform("offline_sale", 700)
    world.remove_terminal()
    world.sign_in()
    world.register_terminal()
    world.sign_in()
    world.settle()
    world.ledger()
    assert verdict(world.events, "MON-04") == "PASS"
    for rule in ("REC-02", "REC-06"):
        assert verdict(world.events, rule) != "FAIL", why(world.events, rule)


# -- two merchants -----------------------------------------------------------------------------------------------------


def shared(second_is_asked: bool = True) -> World:
    """The first merchant's terminal is deregistered; the second goes on."""
    world = World(declaration={"identities": 2})
    world.share()
    world.sign_in()
    world.select("2")
    world.sign_in()
    world.sale(500)
    world.select("1")
    world.remove_terminal()
    world.sign_in()
    world.terminal.signed_in = False
    world.select("2")
    if second_is_asked:
        world.sale(700)
    else:
        operation = world.invoke("sale", amount="700", entry="magnetic")
        world.display("请先签到")
        world.complete(operation, "fail", "Z4")
    return world


def test_97_for_one_merchant_does_not_block_the_other() -> None:
    world = shared()
    assert_rests_on_evidence(world.events, "STA-08")
    for rule in ("STA-01", "STA-03"):
        assert verdict(world.events, rule) != "FAIL", why(world.events, rule)


def test_the_other_merchant_is_blocked_too() -> None:
    world = shared(second_is_asked=False)
    assert_verdict(world.events, "STA-08", "FAIL")
    assert verdict(world.events, "STA-01") == ""


def test_a_number_that_was_corrected_is_no_merchants_any_more() -> None:
    """It was answered 97, and is of nobody who shares the terminal now: that a sale is refused has another cause."""
    world = World(declaration={"identities": 2})
    world.share()
    right = world.tid, world.mid
    world.sign_in()
    for tid, code in (("97000778", "97"), (right[0], None)):
        for identity in ((world._others["2"][1], world._others["2"][0]), (tid, right[1])):
            world.complete(world.invoke("set_identity", "service", tid=identity[0], mid=identity[1]), "ok")
        world.tid = tid
        world.sign_in(code)
    operation = world.invoke("sale", amount="700", entry="magnetic")
    world.complete(operation, "fail", "Z8")
    assert_verdict(world.events, "STA-08", "")


def test_a_unit_that_has_handed_over_is_not_blocked_by_another_merchants_97() -> None:
    world = shared()
    world.append(BackupTaken(t=0, op=97, file="backups/backup-97.txt", text="HIL97-BACKUP 1\n"))
    operation = world.invoke("sale", amount="700", entry="magnetic")
    world.display("数据已移交,请换机")
    world.complete(operation, "fail", "ZC")
    assert_verdict(world.events, "STA-08", "PASS")


def test_the_first_merchant_still_may_not() -> None:
    world = shared()
    world.select("1")
    world.terminal.signed_in = True
    world.sale(900, "97")
    assert_verdict(world.events, "STA-01", "FAIL")


def test_another_merchants_sign_in_is_not_the_one_that_was_asked_for() -> None:
    """The terminal signs in the second by itself, before the screen says how the first one's ended."""
    world = World(declaration={"identities": 2})
    world.share()
    world.sign_in()
    world.select("2")
    world.remove_terminal()
    world.select("1")
    operation = world.invoke("sign_in")
    world._sign_in(reply_of(None))
    first, second = (world._others[number] for number in "12")
    world.quiet = True
    world.mid, world.tid, world.terminal, world.host = second
    world._sign_in(reply_of(None))
    world.mid, world.tid, world.terminal, world.host = first
    world.quiet = False
    world.display("签到成功")
    world.complete(operation, "ok")
    reading = Reading.of(world.checked())
    assert [e.tid for e in reading.exchanges_of(reading.operations[-1])] == [first[1]]
    assert [e.tid for e in reading.unattended if e.definite_97] == [second[1]]


def test_one_merchant_has_no_occasion() -> None:
    world = World()
    world.sign_in()
    world.sign_in("97")
    assert_verdict(world.events, "STA-08", "")


# -- STA-06: busy with nothing -----------------------------------------------------------------------------------------


def busy(seconds: float, *, connects: bool = False, replaced: bool = False) -> World:
    world = World()
    world.sign_in()
    world.sale(500, "97")
    if replaced:
        world.replaced("97000002", "the 97 was the other's")
    operation = world.invoke("sale", amount="700", entry="magnetic")
    world.display("正在连接...")
    if connects:
        world.connection(99, "opening", "terminal")
    world.wait(seconds)
    world.idle()
    world.complete(operation, "unknown")
    world.heartbeat(1)
    return world


def test_a_terminal_that_is_busy_with_nothing_is_stuck() -> None:
    assert_verdict(busy(60).events, "STA-06", "FAIL")
    assert "正在连接" in why(busy(60).events, "STA-06")


def test_a_terminal_that_waits_for_somebody_is_not() -> None:
    assert_verdict(busy(10).events, "STA-06", "")
    assert_verdict(busy(60, connects=True).events, "STA-06", "")


def test_another_unit_is_not_stuck_by_the_97_of_the_first() -> None:
    assert_verdict(busy(60, replaced=True).events, "STA-06", "")


# -- what no table has -------------------------------------------------------------------------------------------------


def renamed(world: World, message_type: str, network_code: str | None = None) -> None:
    """The last request and its answer become a kind that no table has."""

    def other(frame: Frame) -> dict[int, str | None]:
        f60 = frame.fields[60]
        return {60: message_type + f60[2:8] + (network_code or f60[8:11]) + f60[11:]}

    rewritten(world.events, 2, world.host.working.mak, other)


@pytest.mark.parametrize("rule", ["MON-11", "REC-08"])
def test_97_on_a_network_message_that_nobody_knows_is_reported(rule: str) -> None:
    world = World()
    world.sign_in()
    world.download("status_upload", "97")
    renamed(world, "00", "777")
    world.register_terminal()
    world.sign_in()
    found = findings(world.events, rule)
    assert [f.verdict for f in found] == ["INCONCLUSIVE"]
    assert "does not know" in found[0].reason


def test_97_on_money_that_nobody_knows_passes_nothing_about_the_batch() -> None:
    world = World()
    world.sign_in()
    world.sale(500)
    renamed(world, "46")
    world.sale(700, "97")
    world.settle(unbalanced=True, upload=["97"])
    world.settle(unbalanced=True)
    world.ledger()
    for rule in ("MON-01", "MON-06", "MON-07"):
        assert_verdict(world.events, rule, "INCONCLUSIVE")


def test_a_model_that_lacks_it_is_not_asked() -> None:
    assert {r.id for r in catalogue().values() if r.only_with} == {"MON-04", "MON-12", "NET-06", "STA-08"}


def test_no_checker_stumbles_over_a_day_with_everything() -> None:
    world = World()
    for name in ONLINE:
        world.sign_in()
        world.perform(name, 1000, original=original_of(world, name))
        world.perform(name, 1000, "97", original=original_of(world, name), card="contactless")
    world.settle(unbalanced=True)
    world.ledger()
    assert not [f for f in judge_bench(world.checked()) if f.verdict in ("FAIL", "ERROR")]
