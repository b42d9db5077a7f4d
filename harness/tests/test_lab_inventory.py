"""The inventory: what it makes of a good file, and where it points in a bad one."""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.cli import lab as command
from harness.emulator.shipped import version_sources
from harness.errors import BadInput
from harness.lab.catalogue import load_model, load_profile
from harness.lab.firmware_images import make_image
from harness.lab.inventory import Lab, load_lab
from harness.lab.schema import LimitsDocument
from harness.protocol.profile import Limits

CONFIG = Path(__file__).parents[2] / "lab_config"
GOOD = f"""\
catalogue: {CONFIG}
benches:
  - name: bench-1
    kind: emulated
    model: HT-100
    profile: unionpay-direct
    firmware: reference
"""
PHYSICAL = f"""\
catalogue: {CONFIG}
benches:
  - name: counter-1
    kind: physical
    model: HT-100
    profile: unionpay-direct
    identity: {{tid: "97000001", mid: "104110070119701"}}
    cashier: /dev/ttyUSB0
    service: /dev/ttyUSB1
    interfaces: {{terminal: enp2s0, acquirer: enp3s0}}
    host: {{address: 192.0.2.10, port: 8583}}
    address: 192.0.2.20
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "lab.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(BadInput) as caught:
        load_lab(write(folder, text))
    return str(caught.value).replace(str(folder / "lab.yaml"), "lab.yaml")


LABELS = [
    "HT-100-unionpay-direct", "HT-100-unionpay-direct", "HT-200-unionpay-direct", "HT-100-physical-like",
    "HT-100-unionpay-ums", "HT-200-lakala", "HT-100-aunz", "HT-100-gicc", "HT-200-unionpay-direct",
    "HT-100-dhcp-name", "HT-300", "HT-200-instruments", "HT-300-instruments",
]


# -- good files --------------------------------------------------------------------------------------------------------


def test_the_emulated_lab() -> None:
    lab = load_lab(CONFIG / "emulated.yaml")
    assert [entry.name for entry in lab.emulated] == [f"bench-{number}" for number in range(1, 14)]
    assert {group: [entry.name for entry in entries] for group, entries in lab.groups.items()} == {
        "HT-100/reference/unionpay-direct": ["bench-1", "bench-2"],
        "HT-200/reference/unionpay-direct": ["bench-3", "bench-9"],
        "HT-100/reference/unionpay-direct/physical-like": ["bench-4"],
        "HT-100/reference/unionpay-ums": ["bench-5"],
        "HT-200/reference/lakala": ["bench-6"],
        "HT-100/reference/aunz": ["bench-7"],
        "HT-100/reference/gicc": ["bench-8"],
        "HT-100/reference/unionpay-direct/dhcp-name": ["bench-10"],
        "HT-300/reference/unionpay-direct": ["bench-11"],
        "HT-200/reference/unionpay-direct/instruments": ["bench-12"],
        "HT-300/reference/unionpay-direct/instruments": ["bench-13"],
    }
    assert [entry.label for entry in lab.benches] == LABELS
    assert [entry.time_scale for entry in lab.benches] == [20, 20, 20, 1, *[20] * 9]
    assert [entry.profile.link for entry in lab.benches[3:9]] == ["tcp", "tls", "tcp", "http", "tcp_standing", "tcp"]
    assert lab.benches[1].identity[0] == "97979797"
    assert [(entry.network, entry.resolve) for entry in lab.benches[8:]] == [
        ("static", "address"), ("dhcp", "name"), ("dhcp", "address"), ("static", "address"), ("dhcp", "address"),
    ]
    assert len({entry.identity for entry in lab.benches}) == 13
    assert [bool(entry.instruments) for entry in lab.benches] == [False] * 11 + [True] * 2


def test_a_bench_that_names_suites_runs_those_alone() -> None:
    lab = load_lab(CONFIG / "emulated.yaml")
    everything, one = lab.benches[0], lab.benches[4]
    old, new = Path("suites/recovery/test_recovery.py"), Path("suites/transactions/test_97_and_back.py")
    assert everything.runs(old) and everything.runs(new)
    assert one.runs(new) and not one.runs(old)
    amid, portable, robot = lab.benches[11], lab.benches[12], Path("suites/robot/environment.robot")
    assert amid.runs(robot) and not amid.runs(robot.with_stem("network")) and not portable.runs(robot)


def test_a_bench_runs_no_suite_that_it_is_without() -> None:
    lab = load_lab(CONFIG / "emulated.yaml")
    without, full = lab.benches[0], lab.benches[2]
    update = Path("suites/firmware/test_images.py")
    assert without.without == ("firmware", "install")
    assert full.runs(update) and not without.runs(update)
    some, cut, whole = lab.benches[9], Path("suites/install/test_cut.py"), Path("suites/install/test_whole.py")
    assert full.runs(cut) and some.runs(whole) and not some.runs(cut)
    assert not some.runs(Path("suites/robot/network.robot")) and without.runs(Path("suites/robot/firmware.robot"))
    assert lab.unpacked(lab.packed()).benches == lab.benches


def test_the_matrix_of_versions_has_a_bench_for_each_that_others_are_updated_to() -> None:
    lab = load_lab(CONFIG / "versions.yaml")
    assert [bench.firmware for bench in lab.benches] == [f"reference-{one}" for one in list(version_sources())[1:]]
    assert all(bench.suites == ("firmware",) for bench in lab.benches)


def test_a_link_that_the_model_has_not_is_refused(tmp_path: Path) -> None:
    told = refusal(tmp_path, GOOD.replace("HT-100", "HT-200") + "    link: http\n")
    assert "the model HT-200 has no link http" in told


@pytest.mark.parametrize(("more", "reason"), [
    ("network: wifi", "input should be 'static' or 'dhcp'"), ("resolve: dns", "input should be 'address' or 'name'"),
])
def test_a_network_that_there_is_not_is_refused(tmp_path: Path, more: str, reason: str) -> None:
    assert reason in refusal(tmp_path, f"{GOOD}    {more}\n")


def test_a_network_that_the_model_has_not_is_refused(tmp_path: Path) -> None:
    told = refusal(tmp_path, GOOD.replace("HT-100", "HT-300") + "    network: static\n")
    assert "the model HT-300 has no network static; it has dhcp" in told


@pytest.mark.parametrize("more", ["network: dhcp", "resolve: name"])
def test_a_physical_bench_has_its_own_network(tmp_path: Path, more: str) -> None:
    assert "is for emulated benches: a physical one has its own" in refusal(tmp_path, f"{PHYSICAL}    {more}\n")


def test_the_same_network_over_another_link_is_another_group(tmp_path: Path) -> None:
    more = GOOD.split("benches:\n")[1].replace("bench-1", "bench-2")
    first, second = load_lab(write(tmp_path, GOOD + more + "    link: tls\n")).benches
    assert (first.group, second.group) == (
        "HT-100/reference/unionpay-direct/tcp", "HT-100/reference/unionpay-direct/tls"
    )
    assert (first.profile.link, second.profile.link) == ("tcp", "tls")


def test_the_physical_example() -> None:
    (entry,) = load_lab(CONFIG / "physical-example.yaml").physical
    assert (entry.kind, entry.time_scale, entry.scope) == ("physical", 1.0, "physical")
    assert entry.host is not None and str(entry.host.address) == "192.0.2.10"
    assert entry.group == "HT-100/reference/unionpay-direct/physical/instruments"


def test_a_lab_travels_to_a_worker_as_plain_values() -> None:
    for name in ("emulated.yaml", "physical-example.yaml"):
        lab = load_lab(CONFIG / name)
        assert Lab.unpacked(json.loads(json.dumps(lab.packed()))) == lab


def test_limits_of_a_bench_go_into_its_profile(tmp_path: Path) -> None:
    text = GOOD + "    limits: {show_s: 4.5, receive_timeout_s: 10}\n"
    (entry,) = load_lab(write(tmp_path, text)).benches
    assert (entry.profile.limits.show_s, entry.profile.limits.idle_s) == (4.5, 30.0)
    assert (entry.receive_timeout_s, entry.profile.receive_timeout_s) == (10.0, 10.0)


def test_every_limit_can_be_set_for_a_bench() -> None:
    assert set(LimitsDocument.model_fields) == set(Limits.model_fields) | {"receive_timeout_s"}


def test_benches_that_differ_are_not_one_group(tmp_path: Path) -> None:
    more = GOOD.split("benches:\n")[1]
    text = GOOD + more.replace("bench-1", "bench-2") + "    time_scale: 10\n"
    text += more.replace("bench-1", "bench-3") + "    limits: {show_s: 5}\n"
    first, second, third = load_lab(write(tmp_path, text)).benches
    assert len({first.group, second.group, third.group}) == 3
    assert len({first.label, second.label, third.label}) == 3
    assert second.group.endswith("/x10")


def test_a_firmware_is_a_file_beside_the_inventory(tmp_path: Path) -> None:
    (tmp_path / "new.img").write_bytes(b"")
    (entry,) = load_lab(write(tmp_path, GOOD.replace("reference", "new.img"))).benches
    assert entry.firmware == str(tmp_path / "new.img")
    assert entry.group == "HT-100/new/unionpay-direct"


def test_a_shipped_version_is_no_path_though_it_has_dots(tmp_path: Path) -> None:
    lab = load_lab(write(tmp_path, GOOD.replace("firmware: reference", "firmware: reference-2.0.0")))
    for entry in (*lab.benches, *lab.with_firmware("reference-1.1.0").with_firmware("reference-2.0.0").benches):
        assert (entry.firmware, entry.firmware_name) == ("reference-2.0.0", "reference-2.0.0")
    assert make_image("reference-2.0.0", tmp_path).version == "2.0.0"


def test_another_firmware_for_all_emulated_benches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lab = load_lab(CONFIG / "emulated.yaml").with_firmware("build/candidate.img")
    assert {entry.firmware for entry in lab.benches} == {str(tmp_path / "build/candidate.img")}
    assert lab.benches[0].group == "HT-100/candidate/unionpay-direct"
    assert [entry.label for entry in lab.benches] == LABELS


# -- bad files ---------------------------------------------------------------------------------------------------------


def test_a_wrong_key_is_pointed_at_with_the_right_one(tmp_path: Path) -> None:
    assert refusal(tmp_path, GOOD.replace("kind:", "knid:")) == (
        "lab.yaml:3:5: `kind` is missing\n"
        "    3 |   - name: bench-1\n"
        "      |     ^^^^\n"
        "lab.yaml:4:5: unknown key `knid`; did you mean `kind`?\n"
        "    4 |     knid: emulated\n"
        "      |     ^^^^"
    )


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("model: HT-100", "model: HT-1OO", "lab.yaml:5:12: unknown model HT-1OO; known: HT-100, HT-200"),
        ("unionpay-direct", "visa", "lab.yaml:6:14: unknown profile visa; known: aunz, gicc, lakala, unionpay-"),
        (
            "kind: emulated",
            "kind: real",
            "lab.yaml:4:11: benches[1].kind: input should be 'emulated' or 'physical', not \"real\"",
        ),
        (
            "model: HT-100",
            "model: 97",
            "lab.yaml:5:12: benches[1].model: input should be a valid string, not the number 97: put it",
        ),
        ("reference", "./lost.img", "lab.yaml:7:15: there is no firmware image or folder"),
        ("reference", "../../etc/lost", "lab.yaml:7:15: there is no firmware image or folder"),
        (
            "reference",
            "reference\n    time_scale: '20'",
            "lab.yaml:8:17: benches[1].time_scale: input should be a valid number",
        ),
        (
            "reference",
            "reference\n    time_scale: 0",
            "lab.yaml:8:17: benches[1].time_scale: input should be greater than or equal to 0.1, not 0",
        ),
        (
            "reference",
            "reference\n    time_scale: .nan",
            "lab.yaml:8:17: benches[1].time_scale: input should be a finite number",
        ),
        ("reference", "reference\n    name: bench-9", "lab.yaml:8:5: the key `name` is here for the second time"),
        (
            "reference",
            "reference\n    physical_like: maybe",
            "lab.yaml:8:20: benches[1].physical_like: input should be a valid boolean",
        ),
        (
            "reference",
            "reference\n    physical_like: true\n    time_scale: 5",
            "lab.yaml:9:17: a physical-like bench has time scale 1",
        ),
        ("reference", "reference\n    cashier: /dev/ttyS0", "lab.yaml:8:14: `cashier` is for physical benches"),
        (
            "reference",
            "reference\n    limits: {shows: 3}",
            "lab.yaml:8:14: unknown key `shows`; did you mean `show_s`?",
        ),
        (
            "reference",
            "reference\n    identity: {tid: 97000001, mid: '1'}",
            "lab.yaml:8:21: benches[1].identity.tid: input should be a",
        ),
        ("benches:", "benches: []\nmore:", "lab.yaml:2:10: benches: list should have at least 1 item"),
        ("  - name", "  - - name", "lab.yaml:"),
        ("profile: union", "profile: [union", "lab.yaml:7:"),
        ("emulated", "emulated\n\t- x", "lab.yaml:5:1: no valid YAML"),
    ],
)
def test_what_is_wrong_is_pointed_at(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert told in refusal(tmp_path, GOOD.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("    identity", "    # identity", "lab.yaml:3:5: `identity` is missing: a physical bench needs it"),
        ("    host", "    time_scale: 20\n    host", "lab.yaml:11:17: the time of a physical bench can't be scaled"),
        ("192.0.2.10", "192.0.2.256", "lab.yaml:11:21: benches[1].host.address: octet 256 (> 255) not permitted"),
        ("8583", "0", "lab.yaml:11:39: benches[1].host.port: input should be greater than or equal to 1, not 0"),
    ],
)
def test_what_is_wrong_with_a_physical_bench(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert told in refusal(tmp_path, PHYSICAL.replace(old, new))


def test_two_benches_of_one_name(tmp_path: Path) -> None:
    told = refusal(tmp_path, GOOD + GOOD.split("benches:\n")[1])
    assert told.startswith(
        "lab.yaml:8:11: there is a bench bench-1 already: the 1st of the list\n    8 |   - name: bench-1\n"
    )


def test_chinese_text_before_the_place_takes_two_columns(tmp_path: Path) -> None:
    told = refusal(tmp_path, GOOD.replace("model: HT-100", '"型号": HT-100'))
    assert '    5 |     "型号": HT-100\n      |     ^^^' in told


@pytest.mark.parametrize(
    ("line", "column"),
    [
        ("    tmk: x", 5),
        ("    serial_number: 0123456789ABCDEFFEDCBA9876543210", 20),
        ("    service: socket://lab:hunter2@192.0.2.1:2000", 14),
        ("    admin_password: hunter2", 5),
    ],
)
def test_secrets_are_refused_and_not_repeated(tmp_path: Path, line: str, column: int) -> None:
    told = refusal(tmp_path, GOOD + line + "\n")
    assert told.startswith(f"lab.yaml:8:{column}: ") and "environment or a key file" in told
    assert "hunter2" not in told and "FEDCBA" not in told


def test_a_file_that_is_not_there_or_not_text(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"nothing\.yaml: can't be read: No such file"):
        load_lab(tmp_path / "nothing.yaml")
    (tmp_path / "lab.yaml").write_bytes(b"benches:\n  - \xff\n")
    with pytest.raises(BadInput, match=r"lab\.yaml:2:5: is not UTF-8: byte 0xFF"):
        load_lab(tmp_path / "lab.yaml")


@pytest.mark.parametrize("text", ["", "- a\n", "97\n", "a: &x [*x]\n", "{[a]: b}\n", "? {a: b}\n: c\n"])
def test_no_mapping_or_no_tree(tmp_path: Path, text: str) -> None:
    assert refusal(tmp_path, text).startswith("lab.yaml:1:")


WORDS = [
    "benches:",
    "name",
    "kind",
    "emulated",
    "97",
    "'",
    '"',
    "&a",
    "*a",
    "<<",
    "{",
    "}",
    "[",
    "]",
    ",",
    "\n",
    "  ",
    "-",
    ": ",
    "\t",
    "!!set",
    "!x",
    "|",
    ">",
    "\x00",
    "型",
    "limits",
    "firmware",
    ".inf",
    "2026-01-01",
    "tmk",
]


@given(st.one_of(st.text(), st.lists(st.sampled_from(WORDS)).map("".join), st.binary()))
@settings(max_examples=300, deadline=None)
def test_whatever_stands_in_the_file_is_a_lab_or_bad_input(
    tmp_path_factory: pytest.TempPathFactory, content: str | bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "wild.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
    with pytest.raises(BadInput, match="wild"):
        load_lab(path)


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_a_good_file_with_something_changed_is_a_lab_or_bad_input(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(GOOD)))
    end = data.draw(st.integers(start, min(len(GOOD), start + 12)))
    changed = GOOD[:start] + data.draw(st.one_of(st.sampled_from(WORDS), st.text(max_size=4))) + GOOD[end:]
    path = tmp_path_factory.getbasetemp() / "changed.yaml"
    path.write_bytes(changed.encode("utf-8", "surrogatepass"))
    try:
        assert load_lab(path).benches
    except BadInput as error:
        assert str(error)


# -- models and profiles -----------------------------------------------------------------------------------------------


def test_models_and_profiles_of_this_lab_are_sound() -> None:
    models = sorted((CONFIG / "models").glob("*.yaml"))
    assert [load_model(path).name for path in models] == ["HT-100", "HT-200", "HT-300"]
    assert [load_profile(path).name for path in sorted((CONFIG / "profiles").glob("*.yaml"))]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "name: HT-100",
            "name: HT-101",
            "HT-100.yaml:2:7: the name HT-101 and the file name HT-100.yaml must be the same",
        ),
        ("  - sale\n", "  - sign_in\n", "HT-100.yaml:7:5: `sign_in` is in the menu twice"),
        ("items: [offline_sale,", "items: [settle,", "HT-100.yaml:14:13: `settle` is in the menu twice"),
        ("[balance, echo,", "[echo,", "`balance` is not in the menu"),
        ("scale: 1", "scale: 3", "HT-100.yaml:4:9: this screen has no room"),
    ],
)
def test_what_is_wrong_with_a_model_is_pointed_at(tmp_path: Path, old: str, new: str, told: str) -> None:
    path = tmp_path / "HT-100.yaml"
    path.write_text((CONFIG / "models" / "HT-100.yaml").read_text().replace(old, new))
    with pytest.raises(BadInput) as caught:
        load_model(path)
    assert told in str(caught.value)


def test_what_is_wrong_with_a_profile_is_pointed_at(tmp_path: Path) -> None:
    shutil.copytree(CONFIG / "profiles", tmp_path / "profiles")
    shutil.copytree(CONFIG / "models", tmp_path / "models")
    path = tmp_path / "profiles" / "unionpay-direct.yaml"
    path.write_text(path.read_text().replace('success: ["00", "10"', 'success: ["00", 10', 1))
    with pytest.raises(BadInput) as caught:
        load_lab(write(tmp_path, GOOD.replace(str(CONFIG), ".")))
    assert (
        "unionpay-direct.yaml:5:17: success[2]: input should be a valid string, not the number 10: put it in quotes"
        in str(caught.value)
    )


# -- hil97 lab check ---------------------------------------------------------------------------------------------------


def run_check(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    args = parser.parse_args(["lab", "check", *arguments])
    status: int = args.run(args)
    return status


def test_the_command_lists_benches_by_group(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_check(str(CONFIG / "emulated.yaml")) == 0
    output = capsys.readouterr().out
    assert "13 benches in 11 groups" in output
    assert "  HT-100/reference/unionpay-direct\n    bench-1: emulated, time x20\n    bench-2:" in output


def test_the_command_finds_a_missing_serial_port(tmp_path: Path) -> None:
    path = write(tmp_path, PHYSICAL.replace("/dev/ttyUSB0", "/dev/serial/by-id/unplugged"))
    assert run_check(str(path)) == 0
    with pytest.raises(BadInput) as caught:
        run_check("--open", str(path))
    assert "bench counter-1: cashier /dev/serial/by-id/unplugged: there is no such port; this host has: " in str(
        caught.value
    )
    assert "there is no network card enp2s0 (terminal)" in str(caught.value)
