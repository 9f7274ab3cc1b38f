"""DNS answers that are huge, looping, lying, slow or absent: failures that may pass, no more."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from net import dns_exchange, dns_records
from net.dns import DnsUnavailable, NoSuchName, Resolver
from net.dns_memory import DnsMemory
from net.dns_message import Unusable, answers, ask, read
from net.dns_names import parse_name
from tests.support.dns_server import dns_server
from tests.support.rogue_dns import (
    ANSWER,
    POINTER,
    RogueDns,
    address,
    message,
    record,
    rogue_dns,
    stream,
)

A, CNAME, MX = 1, 5, 15
GOOD = [address(7)]
TRUNCATED = ANSWER | 0x200
NXDOMAIN, SERVFAIL = ANSWER | 3, ANSWER | 2
LABELS = b"\1a" * 100


@pytest.fixture
async def rogue() -> AsyncIterator[RogueDns]:
    async with rogue_dns() as running:
        yield running


def resolver(rogue: RogueDns, lifetime: float = 1.0) -> Resolver:
    return Resolver([rogue.endpoint], lifetime=lifetime)


async def unusable(rogue: RogueDns, lifetime: float = 1.0) -> None:
    with pytest.raises(DnsUnavailable):
        await resolver(rogue, lifetime).a("example.org")


async def test_the_rogue_can_tell_the_truth(rogue: RogueDns) -> None:
    rogue.udp = lambda query: [message(query, GOOD)]
    assert await resolver(rogue).a("example.org") == ["10.0.0.7"]


@pytest.mark.parametrize("rcode", [1, 4])
@pytest.mark.parametrize("whole", [True, False])
async def test_a_server_that_knows_no_edns_is_asked_without(
    rogue: RogueDns, rcode: int, whole: bool
) -> None:
    def answer(query: bytes) -> list[bytes]:
        if query[11]:
            refusal = message(query, flags=ANSWER | rcode)
            return [refusal if whole else refusal[:4] + bytes(8)]
        return [message(query, GOOD)]

    rogue.udp = answer
    assert await resolver(rogue).a("example.org") == ["10.0.0.7"]
    assert rogue.asked["udp"] == 2


async def test_a_server_that_understands_nothing_is_asked_twice(rogue: RogueDns) -> None:
    rogue.udp = lambda query: [message(query, flags=ANSWER | 1)]
    await unusable(rogue)
    assert rogue.asked["udp"] == 2


async def test_while_no_server_answers_nobody_waits_long(
    rogue: RogueDns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A question has three tries in its time; while DNS is away, one. An answer ends that."""
    monkeypatch.setattr(dns_exchange, "HURRY", 0.25)
    asking = resolver(rogue, 1.5)
    names = [f"n{number}.test" for number in range(dns_exchange.SILENCES)]
    found = await asyncio.gather(*map(asking.a, names), return_exceptions=True)
    assert all(isinstance(one, DnsUnavailable) for one in found)
    assert rogue.asked["udp"] >= 2 * len(names)
    before = rogue.asked["udp"]
    with pytest.raises(DnsUnavailable):
        await asking.a("later.test")
    assert rogue.asked["udp"] == before + 1
    rogue.udp = lambda query: [message(query, GOOD)]
    assert await asking.a("back.test") == ["10.0.0.7"]
    before, rogue.udp = rogue.asked["udp"], lambda query: []
    with pytest.raises(DnsUnavailable):
        await asking.a("again.test")
    assert rogue.asked["udp"] >= before + 2


# -- huge


async def over_tcp(rogue: RogueDns, *records: bytes) -> None:
    rogue.udp = lambda query: [message(query, flags=TRUNCATED)]
    rogue.tcp = lambda query: [stream(message(query, records))]


async def test_the_first_hundred_of_many_records_are_taken(rogue: RogueDns) -> None:
    await over_tcp(rogue, *map(address, range(900)))
    assert len(await resolver(rogue).a("example.org")) == 100


async def test_thousands_of_records_are_not_read(rogue: RogueDns) -> None:
    await over_tcp(rogue, *map(address, range(4000)))
    await unusable(rogue)


async def test_long_names_cost_little(rogue: RogueDns) -> None:
    """A parser that decodes every name of this answer is busy for twenty seconds."""
    deep = record(CNAME, LABELS + b"\0", owner=POINTER)
    at = 12 + len("example.org") + 2 + 4 + 12
    pointer = struct.pack("!H", 0xC000 | at)
    await over_tcp(rogue, deep, *[record(CNAME, pointer, owner=pointer)] * 900)
    await unusable(rogue)
    exchangers = [record(MX, b"\0\1\1b" + pointer, owner=pointer)] * 990
    await over_tcp(rogue, deep, *exchangers)
    assert len(await resolver(rogue).mx("example.org")) == 100


async def test_answers_about_thousands_of_names_are_not_read(rogue: RogueDns) -> None:
    owners = (b"\3" + f"{number:03d}".encode() + b"\0" for number in range(900))
    others = [record(A, b"\x0a\0\0\1", owner=owner) for owner in owners]
    await over_tcp(rogue, *GOOD, *others)
    await unusable(rogue)


