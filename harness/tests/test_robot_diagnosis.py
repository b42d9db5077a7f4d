"""The keywords about a diagnosis say no where they must; that they say yes is shown by suites/robot/diagnosis.robot."""

from collections.abc import Callable

import pytest

from harness.diagnosis.judging import Diagnosis, Evidence, Fit
from harness.errors import BadInput
from harness.robot.diagnosis import DiagnosisLibrary
from harness.robot.library import _raised

SEEN = (Evidence("code_97", "", (3,)),)
TWO = Diagnosis("outside", (Fit("not_registered", 0.7, SEEN), Fit("under_review", 0.3, SEEN)), SEEN)
ONE = Diagnosis("host", (Fit("not_registered", 1.0, SEEN),), SEEN)
NONE = Diagnosis("outside", (), SEEN)


def library(found: Diagnosis | None) -> DiagnosisLibrary:
    one = DiagnosisLibrary()
    one._found = found
    return one


def test_what_is_so() -> None:
    library(TWO).first("not registered")
    library(TWO).among("Under review")
    library(TWO).uncertain()
    library(ONE).certain()
    library(NONE).uncertain()


@pytest.mark.parametrize(
    ("found", "say", "told"),
    [
        (TWO, lambda one: one.first("under review"), r"held for not registered \(70 %\), registration pending"),
        (TWO, lambda one: one.among("keys"), "what fits is not registered"),
        (TWO, lambda one: one.certain(), "nothing is certain"),
        (ONE, lambda one: one.uncertain(), r"it is certain: not registered \(100 %\)"),
        (NONE, lambda one: one.first("not registered"), "held for not known"),
        (NONE, lambda one: one.among("not registered"), "what fits is not known"),
        (NONE, lambda one: one.certain(), "nothing is certain"),
        (None, lambda one: one.certain(), "nobody has looked yet"),
        (None, lambda one: one.ask(), "nobody has looked yet"),
        (ONE, lambda one: one.first("bad luck"), "no cause 'bad luck'; known: not_registered, "),
    ],
)
def test_what_is_not_so(found: Diagnosis | None, say: Callable[[DiagnosisLibrary], None], told: str) -> None:
    with pytest.raises(AssertionError, match=told):
        say(library(found))


def test_a_new_test_begins_without_a_look() -> None:
    one = library(ONE)
    one.start_test(None, None)
    with pytest.raises(AssertionError, match="nobody has looked yet"):
        one.certain()


def test_of_what_ended_a_test_robot_tells_the_message_alone() -> None:
    """A profile that there is not is no fault of the terminal's, whoever asked for it."""
    told = _raised("BadInput: stress: there is no stress profile typhoon; known: burst\n  look there")
    assert isinstance(told, BadInput) and str(told).startswith("stress: there is no") and "look there" in str(told)
    for message in ("expected a refusal with 97; got ok", "TerminalTimeout: waited 5.0 s for idle", "No keyword", ""):
        assert isinstance(_raised(message), AssertionError) and str(_raised(message)) == message
