"""The terminal's resolver against scripted name servers on loopback: retries, nonsense, what is remembered."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

import dnslib
import pytest

from harness.emulator.firmware.app import dns, link
from harness.emulator.firmware.app.loop import Flow, Loop

Say = Callable[[bytes, int], list[bytes]]
SERVER = "127.0.0.1"


class Names:
    """A name server: ``say`` gives the datagrams to answer question number n (from 1) with."""

    def __init__(self, say: Say) -> None:
        self.asked: list[str] = []
        self._say = say
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((SERVER, 0))
        self.port = int(self.sock.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                data, source = self.sock.recvfrom(4096)
                if not data:
                    return
                self.asked.append(str(dnslib.DNSRecord.parse(data).q.qname).rstrip("."))
                for answer in self._say(data, len(self.asked)):
                    self.sock.sendto(answer, source)

    def close(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", (SERVER, self.port))


@contextlib.contextmanager
def serving(say: Say) -> Iterator[Names]:
    server = Names(say)
    try:
        yield server
    finally:
        server.close()


def found(data: bytes, address: str = "10.0.0.1", ttl: int = 60) -> bytes:
    reply = dnslib.DNSRecord.parse(data).reply()
    reply.add_answer(dnslib.RR(reply.q.qname, rdata=dnslib.A(address), ttl=ttl))
    return bytes(reply.pack())


def failing(data: bytes, code: int) -> bytes:
    reply = dnslib.DNSRecord.parse(data).reply()
    reply.header.rcode = code
    return bytes(reply.pack())


def ask(resolver: dns.Resolver, name: str = "a.test", servers: tuple[str, ...] = (SERVER,)) -> tuple[str, ...]:
    loop, ended = Loop(lambda: None), []

    def run() -> Flow[None]:
        ended.append((yield from resolver.resolve(name, servers)))

    loop.start(run())
    end = time.monotonic() + 20
    while not ended:
        assert time.monotonic() < end
        loop.turn(0.05)
    return ended[0]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "SHORTEST_NETWORK_S", 0.3)


def test_what_was_told_is_remembered_until_its_time_is_over() -> None:
    with serving(lambda data, n: [found(data, f"10.0.0.{n}", ttl=2)]) as server:
        resolver = dns.Resolver(1.0, server.port)
        assert [ask(resolver) for _ in range(3)] == [("10.0.0.1",)] * 3
        end = time.monotonic() + 2.1
        while time.monotonic() < end:
            time.sleep(0.05)
        assert ask(resolver) == ("10.0.0.2",) and len(server.asked) == 2


def test_times_to_live_are_the_terminals_own() -> None:
    with serving(lambda data, n: [found(data, ttl=100)]) as server:
        resolver = dns.Resolver(1e12, server.port)
        ask(resolver)
        ask(resolver)
        assert len(server.asked) == 2, "100 s of a terminal that is so fast are over"


def test_what_is_forgotten_is_asked_again() -> None:
    with serving(lambda data, n: [found(data, f"10.0.0.{n}")]) as server:
        resolver = dns.Resolver(1.0, server.port)
        assert ask(resolver) == ("10.0.0.1",)
        resolver.forget("a.test")
        assert (resolver.known("a.test"), ask(resolver), resolver.known("a.test")) == ((), ("10.0.0.2",), ("10.0.0.2",))


def test_the_memory_is_bounded() -> None:
    with serving(lambda data, n: [found(data)]) as server:
        resolver = dns.Resolver(1.0, server.port)
        for number in range(3 * dns.MOST_NAMES):
            ask(resolver, f"n{number}.test")
        assert len(resolver._known) == dns.MOST_NAMES


@pytest.mark.parametrize("lost", [1, 2])
def test_a_question_that_was_lost_is_asked_again(lost: int) -> None:
    with serving(lambda data, n: [] if n <= lost else [found(data)]) as server:
        assert ask(dns.Resolver(20.0, server.port)) == ("10.0.0.1",)
        assert len(server.asked) == lost + 1


def test_an_answer_that_comes_after_the_next_try_still_counts() -> None:
    """To the first question, when the second has been asked: the server is slower than one try waits."""
    first: list[bytes] = []

    def say(data: bytes, n: int) -> list[bytes]:
        first.append(data)
        return [found(first[0])] if n == 2 else []

    with serving(say) as server:
        assert ask(dns.Resolver(20.0, server.port)) == ("10.0.0.1",) and first[0] == first[1]


def test_silence_ends() -> None:
    with serving(lambda data, n: []) as server:
        assert ask(dns.Resolver(20.0, server.port)) == ()
        assert len(server.asked) == dns.TRIES


@pytest.mark.parametrize("code", [2, 5])
def test_a_server_that_fails_is_asked_again_and_not_believed(code: int) -> None:
    with serving(lambda data, n: [failing(data, code)]) as server:
        resolver = dns.Resolver(20.0, server.port)
        assert ask(resolver) == () and len(server.asked) == dns.TRIES
        ask(resolver)
        assert len(server.asked) == 2 * dns.TRIES


def test_no_such_name_is_believed_but_never_for_long() -> None:
    def never(data: bytes, n: int) -> list[bytes]:
        reply = dnslib.DNSRecord.parse(failing(data, 3))
        reply.add_auth(*dnslib.RR.fromZone("test. 86400 SOA ns.test. me.test. 1 2 3 4 86400"))
        return [reply.pack()]

    with serving(never) as server:
        resolver = dns.Resolver(1.0, server.port)
        assert [ask(resolver), ask(resolver)] == [(), ()] and len(server.asked) == 1
        until, _ = resolver._known["a.test"]
        assert until - time.monotonic() <= dns.LONGEST_NO_S


def test_answers_to_other_questions_and_nonsense_are_passed_over() -> None:
    def say(data: bytes, n: int) -> list[bytes]:
        other = bytes([data[0] ^ 1]) + data[1:]
        wrong = dnslib.DNSRecord.question("b.test")
        wrong.header.id = dnslib.DNSRecord.parse(data).header.id
        return [b"", b"97", found(other, "10.6.6.6"), found(wrong.pack(), "10.6.6.6"), data, found(data)]

    with serving(say) as server:
        assert ask(dns.Resolver(1.0, server.port)) == ("10.0.0.1",) and len(server.asked) == 1


def test_an_answer_from_elsewhere_is_not_heard() -> None:
    """Somebody who sees the question answers first, from another port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other, socket.socket(
            socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((SERVER, 0))
        server.settimeout(10)

        def serve() -> None:
            data, source = server.recvfrom(4096)
            other.sendto(found(data, "10.6.6.6"), source)
            server.sendto(found(data), source)

        threading.Thread(target=serve, daemon=True).start()
        assert ask(dns.Resolver(1.0, server.getsockname()[1])) == ("10.0.0.1",)


def test_the_next_server_is_asked_where_one_refuses() -> None:
    with serving(lambda data, n: [found(data)]) as server:
        assert ask(dns.Resolver(1.0, server.port), servers=("127.0.0.2", SERVER)) == ("10.0.0.1",)


def test_without_a_server_nothing_is_asked() -> None:
    assert ask(dns.Resolver(1.0), servers=()) == ()
