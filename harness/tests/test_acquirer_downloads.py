"""Downloads at the acquirer: what it hands out, in pages; who has yet to come; data that can't be, refused by place."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.acquirer import download_data
from harness.acquirer.download_data import DownloadData, parse, read_downloads, shipped
from harness.errors import BadInput
from harness.protocol.frames import Frame
from harness.protocol.tlv import read_ber
from harness.tests.acquirer_terminal import MID, InProcess, Pos, profile, running


def ask(pos: Pos, mti: str, code: str, f62: str | bytes = b"") -> Frame:
    data = f62.encode() if isinstance(f62, str) else f62
    fields = {11: pos.next_trace(), 60: f"00{pos.batch}{code}"}
    return pos.ask(mti, fields | ({62: data.hex().upper()} if data else {}))


def nibble(frame: Frame) -> str:
    return frame.header[5]


def entries(data: bytes) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = []
    for element in read_ber(data):
        if element.tag == "9F06":
            rows.append({})
        rows[-1][element.tag] = element.value.hex().upper()
    return rows


def test_what_is_shipped_is_whole_and_its_check_sums_fit() -> None:
    data = shipped()
    assert data.ca_keys and data.ic_parameters and data.blacklist and data.parameters.merchant_name
    for key in data.ca_keys:
        found = {element.tag: element.value for element in read_ber(key.whole())}
        signed = found["9F06"] + found["9F22"] + found["DF02"] + found["DF04"]
        assert found["DF03"] == hashlib.sha1(signed).digest() and len(found["DF02"]) * 2 == len(key.modulus)


@pytest.mark.parametrize("query", ["372", "382"])
def test_a_list_comes_in_pages_that_say_whether_more_follow(query: str) -> None:
    host = InProcess()
    pos, known, firsts = host.terminal(signed_in=False), 0, b""
    while True:
        answer = ask(pos, "0820", query, f"1{known:02d}")
        assert answer.get(39) == "00"
        page = answer.binary(62)
        firsts += page[:1]
        known += len(entries(page[1:]))
        if page[:1] != b"2":
            break
    wanted = shipped().ca_keys if query == "372" else shipped().ic_parameters
    assert known == len(wanted) > shipped().page and firsts == b"2" * (len(firsts) - 1) + b"3"
    assert ask(pos, "0820", query, f"1{known:02d}").binary(62) == b"1"


@pytest.mark.parametrize(("query", "f62"), [("372", ""), ("372", "100x"), ("382", "200"), ("382", "1"), ("372", "1-1")])
def test_a_question_of_another_shape_is_answered_30(query: str, f62: str) -> None:
    host = InProcess()
    assert ask(host.terminal(), "0820", query, f62).get(39) == "30"


def test_each_entry_of_the_lists_can_be_had_and_another_can_not() -> None:
    host = InProcess()
    pos = host.terminal()
    for key in shipped().ca_keys:
        assert ask(pos, "0800", "370", key.name).binary(62) == b"1" + key.whole()
    for one in shipped().ic_parameters:
        assert ask(pos, "0800", "380", one.name).binary(62) == b"1" + one.whole()
    assert ask(pos, "0800", "370", bytes.fromhex("9F0605A0000000009F2201FF")).get(39) == "25"
    assert ask(pos, "0800", "380").get(39) == "25"
    assert ask(pos, "0800", "371").get(39) == ask(pos, "0800", "381").get(39) == "00"


def test_the_blacklist_comes_in_blocks() -> None:
    host = InProcess()
    host.do("set_downloads", kind="blacklist", value=["6225", "62258800", "6228480000000970"])
    pos = host.terminal()
    assert ask(pos, "0800", "390", "001").binary(62) == b"2" + b"046225" + b"0862258800"
    assert ask(pos, "0800", "390", "002").binary(62) == b"3" + b"166228480000000970"
    assert ask(pos, "0800", "390", "003").binary(62) == b"1"
    assert ask(pos, "0800", "390", "000").get(39) == ask(pos, "0800", "390", "1").get(39) == "30"
    host.do("set_downloads", kind="blacklist", value=[])
    assert ask(pos, "0800", "390", "001").binary(62) == b"1"


def test_parameters_are_a_row_of_tags_and_come_under_the_codes_of_the_profile_only() -> None:
    host = InProcess(profile(parameter_download_code="364"))
    wanted = {"timeout": "30", "merchant_name": "商户", "switches": "0F000000"}
    host.do("set_downloads", kind="parameters", value=wanted)
    pos = host.terminal()
    answer = ask(pos, "0800", "364")
    assert answer.binary(62) == b"1230" + b"22" + "商户".encode("gbk").ljust(40) + b"26" + bytes.fromhex("0F000000")
    assert ask(pos, "0800", "360").get(39) == "40"


def test_a_status_is_kept() -> None:
    host = InProcess()
    pos = host.terminal()
    assert host.do("downloads", mid=MID, tid=pos.tid) == {"due": [], "status": None}
    ask(pos, "0820", "362", "MODEL=HT-100;FW=reference 1.0.0")
    assert host.do("downloads", mid=MID, tid=pos.tid)["status"] == {"MODEL": "HT-100", "FW": "reference 1.0.0"}


CYCLES = {  # what ends each download, and the nibble that asks for it
    "parameters": (("0800", "360"), "1"), "status": (("0820", "362"), "2"), "ca_keys": (("0800", "371"), "4"),
    "ic_parameters": (("0800", "381"), "5"), "blacklist": (("0800", "391"), "7"),
}


@pytest.mark.parametrize("kind", CYCLES)
def test_a_terminal_is_asked_at_sign_in_until_it_has_come(kind: str) -> None:
    host = InProcess()
    pos, other = host.terminal(), host.terminal()
    end, asked = CYCLES[kind]
    assert nibble(pos.sign_in()) == "0"
    host.do("demand_download", mid=MID, tid=pos.tid, kind=kind)
    assert nibble(pos.sign_in()) == nibble(pos.sign_in()) == asked and nibble(other.sign_in()) == "0"
    assert nibble(pos.echo()) == "0"
    assert nibble(ask(pos, *end)) == "0" and nibble(pos.sign_in()) == "0"


def test_several_are_asked_for_one_after_the_other() -> None:
    host = InProcess()
    pos = host.terminal()
    for kind in reversed(CYCLES):
        host.do("demand_download", mid=MID, tid=pos.tid, kind=kind)
    seen = [nibble(pos.sign_in())]
    while seen[-1] != "0":
        end = next(end for end, asked in CYCLES.values() if asked == seen[-1])
        seen.append(nibble(ask(pos, *end)))
    assert seen == ["1", "2", "4", "5", "7", "0"]


def test_new_data_is_for_everybody_also_for_who_registers_later_and_over_a_new_registration() -> None:
    host = InProcess()
    pos = host.terminal()
    host.do("set_downloads", kind="blacklist", value=["6225"])
    later = host.terminal(signed_in=False)
    assert nibble(pos.sign_in()) == nibble(later.sign_in()) == "7"
    ask(pos, "0800", "391")
    host.do("register_terminal", mid=MID, tid=pos.tid, tmk=pos.tmk.hex())
    assert nibble(pos.sign_in()) == "0" and nibble(later.sign_in()) == "7"
    host.do("set_downloads", kind="blacklist", value=["6225", "6226"])
    assert nibble(pos.sign_in()) == "7"


@pytest.mark.parametrize("request_of", [
    ("0800", "360"), ("0820", "362"), ("0820", "372"), ("0800", "370"), ("0800", "371"), ("0820", "382"),
    ("0800", "380"), ("0800", "381"), ("0800", "390"), ("0800", "391"), ("0820", "301"),
])
def test_each_needs_a_row_and_a_merchant_but_no_sign_in(request_of: tuple[str, str]) -> None:
    host = InProcess()
    pos = host.terminal(signed_in=False)
    assert ask(pos, *request_of).get(39) in ("00", "25", "30")
    host.do("suspend_terminal", mid=MID, tid=pos.tid)
    assert ask(pos, *request_of).get(39) == "58"
    host.do("remove_terminal", mid=MID, tid=pos.tid)
    assert ask(pos, *request_of).get(39) == "97"
    host.do("remove_merchant", mid=MID)
    assert ask(pos, *request_of).get(39) == "03"


def test_a_terminal_without_a_row_leaves_no_mark() -> None:
    host = InProcess()
    pos = host.terminal()
    host.do("demand_download", mid=MID, tid=pos.tid, kind="ca_keys")
    host.do("remove_terminal", mid=MID, tid=pos.tid)
    assert ask(pos, "0800", "371").get(39) == "97"
    assert host.do("downloads", mid=MID, tid=pos.tid)["due"] == ["ca_keys"]


# -- data --------------------------------------------------------------------------------------------------------------

KEY = {"rid": "A000000333", "index": "01", "expiry": "20301231", "modulus": "AB" * 128, "exponent": "03"}
GOOD: dict[str, Any] = {"parameters": {}, "ca_keys": [], "ic_parameters": [], "blacklist": []}
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"ca_keys": [KEY | {"rid": "A0"}]}, "ca_keys.0.rid"), ({"ca_keys": [KEY, KEY]}, "this CA key is there twice"),
    ({"ca_keys": [KEY | {"modulus": "AB" * 990}]}, "999 bytes of F62"), ({"blacklist": ["62x"]}, "blacklist.0"),
    ({"blacklist": ["6" * 19] * 50, "page": 40}, ""), ({"blacklist": "6225"}, "blacklist"),
    ({"parameters": {"timeout": "x"}}, "parameters.timeout"), ({"parameters": {"speed": "1"}}, "parameters.speed"),
    ({"parameters": {"merchant_name": "商" * 21}}, "40 fit"), ({"parameters": {"merchant_name": "😀"}}, "GBK"),
    ({"page": 0}, "page"), ({"more": 1}, "more"), ({"ic_parameters": [{"aid": "A0"}]}, "ic_parameters.0"),
]


@pytest.mark.parametrize(("change", "says"), [row for row in WRONG if row[1]])
def test_data_that_can_not_be_is_refused_by_its_place(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    path = tmp_path / "downloads.json"
    path.write_text(json.dumps(GOOD | change), encoding="utf-8")
    with pytest.raises(BadInput) as refused:
        read_downloads(path)
    assert says in str(refused.value) and str(path) in str(refused.value)


@pytest.mark.parametrize("text", ["", "[", "[]", "\x00", '{"parameters": 1}'])
def test_a_file_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "downloads.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadInput, match=r"downloads\.json"):
        read_downloads(path)
    with pytest.raises(BadInput, match="nowhere"):
        read_downloads(tmp_path / "nowhere")


def test_wrong_operations_change_nothing() -> None:
    host = InProcess()
    pos = host.terminal()
    requests: list[dict[str, Any]] = [
        {"op": "set_downloads", "kind": "status", "value": {}}, {"op": "set_downloads", "kind": "x", "value": []},
        {"op": "set_downloads", "kind": "ca_keys", "value": [{"rid": 1}]}, {"op": "set_downloads", "kind": "blacklist"},
        {"op": "demand_download", "mid": MID, "tid": pos.tid, "kind": None},
    ]
    for wrong in requests:
        with pytest.raises(BadInput):
            host.do(wrong.pop("op"), **wrong)
    assert nibble(pos.sign_in()) == "0"


hexes = st.binary(min_size=1, max_size=240).map(lambda data: data.hex().upper())


@settings(max_examples=40)
@given(
    st.lists(st.builds(
        lambda n, modulus: KEY | {"index": f"{n:02X}", "modulus": modulus}, st.integers(0, 255), hexes
    ), max_size=12, unique_by=lambda key: key["index"]),
    st.lists(st.from_regex(r"[0-9]{4,19}", fullmatch=True), max_size=60), st.integers(1, 12),
)
def test_whatever_the_data_the_pages_hold_all_of_it_once(
    keys: list[dict[str, str]], cards: list[str], page: int,
) -> None:
    data = parse(GOOD | {"ca_keys": keys, "blacklist": cards, "page": page}, "here")
    assert isinstance(data, DownloadData)
    listed = download_data.pages(data, "ca_keys")
    assert [row["9F22"] for part in listed for row in entries(part[1:])] == [key["index"] for key in keys]
    assert {part[:1] for part in listed[:-1]} <= {b"2"} and listed[-1][:1] == (b"3" if keys else b"1")
    text, found = b"".join(part[1:] for part in download_data.pages(data, "blacklist")).decode(), []
    while text:
        found.append(text[2 : 2 + int(text[:2])])
        text = text[2 + int(text[:2]) :]
    assert found == cards


def test_a_process_of_its_own_takes_a_file_and_keeps_what_was_replaced_over_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "d.json"
    path.write_text(json.dumps(GOOD | {"blacklist": ["6225"]}), encoding="utf-8")
    with running(tmp_path, "--downloads", str(path)) as process:
        pos = process.terminal()
        assert ask(pos, "0800", "390", "001").binary(62) == b"3046225"
        process.client.ask("set_downloads", kind="blacklist", value=["6226"])
        process.child.kill()
        process.client.close()
        process.start()
        assert nibble(pos.sign_in()) == "7" and ask(pos, "0800", "390", "001").binary(62) == b"3046226"


# -- software ----------------------------------------------------------------------------------------------------------


def offered(host: InProcess, folder: Path, data: bytes, version: str = "1.1.0") -> None:
    path = folder / "image.img"
    path.write_bytes(data)
    host.do("offer_software", path=str(path), version=version)


def test_nothing_is_offered_until_something_is(tmp_path: Path) -> None:
    host = InProcess()
    pos = host.terminal(signed_in=False)
    assert ask(pos, "0800", "397", "reference 1.0.0").binary(62) == b"0"
    assert ask(pos, "0800", "398", "00000000010").get(39) == "25"
    data = bytes(range(256)) * 9
    offered(host, tmp_path, data)
    told = ask(pos, "0800", "397", "reference 1.0.0").binary(62).decode()
    assert told == f"1{len(data):08d}{hashlib.sha256(data).hexdigest()}1.1.0"
    host.do("offer_software", path=None)
    assert ask(pos, "0800", "397", "reference 1.0.0").binary(62) == b"0"


@given(st.binary(max_size=5000), st.integers(1, 990))
@settings(deadline=None, max_examples=20)
def test_the_blocks_are_the_file(data: bytes, size: int) -> None:
    host = InProcess()
    pos = host.terminal(signed_in=False)
    host.host.downloads.offer_software(data, "1.1.0")
    found = b""
    while len(found) < len(data):
        block = ask(pos, "0800", "398", f"{len(found):08d}{size:03d}").binary(62)
        assert block[:9] == b"1%08d" % len(found) and 9 < len(block) <= 9 + size
        found += block[9:]
    assert found == data
    assert ask(pos, "0800", "398", f"{len(data):08d}{size:03d}").get(39) == "25"


@pytest.mark.parametrize(("code", "f62"), [
    ("398", ""), ("398", "0000000000"), ("398", "00000000000"), ("398", "00000000991"), ("398", "0000000x001"),
    ("399", ""), ("399", "x"), ("399", "xx1.0.0"),
])
def test_what_is_no_request_for_software_is_answered_30(code: str, f62: str) -> None:
    assert ask(InProcess().terminal(signed_in=False), "0800", code, f62).get(39) == "30"


@pytest.mark.parametrize(("told", "due"), [
    ("001.1.0", False), ("701.1.0", False), ("741.1.0", False), ("731.1.0", True), ("851.1.0", True), ("861.1.0", True),
    ("901.1.0", True),
])
def test_what_ends_the_wish_for_software(tmp_path: Path, told: str, due: bool) -> None:
    host = InProcess()
    pos = host.terminal(signed_in=False)
    offered(host, tmp_path, b"an image")
    host.do("demand_download", mid=MID, tid=pos.tid, kind="software")
    assert nibble(ask(pos, "0800", "397", "reference 1.0.0")) == "6"
    assert nibble(ask(pos, "0800", "399", told)) == ("6" if due else "0")
    assert (host.do("downloads", mid=MID, tid=pos.tid)["due"] == ["software"]) == due


def test_a_terminal_that_runs_it_already_need_not_come(tmp_path: Path) -> None:
    host = InProcess()
    pos = host.terminal(signed_in=False)
    offered(host, tmp_path, b"an image")
    host.do("demand_download", mid=MID, tid=pos.tid, kind="software")
    assert nibble(ask(pos, "0800", "397", "reference 1.1.0")) == "0"


def test_the_offer_outlives_a_killed_host_and_its_file(tmp_path: Path) -> None:
    path = tmp_path / "image.img"
    path.write_bytes(b"an image")
    with running(tmp_path) as process:
        pos = process.terminal()
        process.client.ask("offer_software", path=str(path), version="1.1.0")
        path.unlink()
        process.child.kill()
        process.client.close()
        process.start()
        pos.sign_in()
        assert ask(pos, "0800", "398", "00000000990").binary(62) == b"100000000an image"


@pytest.mark.parametrize("request_", [
    {"path": "/nonexistent/image", "version": "1.1.0"}, {"path": 7, "version": "1.1.0"}, {"path": "x"},
    {"path": __file__, "version": ""}, {"path": __file__, "version": "v" * 41},
])
def test_what_can_not_be_offered_is_refused(request_: dict[str, Any]) -> None:
    with pytest.raises((BadInput, AssertionError)):
        InProcess().do("offer_software", **request_)
