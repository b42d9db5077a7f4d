"""Activation by the keypad and by the service port: what leaves a blank unit, what is stored of which answer."""

from __future__ import annotations

import pytest

from harness.protocol import keys
from harness.protocol.frames import Frame
from harness.protocol.nested import SEQUENCE_NO
from harness.protocol.transport import transport_key
from harness.tests.firmware_bench import MID, TID, TMK, Answer, Bench, MemoryFlash, cuts

CODE = "971234567890"
UNIT = "SN97000001"


def given(tmk: bytes = TMK, *, unit: str = UNIT, spoilt: bool = False, tid: str = TID) -> Answer:
    """The host's yes; ``spoilt``: its check value is wrong."""
    check = bytes(4) if spoilt else keys.kcv(tmk)
    wrapped = keys.wrap(transport_key(unit), tmk) + check
    return Answer(fields={41: tid, 42: MID, 60: "00000001396", 62: wrapped.hex().upper()})


def with_host(answer: Answer, flash: MemoryFlash | None = None) -> Bench:
    """A unit that knows its host and nothing else, and a host that answers an activation so."""
    bench = Bench(flash=flash)
    bench.host.script = lambda request: answer if request.network_code == "396" else None
    assert bench.serve(f"HOST 127.0.0.1 {bench.host.port} 6000030000").startswith("OK ")
    return bench


def by_keypad(bench: Bench, code: str = CODE) -> None:
    """FUNC, management (9 of HT-100), 4."""
    bench.key("FUNC", str(len(bench.board.model["menu"])), "4")
    bench.run(bench.shows("请输入激活码"))
    bench.key(*code, "ENTER")


def request_of(bench: Bench) -> Frame:
    (request,) = bench.host.requests
    return request


def test_the_request_names_the_unit_and_the_code_and_no_terminal() -> None:
    with with_host(given()) as bench:
        by_keypad(bench)
        bench.run(bench.shows("激活成功", "校验值:08D7B4"))
        request = request_of(bench)
        assert (request.mti, request.batch, request.network_code) == ("0800", "000001", "396")
        assert 41 not in request and 42 not in request
        assert request.binary(62) == SEQUENCE_NO + f"{len(UNIT) + 4}HT97{UNIT}{CODE}".encode()
        assert (bench.state.tid, bench.state.mid, bench.state.tmk) == (TID, MID, TMK.hex())
        bench.key("CANCEL")
        assert bench.sign_in()["DF07"] == "00"


def test_the_service_port_answers_when_the_host_has() -> None:
    with with_host(given()) as bench:
        assert bench.serve(f"ACTIVATE {CODE}") == f"OK TID={TID} MID={MID} KCV=08D7B4"
        assert bench.serve("IDENTITY") == f"OK TID={TID} MID={MID} SN={UNIT}"


@pytest.mark.parametrize("answer", [
    Answer("97"), Answer("03"), given(spoilt=True), given(unit="SN97000002"), given(tid="        "),
    Answer(fields={41: TID, 42: MID, 60: "00000001396", 62: None}), Answer(act="close"),
])
def test_what_is_no_activation_stores_nothing(answer: Answer) -> None:
    with with_host(answer) as bench:
        told = bench.serve(f"ACTIVATE {CODE}")
        assert told.startswith("ERR "), told
        assert told.split()[1] == (answer.code if answer.code != "00" else "Z2" if answer.act == "close" else "Z3")
        assert (bench.state.tid, bench.state.mid, bench.state.tmk) == ("", "", "")
        assert not any("97" in line for line in bench.lines[1:]) or answer.code == "97"


def test_a_code_that_is_not_known_is_97_on_the_screen() -> None:
    with with_host(Answer("97")) as bench:
        by_keypad(bench)
        bench.run(bench.shows("交易失败", "应答码:97", "终端未登记"))


def test_without_a_host_nothing_leaves() -> None:
    with Bench() as bench:
        assert bench.serve(f"ACTIVATE {CODE}") == "ERR Z4 no host is set"
        bench.key("CANCEL")
        by_keypad(bench)
        bench.run(bench.shows("请先设置"))


@pytest.mark.parametrize("code", ["", "12345678901", "1234567890123", "12345678901a", "１２３４５６７８９０１２"])
def test_twelve_digits_or_nothing(code: str) -> None:
    with with_host(given()) as bench:
        bench.board.engineer.send(f"ACTIVATE {code}\r\n".encode())
        assert str(bench.run(bench._served_line)).startswith(("ERR 03 ", "ERR 01 "))
        assert not bench.host.requests


def test_a_terminal_in_use_is_not_disturbed() -> None:
    with with_host(given()) as bench:
        bench.key("FUNC")
        assert bench.serve(f"ACTIVATE {CODE}") == "ERR 90 busy: the terminal is in use"
        assert not bench.host.requests


def test_what_is_stored_under_one_identity_gets_no_other() -> None:
    with Bench().ready() as bench:
        assert bench.sale()["DF07"] == "00"
        bench.key("CANCEL")
        bench.host.script = lambda request: given(tid="97000009") if request.network_code == "396" else None
        assert bench.serve(f"ACTIVATE {CODE}").startswith("ERR Z3 ")
        assert bench.state.tid == TID and bench.log
        bench.key("CANCEL")
        bench.host.script = lambda request: given() if request.network_code == "396" else None
        assert bench.serve(f"ACTIVATE {CODE}").startswith(f"OK TID={TID} ")
        assert bench.log and not bench.state.mak


def test_a_power_cut_leaves_all_of_it_or_nothing() -> None:
    with with_host(given()) as bench:
        before, done = bytes(bench.flash.content), len(bench.flash.operations)
        assert bench.serve(f"ACTIVATE {CODE}").startswith("OK ")
        operations = bench.flash.operations[done:]
    ends = set()
    for _, content in cuts(before, operations):
        with Bench(flash=MemoryFlash(content)) as again:
            ends.add((again.state.tid, again.state.mid, again.state.tmk))
    assert ends == {("", "", ""), (TID, MID, TMK.hex())}


def test_the_first_thing_that_is_ever_stored_may_be_cut() -> None:
    """littlefs has an empty file for a moment: that is a unit from its box, no damage."""
    with Bench() as bench:
        before, done = bytes(bench.flash.content), len(bench.flash.operations)
        assert bench.serve(f"SET TID={TID} MID={MID}").startswith("OK ")
        operations = bench.flash.operations[done:]
    ends = set()
    for _, content in cuts(before, operations):
        with Bench(flash=MemoryFlash(content)) as again:
            ends.add(again.state.tid)
    assert ends == {"", TID}
