"""The instruments of an inventory: what it makes of them, where it points, and asking them without a run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.cli import main
from harness.errors import BadInput
from harness.instruments import drivers
from harness.instruments.described import driver_options, emulated_options
from harness.instruments.methods import CONTRACTS, methods
from harness.lab.instrument_entry import EMULATED, FULL_SET
from harness.lab.inventory import Lab, load_lab
from harness.tests.fake_instruments import FakeInstrument, drivers_installed
from harness.tests.instrument_fakes import Lines
from harness.tests.lab_helpers import eventually
from harness.tests.test_lab_inventory import CONFIG, PHYSICAL

EMULATED_BENCH = f"""\
catalogue: {CONFIG}
benches:
  - name: env-1
    kind: emulated
    model: HT-100
    profile: unionpay-direct
    instruments: """


def load(folder: Path, text: str) -> Lab:
    path = folder / "lab.yaml"
    path.write_text(text, encoding="utf-8")
    return load_lab(path)


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(BadInput) as caught:
        load(folder, text)
    return str(caught.value).replace(str(folder / "lab.yaml"), "lab.yaml")


def test_emulated_stands_for_the_full_set(tmp_path: Path) -> None:
    lab = load(tmp_path, EMULATED_BENCH + "emulated\n")
    entry = lab.benches[0]
    assert {one.name: (one.driver, one.address) for one in entry.instruments} == {
        name: (driver, EMULATED) for name, driver in FULL_SET.items()
    }
    kinds = {name: drivers.known()[driver].kind for name, driver in FULL_SET.items()}
    assert kinds == {kind: kind for kind in CONTRACTS}  # one of each kind, named as it
    assert Lab.unpacked(lab.packed()) == lab


def test_a_bench_without_instruments_has_none(tmp_path: Path) -> None:
    assert load(tmp_path, EMULATED_BENCH.removesuffix("    instruments: ")).benches[0].instruments == ()


def test_benches_with_other_instruments_are_no_group(tmp_path: Path) -> None:
    second = EMULATED_BENCH.split("benches:\n")[1].replace("env-1", "env-2").removesuffix("    instruments: ")
    assert len(load(tmp_path, EMULATED_BENCH + "emulated\n" + second).groups) == 2


def test_the_model_says_what_the_supply_is_left_at(tmp_path: Path) -> None:
    text = EMULATED_BENCH + "{ps: {driver: scpi-supply}, ch: {driver: scpi-chamber, options: {ambient_c: 30}}}\n"
    bench = load(tmp_path, text).benches[0]
    supply, chamber = bench.instruments
    around, known = bench.model.surroundings, drivers.known()
    assert around is not None and around.voltage_v.nominal == 220
    assert driver_options(supply, known["scpi-supply"], around) == {"nominal_v": 220}
    assert emulated_options(supply, known["scpi-supply"], around) == {"kind": "supply", "nominal_v": 220}
    told = emulated_options(chamber, known["scpi-chamber"], around)
    assert told == {"kind": "chamber", "ambient_c": 30, "ambient_pct": 50}
    assert driver_options(chamber, known["scpi-chamber"], around) == {}


@pytest.mark.parametrize(
    ("instruments", "told"),
    [
        ("emulatd", "names of instruments, each with its driver, or `emulated`, not \"emulatd\""),
        ("\n      ch: {driver: scpi-chambre}", "lab.yaml:8:20: unknown driver scpi-chambre; known: "),
        ("\n      ch: {drivr: scpi-chamber}", "lab.yaml:8:12: unknown key `drivr`; did you mean `driver`?"),
        ("\n      ch: {address: emulated}", "`driver` is missing"),
        (
            "\n      ch:\n        driver: scpi-chamber\n        limits:\n          temprature_c: {high: 50}",
            "lab.yaml:11:25: a chamber has no quantity temprature_c; it has door_open, humidity_pct, ramp_k_per_min,"
            " temperature_c",
        ),
        (
            "\n      ch: {driver: scpi-chamber, limits: {temperature_c: {low: 60, high: 50}}}",
            "the limit's low 60 is above its high 50",
        ),
        ("\n      ch: {driver: scpi-chamber, limits: {temperature_c: {high: hot}}}", "not \"hot\""),
        ("\n      ch: {driver: scpi-chamber, limits: {temperature_c: {top: 50}}}", "unknown key `top`"),
        (
            "\n      ch: {driver: scpi-chamber, options: {ambient: 30}}",
            "scpi-chamber has no option ambient; it has ambient_c, ambient_pct,",
        ),
        ("\n      ch: {driver: scpi-chamber, options: {password: x}}", "secrets don't belong into an inventory"),
    ],
)
def test_what_is_wrong_is_pointed_at(tmp_path: Path, instruments: str, told: str) -> None:
    assert told in refusal(tmp_path, EMULATED_BENCH + instruments + "\n")


@pytest.fixture
def fakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with drivers_installed(tmp_path / "fakes"):
        yield tmp_path


def test_limits_are_held_against_what_the_driver_can_do(fakes: Path) -> None:
    text = EMULATED_BENCH + "{{ch: {{driver: fake-chamber, address: 'fake://127.0.0.1:1', limits: {limits}}}}}\n"
    for limits, told in (
        ("{temperature_c: {high: 151}}", "the limit's high 151 is beyond what this driver can do, 150"),
        ("{temperature_c: {high: -50}}", "the limit's high -50 is below what this driver can do, -40"),
        ("{temperature_c: {low: 151}}", "the limit's low 151 is above what this driver can do, 150"),
    ):
        assert told in refusal(fakes, text.format(limits=limits))
    load(fakes, text.format(limits="{temperature_c: {high: 150}, ramp_k_per_min: {high: 3}}"))


def test_an_address_that_only_its_driver_knows_is_not_looked_at(fakes: Path) -> None:
    for address in ("fake://127.0.0.1:99999", "somewhere", "fake://["):
        load(fakes, f"{EMULATED_BENCH}{{ps: {{driver: fake-supply, address: '{address}'}}}}\n")


def test_emulated_instruments_are_for_drivers_that_have_one_and_for_emulated_terminals(fakes: Path) -> None:
    assert "there is no emulated instrument for the driver fake-chamber: give its `address`, or use scpi-" in refusal(
        fakes, EMULATED_BENCH + "{ch: {driver: fake-chamber}}\n"
    )
    assert "an emulated instrument does nothing to a real terminal" in refusal(
        fakes, PHYSICAL + "    instruments: {ch: {driver: scpi-chamber}}\n"
    )


def bench_of(fake: FakeInstrument, **more: str) -> str:
    further = "".join(f", {key}: {value}" for key, value in more.items())
    return f"{EMULATED_BENCH}{{ps: {{driver: fake-supply, address: '{fake.address}'{further}}}}}\n"


def test_lab_check_open_asks_each(fakes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fake = FakeInstrument("HIL97,FAKE-SUPPLY")
    load(fakes, bench_of(fake))
    assert main(["lab", "check", "--open", str(fakes / "lab.yaml")]) == 0
    assert "env-1: ps: HIL97,FAKE-SUPPLY: voltage_v 230, output_on 0" in capsys.readouterr().out
    load(fakes, bench_of(fake, identity="KEYSIGHT"))
    assert main(["lab", "check", "--open", str(fakes / "lab.yaml")]) == 2
    told = capsys.readouterr().err
    assert "bench env-1: instrument ps: " in told and "the inventory has 'KEYSIGHT' there" in told
    fake.unplug()
    assert main(["lab", "check", "--open", str(fakes / "lab.yaml")]) == 2
    told = capsys.readouterr().err
    assert "can't be reached: Connection refused" in told
    assert [line.strip() for line in told.splitlines()][1:] == ["next: plug it in"]  # what the driver says, and once


@pytest.mark.parametrize(
    "said", ["\ud800", "HIL97\x1b[2J", "\u202eHIL97", "x" * 50_000], ids=lambda said: ascii(said)[:20]
)
def test_who_it_is_must_be_a_line_that_can_be_printed(
    fakes: Path, capsys: pytest.CaptureFixture[str], said: str
) -> None:
    """Also of a driver of the lab's own."""
    load(fakes, bench_of(FakeInstrument(said)))
    assert main(["lab", "check", "--open", str(fakes / "lab.yaml")]) == 2
    told = capsys.readouterr()
    assert "env-1: instrument ps: " in told.err and "which is no identity" in told.err
    assert len(told.err) < 500 and told.err.replace("\n", "").isprintable() and "xxx" not in told.out


