"""The recorder: one line an event, whatever dies; waiting with a deadline; and the reader that reads it back."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import BadInput, BenchError, TerminalTimeout
from harness.history import events as events_module
from harness.history import reader, schema
from harness.history.events import (
    SCHEMA_VERSION,
    AnyEvent,
    BenchFailed,
    Heartbeat,
    Screen,
    Service,
    WireFrame,
)
from harness.history.recorder import Recorder
from harness.tests.golden import World


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "benches" / "bench-1" / "history.jsonl"


@pytest.fixture
def recorder(path: Path) -> Iterator[Recorder]:
    with Recorder(path, bench="bench-1") as opened:
        yield opened


def beat(t: int = 0, lag: float = 0.0) -> Heartbeat:
    return Heartbeat(t=t, lag_ms=lag)


def shown(*lines: str, t: int = 0) -> Screen:
    return Screen(t=t, image="screens/1.png", lines=list(lines))


# -- writing and reading back --------------------------------------------------------------------------------------


def test_what_is_appended_is_read_back(path: Path) -> None:
    world = World()
    with world.test("a sale"):
        world.sign_in()
        world.sale(500)
    with Recorder(path) as recorder:
        written = [recorder.append(event) for event in world.events]
    assert reader.read(path) == list(written)
    assert [e.seq for e in written] == list(range(1, len(written) + 1))


def test_events_of_a_test_carry_its_span(recorder: Recorder) -> None:
    before = recorder.append(beat())
    opened = recorder.append(events_module.TestOpened(t=0, test="t::a", title="a", declares=[]))
    inside = recorder.append(beat())
    closed = recorder.append(events_module.TestClosed(t=0, test="t::a", outcome="passed", duration_s=1, waiting_s=0))
    after = recorder.append(beat())
    assert [e.span for e in (before, opened, inside, closed, after)] == [None, "t::a", "t::a", "t::a", None]


def test_reading_is_by_time_and_then_by_seq(path: Path) -> None:
    with Recorder(path) as recorder:
        for t in (5, 3, 5, 1):
            recorder.append(beat(t))
    assert [(e.t, e.seq) for e in reader.read(path)] == [(1, 4), (3, 2), (5, 1), (5, 3)]


def test_threads_do_not_mix_lines_or_numbers(path: Path) -> None:
    with Recorder(path) as recorder:
        workers = [threading.Thread(target=lambda: [recorder.append(beat(t)) for t in range(200)]) for _ in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    lines = path.read_bytes().splitlines()
    assert [json.loads(line)["seq"] for line in lines] == list(range(1, 801))


def test_a_killed_writer_leaves_a_readable_log(path: Path) -> None:
    program = (
        "import sys, pathlib\n"
        "from harness.history.recorder import Recorder\n"
        "from harness.history.events import Heartbeat\n"
        "r = Recorder(pathlib.Path(sys.argv[1]))\n"
        "for n in range(10**9):\n"
        "    r.append(Heartbeat(t=n, lag_ms=0))\n"
        "    if n == 50: print('going', flush=True)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"going\n"
    os.kill(process.pid, signal.SIGKILL)
    process.wait(10)
    process.stdout.close()
    events = reader.read(path)
    assert len(events) > 50
    assert [e.seq for e in events] == list(range(1, len(events) + 1))


def test_an_existing_log_is_continued_and_its_torn_line_cut_off(path: Path) -> None:
    with Recorder(path) as recorder:
        recorder.append(beat(1))
        recorder.append(beat(2))
    with path.open("ab") as file:
        file.write(b'{"seq":3,"t":')
    with Recorder(path) as recorder:
        assert recorder.append(beat(3)).seq == 3
    assert [e.seq for e in reader.read(path)] == [1, 2, 3]


def test_one_log_has_one_writer(path: Path, recorder: Recorder) -> None:
    with pytest.raises(BenchError, match="another process"):
        Recorder(path)


def test_a_full_disk_is_the_benchs_fault(path: Path) -> None:
    program = (
        "import resource, signal, sys, pathlib\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))\n"
        "from harness.errors import BenchError\n"
        "from harness.history.recorder import Recorder\n"
        "from harness.history.events import Heartbeat\n"
        "r = Recorder(pathlib.Path(sys.argv[1]))\n"
        "try:\n"
        "    for n in range(100): r.append(Heartbeat(t=n, lag_ms=0))\n"
        "except BenchError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
    assert "the log" in done.stdout
    assert str(path) in done.stdout
    events = reader.read(path)
    assert events
    assert path.read_bytes().endswith(b"\n")


def test_appending_after_the_end_is_an_error(recorder: Recorder) -> None:
    recorder.close()
    recorder.close()
    with pytest.raises(BenchError, match="closed"):
        recorder.append(beat())


# -- listening and waiting -----------------------------------------------------------------------------------------


def test_listeners_are_told_in_order_and_may_append(recorder: Recorder) -> None:
    heard: list[int] = []

    def listener(event: AnyEvent) -> None:
        heard.append(event.seq)
        if event.t == 1:
            recorder.append(beat(2))

    remove = recorder.add_listener(listener)
    recorder.append(beat(1))
    recorder.append(beat(3))
    remove()
    recorder.append(beat(4))
    assert heard == [1, 2, 3]


def test_waiting_sees_what_comes_and_on_request_what_came(recorder: Recorder) -> None:
    mark = recorder.seq
    recorder.append(shown("欢迎使用"))
    assert recorder.wait_for(lambda e: e.kind == "screen", 0.0, "a screen", since=mark).seq == 1
    timer = threading.Timer(0.05, lambda: recorder.append(shown("交易成功")))
    timer.start()
    event = recorder.wait_for(lambda e: isinstance(e, Screen), 5.0, "a screen")
    timer.join()
    assert isinstance(event, Screen)
    assert event.lines == ["交易成功"]
    assert 0 < recorder.waiting_s < 5


def test_a_wait_that_ends_says_what_it_was_for_and_what_was_seen(recorder: Recorder, path: Path) -> None:
    recorder.append(shown("正在连接"))
    with pytest.raises(TerminalTimeout) as caught:
        recorder.wait_for(lambda e: False, 0.02, "the result of a sale")
    text = str(caught.value)
    for part in ("bench-1", "the result of a sale", "正在连接", "screen (seq 1)", str(path)):
        assert part in text


def test_a_wait_ends_when_the_bench_fails(recorder: Recorder) -> None:
    timer = threading.Timer(0.05, lambda: recorder.append(BenchFailed(t=0, what="the tap ended")))
    timer.start()
    with pytest.raises(BenchError, match="the tap ended"):  # at its deadline it would be a TerminalTimeout
        recorder.wait_for(lambda e: False, 30.0, "a frame")
    timer.join()


def test_waits_within_waits_count_once(recorder: Recorder) -> None:
    began = time.monotonic()
    with recorder.waiting(), pytest.raises(TerminalTimeout):
        recorder.wait_for(lambda e: False, 0.05, "nothing")
    assert 0.05 <= recorder.waiting_s <= time.monotonic() - began


# -- damage --------------------------------------------------------------------------------------------------------


def lines_of(count: int) -> list[bytes]:
    return [beat(n).model_copy(update={"seq": n}).model_dump_json().encode() for n in range(1, count + 1)]


@given(st.data())
@settings(max_examples=60)
def test_only_a_torn_last_line_is_forgiven(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.mktemp("torn") / "history.jsonl"
    whole = b"\n".join(lines_of(3)) + b"\n"
    cut = data.draw(st.integers(0, len(whole)))
    path.write_bytes(whole[:cut])
    events = reader.read(path)
    assert [e.seq for e in events] == list(range(1, len(events) + 1))
    assert len(events) >= whole[:cut].count(b"\n")


@pytest.mark.parametrize("damage", [b"", b"{}", b"\xff\xfe", b'{"kind":"nonsense"}', b"[1]"])
def test_damage_in_the_middle_names_file_and_line(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "history.jsonl"
    first, _second, third = lines_of(3)
    path.write_bytes(b"\n".join([first, damage, third, b""]))
    with pytest.raises(BadInput) as caught:
        reader.read(path)
    assert f"{path}:2" in str(caught.value)


def test_lines_out_of_order_are_damage(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    first, second, third = lines_of(3)
    path.write_bytes(b"\n".join([first, third, second, b""]))
    with pytest.raises(BadInput, match="3: seq 2 comes after 3"):
        reader.read(path)


def test_a_newer_schema_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    opened = json.loads(World().events[0].model_dump_json())
    for extra in ({}, {"weather": "sunny"}):
        path.write_text(json.dumps({**opened, **extra, "schema_version": SCHEMA_VERSION + 1}) + "\n")
        with pytest.raises(BadInput, match=f"schema {SCHEMA_VERSION + 1}"):
            reader.read(path)


def test_a_missing_log_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="nowhere"):
        reader.read(tmp_path / "nowhere.jsonl")


def test_a_long_log_is_read_whole_and_in_order(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    frame = WireFrame(
        t=0, frame=1, stream=1, direction="to_terminal", hex="00" * 120, packets=[1], t_first=0
    ).model_dump(mode="json")  # fmt: skip
    kinds = [frame, shown("欢迎使用", "请按确认键消费").model_dump(mode="json"), beat().model_dump(mode="json")]
    with path.open("w", encoding="utf-8") as file:
        for seq in range(1, 3_001):
            file.write(json.dumps({**kinds[seq % 3], "seq": seq, "t": seq}) + "\n")
    read = reader.read(path)
    assert [(event.seq, event.t) for event in read] == [(seq, seq) for seq in range(1, 3_001)]
    assert {event.kind for event in read} == {"wire.frame", "screen", "heartbeat"}


# -- the schema ----------------------------------------------------------------------------------------------------


def test_the_documented_schema_is_the_real_one() -> None:
    docs = Path(__file__).parents[2] / "docs"
    assert (docs / "history.schema.json").read_text(encoding="utf-8") == schema.schema_text(), (
        "write it anew: python -m harness.history.schema docs/history.schema.json"
    )


def test_every_kind_of_event_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "history.md").read_text(encoding="utf-8")
    for kind in json.loads(schema.schema_text())["discriminator"]["mapping"]:
        assert f"`{kind}`" in text, f"docs/history.md does not name {kind}"


def test_service_lines_survive_any_text(recorder: Recorder, path: Path) -> None:
    recorder.append(Service(t=0, direction="from_terminal", text="ERR 01 \u2028 \x00 “\\n”\n"))
    assert reader.read(path) == list(recorder.events)
