"""The service engineer of the driver: a terminal that is at work is asked again, others are not."""

from __future__ import annotations

from typing import Any, cast

import pytest

from harness.terminal.drivers import panel_hands
from harness.terminal.drivers.panel import PanelTerminal
from harness.terminal.links import ServicePort


class _Port:
    """Says ``answers`` one after the other, the last of them for ever."""

    def __init__(self, *answers: str) -> None:
        self.answers, self.asked = list(answers), 0

    def ask(self, command: str, deadline_s: float, **_: Any) -> str:
        self.asked += 1
        return self.answers[min(self.asked, len(self.answers)) - 1]


def _engineer(port: _Port, monkeypatch: pytest.MonkeyPatch) -> PanelTerminal:
    monkeypatch.setattr(panel_hands, "AGAIN_S", 0.001)
    terminal = object.__new__(PanelTerminal)
    terminal.service = cast(ServicePort, port)
    return terminal


def test_a_terminal_at_work_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    port = _Port("ERR 90 busy: a transaction is under way", "ERR 90 busy: a transaction is under way", "OK LINES 3")
    told = _engineer(port, monkeypatch)._served("BACKUP 00", patience_s=20.0)
    assert told.ok and told.text == "LINES 3" and port.asked == 3


def test_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    port = _Port("ERR 90 busy: a transaction is under way")
    told = _engineer(port, monkeypatch)._served("BACKUP 00", patience_s=0.01)
    assert told.code == "90" and port.asked > 1


@pytest.mark.parametrize("answer", ["ERR 90 busy: a transaction is under way", "ERR 85 transactions stored"])
def test_who_has_no_patience_asks_once(answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    port = _Port(answer, "OK 1")
    assert not _engineer(port, monkeypatch)._served("SET TID=1 MID=2").ok
    assert port.asked == 1
