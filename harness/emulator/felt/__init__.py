"""What an emulated unit feels of its surroundings. Pure: time comes from outside, and what is left to chance follows
from the unit's serial number; the board (:mod:`harness.emulator.body`) wires it."""
