"""Downloads at the terminal against the acquirer: by the till, by itself when the host asks; what is stored."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.acquirer.download_data import shipped
from harness.emulator.firmware.app import parameters, tables
from harness.emulator.firmware.app.store import Store
from harness.protocol.frames import Frame, decode
from harness.terminal import cashier
from harness.tests.firmware_acquirer import AcquirerBench
from harness.tests.firmware_bench import CHIP, MAGNETIC, Answer, MemoryFlash, cuts

SALE = {"DF01": "00", "DF02": "01", "DF04": "0097", "DF03": "000000001234"}
BY_TILL = {  # name -> command, text, network codes that are sent, nibble that asks for it, kind at the office
    "parameter_download": ("18", "参数下载完成", {"360"}, "1", "parameters"),
    "status_upload": ("19", "状态上送完成", {"362"}, "2", "status"),
    "capk_update": ("20", "公钥下载完成", {"372", "370", "371"}, "4", "ca_keys"),
    "ic_parameter_update": ("21", "IC卡参数下载完成", {"382", "380", "381"}, "5", "ic_parameters"),
    "blacklist_update": ("22", "黑名单下载完成", {"390", "391"}, "7", "blacklist"),
    "software_update": ("24", "无新版本", {"397"}, "6", "software"),
}


def store_of(bench: AcquirerBench) -> Store:
    return Store(MemoryFlash(bytes(bench.flash.content)))


def stored(bench: AcquirerBench) -> tuple[object, ...]:
    """Everything that was downloaded, as it is in the flash."""
    store = store_of(bench)
    return (
        tables.ca_keys(store), tables.applications(store), tables.blacklist(store), store.state.parameters,
        store.state.timeout_s,
    )


@pytest.mark.parametrize("name", BY_TILL)
def test_the_till_asks_for_it_and_it_is_done(name: str) -> None:
    command, text, codes, _, _ = BY_TILL[name]
    with AcquirerBench() as bench:
        answer = bench.till(command)
        assert (answer["DF07"], answer["DF09"]) == ("00", text) and set(bench.codes()) == codes
        assert bench.shows(text)()


def test_what_is_stored_is_what_the_acquirer_has_also_after_the_power_was_off() -> None:
    with AcquirerBench() as bench:
        for command, *_ in BY_TILL.values():
            assert bench.till(command)["DF07"] == "00"
        bench.reboot()
        store, data = store_of(bench), shipped()
        assert [(key.rid, key.index, key.modulus, key.exponent) for key in tables.ca_keys(store)] == [
            (key.rid, key.index, key.modulus, key.exponent) for key in data.ca_keys]
        assert [one.aid for one in tables.applications(store)] == [one.aid for one in data.ic_parameters]
        assert [one.floor_limit for one in tables.applications(store)] == [
            int(one.objects["9F1B"], 16) for one in data.ic_parameters]
        assert tables.blacklist(store) == data.blacklist
        assert store.state.parameters.merchant_name == data.parameters.merchant_name
        assert bench.office("downloads")["status"]["CAPK"] == "0"  # the status was sent before the keys came
        bench.till("19")
        status = bench.office("downloads")["status"]
        assert status["CAPK"] == str(len(data.ca_keys)) and status["FW"] == "reference 1.0.0"


def test_application_parameters_are_those_of_the_longest_beginning() -> None:
    with AcquirerBench() as bench:
        bench.acquirer.do("set_downloads", kind="ic_parameters", value=[
            {"aid": "A000000333", "objects": {"9F1B": "00000001"}},
            {"aid": "A00000033301", "objects": {"9F1B": "00000002"}}])
        bench.till("21")
        store = store_of(bench)
        found = tables.application_of(store, "A000000333010101")
        assert found is not None and found.floor_limit == 2
        assert tables.application_of(store, "A0000000031010") is None


@pytest.mark.parametrize("name", BY_TILL)
def test_97_is_shown_and_told_and_changes_nothing_that_is_stored(name: str) -> None:
    command = BY_TILL[name][0]
    with AcquirerBench() as bench:
        for one, *_ in BY_TILL.values():
            bench.till(one)
        before = stored(bench)
        bench.acquirer.do("set_downloads", kind="blacklist", value=["999999"])
        bench.office("remove_terminal")
        answer = bench.till(command)
        assert answer["DF07"] == "97" and bench.shows("应答码:97", "终端未登记")()
        assert stored(bench) == before


@pytest.mark.parametrize("name", BY_TILL)
def test_the_host_asks_and_the_terminal_does_it_by_itself_once(name: str) -> None:
    _, _, codes, _, kind = BY_TILL[name]
    with AcquirerBench(time_scale=60) as bench:
        bench.office("demand_download", kind=kind)
        assert bench.sign_in()["DF07"] == "00"
        bench.run(lambda: not bench.office("downloads")["due"])
        bench.settle_down(200)
        sent = bench.codes()
        assert set(sent) == {"003", *codes} and len([code for code in sent if code == sent[-1]]) == 1


def test_all_of_it_one_after_the_other() -> None:
    with AcquirerBench(time_scale=60) as bench:
        for *_, kind in BY_TILL.values():
            bench.office("demand_download", kind=kind)
        bench.sign_in()
        bench.run(lambda: not bench.office("downloads")["due"], 20)
        ends = [code for code in bench.codes() if code in ("360", "362", "371", "381", "391", "397")]
        assert ends == ["360", "362", "371", "381", "391", "397"]


def test_the_host_that_asks_in_every_answer_makes_no_loop() -> None:
    with AcquirerBench() as bench:
        bench.host.script = lambda request: None
        bench.acquirer.do("misbehave", rule={"mti": "0800", "action": "processing_request", "header_request": "1"})
        bench.sign_in()
        bench.settle_down(300)
        assert bench.codes().count("360") == 1


def test_nibble_6_asks_for_software_and_tells_what_runs() -> None:
    with AcquirerBench(time_scale=60) as bench:
        rule = {"mti": "0800", "action": "processing_request", "header_request": "6", "count": 1}
        bench.acquirer.do("misbehave", rule=rule)
        bench.sign_in()
        asked = bench.run(lambda: next((f for f in bench.host.requests if f.network_code == "397"), None))
        assert asked.binary(62) == b"reference 1.0.0"


def test_while_somebody_uses_it_the_terminal_waits_with_what_the_host_wants() -> None:
    with AcquirerBench(time_scale=60) as bench:
        bench.sign_in()
        bench.office("demand_download", kind="blacklist")
        bench.till("04")
        bench.key("CANCEL")
        bench.run(lambda: not bench.office("downloads")["due"])
        bench.office("demand_download", kind="blacklist")
        bench.till("04")
        bench.key("CANCEL", "FUNC")
        bench.run(bench.shows("功能菜单"))
        bench.settle_down(100)
        assert bench.office("downloads")["due"] == ["blacklist"]
        bench.key("CANCEL")
        bench.run(lambda: not bench.office("downloads")["due"])


def test_an_unattended_97_is_told_at_the_next_key_and_the_download_is_not_repeated() -> None:
    with AcquirerBench(time_scale=60) as bench:
        bench.office("demand_download", kind="ca_keys")
        bench.host.script = lambda request: Answer("97") if request.network_code == "372" else None
        bench.sign_in()
        bench.run(lambda: bench.state.note == "97")
        bench.settle_down(200)
        assert bench.codes().count("372") == 1
        bench.key("FUNC")
        bench.run(bench.shows("提示", "应答码:97"))


def test_without_an_answer_it_is_tried_again_with_back_off() -> None:
    with AcquirerBench(time_scale=100) as bench:
        bench.office("demand_download", kind="parameters")
        silent = [True, True, False]
        bench.host.script = (
            lambda request: Answer(act="close") if request.network_code == "360" and silent and silent.pop(0) else None)
        bench.sign_in()
        bench.run(lambda: not bench.office("downloads")["due"], 20)
        assert bench.codes().count("360") == 3


# -- what comes and can't be used --------------------------------------------------------------------------------------


def f62(change: Callable[[bytes], bytes], code: str, bench: AcquirerBench) -> Callable[[Frame], Answer | None]:
    """Changes F62 of the honest answers to requests with this network code."""

    def script(request: Frame) -> Answer | None:
        if request.network_code != code:
            return None
        honest = bench.acquirer.exchange(request.raw)
        assert honest is not None
        return Answer(fields={62: change(decode(honest).binary(62)).hex().upper()})

    return script


WRONG = [
    ("20", "372", lambda data: b""), ("20", "372", lambda data: b"9" + data[1:]), ("20", "372", lambda data: data[:-1]),
    ("20", "372", lambda data: b"2"), ("20", "370", lambda data: data[:-1] + bytes([data[-1] ^ 1])),
    ("20", "370", lambda data: data[1:]), ("20", "370", lambda data: data[:9] + b"\xff" + data[10:]),
    ("21", "382", lambda data: b"3\x9f"), ("21", "380", lambda data: b"1" + data[10:]),
    ("22", "390", lambda data: data + b"9"), ("22", "390", lambda data: b"3" + b"05abcde"),
    ("18", "360", lambda data: b""), ("18", "360", lambda data: b"99" + data),
    ("18", "360", lambda data: data + b"22x"), ("18", "360", lambda data: b"12xx"),
]


@pytest.mark.parametrize(("command", "code", "change"), WRONG)
def test_what_can_not_be_used_is_no_valid_answer_and_changes_nothing(
    command: str, code: str, change: Callable[[bytes], bytes],
) -> None:
    with AcquirerBench() as bench:
        bench.till(command)
        before = stored(bench)
        bench.host.script = f62(change, code, bench)
        assert bench.till(command)["DF07"] == "Z3" and bench.shows("应答无效")()
        assert stored(bench) == before


def test_a_list_that_never_ends_is_not_followed_for_ever() -> None:
    with AcquirerBench() as bench:
        bench.host.script = (
            lambda request: Answer(fields={62: (b"2046225").hex()}) if request.network_code == "390" else None)
        assert bench.till("22")["DF07"] == "Z3" and len(bench.codes()) <= 99 and stored(bench)[2] == []


@pytest.mark.parametrize("command", ["20", "21", "22"])
def test_a_power_cut_at_any_moment_leaves_the_old_table_or_the_new_one(command: str) -> None:
    with AcquirerBench() as bench:
        for one in ("20", "21", "22"):
            bench.till(one)
        bench.acquirer.do("set_downloads", kind="blacklist", value=["6225"])
        bench.acquirer.do("set_downloads", kind="ca_keys", value=[shipped().ca_keys[0].model_dump()])
        bench.acquirer.do("set_downloads", kind="ic_parameters", value=[{"aid": "A0000003330101", "objects": {}}])
        before, old = bytes(bench.flash.content), stored(bench)[:3]
        bench.flash.operations.clear()
        bench.till(command)
        new = stored(bench)[:3]
        assert new != old
        seen = set()
        for _, content in cuts(before, bench.flash.operations):
            store = Store(MemoryFlash(content))
            now = (tables.ca_keys(store), tables.applications(store), tables.blacklist(store))
            assert now in (old, new)
            seen.add(now == new)
        assert seen == {True, False}


@pytest.mark.parametrize("name", ["capk", "aid", "blacklist"])
@pytest.mark.parametrize("damage", [lambda raw: raw[:-1] + b"!", lambda raw: b"", lambda raw: raw[:4]])
def test_a_changed_table_is_found_at_the_start_and_the_terminal_does_not_sell(
    name: str, damage: Callable[[bytes], bytes],
) -> None:
    with AcquirerBench() as bench:
        for command in ("20", "21", "22"):
            bench.till(command)
        store = Store(bench.flash)
        raw = store.files.read(name)
        assert raw
        store.files.write(name, damage(raw))
        bench.reboot()
        bench.run(bench.shows("存储故障"))
        assert bench.host.seen("0200") == []


@given(st.binary(max_size=80))
def test_any_bytes_are_parameters_or_a_fault(data: bytes) -> None:
    try:
        found = parameters.values(data)
    except parameters.ParameterFault:
        return
    applied = parameters.applied(parameters.Parameters(), found)
    assert parameters.applied(applied, found) == applied


@given(st.binary(max_size=80))
def test_any_bytes_are_a_list_a_key_or_a_fault(data: bytes) -> None:
    for read in (
        tables.parse, tables.entries, lambda raw: tables.ca_key(raw, {"9F06": "A0", "9F22": "01"}),
        lambda raw: tables.application(raw, {"9F06": "A0"}), lambda raw: tables.card_beginnings(raw.decode("latin-1")),
    ):
        try:
            read(data)
        except tables.TableFault:
            continue


# -- what it is good for -----------------------------------------------------------------------------------------------


def test_a_card_on_the_blacklist_is_refused_and_no_request_leaves() -> None:
    with AcquirerBench() as bench:
        bench.sign_in()
        assert bench.sale()["DF07"] == "00"
        bench.acquirer.do("set_downloads", kind="blacklist", value=[MAGNETIC.pan[:10]])
        bench.till("22")
        sales = len(bench.host.seen("0200"))
        bench.send_to_till_port(cashier.encode(SALE))
        bench.run(bench.shows("请刷卡"))
        bench.present(MAGNETIC)
        assert bench.till_answer()["DF07"] == "ZA" and bench.shows("黑名单")()
        assert len(bench.host.seen("0200")) == sales


def test_electronic_cash_has_the_limit_of_its_application() -> None:
    with AcquirerBench() as bench:
        bench.sign_in()
        assert bench.order("23", CHIP, DF03="000000000501")["DF07"] == "00"
        objects = {"9F1B": "00000000", "9F7B": "000000000500"}
        bench.acquirer.do("set_downloads", kind="ic_parameters", value=[{"aid": "A0000003330101", "objects": objects}])
        bench.till("21")
        bench.board.put_event({"remove": True})
        assert bench.order("23", CHIP, DF03="000000000501")["DF07"] == "ZB" and bench.shows("不允许此交易")()
        bench.board.put_event({"remove": True})
        assert bench.order("23", CHIP, DF03="000000000500")["DF07"] == "00"


def test_parameters_switch_what_they_name() -> None:
    with AcquirerBench() as bench:
        bench.acquirer.do("set_downloads", kind="parameters", value={
            "timeout": "45", "merchant_name": "银杏书店", "auto_sign_off": "1", "reversal_attempts": "4",
            "tips": "0", "manual_entry": "0", "offline": "0"})
        bench.till("18")
        state = bench.state
        assert (state.timeout_s, state.dialect.auto_sign_off, state.dialect.reversal_attempts) == (45, True, 4)
        bench.sign_in()
        bench.sale()
        assert any("银杏书店" in line for line in bench.board.slips[-1])
        assert bench.settle()["DF07"] == "00"
        bench.run(lambda: not bench.state.signed_in)
        assert bench.codes()[-1] == "002"


def test_sign_off_ends_the_sign_in_and_a_new_one_is_possible() -> None:
    with AcquirerBench() as bench:
        bench.sign_in()
        assert bench.till("17")["DF09"] == "签退成功" and not bench.state.signed_in
        assert bench.sale_is_refused() == "Z4" and bench.office("terminal")["terminal"]["sign_state"] == 2
        assert bench.sign_in()["DF07"] == "00" and bench.sale()["DF07"] == "00"


def test_a_sign_off_without_a_yes_leaves_the_sign_in_as_it_is() -> None:
    with AcquirerBench() as bench:
        bench.sign_in()
        for answer in (Answer("97"), Answer(act="close")):
            bench.host.script = partial(_only, answer)
            assert bench.till("17")["DF07"] in ("97", "Z2") and bench.state.signed_in


def _only(answer: Answer, request: Frame) -> Answer | None:
    """To a sign-off."""
    return answer if request.network_code == "002" else None
