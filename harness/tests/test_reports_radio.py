"""What the page says of a modem, in both languages."""

from __future__ import annotations

from typing import Any

import pytest

from harness.history.events import Radio
from harness.reports.tell import _radio

FINE: dict[str, Any] = {
    "signal": "good", "sim": "present", "registration": "home", "data": "granted", "registered": True, "session": True,
}


@pytest.mark.parametrize(("other", "english", "chinese"), [
    ({}, "modem: data session", "通讯模块：数据连接已建立"),
    ({"signal": "weak"}, "modem: data session, signal weak", "通讯模块：数据连接已建立, 信号弱"),
    ({"session": False}, "modem: registered, no data session", "通讯模块：已注册，无数据连接"),
    ({"session": False, "registered": False}, "modem: looks for its network", "通讯模块：正在搜索网络"),
    ({"session": False, "registered": False, "signal": "none"}, "modem: no signal", "通讯模块：无信号"),
    ({"session": False, "registered": False, "sim": "missing"}, "modem: no SIM", "通讯模块：未插 SIM 卡"),
    ({"session": False, "registered": False, "registration": "denied"}, "modem: not let into the network",
     "通讯模块：网络拒绝注册"),
    ({"session": False, "data": "refused"}, "modem: no data session granted", "通讯模块：网络拒绝数据连接"),
])
def test_a_modem_is_told_by_what_is_in_its_way(other: dict[str, Any], english: str, chinese: str) -> None:
    told = _radio(Radio(t=1, **(FINE | other)))
    assert (told.en, told.zh) == (english, chinese)
