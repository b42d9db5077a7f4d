"""Messages in HTTP as the tap, the acquirer and the terminal read them: three parsers, in any pieces."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.acquirer.http import HttpFraming
from harness.emulator.firmware.app import link_http
from harness.tests.links_helpers import Seen, message
from harness.wire.layers import TO_ACQUIRER, TO_TERMINAL

PATH = "/mjc/webtrans/VPB_lb"
REQUEST, ANSWER = message(60), message(90)
KIND = b"x-ISO-TPDU/x-auth"


def response(
    body: bytes = ANSWER, *, status: bytes = b"200 OK", kind: bytes = KIND, length: int | None = None,
    extra: bytes = b"",
) -> bytes:
    size = b"%d" % (len(body) if length is None else length)
    return b"HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %s\r\n%s\r\n%s" % (status, kind, size, extra, body)


def chunked(body: bytes = ANSWER) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nTransfer-Encoding: chunked\r\n\r\n" % KIND
    return head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)


def pieces(data: bytes, places: set[int]) -> list[bytes]:
    cuts = sorted({0, len(data), *(place for place in places if place < len(data))})
    return [data[start:end] for start, end in itertools.pairwise(cuts)]


PLACES = st.sets(st.integers(1, 400), max_size=8)
WRONG = {
    "status": (response(status=b"500 Internal Server Error"), "status 500"),
    "no words": (response(status=b"503"), "status 503"),
    "kind": (response(kind=b"text/html"), "content type 'text/html'"),
    "two messages": (response(ANSWER + ANSWER), "a body of 184 bytes that is not one message"),
    "half a message": (response(ANSWER[:50]), "a body of 50 bytes that is not one message"),
    "nothing": (response(b""), "a body of 0 bytes that is not one message"),
    "chunked": (chunked(), "an encoded body"),
    "compressed": (response(extra=b"Content-Encoding: gzip\r\n"), "an encoded body"),
}


# -- the terminal's ----------------------------------------------------------------------------------------------------


def read(data: bytes, places: set[int] | frozenset[int] = frozenset()) -> link_http.Response:
    reader = link_http.Response()
    for piece in pieces(data, set(places)):
        reader.feed(piece)
    return reader


@given(PLACES, st.booleans(), st.binary(max_size=20))
def test_the_terminal_reads_an_answer_in_any_pieces(places: set[int], provisional: bool, after: bytes) -> None:
    data = (b"HTTP/1.1 100 Continue\r\n\r\n" if provisional else b"") + response() + after
    reader = read(data, places)
    assert (reader.content, reader.fault, reader.over) == (ANSWER[2:], "", True)


@given(PLACES, st.sampled_from(sorted(WRONG)))
def test_the_terminal_takes_nothing_else_for_one(places: set[int], which: str) -> None:
    reader = read(WRONG[which][0], places)
    assert reader.over and reader.fault and not reader.content


@pytest.mark.parametrize("head", [
    b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\n\r\n" % KIND,
    b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: 92\r\nContent-Length: 93\r\n\r\n" % KIND,
    b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: -1\r\n\r\n" % KIND,
    b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: 99999\r\n\r\n" % KIND,
    b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\n folded\r\nContent-Length: 92\r\n\r\n" % KIND,
    b"HTTP/2 200 OK\r\n\r\n", b"HTTP/1.1 2000 OK\r\n\r\n", b"\r\n\r\n", b"x" * 9000,
])
def test_heads_that_are_none(head: bytes) -> None:
    reader = read(head + ANSWER)
    assert reader.fault and not reader.content


def test_a_body_that_is_shorter_than_announced_is_no_answer() -> None:
    reader = read(response(ANSWER[:40], length=len(ANSWER)))
    assert not reader.over


@given(st.binary(max_size=300), PLACES)
def test_any_bytes_at_the_terminal(data: bytes, places: set[int]) -> None:
    whole, cut = read(data), read(data, places)
    assert (whole.content, bool(whole.fault)) == (cut.content, bool(cut.fault))


# -- the acquirer's ----------------------------------------------------------------------------------------------------


def post(body: bytes = REQUEST) -> bytes:
    return link_http.request(body, PATH, ("10.97.0.1", 8583))


def test_the_request_is_as_public_sources_show_it() -> None:
    head, _, body = post().partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    assert first == b"POST /mjc/webtrans/VPB_lb HTTP/1.1"
    assert {b"User-Agent: Donjin Http 0.1", b"Content-Type: x-ISO-TPDU/x-auth", b"Content-Length: 62"} <= set(lines)
    assert body == REQUEST


@given(PLACES)
def test_the_acquirer_takes_requests_in_any_pieces_one_after_the_other(places: set[int]) -> None:
    framing = HttpFraming(PATH)
    found = []
    for piece in pieces(post() + post(message(33)), places):
        found += list(framing.split(piece))
    assert [one.data for one in found] == [REQUEST], "the second waits for the answer to the first"
    first = read(framing.answer(ANSWER))
    assert first.content == ANSWER[2:]
    assert [one.data for one in framing.split(b"")] == [message(33)]
    assert not framing.over and framing.rest == b""


@pytest.mark.parametrize(("request_", "status"), [
    (post().replace(b"VPB_lb", b"other"), b"404"), (post().replace(b"POST", b"PUT"), b"405"),
    (post().replace(b"x-auth", b"x-other"), b"415"), (post(REQUEST[:40]), b"400"), (post(b""), b"400"),
    (post(bytes(9000)), b"413"), (b"nonsense\r\n\r\n", b"400"), (post().replace(b"62", b"-2"), b"400"),
])
def test_what_is_no_request_is_refused(request_: bytes, status: bytes) -> None:
    framing = HttpFraming(PATH)
    (garbage,) = framing.split(request_)
    assert garbage.reason.startswith("HTTP: ") and garbage.data == request_
    assert framing.refusal().startswith(b"HTTP/1.1 " + status)
    assert framing.over and list(framing.split(b"more")) == []


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_any_bytes_at_the_acquirer(data: list[bytes]) -> None:
    framing = HttpFraming(PATH)
    for piece in data:
        for found in framing.split(piece):
            assert found.reason and isinstance(framing.refusal(), bytes)


def test_the_rest_of_a_request() -> None:
    framing = HttpFraming(PATH)
    whole = post()
    assert list(framing.split(whole[:-1])) == [] and framing.rest == whole[:-1]
    assert len(list(framing.split(whole[-1:]))) == 1 and framing.rest == b""


# -- the tap's ---------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(PLACES, st.integers(1, 3))
def test_the_tap_sees_the_frames(places: set[int], times: int) -> None:
    seen = Seen("http")
    for _ in range(times):
        for piece in pieces(post(), places):
            seen.send(TO_ACQUIRER, piece)
        for piece in pieces(response(), places):
            seen.send(TO_TERMINAL, piece)
    assert seen.frames == [(TO_ACQUIRER, REQUEST), (TO_TERMINAL, ANSWER)] * times
    assert seen.close().scraps == []


@settings(deadline=None)
@given(PLACES, st.sampled_from(sorted(WRONG)))
def test_the_tap_tells_an_answer_that_is_none_as_bytes(places: set[int], which: str) -> None:
    data, reason = WRONG[which]
    seen = Seen("http")
    seen.send(TO_ACQUIRER, post())
    for piece in pieces(data, places):
        seen.send(TO_TERMINAL, piece)
    seen.close()
    assert seen.frames == [(TO_ACQUIRER, REQUEST)]
    assert seen.scraps == [(TO_TERMINAL, f"HTTP: {reason}")]
    assert bytes.fromhex(seen.told("bytes")[0]["hex"]) == data


def test_a_body_cut_short_and_an_answer_to_nothing() -> None:
    seen = Seen("http")
    seen.send(TO_ACQUIRER, post())
    cut = response()[:-10]
    seen.send(TO_TERMINAL, cut)
    seen.close()
    assert seen.scraps == [(TO_TERMINAL, "HTTP cut short: the acquirer closed the connection")]
    assert bytes.fromhex(seen.told("bytes")[0]["hex"]) == cut
    early = Seen("http")
    early.send(TO_TERMINAL, response(status=b"408 Request Timeout"))
    assert (early.frames, early.scraps) == ([], [(TO_TERMINAL, "HTTP: status 408")])


def test_a_plain_frame_where_http_should_be() -> None:
    seen = Seen("http")
    seen.send(TO_ACQUIRER, message(60))
    seen.close()
    assert seen.frames == [] and len(seen.scraps) == 1


def test_a_frame_names_the_packets_of_its_body_only() -> None:
    seen = Seen("http")
    head, _, body = post().partition(b"\r\n\r\n")
    for piece in (head + b"\r\n\r\n", body[:7], body[7:]):
        seen.send(TO_ACQUIRER, piece)
    (frame,) = seen.told("frame")
    assert frame["packets"] == [5, 6] and (frame["t_first"], frame["t"]) == (50, 60)