def test_a_power_switch_with_a_name_that_no_file_can_hold(fakes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    body = b'{"model": "S", "id": "\\ud800", "ver": "1"}'
    answer = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    device = Lines(lambda line: answer, end=b"\r\n\r\n")
    load(fakes, f"{EMULATED_BENCH}{{ps: {{driver: shelly, address: 'http://127.0.0.1:{device.port}'}}}}\n")
    assert main(["lab", "check", "--open", str(fakes / "lab.yaml")]) == 2
    assert "/rpc/Shelly.GetDeviceInfo' with" in capsys.readouterr().err
    device.close()


def test_lab_safe(fakes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fake = FakeInstrument("HIL97,FAKE-SUPPLY")
    fake.values.update(voltage_v=100, output_on=0)
    load(fakes, bench_of(fake))
    assert main(["lab", "safe", str(fakes / "lab.yaml"), "env-1"]) == 0
    assert capsys.readouterr().out == "env-1: ps: safe\n"
    assert (fake.values["voltage_v"], fake.values["output_on"]) == (220, 1)  # the model's nominal voltage
    fake.unplug()
    assert main(["lab", "safe", str(fakes / "lab.yaml"), "--within", "1.5"]) == 3
    assert "instrument ps: " in capsys.readouterr().err
    assert main(["lab", "safe", str(fakes / "lab.yaml"), "env-2"]) == 2
    assert "there is no bench env-2; known: env-1" in capsys.readouterr().err


def test_what_does_not_become_safe_is_told_with_one_remedy(
    fakes: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeInstrument("HIL97,FAKE-SUPPLY")
    load(fakes, bench_of(fake))
    monkeypatch.setattr(drivers.known()["fake-supply"], "is_safe", lambda self: False)
    assert main(["lab", "safe", str(fakes / "lab.yaml"), "--within", "0"]) == 3
    told = capsys.readouterr().err
    assert "is not in its safe state" in told and told.count("by hand, at its own panel") == 1


def test_lab_safe_tries_again(fakes: Path) -> None:
    fake = FakeInstrument("HIL97,FAKE-SUPPLY")
    fake.values.update(voltage_v=100)
    fake.error = "busy"
    load(fakes, bench_of(fake))
    import threading

    ended: list[int] = []
    thread = threading.Thread(target=lambda: ended.append(main(["lab", "safe", str(fakes / "lab.yaml")])))
    thread.start()
    eventually(lambda: fake.asked > 3, "it to have been asked")
    fake.error = ""
    thread.join(20)
    assert ended == [0] and fake.values["voltage_v"] == 220


def test_lab_safe_of_an_emulated_lab(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    load(tmp_path, EMULATED_BENCH + "emulated\n")
    assert main(["lab", "safe", str(tmp_path / "lab.yaml")]) == 0
    assert "emulated ones" in capsys.readouterr().out


def test_every_driver_has_the_methods_of_its_kind() -> None:
    for driver in drivers.known().values():
        missing = [name for name in methods(driver.kind) if not callable(getattr(driver, name, None))]
        assert not missing, (driver.name, missing)
