"""Emulated instruments: servers with the physics that matters (docs/instruments-emulated.md).

``physics`` is pure, with a clock given from outside; ``scpi``, ``http`` and ``modbus`` are what they are spoken to
with; ``rig`` puts both together and lets the terminal on the bench feel it.
"""
