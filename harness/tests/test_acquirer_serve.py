"""``hil97 acquirer serve`` as a stranger runs it: a demo terminal, a clean stop, and what a kill leaves."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from harness.acquirer.demo import MID, TID
from harness.acquirer.tokens import kept_tokens, read_tokens
from harness.protocol.frames import decode
from harness.tests.acquirer_terminal import Line, Pos
from harness.tests.api_helpers import ROOT, TOKEN, Serve, done, serving
from harness.tests.lab_helpers import eventually
from harness.tests.registration_helpers import application, binding

CARD = "6225880000000097"
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1  # prctl(2), capabilities(7)


def demo_terminal(serve: Serve) -> Pos:
    tmk = serve.said(r"TMK ([0-9A-F]{32})  \(KCV [0-9A-F]{6}\)")[1]
    return Pos(serve.exchange, TID, bytes.fromhex(tmk), mid=MID)


def test_the_demo_terminal_gets_an_approved_sale(tmp_path: Path) -> None:
    with serving(tmp_path, "--seed-demo") as serve:
        assert f"MID {MID}\nTID {TID}\n" in serve.text()
        pos = demo_terminal(serve)
        assert pos.sign_in().get(39) == "00" and pos.sale(9_797).get(39) == "00"
        serve.said(rf"\d\d:\d\d:\d\d {TID} sign-in +00 signed in, batch 000001")
        serve.said(rf"\d\d:\d\d:\d\d {TID} sale +97\.97 00 sale of 97\.97 booked.*card 622588\*\*\*\*\*\*0097")
        pos.tid = "97000002"
        assert pos.sign_in().get(39) == "97"
        serve.said(rf"97000002 sign-in +97 terminal 97000002 of merchant {MID} not registered")
        with Line(("127.0.0.1", serve.port)) as line:
            line.socket.sendall(b"\x00\x05hello")
            assert line.read() is None
        serve.said(r"no message .*connection closed")
        assert CARD not in serve.text()
        key = re.search(r"TMK (\w+)", serve.text())
        assert serve.stop() == 0
    with serving(tmp_path, "--seed-demo") as again:
        assert key is not None and key[0] in again.text(), "the same terminal, its key still good"
        pos.tid, pos.exchange = TID, again.exchange
        assert pos.sale(100).get(39) == "00"


def test_the_page_for_strangers_is_true(tmp_path: Path) -> None:
    """Its five minutes, typed as they stand there: an emulated terminal alone against the acquirer alone."""
    lines = (ROOT / "docs" / "acquirer-alone.md").read_text(encoding="utf-8").splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("    hil97 terminal run "))
    end = lines.index("    END", start)
    with serving(tmp_path, "--seed-demo") as serve:
        tmk = serve.said(r"TMK ([0-9A-F]{32})")[1]
        command = lines[start].strip().removesuffix(" <<END").replace("$TMK", tmk).replace(":8583", f":{serve.port}")
        run = subprocess.run(
            [sys.executable, "-m", "harness.cli", "--lang", "en", *command.split()[1:], "--time-scale", "5"],
            input="".join(f"{line.strip()}\n" for line in lines[start + 1 : end]), cwd=ROOT, capture_output=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True, timeout=90, check=False,
        )  # fmt: skip
        assert run.returncode == 0, f"{run.stdout[-1500:]}\n{run.stderr}\n{serve.text()}"
        assert "交易类型:消费" in run.stdout and "金额:RMB 97.97" in run.stdout
        serve.said(rf"{TID} sale +97\.97 00 sale of 97\.97 booked")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_clean(tmp_path: Path, number: int) -> None:
    with serving(tmp_path, "--seed-demo") as serve:
        pos = demo_terminal(serve)
        pos.sign_in()
        with Line(("127.0.0.1", serve.port)) as line, serve.client() as api:
            pos.exchange = line
            assert pos.sale(100).get(39) == "00"
            assert done(api.get("/status"))["connections"] == 1
            assert serve.stop(number) == 0
            assert line.read() is None, "the connection was closed"
        assert serve.text().endswith("stopped\n") and "Traceback" not in serve.text()
        assert sorted(path.name for path in tmp_path.glob("books*")) == ["books.sqlite"], "the books are one file"
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", serve.port))


def test_more_terminals_than_files_may_be_open(tmp_path: Path) -> None:
    """Those that there is room for are served, the others are told why in the journal, and the API is heard."""
    with serving(tmp_path, "--seed-demo", files=200) as serve, contextlib.ExitStack() as open_lines:
        pos = demo_terminal(serve)
        lines = [open_lines.enter_context(Line(("127.0.0.1", serve.port))) for _ in range(250)]
        kept, refused_ones = lines[:104], lines[104:]
        assert all(line.read() is None for line in refused_ones)
        serve.said(r"no message 104 connections are open, and the limit on open files leaves no room for more")
        pos.exchange = kept[-1]
        assert pos.sign_in().get(39) == "00" and pos.sale(100).get(39) == "00"
        with serve.client() as api:
            assert done(api.get("/status"))["connections"] == 104
            kept[0].close()
            eventually(lambda: done(api.get("/status"))["connections"] == 103, "the place is free")
        pos.exchange = serve.exchange
        assert pos.sale(100).get(39) == "00"
        assert "Traceback" not in serve.text() and "system resource" not in serve.text()
        assert serve.stop() == 0


def test_a_pipe_whose_reader_has_gone_costs_no_answer(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "harness.cli", "--lang", "en", "acquirer", "serve", "--seed-demo"]
    with (tmp_path / "said").open("w+b") as said, subprocess.Popen(
        [*command, "--listen", "127.0.0.1:0", "--api", "off"], stdout=subprocess.PIPE, stderr=said, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=tmp_path,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        text = ""
        while not (found := re.search(r"TMK (\w+)(?:.|\n)*terminals: 127\.0\.0\.1:(\d+)", text)):
            text += (line := process.stdout.readline())
            assert line, "it ended"
        process.stdout.close()
        with Line(("127.0.0.1", int(found[2]))) as exchange:
            pos = Pos(exchange, TID, bytes.fromhex(found[1]), mid=MID)
            assert [pos.sign_in().get(39), pos.sale(100).get(39), pos.sale(100).get(39)] == ["00", "00", "00"]
        process.terminate()
        assert process.wait(20) == 0
        said.seek(0)
        assert said.read() == b"hil97: messages can't be shown any more (Broken pipe); the acquirer goes on without\n"


def test_no_answered_sale_is_lost_by_a_kill(tmp_path: Path) -> None:
    """Killed under load, several times: whatever a terminal holds an approval of is in the books afterwards."""
    approved: list[tuple[str, str, str]] = []  # batch, trace, F37
    traces = 0
    for round_number in range(6):
        with serving(tmp_path, "--seed-demo") as serve:
            pos = demo_terminal(serve)
            pos.trace = traces
            assert pos.sign_in().get(39) == "00"
            gate = threading.Lock()

            def load(pos: Pos = pos, gate: threading.Lock = gate) -> None:
                with Line(("127.0.0.1", serve.port)) as line:
                    while True:
                        with gate:
                            fields = pos.sale_fields(100)
                        frame = pos.request("0200", fields, sealed=True)
                        try:
                            raw = line(frame.raw)
                        except OSError:
                            return
                        if raw is None or len(raw) < 2 or len(raw) != 2 + int.from_bytes(raw[:2], "big"):
                            return
                        answer = decode(raw)
                        if answer.get(39) == "00":
                            with gate:
                                approved.append((answer.batch, answer.get(11), answer.get(37)))

            threads = [threading.Thread(target=load) for _ in range(4)]
            before = len(approved)
            for thread in threads:
                thread.start()
            deadline = time.monotonic() + 20
            while len(approved) < before + 20 + 7 * round_number and time.monotonic() < deadline:
                time.sleep(0.001)
            serve.process.kill()
            serve.process.wait(20)
            for thread in threads:
                thread.join(20)
                assert not thread.is_alive()
            traces = pos.trace
            assert len(approved) > before, serve.text()
    with serving(tmp_path) as serve, serve.client() as api:
        booked: list[dict[str, str]] = []
        while page := done(api.get(f"/ledger/{MID}/{TID}", params={"after": booked[-1]["id"] if booked else 0,
                                                                   "limit": 1000})):  # fmt: skip
            booked += page
        assert serve.stop() == 0
    assert len(approved) >= 6 * 20
    held = [(one["batch"], one["trace"], one["rrn"]) for one in booked]
    assert len(held) == len(set(held))
    assert set(approved) <= set(held)
    with sqlite3.connect(tmp_path / "books.sqlite") as books:
        assert books.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_dormant_terminals_are_deregistered_when_a_day_begins(tmp_path: Path) -> None:
    with serving(tmp_path, "--seed-demo", "--dormant-days", "30") as serve, serve.client() as api:
        pos = demo_terminal(serve)
        assert pos.sign_in().get(39) == "00"
        done(api.put("/clock", json={"epoch": int(time.time()) + 31 * 86_400}))
        serve.said(f"deregistered, 30 days without a message: {TID} of {MID}")
        assert pos.sign_in().get(39) == "97"


def test_state_is_kept_between_runs(tmp_path: Path) -> None:
    with serving(tmp_path) as serve, serve.client() as api:
        mid = done(api.post("/applications", json=application()), 201)["mid"]
        done(api.post("/terminals", json=binding(mid, "KEPT0001")), 201)
        serve.process.kill()
        serve.process.wait(20)
    with serving(tmp_path) as serve, serve.client() as api:
        assert done(api.get(f"/merchants/{mid}"))["state"] == "submitted"
        assert done(api.get("/terminals", params={"mid": mid}))[0]["unit"]["serial_number"] == "KEPT0001"


def refused(folder: Path, *options: str, **environment: str) -> str:
    """What a start says that must fail with status 2. Root has no more rights here than others."""
    command = [sys.executable, "-m", "harness.cli", "--lang", "en", "acquirer", "serve", *options]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("HIL97_API")}
    run = subprocess.run(
        command, cwd=folder, env={**clean, "PYTHONPATH": str(ROOT), **environment}, capture_output=True, text=True,
        timeout=60, check=False, preexec_fn=lambda: ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE),
    )  # fmt: skip
    assert run.returncode == 2, (run.returncode, run.stdout, run.stderr)
    assert run.stderr.startswith("hil97: ") and "Traceback" not in run.stderr
    return run.stderr


def test_what_is_given_wrongly_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "short").write_text("abc\n")
    (tmp_path / "cards.json").write_text("{}")
    (tmp_path / "old.sqlite").touch()
    with sqlite3.connect(tmp_path / "old.sqlite") as old:
        old.execute("CREATE TABLE merchants (mid TEXT)")
        old.execute("PRAGMA user_version = 1")
    for options, says in {
        ("--listen", "nowhere"): "--listen: 'nowhere' is no ADDRESS:PORT",
        ("--listen", "203.0.113.97:1", "--api", "off"): "203.0.113.97:1: can't listen",
        ("--listen", "127.0.0.1:0", "--api", "203.0.113.97:1"): "203.0.113.97:1: can't listen",
        ("--api", "97"): "--api: '97' is no ADDRESS:PORT",
        ("--api-token-file", "none"): "none: no readable token file",
        ("--api-token-file", "short"): "short:1: this is no token: at least 16",
        ("--profile", "nobody"): "nobody",
        ("--profile", "./none.yaml"): "none.yaml",
        ("--cards", "cards.json", "--api", "off"): "cards.json: expected a list of cards",
        ("--db", "old.sqlite", "--api", "off"): "written by an older version of this program (schema 1",
        ("--db", "no/folder/x", "--api", "off"): "no/folder/x: not usable",
        ("--db", ":memory:"): "HIL97_API_TOKEN is not set",
        ("--dormant-days", "-1"): "--dormant-days: -1 is no number of days",
    }.items():
        assert says in refused(tmp_path, *options), options
    assert "this is no token" in refused(tmp_path, HIL97_API_TOKEN="short")
    clean = tmp_path / "clean"
    clean.mkdir()
    for options in (("--profile", "nobody"), ("--cards", "none"), ("--downloads", "none"), ("--listen", "nowhere")):
        refused(clean, *options)
    assert list(clean.iterdir()) == []  # no token was made for a server that never was


def test_books_belong_to_one_acquirer_at_a_time(tmp_path: Path) -> None:
    with serving(tmp_path) as serve:
        said = refused(tmp_path, "--db", str(serve.database), "--listen", "127.0.0.1:0", "--api", "off")
        assert "books.sqlite: another acquirer has these books open" in said
        with serve.client() as api:
            assert done(api.get("/merchants")) == []


def test_books_are_their_owners_alone_and_have_to_be_writable(tmp_path: Path) -> None:
    with serving(tmp_path) as serve:
        files = [serve.database, *(serve.database.with_name(f"books.sqlite-{end}") for end in ("wal", "shm"))]
        assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    said = refused(tmp_path, "--db", str(tmp_path), "--listen", "127.0.0.1:0", "--api", "off")
    assert f"{tmp_path}: not usable as the acquirer's database: Is a directory" in said


def test_books_that_can_only_be_read_are_refused(tmp_path: Path) -> None:
    with serving(tmp_path) as serve:
        assert serve.stop() == 0
    serve.database.chmod(0o400)
    said = refused(tmp_path, "--db", str(serve.database), "--listen", "127.0.0.1:0", "--api", "off")
    assert "books.sqlite: not usable as the acquirer's database: Permission denied" in said and "may write" in said


def test_a_token_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    first = kept_tokens(tmp_path / "t")
    assert kept_tokens(tmp_path / "t") == first and len(first.managing) >= 32 and not first.reading
    assert (tmp_path / "t").stat().st_mode & 0o777 == 0o600
    (tmp_path / "t").write_text(f"{TOKEN}\nanother-token-for-reading\n")
    assert read_tokens(tmp_path / "t").reading == "another-token-for-reading"


def test_a_bench_does_not_pay_for_the_api() -> None:
    program = (
        "import sys, harness.acquirer.__main__\n"
        "print([name for name in ('fastapi', 'uvicorn', 'stdnum', 'rich', 'starlette') if name in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
