"""What this application calls itself where the boot loader does not say which image it booted."""

from __future__ import annotations

NAME, VERSION = "reference", "1.0.0"
YEAR = 2026  # of its release: no clock says an earlier one
