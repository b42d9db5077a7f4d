"""The emulated lab without root: who may enter, what a refusal says, and that nothing outlives it."""

from __future__ import annotations

import errno
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.errors import BadInput
from harness.lab import rootless
from harness.lab.entering import STEPS, enter, explain
from harness.lab.kernel import CAP_NET_ADMIN, CAP_NET_RAW, CAP_SYS_ADMIN
from harness.tests.lab_helpers import all_writers_gone, as_ordinary_user, give_up_all_capabilities
from harness.wire import netns
from harness.wire.interface import Interface
from harness.wire.topology import Topology

LAB_CAPABILITIES = 1 << CAP_NET_ADMIN | 1 << CAP_NET_RAW | 1 << CAP_SYS_ADMIN


def refused(action: Callable[[], object]) -> BadInput:
    with pytest.raises(BadInput) as caught:
        action()
    return caught.value


# -- entering ---------------------------------------------------------------------------------------------------------


def test_an_ordinary_user_can_probe() -> None:
    assert as_ordinary_user(rootless.probe) is None


def test_whoever_runs_this_can_probe_and_stays_where_they_were() -> None:
    before = netns.identity()
    rootless.probe()
    assert netns.identity() == before


def test_an_ordinary_user_enters_in_place_and_keeps_the_rights_for_programs() -> None:
    def visit() -> tuple[object, ...]:
        uid, before = os.geteuid(), netns.identity()
        rootless.enter_in_place()
        rootless.enter_in_place()  # nothing more to do
        shell = subprocess.run(["/bin/sh", "-c", "id -u; cat /proc/self/status"], capture_output=True, text=True)
        told = dict(line.split(":\t") for line in shell.stdout.splitlines() if line.startswith("Cap"))
        return (
            rootless.already_inside(),
            netns.identity() != before,
            os.geteuid() == uid,
            shell.stdout.splitlines()[0] == str(uid),
            int(told["CapEff"], 16) & LAB_CAPABILITIES,
            Interface("lo").is_up(),
        )

    assert as_ordinary_user(visit) == (True, True, True, True, LAB_CAPABILITIES, True)


def test_an_ordinary_user_builds_a_bench_inside() -> None:
    def visit() -> bool:
        rootless.enter_in_place()
        with Topology.build() as topology:
            topology.link(False)
            topology.link(True)
        return True

    assert as_ordinary_user(visit)


def test_a_mark_of_another_lab_is_not_believed() -> None:
    def visit() -> bool:
        os.environ[rootless.MARK] = "4:1"
        return rootless.already_inside()

    assert as_ordinary_user(visit) is False


def test_a_true_mark_without_the_rights_is_not_believed() -> None:
    def visit() -> bool:
        device, inode = netns.identity()
        os.environ[rootless.MARK] = f"{device}:{inode}"
        return rootless.already_inside()

    assert as_ordinary_user(visit) is False


# -- refusals, brought about for real ----------------------------------------------------------------------------------


def test_user_namespaces_switched_off() -> None:
    def visit() -> None:
        enter(process_namespace=False)
        Path("/proc/sys/user/max_user_namespaces").write_text("0")  # of this user namespace only
        give_up_all_capabilities()
        os.environ.pop(rootless.MARK)
        rootless.probe()

    message = str(refused(lambda: as_ordinary_user(visit)))
    assert "user.max_user_namespaces = 0 switches them off" in message
    assert "sysctl -w user.max_user_namespaces=" in message
    assert len(message.splitlines()) == 2


def test_no_room_for_network_namespaces() -> None:
    def visit() -> None:
        enter(process_namespace=False)
        Path("/proc/sys/user/max_net_namespaces").write_text("0")
        os.environ.pop(rootless.MARK)
        rootless.probe()

    assert "user.max_net_namespaces = 0" in str(refused(lambda: as_ordinary_user(visit)))


def test_forbidden_as_in_a_container() -> None:
    """The kernel answers EPERM to whoever lives in a chroot, as a container's seccomp filter does."""

    def visit() -> None:
        enter(process_namespace=False)
        os.chroot("/usr")
        give_up_all_capabilities()
        os.environ.pop(rootless.MARK)
        rootless.probe()

    message = str(refused(lambda: as_ordinary_user(visit)))
    assert "needs a user namespace" in message
    assert "container" in message and "--security-opt" in message


def test_too_late_because_there_are_threads() -> None:
    def visit() -> None:
        stop = threading.Event()
        threading.Thread(target=stop.wait, daemon=True).start()
        try:
            rootless.enter_in_place()
        finally:
            stop.set()

    message = str(refused(lambda: as_ordinary_user(visit)))
    assert "more than one thread" in message and "hil97 run" in message


# -- refusals that this machine can't bring about ----------------------------------------------------------------------

SETTINGS = {
    "apparmor": {"kernel/apparmor_restrict_unprivileged_userns": "1"},
    "debian": {"kernel/unprivileged_userns_clone": "0"},
    "limit": {"user/max_user_namespaces": "5"},
}


