"""Wild messages at the acquirer: no crash, no hang, no wrong entry, and a place in the journal for what is wrong."""

from __future__ import annotations

import importlib.util
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.protocol.frames import FrameError, decode
from harness.protocol.spec import OFFSET_BITMAP
from harness.tests.acquirer_terminal import MID, InProcess, Process, running
from harness.tests.acquirer_wild import Recipe, addressed, books_hold, framed, one_input, outcome_holds, samples

ROOT = Path(__file__).resolve().parents[2]
RECIPES = st.lists(st.binary(min_size=2, max_size=40), min_size=1, max_size=12).map(b"".join)


@pytest.fixture(scope="module")
def acquirer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with running(tmp_path_factory.mktemp("acquirer")) as process:
        yield process


@settings(max_examples=400, deadline=None)
@given(RECIPES)
def test_whatever_comes_is_answered_or_explained_and_the_books_hold(recipe: bytes) -> None:
    one_input(recipe)


@pytest.mark.parametrize("sealed", [True, False])
@pytest.mark.parametrize("number", range(len(samples())))
def test_every_field_left_out_of_every_message(number: int, sealed: bool) -> None:
    """Each missing field gets an answer that the journal explains, in the wild or not."""
    for field in samples()[number].fields:
        lab = InProcess()
        pos = lab.terminal("10000001")
        pos.money("sale", 100, F11="000001")
        raw = addressed(samples()[number].but({field: None}), pos, sealed=sealed).raw
        before = lab.host.journal.last_jid()
        answer = lab.exchange(raw)
        rows = [row.as_event() for row in lab.host.journal.since(before)]
        outcome_holds(raw, rows, answer)
        assert answer is not None
        if field in (41, 42, 60):
            assert decode(answer).get(39) == "30"
            assert f"F{field} (bit at offset {OFFSET_BITMAP + (field - 1) // 8})" in rows[-1]["note"]
        books_hold([row.as_event() for row in lab.host.journal.since(0)], lab.entries(pos))


@pytest.mark.parametrize(
    ("change", "code", "offset"),
    [
        ({"tpdu": "6100050000"}, None, 2), ({"mti": "0210"}, None, 13), ({"mti": "0300"}, "40", None),
        ({"fields": {60: "0000000199"}}, "40", None), ({"fields": {55: "9F26"}}, "30", None),
    ],
)
def test_wrong_tpdu_mti_and_content(change: dict[str, object], code: str | None, offset: int | None) -> None:
    lab = InProcess()
    pos = lab.terminal()
    raw = pos.request("0200", pos.sale_fields(100)).but(**change)  # type: ignore[arg-type]
    answer = lab.exchange(addressed(raw, pos, sealed=True).raw)
    assert (None if answer is None else decode(answer).get(39)) == code
    assert "offset" in lab.notes()[-1] and (offset is None or f"offset {offset}:" in lab.notes()[-1])
    assert lab.entries(pos) == []


@pytest.mark.parametrize("length", [0, 1, 20, 21, 22, 200, 8193, 65535])
def test_a_wrong_length_ends_the_connection_and_is_explained(acquirer: Process, length: int) -> None:
    pos = acquirer.terminal()
    raw = pos.request("0200", pos.sale_fields(100), sealed=True).raw
    before = acquirer.client.sync()
    with acquirer.line() as line:
        line.socket.sendall(length.to_bytes(2, "big") + raw[2:])
        line.socket.shutdown(socket.SHUT_WR)
        assert line.read() is None
    rows = acquirer.since(before)
    assert rows and all("connection closed" in row["note"] for row in rows)
    assert any(word in rows[0]["note"] for word in ("length", "offset", "bytes of a message"))
    assert acquirer.client.ledger(MID, pos.tid) == []
    assert pos.sale(100).get(39) == "00"


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(RECIPES, min_size=1, max_size=3), st.lists(st.integers(1, 200), max_size=8))
def test_wild_streams_at_the_process(acquirer: Process, recipes: list[bytes], cuts: list[int]) -> None:
    """The same over TCP, in pieces as they fall: a stream of messages, several connections after each other."""
    pos = acquirer.terminal()
    before = acquirer.client.sync()
    for recipe in recipes:
        maker = Recipe(recipe)
        stream = b""
        while maker.left:
            raw = maker.message(pos)
            stream += raw if framed(raw) else b""
        with acquirer.line() as line:
            at = 0
            try:
                for size in [*cuts, len(stream)]:
                    line.socket.sendall(stream[at : at + size])
                    at += size
                line.socket.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # it has closed already
            while (answer := line.read()) is not None:
                assert decode(answer).is_response
    rows = acquirer.since(before)
    assert not any("internal error" in row["note"] for row in rows)
    for row in rows:
        if row["direction"] == "in" and "connection closed" in row["note"]:
            with pytest.raises(FrameError):
                frame = decode(bytes.fromhex(row["hex"]))
                if frame.is_response or frame.tpdu[:2] != "60":
                    raise FrameError("no request")
    sent = [row for row in acquirer.rows if row["direction"] == "out"]
    own = [row for row in sent if decode(bytes.fromhex(row["hex"])).get(41) == pos.tid]
    books_hold(own, [entry.model_dump() for entry in acquirer.client.ledger(MID, pos.tid)])
    assert acquirer.terminal().echo().get(39) == "00"


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="needs atheris (pip install atheris)")
def test_coverage_guided_for_a_moment(tmp_path: Path) -> None:
    run = subprocess.run(
        [
            sys.executable, "-m", "harness.tests.fuzz_acquirer", "-runs=300", "-max_len=200", "-len_control=0",
            f"-artifact_prefix={tmp_path}/",
        ],
        cwd=ROOT, capture_output=True, text=True, timeout=120,
    )
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-4000:]
    assert "Done 300 runs" in run.stderr
