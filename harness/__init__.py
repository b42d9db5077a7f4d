"""hil97: hardware-in-the-loop tests for payment terminals, response code 97 and the recovery from it."""

__version__ = "0.4.0"