@pytest.mark.parametrize(
    ("step", "number", "settings", "cause", "remedy"),
    [
        ("identity", errno.EPERM, "apparmor", "AppArmor", "kernel.apparmor_restrict_unprivileged_userns=0"),
        ("user namespace", errno.EACCES, "apparmor", "AppArmor", "kernel.apparmor_restrict_unprivileged_userns=0"),
        ("identity", errno.EPERM, None, "containers", "--security-opt"),
        ("network namespace", errno.EPERM, "apparmor", "AppArmor", "kernel.apparmor_restrict_unprivileged_userns=0"),
        ("user namespace", errno.EPERM, "debian", "userns_clone = 0", "kernel.unprivileged_userns_clone=1"),
        ("user namespace", errno.EPERM, None, "containers", "--security-opt"),
        ("user namespace", errno.ENOSPC, "limit", "No space left", "user.max_user_namespaces=10000"),
        ("veth", errno.EOPNOTSUPP, None, "veth", "modprobe veth"),
        ("bridge", errno.EOPNOTSUPP, None, "bridge", "modprobe bridge"),
        ("packet socket", errno.EAFNOSUPPORT, None, "packet socket", "modprobe af_packet"),
        ("loopback", errno.ENODEV, None, "loopback", "ENODEV"),
    ],
)
def test_each_cause_has_one_sentence_and_a_remedy(
    step: str, number: int, settings: str | None, cause: str, remedy: str
) -> None:
    there = SETTINGS.get(settings or "", {})
    error = explain(step, number, read=lambda name: there.get(name, ""))
    assert cause in error.message and remedy in error.remedy
    assert "\n" not in error.message and "\n" not in error.remedy


@pytest.mark.parametrize("step", STEPS)
def test_every_refusal_of_every_step_is_explained(step: str) -> None:
    for number in errno.errorcode:
        error = explain(step, number, read=lambda name: "")
        assert STEPS[step] in error.message and error.remedy


# -- contained ---------------------------------------------------------------------------------------------------------


def outer(argv: list[str], *, pass_fds: tuple[int, ...] = ()) -> subprocess.Popen[str]:
    """A process like ``hil97 run``: it runs ``argv`` contained and exits with its status."""
    program = (
        "import os, sys\nfrom harness.lab.rootless import run_contained\n"
        "for fd in map(int, sys.argv[1].split(',')) if sys.argv[1] else (): os.set_inheritable(fd, True)\n"
        "sys.exit(run_contained(sys.argv[2:], dict(os.environ)))"
    )
    fds = ",".join(map(str, pass_fds))
    return subprocess.Popen(
        [sys.executable, "-c", program, fds, *argv],
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
        pass_fds=pass_fds,
    )


def test_the_program_is_inside_and_its_status_comes_back() -> None:
    inside = (
        "import os, sys\nfrom harness.lab import rootless\n"
        "print(os.getppid(), rootless.already_inside())\nsys.exit(7)"
    )
    process = outer([sys.executable, "-c", inside])
    output, _ = process.communicate(timeout=30)
    assert output == "1 True\n"
    assert process.returncode == 7


def test_an_ordinary_user_runs_contained() -> None:
    program = ["/bin/sh", "-c", "read address < /proc/self/comm && exit 9"]
    assert as_ordinary_user(lambda: rootless.run_contained(program, dict(os.environ))) == 9


def test_stdin_and_stdout_are_the_programs() -> None:
    output, _ = outer(["cat"]).communicate("sign-in\n", timeout=30)
    assert output == "sign-in\n"


def test_the_end_by_a_signal_comes_back_as_a_shell_would_say_it() -> None:
    process = outer(["/bin/sh", "-c", "kill -SEGV $$"])
    process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGSEGV


def test_a_program_that_can_not_be_started() -> None:
    error = refused(lambda: rootless.run_contained(["/nonexistent/pytest"], dict(os.environ)))
    assert str(error) == "/nonexistent/pytest: can't be started: No such file or directory"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_are_passed_on_once(number: signal.Signals) -> None:
    inside = (
        "import signal, sys\nsignal.pthread_sigmask(signal.SIG_BLOCK, [2, 1, 15])\nprint('ready', flush=True)\n"
        "first = signal.sigwait([2, 1, 15])\n"
        "again = signal.sigtimedwait([2, 1, 15], 0.3)\nsys.exit(first + (100 if again else 0))"
    )
    process = outer([sys.executable, "-c", inside])
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    process.send_signal(number)
    process.communicate(timeout=30)
    assert process.returncode == number


def test_kill_9_of_the_outer_process_leaves_nothing() -> None:
    """Not even a daemon: in a session of its own, its parent long gone, every signal ignored."""
    reader, writer = os.pipe()
    inside = "trap '' TERM HUP INT; setsid sh -c 'sleep 600 & sleep 600' & sleep 600 & echo ready; wait"
    process = outer(["/bin/sh", "-c", inside], pass_fds=(writer,))
    os.close(writer)
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    assert not select.select([reader], [], [], 0)[0]
    process.kill()
    process.wait()
    assert all_writers_gone(reader), "somebody inside still holds the pipe"
    os.close(reader)
    process.stdout.close()


def test_the_end_of_the_program_ends_what_it_left_behind() -> None:
    reader, writer = os.pipe()
    process = outer(["/bin/sh", "-c", "setsid sleep 600 & exit 3"], pass_fds=(writer,))
    os.close(writer)
    process.communicate(timeout=30)
    assert process.returncode == 3
    assert all_writers_gone(reader)
    os.close(reader)


def test_orphans_inside_are_reaped() -> None:
    inside = """
import os, time
reader, writer = os.pipe()
if os.fork() == 0:
    orphan = os.fork()
    if orphan == 0:
        os._exit(0)
    os.write(writer, str(orphan).encode())
    os._exit(0)
os.wait()
orphan = int(os.read(reader, 20))
deadline = time.monotonic() + 10
while time.monotonic() < deadline:
    try:
        os.kill(orphan, 0)
    except ProcessLookupError:
        print("reaped")
        break
    time.sleep(0.01)
"""
    output, _ = outer([sys.executable, "-c", inside]).communicate(timeout=30)
    assert output == "reaped\n"
