"""harness.protocol.keys against a second computation on other libraries, over random keys and data."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.protocol import keys
from harness.protocol.frames import Frame, decode
from harness.tests import oracle_keys as second
from harness.tests.protocol_samples import S07, V1_DATA, V1_F64, V1_TAK, frames

key8 = st.binary(min_size=8, max_size=8)
key16 = st.binary(min_size=16, max_size=16)
des_keys = key8 | key16


def test_the_second_way_knows_the_public_vectors() -> None:
    """facts: wrapping, check values, MAC, PIN block; the SM4 example of GB/T 32907, also by the openssl program."""
    assert second.des(b"\x11" * 16, b"\x22" * 8).hex().upper() == "950973182317F80B"
    assert second.kcv(bytes.fromhex("d931648f3de313a4a22c15dca4f4299e")).hex().upper() == "900ECCE3"
    assert second.un_des(b"\x11" * 8 + b"\x13" * 8, bytes.fromhex("E8AE27AFB890D5C3")) == b"\x15" * 8
    assert second.mac(V1_TAK, V1_DATA) == V1_F64.decode()
    assert second.mac(b"\x15" * 8, b" " * 17) == "F6840E52"
    assert second.pin_block("123456", "123456789012345678").hex().upper() == "061253DFFEDCBA98"
    opened = second.open_f62(b"\x44" * 16, decode(S07).binary(62), "003")
    assert {name: (key.hex(), fits) for name, (key, fits) in opened.items()} == {
        "PIK": ("706185d32c528c64b01361324a85b579", True), "MAK": ("7a131f01f458bcdc", True),
    }  # fmt: skip
    example = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
    assert second.sm4(example, example).hex().upper() == "681EDF34D206965E86B3E94F536E4246"


def test_sm4_by_the_openssl_program() -> None:
    key, data = bytes(range(16)), bytes(range(100, 132))
    command = ["openssl", "enc", "-sm4-ecb", "-nopad", "-K", key.hex()]
    try:
        done = subprocess.run(command, input=data, capture_output=True, check=False, timeout=20)
    except FileNotFoundError:
        pytest.skip("there is no openssl program")
    if done.returncode:
        pytest.skip(f"this openssl has no SM4: {done.stderr.decode(errors='replace').strip()[:100]}")
    assert done.stdout == second.sm4(key, data[:16]) + second.sm4(key, data[16:]) == keys.encrypt(key, data, "sm4")


@given(des_keys, st.binary(max_size=300))
def test_mac(key: bytes, data: bytes) -> None:
    assert keys.f64(keys.mac(key, data)) == second.mac(key, data)


@given(key16, st.binary(max_size=300))
def test_sm4_mac(key: bytes, data: bytes) -> None:
    assert keys.f64(keys.mac(key, data, "sm4")) == second.mac(key, data, is_sm4=True)


@given(des_keys)
def test_check_values(key: bytes) -> None:
    assert keys.kcv(key) == second.kcv(key)
    if len(key) == 16:
        assert keys.kcv(key, "sm4") == second.kcv(key, is_sm4=True)


@given(frames(), des_keys)
def test_the_mac_of_a_frame(frame: Frame, key: bytes) -> None:
    """What F64 covers is found here without the decoder: MTI to the byte before F64, the last of the frame."""
    sealed = keys.seal(frame, key).raw
    assert sealed[-8:].decode() == second.mac(key, sealed[2 + 5 + 6 : -8])


@given(st.sampled_from(sorted(keys.KEY_BLOCK_LENGTHS)), st.sampled_from([8, 16]), key16, st.data())
def test_f62(code: str, mak_length: int, tmk: bytes, data: st.DataObject) -> None:
    made = [data.draw(st.binary(min_size=size, max_size=size)) for size in keys.key_lengths(code, mak_length)]
    f62 = keys.make_f62(tmk, code, made[0], made[1], made[2] or None)
    opened = second.open_f62(tmk, f62, code)
    assert opened == {name: (key, True) for name, key in zip(("PIK", "MAK", "TDK"), made, strict=True) if key}
    other = bytes(byte ^ 0x10 for byte in tmk)
    theirs, ours = second.open_f62(other, f62, code), keys.working_keys(f62, code, other)
    assert [key for key, _fits in theirs.values()] == [key for key in (ours.pik, ours.mak, ours.tdk) if key]
    assert all(fits for _key, fits in theirs.values()) == ours.ok


pins = st.text("0123456789", min_size=4, max_size=12)
pans = st.text("0123456789", min_size=13, max_size=19)


@given(des_keys, pins, st.none() | pans)
def test_pin_blocks(pik: bytes, pin: str, pan: str | None) -> None:
    assert keys.pin_block(pin, pan) == second.pin_block(pin, pan)
    assert keys.encrypt(pik, keys.pin_block(pin, pan)) == second.des(pik, second.pin_block(pin, pan))


@given(des_keys, st.text("0123456789D", min_size=17, max_size=104))
def test_enciphered_tracks(tdk: bytes, track: str) -> None:
    assert keys.encrypt_track(tdk, track) == second.encipher_track(tdk, track)
