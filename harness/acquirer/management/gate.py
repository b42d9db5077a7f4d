"""What stands before every route: the bearer token, and the size of the request."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from harness.acquirer.service import Tokens

LARGEST_BODY = 64 * 1024
_LOOKING = ("GET", "HEAD", "OPTIONS")


class Gate:
    """401 without one of our tokens, 403 for the reading one where something would change, 413 for a large body.

    It stands before the parsing: who has no token learns nothing about what a right request looks like.
    """

    def __init__(self, app: ASGIApp, *, tokens: Tokens, open_paths: Sequence[str]) -> None:
        self._app, self._tokens, self._open = app, tokens, frozenset(open_paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or (scope["path"] in self._open and scope["method"] in _LOOKING):
            await self._app(scope, receive, send)
            return
        status, error = self._judge(scope)
        body = b"" if status else await _body(receive)
        if body is None:
            status, error = 413, f"a request has at most {LARGEST_BODY} bytes"
        if status:
            await _refuse(send, status, error)
            return
        unread = True

        async def again() -> Message:
            nonlocal unread
            if not unread:
                return await receive()
            unread = False
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, again, send)

    def _judge(self, scope: Scope) -> tuple[int, str]:
        given = b""
        for name, value in scope["headers"]:
            if name == b"authorization":
                given = value
        scheme, _, token = given.partition(b" ")
        if scheme.lower() != b"bearer" or not token:
            return 401, "a bearer token is needed"
        # Both are compared always, and in constant time.
        managing = secrets.compare_digest(token, self._tokens.managing.encode())
        reading = secrets.compare_digest(token, self._tokens.reading.encode()) and bool(self._tokens.reading)
        if managing:
            return 0, ""
        if not reading:
            return 401, "this is not the token"
        return (0, "") if scope["method"] in _LOOKING else (403, "this token may only look")


async def _body(receive: Receive) -> bytes | None:
    """The whole body; None: too large."""
    body: bytes = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > LARGEST_BODY:
            return None
        if message["type"] == "http.disconnect" or not message.get("more_body"):
            return body


async def _refuse(send: Send, status: int, error: str) -> None:
    headers = [(b"content-type", b"application/json")]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if status == 413:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps({"error": error, "problems": []}).encode()})
