"""The SCPI that emulated instruments speak: as a manual has it, and whatever is sent to them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.instruments.emulated.faults import Faults
from harness.instruments.emulated.scpi.errors import TEXTS, ScpiError
from harness.instruments.emulated.scpi.language import units
from harness.instruments.emulated.scpi.server import Interpreter
from harness.instruments.emulated.scpi.status import LONGEST_QUEUE
from harness.instruments.emulated.scpi.tree import Command, Tree, action, headers, question, setting, switch
from harness.instruments.emulated.scpi.values import Span, boolean, number, shown


class Meter:
    """A small device: a voltage, a limit, an output, and something that takes time."""

    identity = ("HIL97", "METER", "1", "0")

    def __init__(self) -> None:
        self.faults = Faults()
        self.volts, self.amperes, self.on, self.busy = 1.0, 2.0, False, 0

    def commands(self) -> Iterable[Command]:
        def volts(value: float) -> None:
            self.volts = value

        def amperes(value: float) -> None:
            self.amperes = value

        def on(value: bool) -> None:
            self.on = value

        return [
            setting("[SOURce:]VOLTage[:LEVel]", Span(0, 300, 230, "V"), lambda: self.volts, volts),
            setting("[SOURce:]CURRent:LIMit", Span(0, 5, 5, "A"), lambda: self.amperes, amperes),
            switch("OUTPut[:STATe]", lambda: self.on, on),
            question("MEASure:VOLTage", lambda: shown(self.volts)),
            question("MEASure:CURRent", lambda: shown(self.amperes)),
            action("INITiate", self.trigger),
        ]

    def reset(self) -> None:
        self.volts, self.on = 1.0, False

    def trigger(self) -> None:
        self.busy = 3

    def pending(self) -> bool:
        return self.busy > 0

    def changed(self) -> None: ...
    def now(self) -> None:
        self.busy = max(0, self.busy - 1)


class Conversation:
    def __init__(self) -> None:
        self.meter = Meter()
        self.interpreter = Interpreter(self.meter, self._completed)

    async def _completed(self) -> None:
        self.meter.busy = 0

    def say(self, line: str | bytes) -> str | None:
        return asyncio.run(self.interpreter.execute(line.encode() if isinstance(line, str) else line))

    def errors(self) -> list[int]:
        found = []
        while (error := str(self.say("SYST:ERR?"))) != '0,"No error"':
            found.append(int(error.split(",")[0]))
        return found


@pytest.mark.parametrize(("line", "answer"), [
    ("*IDN?", "HIL97,METER,1,0"),
    ("*idn?", "HIL97,METER,1,0"),
    ("VOLT 5;VOLT?", "5"),
    ("source:voltage:level 5 v; :VOLT?", "5"),
    ("SOUR:VOLT 0.1KV;CURR:LIM 250 MA;:VOLT?;CURR:LIM?", "100;0.25"),
    ("SOURce1:VOLT 7;VOLT?", "7"),
    (":MEAS:VOLT?;CURR?", "1;2"),
    ("MEAS:VOLT?;*STB?;CURR?", "1;0;2"),
    ("VOLT? MAX;VOLT? MIN;VOLT? DEF", "300;0;230"),
    ("VOLT MAXIMUM;VOLT?", "300"),
    ("VOLT #H10;VOLT?", "16"),
    ("VOLT 2.5E1;VOLT?", "25"),
    ("VOLT\t2 ;;VOLT?", "2"),
    ("OUTP ON;OUTP?;OUTP OFF;OUTP?;OUTP 0.6;OUTP?", "1;0;1"),
    ("VOLT 9;*RST;VOLT?", "1"),
    ("SYST:VERS?", "1999.0"),
    ("", None),
    ("VOLT 3", None),
])
def test_a_line_is_answered_as_in_a_manual(line: str, answer: str | None) -> None:
    conversation = Conversation()
    assert conversation.say(line) == answer
    assert conversation.errors() == []


@pytest.mark.parametrize(("line", "error"), [
    ("FOO", -113), ("VOLT:FOO 1", -113), ("MEAS:VOLT 1", -113), ("*FOO?", -113), ("SOUR2:VOLT 1", -114),
    ("VOLT", -109), ("VOLT 1,", -109), ("VOLT 1,2", -108), ("OUTP? 1", -108), ("INIT 1", -108), ("*RST 1", -108),
    ("VOLT abc", -141), ("VOLT 'a'", -104), ("VOLT 'a", -151), ("VOLT 1 A", -131), ("*ESE 5 V", -138),
    ("VOLT 1E99999", -123), ("VOLT 301", -222), ("VOLT -1", -222), ("VOLT 1E300", -222), ("VOLT 1..2", -121),
    ("VOLT? 3", -141), ("5", -102), ("\u00e9", -101), ("VOLT\x7f", -101), ("OUTP MAYBE", -141), ("*ESE 256", -222),
    ("SOUR:VOLT 5;SLEW?", -113),
])
def test_what_is_wrong_is_not_answered_and_stands_in_the_queue(line: str, error: int) -> None:
    conversation = Conversation()
    assert conversation.say(line) is None
    assert conversation.errors() == [error]
    assert (conversation.meter.volts, conversation.meter.on) == (5.0 if line.startswith("SOUR:VOLT") else 1.0, False)


def test_behind_what_cannot_be_read_nothing_is_done_behind_what_cannot_be_done_it_is() -> None:
    conversation = Conversation()
    assert conversation.say("FOO;VOLT 5;VOLT?") is None
    assert conversation.say("VOLT 999;VOLT?") == "1"
    assert conversation.errors() == [-113, -222]


def test_status_registers() -> None:
    conversation = Conversation()
    assert conversation.say("*ESR?;*ESR?") == "128;0"  # power on, once
    conversation.say("FOO")
    conversation.say("VOLT 999")
    assert conversation.say("*ESE 48;*SRE 32;*STB?") == str(4 + 32 + 64)
    assert conversation.say("*ESR?") == str(32 + 16)
    assert conversation.say("SYST:ERR:COUN?;*CLS;*STB?;:SYST:ERR:COUN?") == "2;0;0"


def test_the_queue_overflows_at_its_end() -> None:
    conversation = Conversation()
    for _ in range(LONGEST_QUEUE + 5):
        conversation.say("FOO")
    assert conversation.errors() == [-113] * (LONGEST_QUEUE - 1) + [-350]


def test_completion_is_told_when_it_is_complete() -> None:
    conversation = Conversation()
    assert conversation.say("*CLS;INIT;*OPC;*ESR?") == "0"
    assert conversation.say("*ESR?") == "1"
    conversation.say("INIT")
    assert conversation.say("*OPC?") == "1"
    assert not conversation.meter.pending()


def test_one_that_has_failed_says_so() -> None:
    conversation = Conversation()
    conversation.meter.faults = conversation.meter.faults.with_("errors").with_("identity")
    assert conversation.say("*IDN?") == "OTHER,DEVICE,0,0"
    assert conversation.say("VOLT 5;VOLT?") is None
    assert conversation.errors() == [-310, -310]
    assert conversation.meter.volts == 1.0


WORDS = ["VOLT", "SOUR", ":", ";", "?", " ", "*", "*RST", "*OPC?", "OUTP", "ON", "1", "-", ".", "E9", "KV", ",", "'",
         '"', "#H", "MAX", "\t", "MEAS:VOLT?", "SYST:ERR?", "(", "@", "%", "\x00", "INIT", "CURR:LIM"]  # fmt: skip


@given(st.one_of(
    st.binary(max_size=200), st.lists(st.sampled_from(WORDS), max_size=12).map(lambda words: "".join(words).encode())
))
def test_no_line_ends_it(line: bytes) -> None:
    conversation = Conversation()
    answer = conversation.say(line)
    assert answer is None or (answer.isascii() and answer.isprintable())
    assert all(error in TEXTS for error in conversation.errors())
    assert 0 <= conversation.meter.volts <= 300
    assert conversation.say("*IDN?") == "HIL97,METER,1,0"


@given(st.floats(-300, 300).map(lambda value: round(value, 6)), st.sampled_from(["", "V", " KV", "mv"]))
def test_a_number_is_what_its_digits_and_its_unit_say(value: float, unit: str) -> None:
    factor = {"": 1.0, "V": 1.0, " KV": 1e3, "mv": 1e-3}[unit]
    assert number(f"{value:f}{unit}", "V") == pytest.approx(value * factor, abs=1e-9)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_what_is_answered_can_be_read(value: float) -> None:
    assert number(shown(value)) == pytest.approx(value, rel=1e-8)


@given(st.text(max_size=20))
def test_a_parameter_is_a_value_or_an_error(text: str) -> None:
    for read in (lambda: Span(0, 10, 5, "S").read(text), lambda: boolean(text), lambda: number(text, "HZ")):
        try:
            value = read()
        except ScpiError as error:
            assert error.number in TEXTS and error.entry.isascii()
        else:
            assert value == value


def test_mega_is_mega_with_hertz_only() -> None:
    assert (number("80MHZ", "HZ"), number("80MV", "V")) == (80e6, 0.08)


def test_a_pattern_is_all_the_ways_to_write_it() -> None:
    assert set(headers("[SOURce:]VOLTage[:LEVel]")) == {
        (*source, volts, *level) for source in ((), ("SOUR",), ("SOURCE",)) for volts in ("VOLT", "VOLTAGE")
        for level in ((), ("LEV",), ("LEVEL",))
    }


def test_a_tree_is_unambiguous() -> None:
    with pytest.raises(ValueError, match="VOLT is two commands"):
        Tree([action("VOLTage", lambda: None), action("[SOURce:]VOLT", lambda: None)])


def test_a_path_goes_on_where_the_one_before_left_the_tree() -> None:
    assert [unit.path for unit in units("A:B:C 1;D?;*CLS;E;:F;G")] == [
        ("A", "B", "C"), ("A", "B", "D"), ("*CLS",), ("A", "B", "E"), ("F",), ("G",)
    ]
