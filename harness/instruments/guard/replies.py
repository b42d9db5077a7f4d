"""What is answered to a request."""

from __future__ import annotations

import base64
import json
from typing import Any

from harness.instruments.contracts import InstrumentError


def answered(result: object) -> dict[str, Any]:
    """What a method of a driver returned. Raises InstrumentError where it can't be told on."""
    if isinstance(result, bytes):
        return {"ok": True, "bytes": base64.b64encode(result).decode()}
    try:
        json.dumps(result)
    except (TypeError, ValueError) as error:
        raise InstrumentError(
            f"its driver returned what can't be told on: {type(result).__name__}",
            remedy="it must return numbers, texts, bytes, lists or dictionaries of them",
        ) from error
    return {"ok": True, "result": result}


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
