"""``hil97 terminal run`` as a stranger uses it: real processes, ``hil97 acquirer serve``, no namespace."""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import socket
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.lab.catalogue import load_model
from harness.lab.inventory import REFERENCE
from harness.tests.lab_helpers import eventually
from harness.tests.system_helpers import ROOT

TMK = "0123456789ABCDEFFEDCBA9876543210"
MODEL = ("--lab-config", str(ROOT / "lab_config"), "--firmware", REFERENCE, "--time-scale", "10")
NOBODY = "127.0.0.1:1"  # nothing listens there


def chosen(function: str) -> str:
    """The keys that choose a function from the menu."""
    digits = load_model(ROOT / "lab_config" / "models" / "HT-100.yaml").keys_to(function)
    assert digits is not None
    return " ".join(["FUNC", *digits])


SIGN_IN = f"wait 欢迎使用\n{chosen('sign_in')}\nwait 签到成功\nCANCEL\nwait 欢迎使用\n"
SALE = "ENTER\nwait 请输入金额\n1000 ENTER\nwait 请刷卡\nswipe\nwait 请输入密码\n123456 ENTER\nwait 交易成功\nslip\n"


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT), "HIL97_LANG": "en", "PYTHONIOENCODING": "utf-8", "TERM": "xterm"}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "harness.cli", *arguments]


def start(*arguments: str, cwd: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command("terminal", "run", *MODEL, *arguments), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, encoding="utf-8", env=environment(), cwd=cwd, start_new_session=True,
    )  # fmt: skip


def run(script: str, *arguments: str, cwd: Path) -> tuple[int, str, str]:
    """Status, stdout and stderr of a terminal that is worked by a script."""
    process = start(*arguments, cwd=cwd)
    out, err = process.communicate(script, timeout=120)
    return process.returncode, out, err


class Acquirer:
    """``hil97 acquirer serve`` with its demo merchant."""

    def __init__(self, folder: Path, *more: str) -> None:
        self.process = subprocess.Popen(
            command("acquirer", "serve", "--listen", "127.0.0.1:0", "--api", "off", "--seed-demo", *more),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8",
            env=environment(), cwd=folder,
        )  # fmt: skip
        assert self.process.stdout is not None
        told: dict[str, str] = {}
        for line in self.process.stdout:
            told |= dict(re.findall(r"\b(MID|TID|TMK)\s+(\w+)", line))
            if found := re.search(r"terminals:\s+(\S+)", line):
                told["host"] = found[1]
                break
        self.options = [
            "--host", told["host"], "--tid", told["TID"], "--mid", told["MID"], "--tmk", told["TMK"],
        ]  # fmt: skip

    def end(self) -> str:
        self.process.terminate()
        return self.process.communicate(timeout=30)[0]


@pytest.fixture
def acquirer(tmp_path: Path) -> Iterator[Acquirer]:
    serving = Acquirer(tmp_path)
    yield serving
    if serving.process.poll() is None:
        serving.end()


def test_a_sale_in_a_pipe(acquirer: Acquirer, tmp_path: Path) -> None:
    """Set up, signed in, sold; switched off; on again with its memory and not a word of set-up: reprinted, settled."""
    flash = ("--flash", str(tmp_path / "flash.bin"))
    status, out, err = run(SIGN_IN + SALE, *acquirer.options, *flash, cwd=tmp_path)
    assert (status, err) == (0, "")
    slip = out.split("== slip\n")[1]
    assert "金额:RMB 10.00" in slip and "卡号:622588******0097" in slip
    reprint = f"{chosen('reprint')}\nwait 重打印完成\nslip\nCANCEL\n"
    again = f"wait 欢迎使用\n{reprint}{chosen('settle')}\nwait 确认结算\nENTER\nwait 结算成功\n"
    status, out, err = run(again, *flash, cwd=tmp_path)
    assert (status, err) == (0, "")
    assert "金额:RMB 10.00" in out
    journal = acquirer.end()
    assert re.search(r"sale\s+10\.00\s+00", journal)
    assert "settlement" in journal


def test_by_tls_and_by_the_second_host(tmp_path: Path) -> None:
    """The first address refuses; at the second there is TLS, with a certificate on both sides."""
    serving = Acquirer(tmp_path, "--tls", str(tmp_path / "tls"), "--tls-clients")
    try:
        host, *identity = serving.options[1:]
        options = ["--host", NOBODY, "--host2", host, "--tls", str(tmp_path / "tls"), "--model", "HT-200", *identity]
        keys = "FUNC 3"  # sign-in on this model
        status, _out, err = run(f"wait 欢迎使用\n{keys}\nwait 签到成功\n", *options, cwd=tmp_path)
        assert (status, err) == (0, "")
    finally:
        assert "TLS" in serving.end()


