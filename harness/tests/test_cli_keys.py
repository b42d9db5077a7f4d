"""``hil97 keys open`` and ``hil97 mac``: what they print, and what they say of input that is none."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.cli import main
from harness.protocol import keys
from harness.protocol.frames import decode
from harness.tests.protocol_samples import S01, S05, S07, V1_DATA, V1_F64, V1_TAK, framed

TMK = "44" * 16
F62 = decode(S07).get(62)
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def hil97(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    def run(*arguments: str, stdin: str = "", lang: str = "en") -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin.encode("latin-1"))))
        try:
            status = main(["--lang", lang, *arguments])
        except SystemExit as stop:
            status = int(stop.code or 0)
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


def test_the_keys_of_a_public_sign_in(hil97: Run) -> None:
    status, out, err = hil97("keys", "open", "--tmk", TMK, "--f62", F62)
    assert status == 0
    assert out.splitlines() == [
        "F60.3  003 (told by its length and the check values): DES, 40 bytes of F62",
        f"TMK    {TMK}  check value E2F24340",
        "PIK    706185D32C528C64B01361324A85B579  check value 12922DDE: it fits",
        "MAK    7A131F01F458BCDC  check value DCF475D3: it fits",
    ]
    assert (
        f"--tmk: some of its bytes have even parity. The last bit of each byte is no part of a DES key: this one "
        f"and {'45' * 16} are the same" in err
    )
    assert "--tmk: both halves are the same DES key" in err


def test_the_keys_of_a_captured_answer(hil97: Run) -> None:
    status, out, _err = hil97("keys", "open", "--tmk", TMK, "--frame", "-", stdin=S07.hex(" "))
    assert status == 0
    assert out.startswith("F60.3  003: DES")
    assert "7A131F01F458BCDC  check value DCF475D3: it fits" in out


def test_a_key_that_is_good_gets_no_note(hil97: Run) -> None:
    tmk = bytes.fromhex("70F2A84CCBC2AE8625CBB0F2C22AB923")
    f62 = keys.make_f62(tmk, "001", b"\x15" * 8, b"\x16" * 8)
    status, out, err = hil97("keys", "open", "--tmk", tmk.hex(), "--f62", f62.hex())
    assert (status, err) == (0, "")
    assert out.splitlines()[2:] == [
        f"{name}    {key.hex()}  check value {keys.kcv(key).hex().upper()}: it fits"
        for name, key in (("PIK", b"\x15" * 8), ("MAK", b"\x16" * 8))
    ]


def test_another_tmk_is_told(hil97: Run) -> None:
    status, out, _err = hil97("keys", "open", "--tmk", "46" * 16, "--f62", F62)
    assert status == 1
    assert out.count("THEY DIFFER") == 2 and "check value sent 12922DDE, that of this key" in out
    assert "another TMK, another F60.3, or F62 was changed" in out


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(sorted(keys.KEY_BLOCK_LENGTHS)), st.sampled_from([8, 16]), st.booleans(), st.data())
def test_every_layout_is_opened(hil97: Run, code: str, mak_length: int, told: bool, data: st.DataObject) -> None:
    tmk = data.draw(st.binary(min_size=16, max_size=16))
    pik, mak, tdk = (data.draw(st.binary(min_size=n, max_size=n)) for n in keys.key_lengths(code, mak_length))
    f62 = keys.make_f62(tmk, code, pik, mak, tdk or None)
    named = ["--network-code", code] if told else []
    status, out, _err = hil97("keys", "open", "--tmk", "-", "--f62", f62.hex(), *named, stdin=tmk.hex())
    assert status == 0
    assert ("SM4" in out) == (code in ("005", "006"))
    for name, key in (("PIK", pik), ("MAK", mak), ("TDK", tdk)):
        shown = [line.split()[1] for line in out.splitlines() if line.startswith(name)]
        assert shown == ([key.hex().upper()] if key else [])


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--tmk", "44" * 15, "--f62", F62], "--tmk: a key of 16/32 hexadecimal digits was expected, these are 30"),
        (["--tmk", "44" * 24, "--f62", F62], "--tmk: a key of 16/32 hexadecimal digits was expected, these are 48"),
        (["--tmk", "44" * 8, "--f62", F62, "--network-code", "005"], "--tmk: a key of 32 hexadecimal digits"),
        (["--tmk", "4x", "--f62", F62], "--tmk:1:2: offset 0: 'x' is no hexadecimal digit"),
        (["--tmk", "444", "--f62", F62], "--tmk: offset 1: the last byte has one digit only"),
        (["--tmk", "", "--f62", F62], "--tmk: it is empty"),
        (["--tmk", TMK, "--f62", F62[:-2]], "--f62: F62 has 39 bytes; the key blocks known have 24, 40, 60"),
        (["--tmk", TMK, "--f62", F62, "--network-code", "004"], "F62 has 40 bytes, with F60.3 = 004 it has 60"),
        (["--tmk", "-", "--f62", "-"], "--tmk and --f62 can't both be read from stdin"),
        (["--tmk", TMK, "--frame", S05.hex()], "--frame: is no answer to a sign-in: MTI 0800"),
        (["--tmk", TMK, "--frame", S01.hex()], "--frame: the answer has no F62; its response code is 97"),
        (["--tmk", TMK, "--frame", S07.hex()[:-2]], "offset 0: length: the prefix says 121 bytes follow, 120 do"),
        (["--tmk", TMK, "--f62", "-"], "--f62: it is empty"),
    ],
)
def test_what_can_t_be_opened_is_refused(hil97: Run, arguments: list[str], problem: str) -> None:
    status, out, err = hil97("keys", "open", *arguments)
    assert (status, out) == (2, "")
    assert err.startswith(f"hil97: {problem}")
    assert "Traceback" not in err


def test_mac_vectors(hil97: Run) -> None:
    """Vectors: CSDN zhu244912654/80005341 (ecb), device tests of a public terminal (x9.9), ISO/IEC 9797-1 (x9.19)."""
    iso = "0123456789ABCDEFFEDCBA9876543210"
    for algorithm, key, data, mac in (
        ("ecb", V1_TAK.hex(), V1_DATA.hex(), "8A9E91B88D839AC5"),
        ("x9.9", "15" * 8, "20" * 7, "BC99606ABA33CC76"),
        ("x9.9", "17" * 8 + "19" * 8, "20" * 8, "E8786990BB5192D2"),
        ("x9.19", iso, b"Now is the time for all ".hex(), "A1C72E74EA3FA9B6"),
        ("x9.19", iso, b"Now is the time for it".hex(), "2E2B1428CC78254F"),
    ):
        status, out, _err = hil97("mac", "--key", key, "--data", data, "--algorithm", algorithm)
        assert (status, out.splitlines()[0]) == (0, f"MAC  {mac}")
    status, out, err = hil97("mac", "--key", V1_TAK.hex(), "--data", "-", stdin=V1_DATA.hex("\n"))
    assert out == "MAC  8A9E91B88D839AC5\nF64  8A9E91B8  (3841394539314238)\n"
    assert err == ""
    assert "even parity" in hil97("mac", "--key", "44" * 8, "--data", "20")[2]


def test_the_mac_of_a_frame_is_compared(hil97: Run) -> None:
    frame = framed(V1_DATA + V1_F64)
    status, out, _err = hil97("mac", "--key", V1_TAK.hex(), "--frame", frame.hex())
    assert (status, out.splitlines()[2]) == (0, "The frame has this F64.")
    status, out, _err = hil97("mac", "--key", "16" * 16, "--frame", frame.hex())
    assert (status, out.splitlines()[2]) == (1, "The frame has F64 8A9E91B8: IT DIFFERS.")
    status, out, _err = hil97("mac", "--key", "16" * 16, "--frame", S01.hex())
    assert (status, out.splitlines()[2]) == (1, "The frame has no F64.")


def test_an_sm4_mac(hil97: Run) -> None:
    status, out, err = hil97("mac", "--key", TMK, "--data", "00", "--algorithm", "sm4")
    zeros = b"0" * 16
    first = keys.encrypt(bytes.fromhex(TMK), zeros, "sm4")
    second = keys.encrypt(bytes.fromhex(TMK), bytes(a ^ b for a, b in zip(first, zeros, strict=True)), "sm4")
    assert (status, out.splitlines()[0], err) == (0, f"MAC  {second.hex().upper()}", "")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--key", "15" * 8, "--data", "0"], "--data: offset 0: the last byte has one digit only"),
        (["--key", "15" * 8, "--data", "2020zz"], "--data:1:5: offset 2: 'z' is no hexadecimal digit"),
        (["--key", "15" * 8, "--data", "20", "--algorithm", "x9.19"], "--key: a key of 32 hexadecimal digits was"),
        (["--key", "15" * 8, "--data", "20", "--algorithm", "sm4"], "--key: a key of 32 hexadecimal digits was"),
        (["--key", "15" * 9, "--data", "20"], "--key: a key of 16/32 hexadecimal digits was expected, these are 18"),
        (["--key", "-", "--data", "-"], "--key and --data can't both be read from stdin"),
        (["--key", "15" * 8, "--data", " "], "--data: it is empty"),
    ],
)
def test_what_has_no_mac_is_refused(hil97: Run, arguments: list[str], problem: str) -> None:
    status, out, err = hil97("mac", *arguments)
    assert (status, out) == (2, "")
    assert err.startswith(f"hil97: {problem}")


def test_a_key_is_never_in_a_message(hil97: Run) -> None:
    for arguments in (["mac", "--data", "20", "--key"], ["keys", "open", "--f62", F62, "--tmk"]):
        _status, out, err = hil97(*arguments, "A7" * 17)
        assert "A7A7" not in out + err


def test_chinese(hil97: Run) -> None:
    assert "校验值 12922DDE：相符" in hil97("keys", "open", "--tmk", TMK, "--f62", F62, lang="zh")[1]
    assert hil97("mac", "--key", "", "--data", "20", lang="zh")[2] == "hil97: --key: 为空；应为十六进制数字\n"


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text("0123456789abcdefABCDEF \n\t-xé", max_size=99), st.text("0123456789abcdef ", max_size=70), st.booleans())
def test_any_text_is_answered_or_refused(hil97: Run, text: str, key: str, frame: bool) -> None:
    source = "--frame=-" if frame else "--data=-"
    for arguments in (["mac", f"--key={key}", source], ["keys", "open", f"--tmk={key}", source.replace("data", "f62")]):
        status, _out, err = hil97(*arguments, stdin=text)
        assert status in (0, 1, 2)
        assert "Traceback" not in err and (status == 2) == err.startswith("hil97: ")