async def test_a_count_beyond_the_message_is_an_error(rogue: RogueDns) -> None:
    rogue.udp = lambda query: [message(query, GOOD, count=1000)]
    await unusable(rogue)


# -- looping


async def test_a_name_that_points_at_itself(rogue: RogueDns) -> None:
    at = 12 + len("example.org") + 2 + 4
    itself = record(A, b"\x0a\0\0\1", owner=struct.pack("!H", 0xC000 | at))
    rogue.udp = lambda query: [message(query, [itself])]
    await unusable(rogue)


async def test_aliases_in_a_circle(rogue: RogueDns) -> None:
    rogue.udp = lambda query: [message(query, [record(CNAME, POINTER)])]
    await unusable(rogue)
    assert rogue.asked["udp"] == 1


async def test_aliases_without_end(rogue: RogueDns) -> None:
    def further(query: bytes) -> list[bytes]:
        length = query[12]
        number = int(query[13 : 13 + length]) if query[13 : 13 + length].isdigit() else 0
        text = str(number + 1).encode()
        return [message(query, [record(CNAME, bytes((len(text),)) + text + b"\0")])]

    rogue.udp = further
    await unusable(rogue)
    assert rogue.asked["udp"] == 8


# -- lying


async def test_answers_with_another_id_or_question_are_passed_over(rogue: RogueDns) -> None:
    def lies(query: bytes) -> list[bytes]:
        true = message(query, GOOD)
        evil = message(query, [address(66)])
        return [
            b"",
            b"\0" * 5,
            bytes((evil[0] ^ 1,)) + evil[1:],
            evil[:13] + b"x" + evil[14:],
            evil.replace(b"\3org\0\0\1", b"\3org\0\0\2", 1),
            evil[:2] + b"\1\0" + evil[4:],
            evil[:4] + b"\0\2" + evil[6:],
            evil[:4] + b"\0\0" + evil[6:],
            true,
        ]

    rogue.udp = lies
    assert await resolver(rogue).a("example.org") == ["10.0.0.7"]


async def test_a_flood_of_guesses_is_answered_by_tcp(rogue: RogueDns) -> None:
    def guesses(query: bytes) -> list[bytes]:
        evil = message(query, [address(66)])
        wrong = [struct.pack("!H", number) for number in range(200)]
        return [number + evil[2:] for number in wrong if number != query[:2]]

    rogue.udp = guesses
    rogue.tcp = lambda query: [stream(message(query, GOOD))]
    assert await resolver(rogue).a("example.org") == ["10.0.0.7"]


async def test_datagrams_from_another_port_are_not_seen(rogue: RogueDns) -> None:
    other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    other.bind(("127.0.0.1", 0))
    received = asyncio.Event()

    def datagram(data: bytes, addr: tuple[str, int]) -> None:
        other.sendto(message(data, [address(66)]), addr)
        received.set()

    rogue.datagram_received = datagram  # type: ignore[method-assign]
    try:
        await unusable(rogue, lifetime=0.4)
    finally:
        other.close()
    assert received.is_set()


async def sources(rogue: RogueDns, copies: int) -> list[int]:
    """The ports from which three questions come, one after the other."""
    seen = []

    def datagram(data: bytes, addr: tuple[str, int]) -> None:
        assert rogue.transport is not None
        seen.append(addr[1])
        for _ in range(copies):
            rogue.transport.sendto(message(data, [address(len(seen))]), addr)

    rogue.datagram_received = datagram  # type: ignore[method-assign]
    asked = resolver(rogue, lifetime=5.0)
    for number in (1, 2, 3):
        assert await asked.a(f"{number}.example.org") == [f"10.0.0.{number}"]
        await asyncio.sleep(0.02)
    return seen


async def test_a_server_on_this_machine_is_asked_from_one_port(rogue: RogueDns) -> None:
    assert len(set(await sources(rogue, copies=1))) == 1


async def test_a_port_that_brings_more_than_its_answer_is_left(rogue: RogueDns) -> None:
    assert len(set(await sources(rogue, copies=2))) > 1


