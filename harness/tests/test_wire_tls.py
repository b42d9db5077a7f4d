"""TLS read from captured bytes: handshakes of Python's own ssl over memory, cut into packets in any way."""

from __future__ import annotations

import hashlib
import itertools
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.acquirer.links import CIPHERS, server_side
from harness.tests.links_helpers import Seen, TlsTalk, certificates, message
from harness.wire.layers import TO_ACQUIRER, TO_TERMINAL
from harness.wire.tls_keys import SUITES, KeyLog, expand_label

TLS_12 = ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305"]
ANY = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("tls")
    certificates(made)
    return made


Make = Callable[..., tuple[TlsTalk, Path]]


@pytest.fixture
def talking(folder: Path, tmp_path: Path) -> Make:
    """A handshake of the version, with the suite: the talk, and the file with its keys."""

    def make(version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3, suite: str = "") -> tuple[TlsTalk, Path]:
        keys = tmp_path / "wire.keys"
        server = server_side(folder, (), keys=keys)
        client = ssl.create_default_context(cafile=str(folder / "ca.pem"))
        client.check_hostname = False
        client.minimum_version = client.maximum_version = version
        if suite:
            client.set_ciphers(suite)
        return TlsTalk(client, server).shake_hands(), keys

    return make


def exchange(talk: TlsTalk) -> list[tuple[str, bytes]]:
    """Two messages and their answers, one of them longer than a record."""
    said = [
        (TO_ACQUIRER, message(60)), (TO_TERMINAL, message(90)),
        (TO_ACQUIRER, message(40_000)), (TO_TERMINAL, message(21)),
    ]
    for direction, data in said:
        talk.say(direction, data)
    return said


@pytest.mark.parametrize(
    ("version", "suite"),
    [(ssl.TLSVersion.TLSv1_3, ""), *((ssl.TLSVersion.TLSv1_2, suite) for suite in TLS_12)],
    ids=["1.3", *TLS_12],
)
def test_frames_reach_the_history(talking: Make, version: ssl.TLSVersion, suite: str) -> None:
    talk, keys = talking(version, suite)
    assert not suite or talk.client.cipher()[0] == suite  # type: ignore[index]
    said = exchange(talk)
    seen = Seen("tls", keys)
    for direction, data in talk.bytes:
        seen.send(direction, data)
    seen.close()
    assert seen.frames == said
    assert seen.scraps == []
    assert [report["frame"] for report in seen.told("frame")] == [1, 2, 3, 4]


@ANY
@given(
    st.sets(st.integers(1, 3000) | st.integers(1, 40), max_size=6),
    st.sampled_from([ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]),
)
def test_however_it_was_cut(talking: Make, places: set[int], version: ssl.TLSVersion) -> None:
    talk, keys = talking(version)
    said = exchange(talk)
    seen = Seen("tls", keys)
    packets: list[tuple[str, bytes]] = []
    for direction, sent in talk.bytes:
        cuts = sorted({0, len(sent), *(place for place in places if place < len(sent))})
        for start, end in itertools.pairwise(cuts):
            seen.send(direction, sent[start:end])
            packets.append((direction, sent[start:end]))
    assert seen.frames == said
    assert seen.close().scraps == []
    for report in seen.told("frame"):
        assert report["t_first"] <= report["t"] == max(report["packets"]) * 10
        assert all(packets[packet - 4][0] == report["direction"] for packet in report["packets"])


def test_both_of_the_other_suites_of_tls_13(talking: Make) -> None:
    """OpenSSL of Python 3.11 takes the order of TLS 1.3 suites from its configuration: all three are in the table."""
    assert {0x1301, 0x1302, 0x1303} <= set(SUITES)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.set_ciphers(CIPHERS)
    offered = {cipher["id"] & 0xFFFF for cipher in server.get_ciphers()}
    assert offered <= set(SUITES), "the acquirer offers what the tap can't open"


@given(st.sampled_from(["sha256", "sha384"]), st.binary(min_size=32, max_size=48), st.integers(1, 32))
def test_labels_are_expanded_as_another_library_does(name: str, secret: bytes, size: int) -> None:
    algorithm = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384()}[name]
    info = size.to_bytes(2, "big") + b"\x09tls13 key\x00"
    assert expand_label(name, secret, "key", size) == HKDFExpand(algorithm, size, info).derive(secret)


def test_keys_that_come_late_and_keys_that_never_come(talking: Make, tmp_path: Path) -> None:
    talk, keys = talking()
    said = exchange(talk)
    text = keys.read_bytes()
    keys.unlink()
    seen = Seen("tls", keys)
    for direction, data in talk.bytes:
        seen.send(direction, data)
    assert seen.frames == [] and seen.scraps == []
    keys.write_bytes(text[:-40])  # a line that is not whole yet
    seen.retry()
    keys.write_bytes(text)
    seen.retry()
    assert sorted(seen.frames) == sorted(said)

    never = Seen("tls", tmp_path / "nothing")
    for direction, data in talk.bytes:
        never.send(direction, data)
    never.close()
    assert never.frames == []
    assert [direction for direction, _ in never.scraps] == [TO_ACQUIRER, TO_TERMINAL]
    assert "the session's key CLIENT_HANDSHAKE_TRAFFIC_SECRET is not known: the terminal closed" in never.scraps[0][1]
    told = b"".join(bytes.fromhex(report["hex"]) for report in never.told("bytes"))
    assert len(told) > 40_000, "what can't be opened is not lost"


