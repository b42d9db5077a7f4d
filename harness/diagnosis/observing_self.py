"""Signs that the terminal gives of itself: screens, results, power, service port; and what instruments read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from math import inf

from harness.checkers.observing import STOPPED, quoted
from harness.checkers.reading import FINANCIAL_OPERATIONS, Reading
from harness.checkers.shown import codes_shown, contains_any
from harness.diagnosis.judging import Seen
from harness.diagnosis.observing_wire import askers, last_asker, sign_of_code
from harness.history.diagnosis_events import Asked
from harness.history.events import OperationCompleted, OperationInvoked, Screen, Service
from harness.history.instrument_events import Readings
from harness.terminal.surroundings import Surroundings

SAYS: Mapping[str, tuple[str, ...]] = {  # sign -> texts of the screen, in the words of the emulated models
    "told_no_connection": ("连接失败",),
    "told_no_network": ("网络未就绪",),
    "told_no_name": ("域名解析失败",),
    "told_no_sim": ("未插SIM卡",),
    "told_no_signal": ("无信号",),
    "told_radio_refused": ("网络注册失败",),
    "told_no_session": ("数据连接失败",),
    "told_modem_silent": ("通讯模块故障",),
    "told_no_answer": ("通讯超时", "无应答"),
    "told_invalid": ("应答无效",),
    "told_sign_in_first": ("请先签到",),
    "told_keys": ("密钥错误",),
    "told_blank": ("请先设置",),
    "told_broken": ("存储故障",),
    "told_software": ("固件损坏", "自检失败", "数据被改"),
    "told_hot": ("过热",),
    "told_again": ("请重新刷卡", "读卡错误"),
}
NO_FAULT = (*SAYS["told_hot"], *SAYS["told_again"])  # of a part, and not that it is broken
RESULTS: Mapping[str, str] = {  # at the till, where no screen says more
    "Z1": "told_no_connection", "Z2": "told_no_answer", "Z3": "told_invalid", "Z4": "told_sign_in_first",
}
MISREAD = 3  # so often in one operation is more than a hasty hand
UNREADABLE = 8  # cells of a screen that no one can read
_NET = re.compile(r"OK NET (?P<how>NONE|STATIC|DHCP)(?: (?P<rest>.*))?$")
_IDENTITY = re.compile(r"OK TID=(?P<tid>\S*) MID=(?P<mid>\S*) SN=(?P<serial>\S*)")
_RANGES = ("temperature_c", "humidity_pct", "voltage_v")


def screens(reading: Reading) -> Iterator[Seen]:
    """What each screen says."""
    surroundings = reading.model.surroundings
    parts = {} if surroundings is None else surroundings.texts
    asked = askers(reading)
    for screen in reading.screens:
        for sign, texts in SAYS.items():
            if contains_any(screen.lines, texts):
                yield Seen(sign, (screen.seq,), screen.t, quoted(screen))
        for part, words in parts.items():
            text = contains_any(screen.lines, words)
            if text is not None and not contains_any([text], NO_FAULT):
                yield Seen("told_tampered" if part == "tamper" else "told_broken", (screen.seq,), screen.t, part)
        if screen.unreadable >= UNREADABLE:
            yield Seen("unreadable", (screen.seq,), screen.t)
        yield from _codes(reading, screen, asked)


def _codes(reading: Reading, screen: Screen, asked: Sequence[tuple[int, str]]) -> Iterator[Seen]:
    for code in codes_shown(screen.lines, reading.profile.texts.code_labels):
        if code in reading.profile.success:
            continue
        sign = sign_of_code(code, reading.profile, card=False)
        if sign is not None:
            yield Seen(sign, (screen.seq,), screen.t, code, last_asker(asked, 0, screen.t))


def unread(reading: Reading) -> Iterator[Seen]:
    """A card that it did not read, however often it was held out in one operation."""
    for operation in reading.operations:
        if operation.completed is None:
            continue
        during = reading.screens_between(operation.t, operation.done + 1)
        texts = [(contains_any(screen.lines, SAYS["told_again"]), screen) for screen in during]
        again = [next(screens)[1] for text, screens in groupby(texts, key=lambda pair: pair[0]) if text is not None]
        if len(again) >= MISREAD:
            yield Seen("told_unread", tuple(screen.seq for screen in again), again[-1].t, quoted(again[-1]))


def told(reading: Reading) -> Iterator[Seen]:
    """How operations ended, by the terminal's own word."""
    asked = askers(reading)
    names = {event.op: event for event in reading.all(OperationInvoked)}
    signing_in = min((event.t for event in names.values() if event.name == "sign_in"), default=reading.end + 1)
    for event in reading.all(OperationCompleted):
        invoked = names.get(event.op)
        if event.detail in STOPPED:
            continue
        if event.outcome == "ok" and invoked is not None:
            signs = ["sign_in_done"] if invoked.name == "sign_in" else []
            if invoked.name in FINANCIAL_OPERATIONS:
                signs = ["money_approved", *(["money_at_once"] if event.t < signing_in else [])]
            of = last_asker(asked, invoked.t, event.t) if signs else ""
            yield from (Seen(sign, (invoked.seq, event.seq), event.t, "", of) for sign in signs)
        elif event.outcome == "unknown":
            yield Seen("told_nothing", (event.seq,), event.t, "" if invoked is None else invoked.name)
        elif (event.code or "") in RESULTS:
            yield Seen(RESULTS[event.code or ""], (event.seq,), event.t, event.code or "")


