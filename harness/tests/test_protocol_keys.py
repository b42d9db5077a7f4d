"""Keys, check values, MACs and PIN blocks: public vectors, and a second way of computing each."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import SM4
from hypothesis import given
from hypothesis import strategies as st

from harness.protocol import keys
from harness.protocol.frames import Frame, build, decode
from harness.protocol.keys import KeyMaterialError
from harness.tests.protocol_samples import S01, S07, V1_DATA, V1_F64, V1_TAK, framed, frames

TMK_44 = b"\x44" * 16
key8 = st.binary(min_size=8, max_size=8)
key16 = st.binary(min_size=16, max_size=16)


def one_block(key: bytes, block: bytes) -> bytes:
    """DES or two-key triple DES of one block, written apart from the code under test."""
    full = {8: key + key + key, 16: key + key[0:8], 24: key}[len(key)]
    machine = Cipher(TripleDES(full), modes.ECB()).encryptor()
    return machine.update(block) + machine.finalize()


def sm4_block(key: bytes, block: bytes) -> bytes:
    """SM4 of one block, written apart from the code under test."""
    machine = Cipher(SM4(key), modes.ECB()).encryptor()
    return machine.update(block) + machine.finalize()


def mac_by_the_book(key: bytes, data: bytes, block_of: Callable[[bytes, bytes], bytes] = one_block) -> bytes:
    """The five steps of the dialect's description, one after the other."""
    size = 8 if block_of is one_block else 16
    data += b"\x00" * (-len(data) % size)
    folded = bytearray(size)
    for index, byte in enumerate(data):
        folded[index % size] ^= byte
    text = folded.hex().upper().encode("ascii")
    first = block_of(key, text[:size])
    return block_of(key, bytes(a ^ b for a, b in zip(first, text[size:], strict=True)))


def test_wrapping_vectors() -> None:
    assert keys.wrap(b"\x11" * 16, b"\x22" * 8).hex().upper() == "950973182317F80B"
    assert keys.kcv(b"\x22" * 16).hex().upper() == "00962B60"
    assert keys.kcv(bytes.fromhex("d931648f3de313a4a22c15dca4f4299e")).hex().upper() == "900ECCE3"
    assert keys.unwrap(b"\x11" * 8 + b"\x13" * 8, bytes.fromhex("E8AE27AFB890D5C3")) == b"\x15" * 8
    tmk = bytes.fromhex("70F2A84CCBC2AE8625CBB0F2C22AB923")
    assert keys.unwrap(tmk, bytes.fromhex("96D605EA176B7E9E")) == V1_TAK


def test_the_keys_of_a_public_sign_in() -> None:
    loaded = keys.working_keys(decode(S07).binary(62), "003", TMK_44)
    assert loaded.pik.hex() == "706185d32c528c64b01361324a85b579"
    assert loaded.mak.hex() == "7a131f01f458bcdc"
    assert loaded.ok
    assert loaded.tdk is None


def test_another_tmk_or_a_changed_check_value_is_no_sign_in() -> None:
    f62 = decode(S07).binary(62)
    assert not keys.working_keys(f62, "003", b"\x46" * 16).ok
    broken_pik = keys.working_keys(f62[:16] + b"\0\0\0\0" + f62[20:], "003", TMK_44)
    assert (broken_pik.pik_ok, broken_pik.mak_ok, broken_pik.ok) == (False, True, False)
    broken_mak = keys.working_keys(f62[:36] + b"\0\0\0\0", "003", TMK_44)
    assert (broken_mak.pik_ok, broken_mak.mak_ok, broken_mak.ok) == (True, False, False)


def test_mac_vectors() -> None:
    assert len(V1_DATA) == 91
    assert keys.mac(V1_TAK, V1_DATA).hex().upper() == "8A9E91B88D839AC5"
    assert keys.f64(keys.mac(V1_TAK, V1_DATA)) == "8A9E91B8"
    assert keys.f64(keys.mac(b"\x15" * 8, b" " * 17)) == "F6840E52"


def test_vectors_of_the_other_mac_algorithms() -> None:
    """X9.9 from a public terminal's device tests; X9.19 from ISO/IEC 9797-1 (algorithm 3, padding 1)."""
    assert keys.cbc_mac(b"\x15" * 8, b" " * 7).hex().upper() == "BC99606ABA33CC76"
    assert keys.cbc_mac(b"\x17" * 8 + b"\x19" * 8, b" " * 8).hex().upper() == "E8786990BB5192D2"
    key = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
    assert keys.retail_mac(key, b"Now is the time for all ").hex().upper() == "A1C72E74EA3FA9B6"
    assert keys.retail_mac(key, b"Now is the time for it").hex().upper() == "2E2B1428CC78254F"


