"""The application's own codec and cryptography, against published values and against the harness's independent ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.emulator.firmware.app import cards, codec, comms, crypto, financial, keystore, tlv
from harness.emulator.firmware.app.kinds import KINDS
from harness.emulator.firmware.app.records import State
from harness.emulator.firmware.app.rules import Outcome
from harness.protocol import frames, keys
from harness.protocol.spec import FIELDS as SPEC
from harness.tests.firmware_bench import MAK, MID, PIK, TID, TMK

S01 = (
    "004F60000000096021000000000810003800010AC000100000011644471009080009650030303030303030303030303039373939393930"
    "3031393939393239393035343131303530310011001410090010"
)
S05 = (
    "0057600501000061310031110808000020000000c000160000013939393939393036303031343330313730313139393939001100000000"
    "0030002553657175656e6365204e6f31323330363039393939393930360003303031"
)
S07 = (
    "007960000000006022000000000810003800010AC000140058551742040711084802331030303031313031373233333230303131313131"
    "3131353130333239303037303131313233340011000001160030004077264C5EBA2E461248D2A773277A79EA12922DDEC0DF5A74CE24FD"
    "B00000000000000000DCF475D3"
)

_CHARACTERS = {"digits": "0123456789", "track": "0123456789ABCDEF", "binary": "0123456789ABCDEF"}


@st.composite
def known_fields(draw: st.DrawFn) -> dict[int, str]:
    """Some fields of the application's dialect with values that fit."""
    fields = {}
    for number in draw(st.sets(st.sampled_from(sorted(codec.FIELDS)), min_size=1)):
        spec = SPEC[number]
        size = spec.size if not spec.prefix else draw(st.integers(0, min(spec.size, 40)))
        if spec.kind == "binary":
            fields[number] = draw(st.binary(min_size=size, max_size=size)).hex().upper()
        elif spec.kind == "text":
            fields[number] = draw(st.binary(min_size=size, max_size=size)).decode("latin-1")
        else:
            fields[number] = draw(st.text(_CHARACTERS[spec.kind], min_size=size, max_size=size))
    return fields


@given(known_fields())
def test_both_codecs_agree_on_every_frame(fields: dict[int, str]) -> None:
    theirs = frames.build("0210", fields, tpdu="6000030000", header="613103311100")
    ours = codec.frame("6000030000", "613103311100", codec.encode("0210", fields))
    assert ours == theirs.raw
    assert codec.parse(ours[2:]) == codec.Message("0210", fields, "3")


@pytest.mark.parametrize("text", [S01, S05, S07])
def test_public_frames_decode_and_encode_byte_for_byte(text: str) -> None:
    raw = bytes.fromhex(text)
    message = codec.parse(raw[2:])
    assert message.fields == dict(frames.decode(raw).fields)
    assert codec.encode(message.mti, message.fields) == raw[13:]


@given(st.binary(max_size=300))
def test_any_bytes_are_a_message_or_a_codec_error(data: bytes) -> None:
    try:
        message = codec.parse(data)
    except codec.CodecError:
        return
    assert codec.encode(message.mti, message.fields) == data[11:]


@given(st.data())
def test_a_damaged_answer_is_never_an_exception_and_an_approval_never_survives_damage(data: st.DataObject) -> None:
    state = State(tid=TID, mid=MID, mak=MAK.hex(), pik=PIK.hex())
    card = cards.of_stripe({"track2": "6225880000000097D30122010000097000000"})
    request = financial.request(state, financial.Order(KINDS["sale"], 9700, card))
    copied = {number: request.fields[number] for number in (3, 4, 11, 25, 41, 42, 49)}
    answer = keys.seal(frames.build("0210", {**copied, 39: "00"}), MAK)
    assert comms.judge(request, answer.raw[2:], state.mak, state.dialect).outcome is Outcome.APPROVED
    damaged = bytearray(answer.raw[2:])
    at = data.draw(st.integers(11, len(damaged) - 1))
    damaged[at] ^= 1 << data.draw(st.integers(0, 7))
    assert comms.judge(request, bytes(damaged), state.mak, state.dialect).outcome in (Outcome.BAD_MAC, Outcome.NOT_OURS)
    cut = answer.raw[2 : 2 + data.draw(st.integers(0, len(answer.raw) - 3))]
    assert comms.judge(request, cut, state.mak, state.dialect).outcome in (Outcome.BAD_MAC, Outcome.NOT_OURS)


