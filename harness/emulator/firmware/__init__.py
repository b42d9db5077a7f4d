"""Firmware sources: the reference application in ``app`` and, beside it, defective ones."""