def unanswered(reading: Reading) -> Iterator[Seen]:
    """It was asked something, and nothing came."""
    for event in reading.all(Asked):
        if not event.answered:
            yield Seen("told_nothing", (event.seq,), event.t, event.question)


def power(reading: Reading) -> Iterator[Seen]:
    """It went off, and nobody had switched it. (Why, only the board knows.)"""
    for event in reading.powers:
        if event.state == "off" and event.reason not in ("operator", "cut"):
            yield Seen("restarted", (event.seq,), event.t)


def service(reading: Reading) -> Iterator[Seen]:
    """What it says to an engineer."""
    for event in reading.all(Service):
        if event.direction != "from_terminal":
            continue
        identity, net = _IDENTITY.match(event.text), _NET.match(event.text)
        if identity and not (identity["tid"].strip() and identity["mid"].strip()):
            yield Seen("identity_blank", (event.seq,), event.t)
        if net and "dns=" in event.text:  # an answer to NET?, not to a setting
            rest = net["rest"] or ""
            if net["how"] == "NONE":
                yield Seen("net_none", (event.seq,), event.t)
            elif net["how"] == "DHCP" and "/" not in rest:
                yield Seen("net_no_lease", (event.seq,), event.t, rest.split(" ")[0])
            if "modem=" in rest and "modem=up" not in rest:
                yield Seen("net_modem_down", (event.seq,), event.t, rest[rest.index("modem=") :])


def readings(reading: Reading) -> Iterator[Seen]:
    """Temperature, humidity, supply and field against what the model declares; generators that strike."""
    surroundings = reading.model.surroundings
    if surroundings is None:
        return
    inside: list[tuple[Readings, str, float]] = []
    outside: list[tuple[Readings, str, float]] = []
    for event in reading.all(Readings):
        for quantity, value in event.values.items():
            if quantity in _RANGES:
                (inside if _within(surroundings, quantity, value) else outside).append((event, quantity, value))
            elif quantity == "field_v_m" and value > _borne_v_m(surroundings):
                outside.append((event, quantity, value))
    struck = list(_striking(reading.all(Readings)))
    yield from struck
    for event, quantity, value in outside:
        yield Seen("out_of_range", (event.seq,), event.t, f"{quantity} {value:g}")
    if inside and not outside and not struck:
        event = inside[-1][0]
        yield Seen("in_range", (event.seq,), event.t)


def _within(surroundings: Surroundings, quantity: str, value: float) -> bool:
    declared = getattr(surroundings, quantity)
    return bool(declared.low <= value <= declared.high)


def _borne_v_m(surroundings: Surroundings) -> float:
    """The strongest field at which it is declared to work on; inf: nothing is declared."""
    return max((one.level for one in surroundings.immunity if (one.sort, one.criterion) == ("field", "A")), default=inf)


def _striking(events: Iterable[Readings]) -> Iterator[Seen]:
    """Generators whose count of pulses rises. (What they were told is no evidence.)"""
    before: dict[str, float] = {}
    for event in events:
        pulses = event.values.get("pulses")
        if pulses is None:
            continue
        if pulses > before.get(event.instrument, inf):
            yield Seen("struck", (event.seq,), event.t, event.instrument)
        before[event.instrument] = pulses