def test_sm4_vector() -> None:
    """The example of GB/T 32907: key and plain text are the same."""
    key = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
    assert keys.encrypt(key, key, "sm4").hex().upper() == "681EDF34D206965E86B3E94F536E4246"
    assert keys.decrypt(key, keys.encrypt(key, key, "sm4"), "sm4") == key


def test_verify_a_public_signed_frame() -> None:
    frame = decode(framed(V1_DATA + V1_F64))
    assert keys.mac_input(frame.raw) == V1_DATA
    assert keys.verify(frame, V1_TAK) == "ok"
    assert keys.verify(frame, b"\x46" * 8) == "bad"
    assert keys.verify(frame.but({4: "000000000052"}), V1_TAK) == "bad"
    assert keys.verify(frame.but({64: "8a9e91b8"}), V1_TAK) == "bad"
    assert keys.verify(frame.but({64: None}), V1_TAK) == "absent"
    assert keys.verify(frame.but(tpdu="6012345678", header="613100300000"), V1_TAK) == "ok"


def test_sealing_rebuilds_the_public_frame() -> None:
    frame = decode(framed(V1_DATA + V1_F64))
    assert keys.seal(frame.but({64: None}), V1_TAK) == frame
    assert keys.seal(frame.but({64: "FFFFFFFF"}), V1_TAK).raw == frame.raw


def test_mac_input_without_f64_is_everything_from_the_mti() -> None:
    assert keys.mac_input(S01) == S01[13:]


def test_pin_block_vector() -> None:
    block = keys.pin_block("123456", "123456789012345678")
    assert block.hex().upper() == "061253DFFEDCBA98"
    assert keys.pin_from_block(block, "123456789012345678") == "123456"


def test_the_pin_length_is_hexadecimal() -> None:
    assert keys.pin_block("1234567890", None).hex().upper() == "0A1234567890FFFF"
    assert keys.pin_block("123456789012", None).hex().upper() == "0C123456789012FF"


@pytest.mark.parametrize("pin", ["123", "1234567890123", "12a4", "", "١٢٣٤"])
def test_what_is_no_pin_is_refused(pin: str) -> None:
    with pytest.raises(KeyMaterialError, match="4 to 12 digits"):
        keys.pin_block(pin, None)


def test_a_block_of_another_card_or_key_is_no_pin() -> None:
    block = keys.pin_block("123456", "6225880012345678")
    with pytest.raises(KeyMaterialError, match="not one of this card"):
        keys.pin_from_block(block, "4392260009942820")
    with pytest.raises(KeyMaterialError, match="8 bytes"):
        keys.pin_from_block(block[:7], None)
    with pytest.raises(KeyMaterialError, match="PAN of 13 to 19"):
        keys.pin_block("1234", "123456789012")


@pytest.mark.parametrize(
    ("f62", "code", "problem"),
    [
        (bytes(40), "001", "F62 has 40 bytes, with F60.3 = 001 it has 24"),
        (bytes(39), "003", "F62 has 39 bytes"),
        (b"", "003", "F62 has 0 bytes"),
        (bytes(40), "", "F60.3 is absent"),
        (bytes(104), "005", "F62 has 104 bytes, with F60.3 = 005 it has 40"),
        (bytes(40), "007", "F60.3 is 007; the key blocks known are those of 001, 003, 004, 005, 006"),
    ],
)
def test_key_blocks_of_the_wrong_shape_are_refused(f62: bytes, code: str, problem: str) -> None:
    with pytest.raises(KeyMaterialError, match=problem):
        keys.working_keys(f62, code, TMK_44)


