"""A worker has died, and a person is to make an instrument safe: asked as long as somebody can answer, no longer."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.instruments import desk
from harness.tests.lab_helpers import eventually

WORKER = """
import json, sys, time
from pathlib import Path
from harness.bench.instruments import open_instruments
from harness.errors import BenchError
from harness.history.recorder import Recorder
from harness.lab.instrument_entry import InstrumentEntry
folder, answer_within_s = Path(sys.argv[1]), float(sys.argv[2])
options = {"answer_within_s": answer_within_s}
instruments = open_instruments(
    bench="b-1", run="r", folder=folder, scratch=folder / "scratch", surroundings=None, seed=1,
    history=Recorder(folder / "history.jsonl"), fail=lambda what: None, entries=[
        InstrumentEntry(name="gun", driver="operator-esd", address="operator", options=options),
        InstrumentEntry(name="oven", driver="operator-chamber", address="operator", options=options)])
instruments.begin_test("t", 600)
instruments.esd.arm(level_kv=4)
print("driving", flush=True)
try:
    instruments.esd.fire()
except BenchError:
    print("nobody", flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("answer_within_s", [0.3, 600.0], ids=["asked again and again", "the question is open"])
def test_a_desk_that_is_gone_is_the_end(answer_within_s: float, tmp_path: Path) -> None:
    """The gun was touched, its worker killed, and the folder swept in which somebody could have answered."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(tmp_path), str(answer_within_s)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "driving\n"
    if answer_within_s < 1:
        assert process.stdout.readline() == "nobody\n"
    eventually(lambda: answer_within_s < 1 or bool(list(desk.questions(scratch))), "the question")
    process.kill()
    process.wait()
    process.stdout.close()

    def log() -> str:
        return (tmp_path / "logs" / "instruments.log").read_text(encoding="utf-8")

    def state() -> dict[str, object]:
        return dict(json.loads((tmp_path / "instruments.safe.json").read_text(encoding="utf-8")))

    asked = r"gun: the operator is asked: ESD gun \(IEC 61000-4-2\) at the terminal: no more"
    eventually(lambda: re.search(asked, log()) is not None, "the safe state to be asked for")
    assert "given up" not in log() and "guard ended" not in log(), "as long as somebody could answer"
    shutil.rmtree(scratch)
    eventually(lambda: "guard ended" in log().splitlines()[-1], "the guard to end")
    why = "nobody was there to make it safe, and nobody can be asked any more"
    assert f"gun: given up: {why} (next: see for yourself: switched off and discharged)" in log()
    assert "all safe but gun (runner_died)" in log()
    assert (state()["why"], state()["safe"], state()["unsafe"]) == ("runner_died", ["oven"], {"gun": why})
