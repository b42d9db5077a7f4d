"""What is answered to a request that was not done."""

from __future__ import annotations

from typing import Any

from harness.instruments.contracts import InstrumentError


def refused(what: str, remedy: str) -> dict[str, Any]:
    return {"ok": False, "what": what, "remedy": remedy, "refused": True}


def failed(what: str, remedy: str, *, trouble: bool) -> dict[str, Any]:
    return {"ok": False, "what": what, "remedy": remedy, "refused": False, "trouble": trouble}


def told(error: Exception) -> tuple[str, str]:
    """What went wrong and what to do, also where a driver raised something of its own."""
    if isinstance(error, InstrumentError):
        return error.what, error.remedy
    text = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return f"its driver failed: {text}", "look at logs/instruments.log"
