"""A small SCPI server: reading (``language``), values and units (``values``), command trees (``tree``), status and
error queue (``status``), conversations (``server``). IEEE 488.2 and SCPI-99 are what it keeps to, as far as it goes.
"""