def test_keys_of_the_wrong_length_are_refused() -> None:
    for key in (b"", bytes(7), bytes(24)):
        with pytest.raises(KeyMaterialError, match="8 or 16 bytes"):
            keys.mac(key, b"x")
        with pytest.raises(KeyMaterialError, match="8 or 16 bytes"):
            keys.wrap(bytes(16), key)
        with pytest.raises(KeyMaterialError, match=r"X9\.19 has 16 bytes"):
            keys.retail_mac(key, b"x")
        with pytest.raises(KeyMaterialError, match="SM4 key has 16 bytes"):
            keys.mac(key, b"x", "sm4")
    with pytest.raises(KeyMaterialError, match="whole 8-byte blocks"):
        keys.decrypt(bytes(16), b"12345")
    with pytest.raises(KeyMaterialError, match="whole 16-byte blocks"):
        keys.encrypt(bytes(16), bytes(24), "sm4")
    with pytest.raises(KeyMaterialError, match="do not fit"):
        keys.make_f62(TMK_44, "003", bytes(8), bytes(8))
    with pytest.raises(KeyMaterialError, match="do not fit"):
        keys.make_f62(TMK_44, "003", bytes(16), bytes(24))
    with pytest.raises(KeyMaterialError, match="do not fit"):
        keys.make_f62(TMK_44, "001", bytes(8), bytes(16))
    with pytest.raises(KeyMaterialError, match="do not fit"):
        keys.make_f62(TMK_44, "006", bytes(16), bytes(8))
    with pytest.raises(KeyMaterialError, match="track key"):
        keys.make_f62(TMK_44, "003", bytes(16), bytes(8), bytes(16))
    with pytest.raises(KeyMaterialError, match="track key"):
        keys.make_f62(TMK_44, "004", bytes(16), bytes(8))


@given(key8 | key16)
def test_kcv_a_second_way(key: bytes) -> None:
    assert keys.kcv(key) == one_block(key, bytes(8))[:4]


@given(key8 | key16, st.binary(max_size=400))
def test_mac_a_second_way(key: bytes, data: bytes) -> None:
    assert keys.mac(key, data) == mac_by_the_book(key, data)


@given(key16, st.binary(max_size=400))
def test_sm4_mac_a_second_way(key: bytes, data: bytes) -> None:
    assert keys.mac(key, data, "sm4") == mac_by_the_book(key, data, sm4_block)
    assert len(keys.mac(key, data, "sm4")) == 16


@given(key16, key16, key8 | key16, key16)
def test_what_the_host_packs_the_terminal_unpacks(tmk: bytes, pik: bytes, mak: bytes, tdk: bytes) -> None:
    for code, track_key, length in (("003", None, 40), ("004", tdk, 60)):
        f62 = keys.make_f62(tmk, code, pik, mak, track_key)
        assert len(f62) == length
        loaded = keys.working_keys(f62, code, tmk)
        assert (loaded.pik, loaded.mak, loaded.tdk, loaded.ok) == (pik, mak, track_key, True)
        assert f62[16:20] == one_block(pik, bytes(8))[:4]
        assert f62[36:40] == one_block(mak, bytes(8))[:4]


@given(key16, key16, key16, st.sampled_from(["005", "006"]))
def test_sm4_key_block(tmk: bytes, pik: bytes, mak: bytes, code: str) -> None:
    f62 = keys.make_f62(tmk, code, pik, mak)
    assert f62 == b"".join(sm4_block(tmk, key) + sm4_block(key, bytes(16))[:4] for key in (pik, mak))
    loaded = keys.working_keys(f62, code, tmk)
    assert (loaded.pik, loaded.mak, loaded.tdk, loaded.ok, loaded.algorithm) == (pik, mak, None, True, "sm4")


@given(st.sampled_from(sorted(keys.KEY_BLOCK_LENGTHS)), st.sampled_from([8, 16]), st.data())
def test_keys_of_the_lengths_that_belong_to_a_code(code: str, mak_length: int, data: st.DataObject) -> None:
    sizes = keys.key_lengths(code, mak_length)
    pik, mak, tdk = (data.draw(st.binary(min_size=size, max_size=size)) for size in sizes)
    f62 = keys.make_f62(TMK_44, code, pik, mak, tdk or None)
    assert len(f62) == keys.KEY_BLOCK_LENGTHS[code]
    loaded = keys.working_keys(f62, code, TMK_44)
    assert (loaded.pik, loaded.mak, loaded.tdk or b"", loaded.ok) == (pik, mak, tdk, True)
    assert loaded.algorithm == keys.algorithm_of(code)
    assert len(mak) == (mak_length if code in ("003", "004") else 8 if code == "001" else 16)


@given(key8 | key16, key8, key8)
def test_single_length_key_block(tmk: bytes, pik: bytes, mak: bytes) -> None:
    f62 = keys.make_f62(tmk, "001", pik, mak)
    slots = [one_block(tmk, key) + one_block(key, bytes(8))[:4] for key in (pik, mak)]
    assert f62 == slots[0] + slots[1]
    loaded = keys.working_keys(f62, "001", tmk)
    assert (loaded.pik, loaded.mak, loaded.ok) == (pik, mak, True)


