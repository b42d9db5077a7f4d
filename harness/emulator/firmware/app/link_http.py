"""A message in an HTTP request, its answer in the response. Pure: bytes in, bytes out.

The body is the frame with its length, as it would stand on a plain connection. An answer is a 200 with the content type
and a Content-Length; anything else is none.
"""

from __future__ import annotations

from . import codec

CONTENT_TYPE = "x-ISO-TPDU/x-auth"
_LONGEST_HEAD = 8192
_END_OF_HEAD = b"\r\n\r\n"
_OK = "200"


def request(frame: bytes, path: str, address: tuple[str, int]) -> bytes:
    """``frame`` with its length, as a POST to ``path``."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {address[0]}:{address[1]}\r\nUser-Agent: Donjin Http 0.1\r\n"
        f"Content-Type: {CONTENT_TYPE}\r\nContent-Length: {len(frame)}\r\n\r\n"
    )
    return head.encode("ascii") + frame


class Response:
    """Feed it until it is :attr:`over`; then ``content`` is that of the frame (without its length), or ``fault`` says
    why it is no answer."""

    def __init__(self) -> None:
        self.content = b""
        self.fault = ""
        self._held = b""
        self._length: int | None = None  # of the body, once the head is read

    @property
    def over(self) -> bool:
        return bool(self.content or self.fault)

    def feed(self, data: bytes) -> None:
        """The next bytes, in any pieces; those after the answer are left out."""
        if self.over:
            return
        self._held += data
        while self._length is None and not self.over and _END_OF_HEAD in self._held:
            head, _, self._held = self._held.partition(_END_OF_HEAD)
            self._read_head(head)
        if self._length is None:
            if len(self._held) > _LONGEST_HEAD:
                self.fault = "a head without end"
        elif len(self._held) >= self._length:
            self._read_body(self._held[: self._length])

    def _read_head(self, head: bytes) -> None:
        """A provisional response (1xx) is passed over."""
        first, *lines = head.decode("latin-1").split("\r\n")
        version, _, rest = first.partition(" ")
        status = rest[:3]
        if not (version in ("HTTP/1.0", "HTTP/1.1") and status.isdigit() and rest[3:4] in ("", " ")):
            self.fault = "not HTTP"
            return
        if len(head) > _LONGEST_HEAD:
            self.fault = "a head without end"
            return
        if status.startswith("1"):
            return
        if status != _OK:
            self.fault = f"status {status}"
            return
        headers: dict[str, list[str]] = {}
        for line in lines:
            name, colon, value = line.partition(":")
            if not colon or not name or name != name.strip():
                self.fault = "not HTTP"
                return
            headers.setdefault(name.lower(), []).append(value.strip(" \t"))
        kinds = {value.partition(";")[0].strip().lower() for value in headers.get("content-type", [])}
        lengths = set(headers.get("content-length", []))
        length = lengths.pop() if len(lengths) == 1 else ""
        if kinds != {CONTENT_TYPE.lower()}:
            self.fault = "another content type"
        elif "transfer-encoding" in headers or "content-encoding" in headers:
            self.fault = "an encoded body"
        elif not (length.isascii() and length.isdigit()) or len(length) > 6:
            self.fault = "no length of the body"
        else:
            self._length = int(length)
            if self._length > codec.LENGTH_SIZE + codec.LARGEST:
                self.fault = "a body longer than any message"

    def _read_body(self, body: bytes) -> None:
        length = int.from_bytes(body[: codec.LENGTH_SIZE], "big")
        if codec.SMALLEST <= length == len(body) - codec.LENGTH_SIZE:
            self.content = body[codec.LENGTH_SIZE :]
        else:
            self.fault = "the body is not one message"
