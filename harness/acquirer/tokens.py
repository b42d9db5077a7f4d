"""Bearer tokens of the management API: from a file or the environment, never from the command line, where everybody
who lists processes could read them.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

from harness.acquirer.service import Tokens
from harness.errors import BadInput

MANAGING = "HIL97_API_TOKEN"
READING = "HIL97_API_READ_TOKEN"
SHORTEST = 16
_TOKEN = re.compile(rf"[A-Za-z0-9._~+/=-]{{{SHORTEST},}}")  # the characters of RFC 6750


def read_tokens(path: Path | None, environment: Mapping[str, str] = os.environ) -> Tokens:
    """The file's first line, its second being the token that may only look; without a file the environment's.

    Raises :class:`BadInput`, which never repeats what stands there.
    """
    if path is None:
        if MANAGING not in environment:
            raise BadInput(
                f"the management API needs a token, and {MANAGING} is not set",
                remedy="Set it in the environment, or give --api-token-file.",
            )
        return Tokens(_checked(environment[MANAGING], MANAGING), _optional(environment.get(READING, ""), READING))
    try:
        lines = path.read_text(encoding="ascii").split()
    except (OSError, ValueError) as error:
        raise BadInput(f"no readable token file: {error.__class__.__name__}", where=str(path)) from error
    if not 1 <= len(lines) <= 2:
        raise BadInput(f"it holds {len(lines)} lines, expected a token, and if wanted a second one", where=str(path))
    reading = _optional(lines[1], f"{path}:2") if len(lines) == 2 else ""
    return Tokens(_checked(lines[0], f"{path}:1"), reading)


def kept_tokens(path: Path) -> Tokens:
    """As :func:`read_tokens`; a file that is not there is made, readable for its owner alone, with a new token."""
    if not path.exists():
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise BadInput(f"can't be written: {error.strerror}", where=str(path)) from error
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
    return read_tokens(path)


def _optional(token: str, where: str) -> str:
    return _checked(token, where) if token else ""


def _checked(token: str, where: str) -> str:
    if not _TOKEN.fullmatch(token):
        raise BadInput(
            f"this is no token: at least {SHORTEST} letters, digits and - . _ ~ + / = are needed", where=where,
            remedy="for instance what `openssl rand -hex 32` prints",
        )
    return token