def test_an_unknown_terminal_shows_97(acquirer: Acquirer, tmp_path: Path) -> None:
    options = [*acquirer.options[:2], "--tid", "97009999", "--mid", acquirer.options[5], "--tmk", TMK]
    status, out, _err = run(f"wait 欢迎使用\n{chosen('sign_in')}\nwait 应答码:97\n", *options, cwd=tmp_path)
    assert status == 0
    assert "终端未登记" in out


def test_an_identity_is_not_changed_over_stored_transactions(acquirer: Acquirer, tmp_path: Path) -> None:
    flash = ("--flash", str(tmp_path / "flash.bin"))
    assert run(SIGN_IN + SALE, *acquirer.options, *flash, cwd=tmp_path)[0] == 0
    assert run("", *acquirer.options, *flash, cwd=tmp_path)[0] == 0  # the same command again
    status, _out, err = run("", "--tid", "97000099", "--mid", acquirer.options[5], *flash, cwd=tmp_path)
    assert status == 2
    assert "refuses to set the identity: ERR 85" in err and "settle first" in err


def test_a_wait_in_vain_and_a_line_that_is_none(tmp_path: Path) -> None:
    status, _out, err = run("wait 欢迎使用\nwait 不会出现 0.2\n", cwd=tmp_path)
    assert (status, err) == (1, "hil97: waited 0.2 s in vain for 不会出现\n")
    status, _out, err = run("wait 欢迎使用\ndance\n", cwd=tmp_path)
    assert (status, err.splitlines()[0]) == (2, "hil97: <stdin>:2: 'dance' is neither a command nor a key")


def test_nobody_answers_is_no_97(tmp_path: Path) -> None:
    options = ["--host", NOBODY, "--tid", "97000001", "--mid", "898310097000001", "--tmk", TMK]
    status, out, _err = run(f"wait 欢迎使用\n{chosen('sign_in')}\nwait 连接失败 60\n", *options, cwd=tmp_path)
    assert status == 0
    assert "97" not in out.split("连接失败")[-1]


def lines_until(process: subprocess.Popen[str], pattern: str) -> list[str]:
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if re.search(pattern, line):
            return lines
    raise AssertionError(f"ended without {pattern}: {lines}")


def address_of(lines: list[str], label: str) -> tuple[str, int]:
    (found,) = (line.split(": ")[1].strip() for line in lines if label in line)
    host, _colon, port = found.rpartition(":")
    return host, int(port)


def test_serial_lines_on_tcp(tmp_path: Path) -> None:
    process = start("--serial", "tcp:0", "--tid", "97000001", "--mid", "898310097000001", cwd=tmp_path)
    lines = lines_until(process, "欢迎使用")
    with socket.create_connection(address_of(lines, "service port"), timeout=20) as service:
        service.sendall(b"IDENTITY\r\n")
        answer = b""
        while not answer.endswith(b"\r\n"):
            answer += service.recv(100)
    assert answer.startswith(b"OK TID=97000001 MID=898310097000001")
    with socket.create_connection(address_of(lines, "cashier link"), timeout=20) as cashier:
        cashier.sendall(b"\x02\x00\x01\x41\x03\x00")  # its LRC is wrong
        assert cashier.recv(1) == b"\x15"
    out, err = process.communicate("quit\n", timeout=60)
    assert (process.returncode, err) == (0, ""), out


