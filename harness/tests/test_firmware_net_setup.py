"""``NET`` and names of hosts on the service port: what is taken, what is refused, and what outlives the power."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.terminal.cards import MAGNETIC
from harness.tests.firmware_bench import Bench

NAME = "acquirer.hil97.test"


@pytest.fixture
def terminal() -> Iterator[Bench]:
    with Bench() as made:
        made.terminal._service._has_interface = True  # the settings alone: no interface is touched by them
        yield made


@pytest.mark.parametrize(("line", "kept"), [
    ("NET DHCP", ("dhcp", "", "", "")),
    ("NET STATIC 10.97.0.2/24", ("static", "10.97.0.2/24", "", "")),
    ("NET STATIC 10.97.0.2/24 10.97.0.1", ("static", "10.97.0.2/24", "10.97.0.1", "")),
    ("NET STATIC 10.97.0.2/24 10.97.0.1 10.97.0.1,10.97.0.3",
     ("static", "10.97.0.2/24", "10.97.0.1", "10.97.0.1,10.97.0.3")),
    ("NET DNS 10.97.0.1", ("", "", "", "10.97.0.1")),
])
def test_settings_outlive_the_power(terminal: Bench, line: str, kept: tuple[str, ...]) -> None:
    assert terminal.serve(line) == f"OK {line}"
    terminal.reboot()
    state = terminal.state
    assert (state.network, state.address, state.router, state.dns) == kept
    assert terminal.serve("NET NONE") == "OK NET NONE"
    assert terminal.serve("NET?") == "OK NET NONE dns=none"


@pytest.mark.parametrize("line", [
    "NET", "NET X", "NET DHCP now", "NET STATIC", "NET STATIC 10.97.0.2", "NET STATIC 10.97.0.2/7",
    "NET STATIC 10.97.0.2/31", "NET STATIC 10.97.0.0/24", "NET STATIC 10.97.0.255/24", "NET STATIC 300.0.0.1/24",
    "NET STATIC 127.0.0.1/24", "NET STATIC 224.0.0.1/24", "NET STATIC 10.97.0.2/24 10.98.0.1",
    "NET STATIC 10.97.0.2/24 10.97.0.2", "NET STATIC 10.97.0.2/24 10.97.0.1 name",
    "NET DNS 1.2.3.4,2.2.2.2,3.3.3.3,4.4.4.4",
    "NET DNS 0.0.0.0", "NET STATIC 10.97.0.2/24 10.97.0.1 10.97.0.1 more", "NET STATIC 10.97.0.2/x",
])
def test_what_is_no_setting(terminal: Bench, line: str) -> None:
    assert terminal.serve(line).startswith("ERR 03 ")
    assert (terminal.state.network, terminal.state.dns) == ("", "")


def test_a_terminal_in_the_network_of_its_host_machine_touches_nothing_there() -> None:
    with Bench() as made:
        for line in ("NET DHCP", "NET STATIC 10.97.0.2/24"):
            assert made.serve(line) == "ERR 04 this terminal has no network interface of its own"
        assert made.serve("NET?") == "OK NET NONE dns=none"
        assert made.ready().till("05")["DF07"] == "00"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20), max_size=4))
def test_any_words(terminal: Bench, words: list[str]) -> None:
    answer = terminal.serve(" ".join(["NET", *words]))
    assert answer.startswith(("OK NET ", "ERR 01 ", "ERR 03 "))
    assert terminal.state.network in ("", "dhcp", "static")
    terminal.serve("NET NONE")


def test_a_host_by_its_name(terminal: Bench) -> None:
    assert terminal.serve(f"HOST {NAME} 8583 6000030000") == f"OK HOST {NAME} 8583 6000030000"
    assert terminal.serve(f"HOST2 {NAME} 8584") == f"OK HOST2 {NAME} 8584"
    terminal.reboot()
    assert (terminal.state.host, terminal.state.port, terminal.state.host2) == (NAME, 8583, NAME)


def test_a_name_that_can_not_be_resolved_is_a_communication_error(terminal: Bench) -> None:
    terminal.ready()
    terminal.serve(f"HOST {NAME} 8583 6000030000")
    answer = terminal.till("05")
    assert (answer["DF07"], answer["DF09"]) == ("Z1", "域名解析失败")
    assert terminal.shows("域名解析失败")() and not terminal.shows("应答码")()
    terminal.send_sale(1000)
    terminal.present(MAGNETIC)
    terminal.run(terminal.shows("请输入密码"))
    terminal.key("ENTER")
    answer = terminal.till_answer()
    assert (answer["DF07"], answer["DF09"]) == ("Z1", "域名解析失败")
    assert terminal.state.reversal is None, "nothing was sent, so nothing is to be reversed"
