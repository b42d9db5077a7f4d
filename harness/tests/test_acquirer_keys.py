"""Keys of the acquirer: what a sign-in brings, opened with a cipher of the test's own; TMKs; PIN blocks; the clock."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes

from harness.acquirer.cards import IssuerCard, read_cards
from harness.acquirer.registry import new_key
from harness.errors import BadInput
from harness.protocol import keys
from harness.tests.acquirer_terminal import MID, PAN, InProcess, Pos, profile


def des(key: bytes, data: bytes, *, decipher: bool = False) -> bytes:
    cipher = Cipher(TripleDES(key + key[:8] if len(key) == 16 else key * 3), modes.ECB())
    return (cipher.decryptor() if decipher else cipher.encryptor()).update(data)


def test_the_keys_of_a_sign_in_open_under_the_tmk_and_fit_their_check_values() -> None:
    pos = InProcess().terminal(signed_in=False)
    block = pos.ask("0800", pos.sign_in_fields()).binary(62)
    assert len(block) == 40
    pik, mak = des(pos.tmk, block[:16], decipher=True), des(pos.tmk, block[20:28], decipher=True)
    assert block[28:36] == bytes(8)
    assert des(pik, bytes(8))[:4] == block[16:20]
    assert des(mak, bytes(8))[:4] == block[36:40]


def test_every_sign_in_brings_new_keys_and_the_old_ones_are_void() -> None:
    lab = InProcess()
    pos = lab.terminal()
    old = pos.mak
    assert pos.sign_in().get(39) == "00"
    new, pos.mak = pos.mak, old
    assert new != old
    assert pos.sale(100).get(39) == "A0"
    pos.mak = new
    assert pos.sale(100).get(39) == "00"


@pytest.mark.parametrize("spoil", ["changed", "stripped"])
def test_a_request_whose_mac_is_wrong_or_missing_is_a0(spoil: str) -> None:
    lab = InProcess()
    pos = lab.terminal()
    good = pos.request("0200", pos.sale_fields(100), sealed=True)
    bad = good.but({64: None}) if spoil == "stripped" else good.but({4: "000000000101"})
    answer = pos.ask("0200", bad.fields)
    assert answer.get(39) == "A0" and lab.entries(pos) == []


def test_no_sign_in_brings_keys_when_it_is_declined() -> None:
    lab = InProcess()
    pos = lab.terminal()
    lab.do("remove_terminal", mid=MID, tid=pos.tid)
    assert 62 not in pos.ask("0800", pos.sign_in_fields())


def test_single_length_keys_where_the_profile_signs_in_with_001() -> None:
    lab = InProcess(profile(sign_in_network_code="001"))
    pos = lab.terminal(signed_in=False)
    answer = pos.ask("0800", {11: "000001", 60: "00000001001"})
    assert answer.get(39) == "00" and len(answer.binary(62)) == 24
    working = keys.working_keys(answer.binary(62), "001", pos.tmk)
    assert working.ok and len(working.pik) == len(working.mak) == 8


def test_a_registration_keeps_the_tmk_it_is_given_and_makes_one_otherwise() -> None:
    lab = InProcess()
    given = "0123456789ABCDEFFEDCBA9876543210"
    reply = lab.do("register_terminal", mid=MID, tid="20000001", tmk=given)
    assert reply == {"tmk": given, "kcv": des(bytes.fromhex(given), bytes(8)).hex().upper()[:6]}
    random = [lab.do("register_terminal", mid=MID, tid="20000001")["tmk"] for _ in range(3)]
    assert len({given, *random}) == 4
    assert lab.do("register_terminal", mid=MID, tid="20000001", tmk=given.lower())["tmk"] == given


def test_a_new_tmk_holds_from_the_next_sign_in() -> None:
    lab = InProcess()
    pos = lab.terminal()
    issued = lab.do("issue_tmk", mid=MID, tid=pos.tid)
    assert pos.sale(100).get(39) == "00"
    answer = pos.ask("0800", pos.sign_in_fields())
    assert answer.get(39) == "00"
    assert not keys.working_keys(answer.binary(62), "003", pos.tmk).ok  # a key error at the terminal, not 97
    assert keys.working_keys(answer.binary(62), "003", bytes.fromhex(issued["tmk"])).ok


def test_made_keys_have_odd_parity_and_two_different_halves() -> None:
    for size in (8, 16):
        made = [new_key(size) for _ in range(50)]
        assert len(set(made)) == 50
        assert all(bin(byte).count("1") % 2 for key in made for byte in key)
        assert size == 8 or all(key[:8] != key[8:] for key in made)


# -- PIN ---------------------------------------------------------------------------------------------------------------


def with_pin(pos: Pos, pin: str, *, pan: str | None = PAN, pik: bytes | None = None) -> dict[str, str]:
    block = keys.encrypt(pik or pos.pik, keys.pin_block(pin, pan))
    f53 = "1600000000000000" if pan is None else "2600000000000000"
    return {"F22": "021", "F26": "12", "F52": block.hex().upper(), "F53": f53}


def test_the_pin_of_a_known_card_is_checked() -> None:
    lab = InProcess(cards={PAN: IssuerCard(PAN, pin="123456")})
    pos = lab.terminal()
    assert pos.sale(100, **with_pin(pos, "123456")).get(39) == "00"
    assert pos.sale(100, **with_pin(pos, "123456", pan=None)).get(39) == "00"
    assert pos.sale(100, **with_pin(pos, "123457")).get(39) == "55"
    assert pos.sale(100).get(39) == "00"  # no PIN block, nothing to check
    assert [e["amount"] for e in lab.entries(pos)] == [100, 100, 100]


def test_any_pin_of_an_unknown_card_will_do_but_it_must_be_one() -> None:
    lab = InProcess()
    pos = lab.terminal()
    assert pos.sale(100, **with_pin(pos, "9999")).get(39) == "00"
    assert pos.sale(100, **with_pin(pos, "9999", pik=bytes(range(16)))).get(39) == "99"
    assert len(lab.entries(pos)) == 1


def test_a_card_with_a_code_of_its_own() -> None:
    lab = InProcess(cards={PAN: IssuerCard(PAN, code="51")})
    pos = lab.terminal()
    assert pos.sale(100).get(39) == "51"
    assert lab.entries(pos) == []


def test_the_card_file(tmp_path: Path) -> None:
    path = tmp_path / "cards.json"
    path.write_text(json.dumps([{"pan": PAN, "pin": "1234"}, {"pan": "6228480000000970", "code": "51"}]))
    assert read_cards(path) == {
        PAN: IssuerCard(PAN, "1234"), "6228480000000970": IssuerCard("6228480000000970", None, "51"),
    }


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "not a readable card file"), ("{}", "list"), ("[1]", "card 1"), ('[{"pin": "1234"}]', "pan is missing"),
        ('[{"pan": "62258800"}]', "pan"), (f'[{{"pan": "{PAN}", "pin": 1234}}]', "pin"),
        (f'[{{"pan": "{PAN}"}}, {{"pan": "{PAN}"}}]', "card 2"), (f'[{{"pan": "{PAN}", "cvv": "1"}}]', "card 1"),
    ],
)  # fmt: skip
def test_a_wrong_card_file(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "cards.json"
    path.write_text(text)
    with pytest.raises(BadInput, match=says):
        read_cards(path)


# -- clock -------------------------------------------------------------------------------------------------------------


def shown(pos: Pos) -> str:
    answer = pos.echo()
    return answer.get(13) + answer.get(12)


def test_the_hosts_clock_is_beijing_time_and_can_be_set() -> None:
    lab = InProcess()
    pos = lab.terminal()
    beijing = datetime.now(UTC) + timedelta(hours=8)
    assert shown(pos) in {f"{beijing + timedelta(seconds=s):%m%d%H%M%S}" for s in range(6)}
    lab.do("set_clock", epoch=datetime(2031, 2, 28, 15, 59, 30, tzinfo=UTC).timestamp())
    assert shown(pos) in {f"02282359{second:02d}" for second in range(30, 40)}
    lab.do("set_clock", epoch=None)
    assert shown(pos)[:4] in {f"{beijing:%m%d}", f"{beijing + timedelta(seconds=6):%m%d}"}


@pytest.mark.parametrize("epoch", [float("nan"), float("inf"), -1, 10**12, "now", True])
def test_no_time(epoch: object) -> None:
    with pytest.raises(BadInput, match="epoch"):
        InProcess().do("set_clock", epoch=epoch)