def children_of(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if re.search(rf"^PPid:\t{pid}$", (entry / "status").read_text(), re.MULTILINE):
                    found.append(int(entry.name))
    return found


@pytest.mark.parametrize(
    ("ending", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 0), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_an_end_by_signal_leaves_nothing(tmp_path: Path, ending: signal.Signals, status: int) -> None:
    process = start("--flash", str(tmp_path / "flash.bin"), cwd=tmp_path)
    lines_until(process, "欢迎使用")
    (board,) = children_of(process.pid)
    cpus = children_of(board)
    assert cpus
    process.send_signal(ending)
    _out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (status, "")
    for pid in (board, *cpus):
        eventually(lambda pid=pid: not Path(f"/proc/{pid}").exists(), f"{pid} is gone")  # type: ignore[misc]
    assert run("wait 欢迎使用\n", "--flash", str(tmp_path / "flash.bin"), cwd=tmp_path)[0] == 0


def test_two_can_t_use_one_flash(tmp_path: Path) -> None:
    flash = ("--flash", str(tmp_path / "flash.bin"))
    first = start(*flash, cwd=tmp_path)
    lines_until(first, "欢迎使用")
    status, _out, err = run("", *flash, cwd=tmp_path)
    assert status == 2
    assert "the terminal can't be started" in err and "flash.bin" in err
    first.communicate("quit\n", timeout=60)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--model", "HT-1"], "there is no model HT-1; known: HT-100"),
        (["--host", "nowhere"], "'nowhere' is no ADDRESS:PORT"),
        (["--tid", "97000001"], "--tid and --mid belong together"),
        (["--tid", "9700", "--mid", "898310097000001"], "--tid has 8 letters or digits, not '9700'"),
        (["--tmk", "44" * 8], "--tmk: a key of 32 hexadecimal digits was expected, these are 16"),
        (["--tpdu", "6000030000"], "--tpdu belongs to --host"),
        (["--host", "127.0.0.1:1", "--tpdu", "60"], "--tpdu has 10 digits, not '60'"),
        (["--tls", "/no/such/folder"], "/no/such/folder/ca.pem: can't be read: No such file"),
        (["--tls", "x", "--link", "http"], "--tls is for --link tls, not http"),
        (["--link", "tls"], "a new terminal trusts no authority: --link tls needs --tls FOLDER"),
        (["--serial", "usb"], "--serial is pty or tcp:PORT, not 'usb'"),
        (["--time-scale", "0"], "--time-scale is from 0.01 to 1000, not 0"),
        (["--serial-number", ""], "--serial-number has 1 to 50 letters or digits, not ''"),
        (["--serial-number", "SN-é"], "--serial-number has 1 to 50 letters or digits, not 'SN-é'"),
        (["--set", "timeout"], "--set timeout: NAME=VALUE was expected"),
        (["--set", "timeout=0"], "the terminal refuses to set timeout: ERR 03"),
        (["--flash", "/no/such/folder/flash.bin"], "/no/such/folder: there is no such folder"),
        (["--flash", __file__], " bytes, this has "),
        (["--flash", __file__], "\n  Give the path of a flash, or one where nothing is"),
        (["--profile", "nothing"], "there is no profile nothing; known: aunz"),
        (["--lab-config", "elsewhere"], "known: none\n  There is no such folder. Start it in the project's folder"),
    ],
)
def test_options_that_can_t_be_used(tmp_path: Path, options: list[str], problem: str) -> None:
    status, out, err = run("quit\n", *options, cwd=tmp_path)
    assert (status, out) == (2, "")
    assert problem in err and "Traceback" not in err


def test_at_a_console(acquirer: Acquirer, tmp_path: Path) -> None:
    """Keys typed one by one, the screen drawn, the slip above it; q ends it and the console is as it was."""
    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (40, 120))
    before = termios.tcgetattr(theirs)
    process = subprocess.Popen(
        command("terminal", "run", *MODEL, *acquirer.options), stdin=theirs, stdout=theirs, stderr=theirs,
        env=environment(), cwd=tmp_path, start_new_session=True,
    )  # fmt: skip
    drawn = ""

    def until(text: str, keys: str) -> None:
        nonlocal drawn
        end = time.monotonic() + 60
        while text not in drawn:
            assert time.monotonic() < end, f"no {text} in {drawn[-2000:]!r}"
            if select.select([ours], [], [], 0.2)[0]:
                drawn += os.read(ours, 65536).decode("utf-8", "ignore")
        drawn = drawn[drawn.index(text) + len(text) :]
        os.write(ours, keys.encode())

    until("欢迎使用", "f")
    until("功能菜单", chosen("sign_in").removeprefix("FUNC ").replace(" ", ""))
    until("签到成功", "\x1b")
    until("欢迎使用", "\r")
    until("请输入金额", "1234")
    until("12.34", "\x7f5\r")
    until("请刷卡", ":dance\r")
    until("neither a command nor a key", "m")
    until("请输入密码", "\r")
    until("RMB 12.35", "")
    until("交易成功", "q")
    assert process.wait(60) == 0
    assert termios.tcgetattr(theirs) == before
    os.close(ours)
    os.close(theirs)