@given(st.binary(max_size=120))
def test_chip_data_of_any_kind_can_be_filtered(data: bytes) -> None:
    kept = tlv.keep(data.hex(), frozenset({"95", "9F36"}))
    assert len(kept) <= 2 * len(data)
    assert tlv.keep(kept, frozenset({"95", "9F36"})) == kept


def test_chip_data_keeps_only_the_tags_that_are_wanted() -> None:
    assert tlv.keep("9F36020019" "9505008004E000" "9A03261123", frozenset({"95"})) == "9505008004E000"


def test_mac_vector_of_a_public_page() -> None:
    data = bytes.fromhex(
        "0200302004C020C0981100000000000000005100183402100006324392260009942820D13121011200843931363638383031"
        "34303030303030303030303030303031313536ACF46E73838A82F92600000000000000000822000001")
    assert crypto.mac(bytes.fromhex("C24A8FB57AA20123"), data) == "8A9E91B8"
    assert crypto.mac(bytes.fromhex("15" * 8), b" " * 17) == "F6840E52"


@given(st.binary(max_size=200), st.sampled_from([MAK, PIK]))
def test_both_macs_agree(data: bytes, key: bytes) -> None:
    assert crypto.mac(key, data) == keys.f64(keys.mac(key, data))


def test_working_keys_of_a_public_sign_in() -> None:
    f62 = bytes.fromhex(codec.parse(bytes.fromhex(S07)[2:]).fields[62])
    opened = keystore.unwrap(bytes.fromhex("44" * 16), f62, "003")
    assert opened.pik.hex() == "706185d32c528c64b01361324a85b579"
    assert opened.mak.hex() == "7a131f01f458bcdc"


SIGN_INS = {  # 60.3 -> PIK, MAK, TDK
    "001": (PIK[:8], MAK, None), "003": (PIK, MAK, None), "003 and a long MAK": (PIK, TMK, None),
    "004": (PIK, MAK, TMK[::-1]), "005": (PIK, TMK, None), "006": (PIK, TMK, None),
}


@pytest.mark.parametrize("name", SIGN_INS)
def test_the_keys_of_every_sign_in_are_those_that_the_host_sent(name: str) -> None:
    pik, mak, tdk = SIGN_INS[name]
    opened = keystore.unwrap(TMK, keys.make_f62(TMK, name[:3], pik, mak, tdk), name[:3])
    assert opened == (pik, mak, tdk or b"")


@given(st.sampled_from(sorted(SIGN_INS)), st.data())
def test_damaged_working_keys_are_refused(name: str, data: st.DataObject) -> None:
    pik, mak, tdk = SIGN_INS[name]
    f62 = bytearray(keys.make_f62(TMK, name[:3], pik, mak, tdk))
    f62[data.draw(st.integers(0, len(f62) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(keystore.KeyFault):
        keystore.unwrap(TMK, bytes(f62), name[:3])


@given(st.binary(max_size=140), st.sampled_from(sorted(SIGN_INS)))
def test_a_key_block_of_another_length_is_refused(f62: bytes, name: str) -> None:
    with pytest.raises(keystore.KeyFault):
        keystore.unwrap(TMK, f62, name[:3])


@given(st.binary(max_size=200), st.binary(min_size=16, max_size=16))
def test_both_macs_agree_under_sm4(data: bytes, key: bytes) -> None:
    assert crypto.mac(key, data, sm=True) == keys.f64(keys.mac(key, data, "sm4"))


@given(st.text("0123456789", min_size=13, max_size=19), st.text("0123456789", min_size=7, max_size=17))
def test_the_host_reads_the_enciphered_track(pan: str, rest: str) -> None:
    track = f"{pan}D{rest}"[:37]
    enciphered = crypto.enciphered_track(PIK, track)
    assert enciphered != track and keys.decrypt_track(PIK, enciphered) == track
    assert codec.decode(codec.encode("0200", {35: enciphered})).fields[35] == enciphered


@given(st.text("0123456789", min_size=4, max_size=12), st.text("0123456789", min_size=13, max_size=19))
def test_the_host_reads_the_pin_from_the_block(pin: str, pan: str) -> None:
    block = bytes.fromhex(crypto.pin_block(PIK, pin, pan))
    assert keys.pin_from_block(keys.decrypt(PIK, block), pan) == pin


@given(st.text(max_size=40))
def test_only_32_hex_digits_are_a_master_key(text: str) -> None:
    try:
        key = keystore.master_key(text)
    except keystore.KeyFault:
        return
    assert key.hex() == text.lower()
