"""Every driver keeps the contract: the generic ones against the emulated instruments, those of products against devices
made of the bytes of their protocol. And the kit itself finds what is wrong with a driver."""

from __future__ import annotations

import importlib
import importlib.metadata
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from harness.errors import BadInput
from harness.history.instrument_events import Quantity
from harness.instruments import drivers
from harness.instruments.contract_kit import DriverContract, elsewhere
from harness.instruments.methods import CONTRACTS
from harness.tests.instrument_fakes import Lines, scpi
from harness.tests.instrument_helpers import Servers

GENERIC = {
    "scpi-chamber": "chamber", "scpi-supply": "supply", "scpi-burst": "burst", "scpi-esd": "esd",
    "scpi-surge": "surge", "scpi-field": "field", "shelly": "power_switch", "http-card-robot": "card_robot",
    "http-key-pusher": "key_pusher", "http-camera": "camera", "modbus-printer-sensor": "printer_sensor",
    "modbus-relay": "relay",
}  # fmt: skip


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with Servers(tmp_path_factory.mktemp("lab"), "all", time_scale=20, climate_scale=60) as running:
        yield running


@pytest.mark.parametrize("name", GENERIC)
class TestGeneric(DriverContract):
    """Against the emulated instrument of its kind."""

    @pytest.fixture(autouse=True)
    def of(self, name: str, lab: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(TestGeneric, "driver", drivers.known()[name], raising=False)
        monkeypatch.setattr(TestGeneric, "address", lab.addresses[GENERIC[name]], raising=False)
        monkeypatch.setattr(TestGeneric, "options", {"timeout_s": 2.0})


def thermotron() -> Lines:
    return Lines(scpi({"IDEN?": "3800", "PVAR1?": "23.4", "MODE?": "2"}))


def hmp4040() -> Lines:
    table = {
        "INST:NSEL?": "1", "MEAS:VOLT?": "9.001", "MEAS:CURR?": "0.412", "VOLT?": "9.000", "CURR?": "2.000",
        "OUTP:SEL?": "1", "OUTP:GEN?": "1",
    }
    return Lines(scpi(table, idn="ROHDE&SCHWARZ,HMP4040,100001,HW50020001/SW2.70"))


class TestThermotron3800(DriverContract):
    address = ""

    @pytest.fixture(autouse=True)
    def device(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        module = pytest.importorskip("pymeasure.instruments.thermotron.thermotron3800", reason="pymeasure is optional")
        monkeypatch.setattr(module, "sleep", lambda seconds: None)  # of the maker's; the device here needs none
        server = thermotron()
        monkeypatch.setattr(TestThermotron3800, "driver", drivers.known()["thermotron-3800"], raising=False)
        monkeypatch.setattr(TestThermotron3800, "address", server.visa)
        monkeypatch.setattr(TestThermotron3800, "options", {"timeout_s": 1.0})
        yield
        server.close()


class TestRohdeSchwarzHmp4040(DriverContract):
    address = ""

    @pytest.fixture(autouse=True)
    def device(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        pytest.importorskip("pymeasure", reason="pymeasure is optional")
        server = hmp4040()
        monkeypatch.setattr(TestRohdeSchwarzHmp4040, "driver", drivers.known()["rohde-schwarz-hmp4040"], raising=False)
        monkeypatch.setattr(TestRohdeSchwarzHmp4040, "address", server.visa)
        options = {"timeout_s": 1.0, "nominal_v": 9.0, "current_limit_a": 2.0}
        monkeypatch.setattr(TestRohdeSchwarzHmp4040, "options", options)
        yield
        server.close()


def test_there_is_a_driver_of_each_kind() -> None:
    assert {one.kind for one in drivers.known().values()} == set(CONTRACTS)


def test_each_driver_says_how_it_stands_in_an_inventory() -> None:
    for name, driver in drivers.known().items():
        if not driver.__module__.startswith("harness."):
            continue
        page = importlib.import_module(driver.__module__).__doc__ or ""
        shown = (f"driver: {name}", f"``{name}``", f"``-{name.removeprefix('operator-')}``")
        assert "instruments:" in page and any(one in page for one in shown), name
        if not driver.tried:
            assert "not tried on hardware" in " ".join(page.lower().split()), name


def test_every_driver_is_on_the_page() -> None:
    page = (Path(__file__).parents[2] / "docs" / "instruments.md").read_text(encoding="utf-8")
    for name, driver in drivers.known().items():
        assert not driver.__module__.startswith("harness.") or f"`{name}`" in page, name


class Careless:
    """A driver with what drivers get wrong."""

    kind: ClassVar[str] = "power_switch"
    name: ClassVar[str] = "careless"
    tried: ClassVar[bool] = True
    quantities: ClassVar[dict[str, Quantity]] = {"output_on": Quantity(unit="")}
    safe: ClassVar[str] = "on"

    def __init__(self, address: str) -> None:
        self.on = 0.0

    def identity(self) -> str:
        return "CARELESS"

    def read(self) -> dict[str, float]:
        return {"output_on": 7.0}

    def switch(self, state: bool) -> None: ...

    def make_safe(self) -> None:
        self.on += 1

    def is_safe(self) -> bool:
        return self.on == 1

    def close(self) -> None: ...


@pytest.mark.parametrize(
    ("test", "says"),
    [
        ("test_it_has_the_methods_of_its_kind", "switch takes on"), ("test_nobody_at_its_address", "DID NOT RAISE"),
        ("test_it_reads_all_its_quantities", "can only be 0 to 1"), ("test_it_becomes_safe_and_stays_so", "and not so"),
    ],
)
def test_the_kit_finds_what_is_wrong(test: str, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.instruments.contract_kit.SETTLES_S", 0.1)

    class Kit(DriverContract):
        driver = Careless
        address = "http://127.0.0.1:1"

    function = getattr(Kit(), test)
    with pytest.raises((AssertionError, pytest.fail.Exception), match=says):
        function(Careless("")) if "it_reads" in test or "becomes" in test else function()


@pytest.mark.parametrize(
    ("address", "moved"),
    [
        ("TCPIP0::10.1.2.3::5025::SOCKET", "TCPIP0::127.0.0.1::9::SOCKET"), ("http://10.1.2.3", "http://127.0.0.1:9"),
        ("http://10.1.2.3:8080/below", "http://127.0.0.1:9/below"), ("modbus://h:502", "modbus://127.0.0.1:9"),
        ("ASRL/dev/ttyUSB0::INSTR", ""), ("modbus:///dev/ttyUSB0", ""),
    ],
)
def test_an_address_moved(address: str, moved: str) -> None:
    assert elsewhere(address, 9) == moved


@pytest.mark.parametrize(("module", "said"), [
    ("import notthere", "the instrument driver our-chamber of this package can't be imported: ModuleNotFoundError"),
    ("class OurChamber:\n    kind = name = tried = safe = 'x'", "is none: it lacks quantities, identity, read, "),
    ("OurChamber = 97", "is none: it lacks a class"),
])  # fmt: skip
def test_a_package_whose_driver_is_none_is_named(
    module: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Passed over, a driver of ours of the same name would have been taken in its place."""
    (tmp_path / "our_lab.py").write_text(module, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "our_lab", raising=False)
    point = importlib.metadata.EntryPoint("our-chamber", "our_lab:OurChamber", drivers.GROUP)
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda **_group: [point])
    with pytest.raises(BadInput) as refused:
        drivers.known.__wrapped__()
    assert said in str(refused.value) and "our_lab:OurChamber" in str(refused.value)
