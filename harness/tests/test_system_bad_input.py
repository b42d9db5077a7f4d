"""Bad input to whole commands: one message that points at it, exit status 2, no traceback, nothing made or lost."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from harness.emulator.build import build
from harness.emulator.shipped import REFERENCE_SOURCE, TEST_KEY, TEST_PUBLIC_KEY
from harness.lab.lease import lease
from harness.tests.system_helpers import ROOT, SystemLab, unchanged

GOOD = """\
catalogue: {catalogue}
benches:
  - name: left
    kind: emulated
    model: HT-100
    profile: unionpay-direct
"""
SECOND = "  - {name: left, kind: emulated, model: HT-100, profile: unionpay-direct}\n"
PHYSICAL = """\
catalogue: {catalogue}
benches:
  - name: counter-1
    kind: physical
    model: HT-100
    profile: unionpay-direct
    identity: {{tid: "97000001", mid: "104110070119701"}}
    cashier: /dev/serial/by-id/usb-lost-cashier
    service: /dev/serial/by-id/usb-lost-service
    interfaces: {{terminal: enp2s0, acquirer: enp3s0}}
    host: {{address: 192.0.2.10, port: 8583}}
    address: 192.0.2.20
"""


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reference firmware as a sound image."""
    path = tmp_path_factory.mktemp("images") / "reference.img"
    build(REFERENCE_SOURCE, "1.0.0", TEST_KEY, path)
    return path


def inventory(lab: SystemLab, text: str) -> None:
    lab.inventory.write_text(text.replace("{catalogue}", str(ROOT / "lab_config")), encoding="utf-8")


def refusal(lab: SystemLab, *more: str, name: str = "run") -> str:
    """What ``hil97 run`` says, after it was seen that it made nothing."""
    said: list[str] = []
    unchanged(lab.folder, lambda: said.append(lab.hil97(*lab.arguments(*more, name=name)).refused()))
    unchanged(lab.folder, lambda: lab.assert_nothing_left(lab.holdings()))
    return said[0]


@pytest.mark.parametrize(
    ("old", "new", "place", "told"),
    [
        ("kind:", "knid:", "4:5", "unknown key `knid`; did you mean `kind`?"),
        ("HT-100", "100", "5:12", "should be a valid string, not the number 100"),
        ("- name: left", "- title: left", "3:5", "`name` is missing"),
        ("unionpay-direct\n", "unionpay-direct\n" + SECOND, "7:12", "there is a bench left already"),
        ("kind: emulated", "kind: emulated\n    kind: emulated", "5:5", "the key `kind` is here for the second time"),
        ("kind: emulated", "kind: [emulated", "5:10", "no valid YAML"),
        ("kind: emulated", "kind: emulated\n    firmware: no-such-one", "5:15", "unknown firmware no-such-one"),
    ],
)  # fmt: skip
def test_a_bad_inventory(system_lab: SystemLab, old: str, new: str, place: str, told: str) -> None:
    inventory(system_lab, GOOD.replace(old, new, 1))
    said = refusal(system_lab)
    assert f"{system_lab.inventory}:{place}: " in said and told in said
    assert re.search(r"^ +\| +\^+$", said, re.MULTILINE), said
    assert system_lab.hil97("lab", "check", str(system_lab.inventory)).refused() == said


@pytest.mark.parametrize(("content", "told"), [("", "a mapping was expected"), (None, "No such file or directory")])
def test_an_empty_or_missing_inventory(system_lab: SystemLab, content: str | None, told: str) -> None:
    if content is None:
        system_lab.inventory.unlink()
    else:
        inventory(system_lab, content)
    said = refusal(system_lab)
    assert str(system_lab.inventory) in said and told in said


def test_a_missing_serial_port(system_lab: SystemLab) -> None:
    inventory(system_lab, PHYSICAL.replace("{{", "{").replace("}}", "}"))
    said = refusal(system_lab)
    assert "bench counter-1: the serial port /dev/serial/by-id/usb-lost-cashier of its cashier link is missing" in said
    opened = system_lab.hil97("lab", "check", "--open", str(system_lab.inventory)).refused()
    assert "cashier /dev/serial/by-id/usb-lost-cashier: there is no such port" in opened


def test_a_busy_bench(system_lab: SystemLab) -> None:
    folder = system_lab.runtime / "hil97"
    folder.mkdir(mode=0o700)
    with lease("left", run="nightly-7", scope=str(system_lab.inventory.resolve()), folder=folder):
        said: list[str] = []
        unchanged(system_lab.folder, lambda: said.append(system_lab.hil97(*system_lab.arguments()).refused()))
    assert f"bench left is in use: process {os.getpid()}, run nightly-7" in said[0]


def test_a_sound_image_is_accepted(system_lab: SystemLab, image: Path) -> None:
    assert system_lab.hil97("firmware", "check", "--boot-key", str(TEST_PUBLIC_KEY), str(image)).status == 0