@given(frames(), key8 | key16)
def test_a_sealed_frame_verifies_and_a_changed_one_does_not(frame: Frame, key: bytes) -> None:
    sealed = keys.seal(frame, key)
    assert sealed.raw[-8:].decode() == mac_by_the_book(key, sealed.raw[13:-8])[:4].hex().upper()
    assert keys.verify(decode(sealed.raw), key) == "ok"
    assert dict(sealed.but({64: None}).fields) == dict(frame.but({64: None}).fields)
    trace = "000001" if sealed.get(11) != "000001" else "000002"
    other = build(sealed.mti, {**sealed.fields, 11: trace})
    folded = mac_by_the_book(key, other.raw[13:-8])[:4].hex().upper()
    assert keys.verify(other, key) == ("ok" if folded == sealed.get(64) else "bad")


@given(frames(), key8 | key16)
def test_a_frame_may_be_built_with_its_mac(frame: Frame, key: bytes) -> None:
    sealed, unsealed = keys.seal(frame, key), frame.but({64: None})
    made = build(
        frame.mti, unsealed.fields, frame.tpdu, frame.header, frame.f48, mac=lambda data: keys.f64(keys.mac(key, data))
    )
    assert made == sealed and made.raw == sealed.raw and list(made.fields) == list(sealed.fields)


@given(frames(), key16)
def test_a_frame_sealed_with_sm4_verifies_as_such_only(frame: Frame, key: bytes) -> None:
    sealed = keys.seal(frame, key, "sm4")
    assert sealed.get(64) == mac_by_the_book(key, sealed.raw[13:-8], sm4_block)[:4].hex().upper()
    assert keys.verify(sealed, key, "sm4") == "ok"
    triple = mac_by_the_book(key, sealed.raw[13:-8])[:4].hex().upper()
    assert keys.verify(sealed, key) == ("ok" if triple == sealed.get(64) else "bad")


tracks = st.text("0123456789D", min_size=17, max_size=104)


@given(key8 | key16, tracks)
def test_an_enciphered_track_by_the_book(tdk: bytes, track: str) -> None:
    """The 8 bytes that end one byte before the end of the packed, padded track; nothing else changes."""
    enciphered = keys.encrypt_track(tdk, track)
    packed = bytes.fromhex(track + "0" * (len(track) % 2))
    after = bytes.fromhex(enciphered + "0" * (len(track) % 2))
    assert len(enciphered) == len(track)
    assert (after[:-9], after[-9:-1], after[-1:]) == (packed[:-9], one_block(tdk, packed[-9:-1]), packed[-1:])
    assert keys.decrypt_track(tdk, enciphered) == track


def test_an_enciphered_track() -> None:
    """37 digits are 19 bytes: bytes 10 to 17 (counted from 0) are enciphered, here with the key of a public KCV."""
    track = "6225880012345678D30122010000012300000"
    enciphered = keys.encrypt_track(b"\x22" * 16, track)
    assert (enciphered[:20], enciphered[36:]) == (track[:20], track[36:])
    assert enciphered[20:36] == one_block(b"\x22" * 16, bytes.fromhex(track[20:36])).hex().upper()


@pytest.mark.parametrize(
    ("track", "problem"), [("6225880012345678", "16 digits"), ("", "0 digits"), ("62=1" * 9, "D as")]
)
def test_what_is_no_track_is_refused(track: str, problem: str) -> None:
    with pytest.raises(KeyMaterialError, match=problem):
        keys.encrypt_track(b"\x22" * 16, track)


def test_parity_of_keys() -> None:
    assert keys.parity_ok(b"\x15" * 8)
    assert not keys.parity_ok(b"\x44" * 16)
    assert keys.kcv(b"\x44" * 16) == keys.kcv(b"\x45" * 16)


pins = st.text("0123456789", min_size=4, max_size=12)
pans = st.text("0123456789", min_size=13, max_size=19)


@given(pins, st.none() | pans, key16)
def test_pins_round_trip(pin: str, pan: str | None, key: bytes) -> None:
    enciphered = keys.encrypt(key, keys.pin_block(pin, pan))
    assert keys.pin_from_block(keys.decrypt(key, enciphered), pan) == pin


@given(st.binary(max_size=16), st.none() | st.just("6225880012345678"))
def test_any_block_is_a_pin_or_refused(block: bytes, pan: str | None) -> None:
    try:
        pin = keys.pin_from_block(block, pan)
    except KeyMaterialError:
        return
    assert keys.pin_block(pin, pan) == block
