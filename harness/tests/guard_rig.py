"""Three fake instruments at a guard of their own, for its tests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from harness.bench.instruments import open_instruments
from harness.history.events import AnyEvent
from harness.history.recorder import Recorder
from harness.instruments.client import Instruments
from harness.lab.instrument_entry import InstrumentEntry, Limit
from harness.terminal.surroundings import Range, Surroundings
from harness.tests.fake_instruments import START, FakeInstrument, drivers_installed
from harness.tests.lab_helpers import eventually

AROUND = Surroundings(
    temperature_c=Range(low=0, high=45, nominal=23), humidity_pct=Range(low=10, high=90, nominal=50),
    voltage_v=Range(low=198, high=242, nominal=220),
)


class Rig:
    """Three fake instruments and a bench of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.fakes = {"chamber": FakeInstrument("HIL97,FAKE-CHAMBER"), "supply": FakeInstrument("HIL97,FAKE-SUPPLY"),
                      "burst": FakeInstrument("HIL97,FAKE-BURST")}
        self.failures: list[str] = []
        self.stack, self.opened = ExitStack(), list[Instruments]()
        self.identity: dict[str, str] = {}
        self.limits: dict[str, dict[str, Limit]] = {}
        self.options: dict[str, dict[str, float]] = {}

    @property
    def entries(self) -> list[InstrumentEntry]:
        return [
            InstrumentEntry(name=name, driver=f"fake-{name}", address=fake.address,
                            identity=self.identity.get(name, ""), limits=self.limits.get(name, {}),
                            options=dict(self.options.get(name, {})))
            for name, fake in self.fakes.items()
        ]

    def open(self, silence_s: float | None = None) -> Instruments:
        self.history = self.stack.enter_context(Recorder(self.folder / "history.jsonl"))
        (self.folder / "scratch").mkdir(exist_ok=True)
        instruments = open_instruments(
            bench="b", run="r", folder=self.folder, scratch=self.folder / "scratch", entries=self.entries,
            surroundings=AROUND, seed=1, history=self.history, fail=self.failures.append,
            silence_s=silence_s,
        )
        self.opened.append(instruments)
        return instruments

    def leave(self) -> None:
        """All instruments can be reached and made safe again, or their guard would try for ever."""
        for fake in self.fakes.values():
            fake.error, fake.delay_s = "", 0.0
            fake.values.update({name: START[name] for name in ("temperature_c", "humidity_pct", "door_open")})
            if not fake.plugged:
                fake.plug()
        for one in self.opened:
            one.line.close()
        eventually(lambda: not any(one.line.child.alive() for one in self.opened), "the guards to end", 15)

    def of(self, kind: type) -> list[AnyEvent]:
        return [one for one in self.history.events if isinstance(one, kind)]

    def log(self) -> str:
        return (self.folder / "logs" / "instruments.log").read_text(encoding="utf-8")

    def safe_file(self) -> dict[str, object]:
        return dict(json.loads((self.folder / "instruments.safe.json").read_text(encoding="utf-8")))


@contextmanager
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    """Its drivers are installed meanwhile, and its leases are its own."""
    runtime = tmp_path / "run"
    runtime.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    with drivers_installed(tmp_path / "fakes"):
        one = Rig(tmp_path)
        with one.stack:
            try:
                yield one
            finally:
                one.leave()
        for fake in one.fakes.values():
            fake.unplug()