@pytest.mark.parametrize("damage", ["a bit", "half of it", "noise"])
def test_a_damaged_image(system_lab: SystemLab, image: Path, damage: str) -> None:
    data = bytearray(image.read_bytes())
    if damage == "a bit":
        data[len(data) // 2] ^= 0x10
    elif damage == "half of it":
        del data[len(data) // 2 :]
    else:
        data = bytearray(b"\x97" * 5000)
    broken = system_lab.folder / "broken.img"
    broken.write_bytes(data)
    for said in (
        refusal(system_lab, "--firmware", str(broken)),
        system_lab.hil97("firmware", "check", "--boot-key", str(TEST_PUBLIC_KEY), str(broken)).refused(),
    ):
        assert re.search(rf"{re.escape(str(broken))}: offset \d+: ", said)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--firmware", "no-such-one"], "firmware 'no-such-one' is neither a shipped one nor an image"),
        (["suites/no-such-suite"], "there is no suite suites/no-such-suite"),
        (["suites/registration/test_97_on_each_transaction.py::test_nothing"], "no test was selected"),
        (["-n", "x"], "argument -n: 'x' is no number of benches; 0 or more"),
        (["-n", "-1"], "argument -n: "),
        (["-k", "nothing_is_called_this"], "no test was selected"),
        (["-k", "nothing_is_called_this", "-n", "0"], "no test was selected"),
        (["-k", "(("], "Wrong expression passed to '-k'"),
        (["--run-name", "../outside"], "'../outside' can't be the name of a run"),
        (["--run-name", ""], "'' can't be the name of a run"),
        (["--results", "/proc/self/nothing"], "this user must not write there"),
    ],
)
def test_bad_arguments(system_lab: SystemLab, arguments: list[str], told: str) -> None:
    assert told in refusal(system_lab, *arguments)


def test_a_run_that_is_there_already(system_lab: SystemLab) -> None:
    folder = system_lab.results / "nightly-7"
    folder.mkdir(parents=True)
    (folder / "index.html").write_text("yesterday", encoding="utf-8")
    (system_lab.results / "latest").symlink_to("nightly-7")
    assert f"{folder}: the run nightly-7 exists already" in refusal(system_lab, name="nightly-7")


def test_a_run_of_nothing_leaves_the_latest_where_it_was(system_lab: SystemLab) -> None:
    (system_lab.results / "nightly-7").mkdir(parents=True)
    (system_lab.results / "latest").symlink_to("nightly-7")
    refusal(system_lab, "-k", "nothing_is_called_this", name="nightly-8")


def test_results_that_are_no_folder(system_lab: SystemLab) -> None:
    system_lab.results.write_text("a file", encoding="utf-8")
    assert f"{system_lab.results}: results are to go there, but it is no folder" in refusal(system_lab)


def test_judging_what_is_no_run(system_lab: SystemLab, tmp_path: Path) -> None:
    assert "no-such-run: there is no such run" in system_lab.hil97("judge", "no-such-run").refused()
    assert "this is no stored run" in system_lab.hil97("judge", str(tmp_path)).refused()


def test_plain_pytest_ends_with_the_same_status(system_lab: SystemLab) -> None:
    inventory(system_lab, GOOD.replace("kind:", "knid:"))
    lab, results = str(system_lab.inventory), str(system_lab.results)
    said: list[str] = []
    run = ("pytest", "suites", "--lab", lab, "--results", results, "-p", "no:cacheprovider")
    unchanged(system_lab.folder, lambda: said.append(system_lab.run(*run).refused()))
    assert f"{lab}:4:5: unknown key `knid`" in said[0]


WITHOUT_NAMESPACES = """
import os, sys
from pathlib import Path
from harness.lab.kernel import CLONE_NEWUSER, unshare
user, group = os.geteuid(), os.getegid()
unshare(CLONE_NEWUSER)
Path("/proc/self/setgroups").write_text("deny")
Path("/proc/self/uid_map").write_text(f"1000 {user} 1")  # nobody special: a program gets no capabilities
Path("/proc/self/gid_map").write_text(f"1000 {group} 1")
Path("/proc/sys/user/max_user_namespaces").write_text("0")  # of this user namespace only
os.execv(sys.executable, [sys.executable, "-m", *sys.argv[1:]])
"""


@pytest.mark.parametrize("way", ["hil97 run", "pytest", "own tests"])
def test_user_namespaces_forbidden(system_lab: SystemLab, way: str) -> None:
    """One sentence, the remedy, status 2."""
    (system_lab.folder / "without_namespaces.py").write_text(WITHOUT_NAMESPACES, encoding="utf-8")
    lab, results = str(system_lab.inventory), str(system_lab.results)
    command = {
        "hil97 run": ["harness.cli", *system_lab.arguments()],
        "pytest": ["pytest", "suites", "--lab", lab, "--results", results, "-p", "no:cacheprovider"],
        "own tests": ["pytest", "harness/tests/test_i18n.py", "-n", "2", "-p", "no:cacheprovider"],
    }[way]
    python = os.pathsep.join([str(system_lab.folder), str(ROOT)])
    more = {"PYTHONPATH": python, "PYTHONDONTWRITEBYTECODE": "1"}
    said: list[str] = []
    unchanged(
        system_lab.folder,
        lambda: said.append(system_lab.run("without_namespaces", *command, more=more).refused()),
    )
    assert "user.max_user_namespaces = 0 switches them off on this system" in said[0]
    assert "sysctl -w user.max_user_namespaces=10000" in said[0]
    assert way != "hil97 run" or len(said[0].splitlines()) == 2
