"""The probe: does on request whatever the tests of the hardware need to see."""