async def test_a_far_server_is_asked_from_a_port_a_question(
    rogue: RogueDns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("net.dns_port.is_loopback", lambda host: False)
    assert len(set(await sources(rogue, copies=1))) > 1


async def test_ports_outlive_a_restart_of_the_server(rogue: RogueDns) -> None:
    async with dns_server() as server:
        server.set("example.org", "A", "192.0.2.1")
        server.set("example.net", "A", "192.0.2.2")
        asked = Resolver([server.endpoint], lifetime=0.6)
        assert await asked.a("example.org") == ["192.0.2.1"]
        await server.close()
        with pytest.raises(DnsUnavailable):
            await asked.a("example.com")
        await server.start(server.endpoint.port)
        assert await asked.a("example.net") == ["192.0.2.2"]


async def test_records_of_another_name_are_no_answer(rogue: RogueDns) -> None:
    rogue.udp = lambda query: [message(query, [record(A, b"\x0a\0\0\1", owner=b"\4evil\0")])]
    await unusable(rogue)


async def test_another_answer_over_tcp_is_refused(rogue: RogueDns) -> None:
    rogue.udp = lambda query: [message(query, flags=TRUNCATED)]
    rogue.tcp = lambda query: [stream(b"\0\0" + message(query, GOOD)[2:])]
    await unusable(rogue)
    rogue.tcp = lambda query: [stream(message(query, GOOD, flags=TRUNCATED))]
    await unusable(rogue)


async def test_a_failure_is_never_taken_for_absence(rogue: RogueDns) -> None:
    said = ANSWER
    rogue.udp = lambda query: [message(query, flags=said)]
    for rcode in (1, 2, 4, 5, 9, 15):
        said = ANSWER | rcode
        await unusable(rogue)
    rogue.udp = lambda query: [query[:2] + b"\x81\x82" + b"\0" * 8]
    await unusable(rogue)
    rogue.udp = lambda query: [message(query, flags=NXDOMAIN)]
    with pytest.raises(NoSuchName):
        await resolver(rogue).a("example.org")


# -- slow and absent


async def test_silence_ends_in_time(rogue: RogueDns) -> None:
    await unusable(rogue, lifetime=0.6)
    assert rogue.asked["udp"] == 3


async def test_tcp_that_drips(rogue: RogueDns) -> None:
    rogue.udp = lambda query: [message(query, flags=TRUNCATED)]
    rogue.tcp = lambda query: (bytes((octet,)) for octet in stream(message(query, GOOD)))
    rogue.pause = 0.2
    await unusable(rogue, lifetime=0.6)
    assert rogue.asked["tcp"]


async def test_tcp_that_announces_more_than_it_sends(rogue: RogueDns) -> None:
    rogue.udp = lambda query: [message(query, flags=TRUNCATED)]
    rogue.tcp = lambda query: [b"\xff\xff" + message(query, GOOD)]
    await unusable(rogue)
    rogue.tcp = lambda query: [b"\xff"]
    await unusable(rogue)


async def test_a_server_that_fails_does_not_stand_in_the_way_of_another(rogue: RogueDns) -> None:
    rogue.udp = lambda query: [message(query, flags=SERVFAIL)]
    async with dns_server() as good:
        good.set("example.org", "A", "192.0.2.1")
        one = Resolver([rogue.endpoint, good.endpoint], lifetime=2.0)
        assert await one.a("example.org") == ["192.0.2.1"]


async def test_a_silent_server_is_asked_last_from_then_on(rogue: RogueDns) -> None:
    async with dns_server() as good:
        good.set("example.org", "A", "192.0.2.1")
        good.set("example.net", "A", "192.0.2.2")
        one = Resolver([rogue.endpoint, good.endpoint], lifetime=1.0)
        assert await one.a("example.org") == ["192.0.2.1"]
        assert await one.a("example.net") == ["192.0.2.2"]
        assert rogue.asked["udp"] == 1
        rogue.udp = lambda query: [message(query, GOOD)]
        good.silent.add("example.com")
        assert await one.a("example.com") == ["10.0.0.7"]


# -- anything at all

QUESTION = ask(parse_name("example.org"), dns_records.MX, authentic=True)
TRUE = message(
    QUESTION.wire,
    [record(CNAME, b"\1x" + POINTER), record(MX, b"\0\1\1m" + POINTER, owner=b"\1x" + POINTER)],
)


@given(
    st.lists(st.tuples(st.integers(0, len(TRUE) - 1), st.integers(0, 255)), max_size=8),
    st.integers(0, 99),
)
def test_changed_answers_are_read_or_refused(changes: list[tuple[int, int]], cut: int) -> None:
    wire = bytearray(TRUE)
    for at, octet in changes:
        wire[at] = octet
    lying = bytes(wire[: len(wire) - cut])
    if answers(lying, QUESTION):
        try:
            read(lying, QUESTION)
        except Unusable:
            pass


@given(st.binary(max_size=300))
def test_any_octets_are_read_or_refused(octets: bytes) -> None:
    lying = TRUE[: 12 + len(QUESTION.section)] + octets
    try:
        read(lying, QUESTION)
    except Unusable:
        pass


def test_what_is_kept_is_bounded() -> None:
    memory: DnsMemory[int] = DnsMemory(entries=100, octets=1000)
    for number in range(1000):
        memory.put((str(number), A), number, until=10.0, octets=1)
    assert memory.get(("899", A), 0.0) is None
    assert memory.get(("900", A), 0.0) == 900
    memory.put(("large", A), 1, until=10.0, octets=950)
    assert memory.get(("950", A), 0.0) is None
    assert memory.get(("large", A), 0.0) == 1
    memory.put(("vast", A), 1, until=10.0, octets=2000)
    assert memory.get(("vast", A), 0.0) is None
    memory.put(("brief", A), 1, until=10.0, octets=1)
    assert memory.get(("brief", A), 10.0) is None