def test_a_damaged_record_is_told_and_what_follows_it(talking: Make) -> None:
    talk, keys = talking()
    exchange(talk)
    seen = Seen("tls", keys)
    *before, (direction, last) = talk.bytes
    for one, data in before:
        seen.send(one, data)
    seen.send(direction, last[:-1] + bytes([last[-1] ^ 1]))
    seen.send(direction, last)
    assert len(seen.frames) == 3
    assert seen.scraps == [(TO_TERMINAL, "TLS: a record that the session's keys do not open, or after one")] * 2


def test_bytes_that_were_not_captured(talking: Make) -> None:
    talk, keys = talking()
    at = len(talk.bytes)
    exchange(talk)
    seen = Seen("tls", keys)
    for number, (direction, data) in enumerate(talk.bytes):
        if number == at:
            seen.lose(direction, len(data))
        else:
            seen.send(direction, data)
    assert [direction for direction, _ in seen.frames] == [TO_TERMINAL, TO_TERMINAL]
    assert any("not captured" in reason for _, reason in seen.scraps)


def test_key_updates_are_followed(talking: Make) -> None:
    """A peer may change its key at any time (RFC 8446, 4.6.3): here by hand, as Python's ssl has no call for it."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    talk, keys = talking()
    seen = Seen("tls", keys)
    for direction, data in talk.bytes:
        seen.send(direction, data)
    words = [line.split() for line in keys.read_text().splitlines()]
    secret = next(bytes.fromhex(word[2]) for word in words if word[0] == "CLIENT_TRAFFIC_SECRET_0")
    assert talk.client.cipher()[0] == "TLS_AES_256_GCM_SHA384"  # type: ignore[index]

    def record(secret: bytes, number: int, kind: int, content: bytes) -> bytes:
        key, iv = expand_label("sha384", secret, "key", 32), expand_label("sha384", secret, "iv", 12)
        nonce = (int.from_bytes(iv, "big") ^ number).to_bytes(12, "big")
        header = b"\x17\x03\x03" + (len(content) + 17).to_bytes(2, "big")
        return header + AESGCM(key).encrypt(nonce, content + bytes([kind]), header)

    later = expand_label("sha384", secret, "traffic upd", hashlib.sha384().digest_size)
    seen.send(TO_ACQUIRER, record(secret, 0, 23, message(30)))
    seen.send(TO_ACQUIRER, record(secret, 1, 22, b"\x18\x00\x00\x01\x00"))
    seen.send(TO_ACQUIRER, record(later, 0, 23, message(31)))
    assert [data for _, data in seen.frames] == [message(30), message(31)]


def test_a_handshake_that_fails_is_told(folder: Path, tmp_path: Path) -> None:
    client = ssl.create_default_context()  # it does not know the authority
    talk = TlsTalk(client, server_side(folder, (), keys=tmp_path / "keys"))
    for end in (talk.client, talk.server, talk.client):
        with pytest.raises(ssl.SSLError):
            end.do_handshake()
        talk.pump()
    seen = Seen("tls", tmp_path / "keys")
    for direction, data in talk.bytes:
        seen.send(direction, data)
    assert seen.scraps == [(TO_ACQUIRER, "TLS alert: unknown authority")]


def test_plain_bytes_where_tls_should_be(tmp_path: Path) -> None:
    seen = Seen("tls", tmp_path / "keys")
    seen.send(TO_ACQUIRER, message(60))
    seen.send(TO_ACQUIRER, message(30))
    assert seen.frames == [] and {reason for _, reason in seen.scraps} == {"not TLS"}
    assert b"".join(bytes.fromhex(one["hex"]) for one in seen.told("bytes")) == message(60) + message(30)


@given(st.lists(st.tuples(st.sampled_from([TO_ACQUIRER, TO_TERMINAL]), st.binary(max_size=80) | st.builds(
    lambda kind, body: bytes([kind, 3, 3]) + len(body).to_bytes(2, "big") + body,
    st.integers(20, 23), st.binary(max_size=80),
)), max_size=8), st.sampled_from(["tls", "https", "http"]))
@settings(deadline=None)
def test_any_bytes_at_all(pieces: list[tuple[str, bytes]], link: str) -> None:
    seen = Seen(link)
    for direction, data in pieces:
        seen.send(direction, data)
    seen.close()
    seen.reports += seen.connections.end(10**6)
    for report in seen.told("bytes"):
        assert report["reason"]


def test_a_key_log_with_nonsense_in_it(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_bytes(b"# a comment\nCLIENT_RANDOM zz 00\n\xff\xfe\x00 a b\nCLIENT_RANDOM 0102 0a0b\nCLIENT_RANDOM 03")
    log = KeyLog(path)
    assert log.secret("CLIENT_RANDOM", b"\x01\x02") == b"\x0a\x0b"
    assert log.secret("CLIENT_RANDOM", b"\x03") is None
    with path.open("ab") as file:
        file.write(b" 0c0d\n")
    assert log.secret("CLIENT_RANDOM", b"\x03") == b"\x0c\x0d"
