"""SMPP on the wire: bodies read back by another reader, alphabets, and sessions that break."""

import asyncio
import re
from collections.abc import AsyncIterator
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from net.dns import Resolver
from net.smpp import BindRefused, SmppError, SmppSession
from net.smpp_text import MAX_PARTS, Alphabet, parts_of
from net.smpp_wire import (
    MAX_PDU,
    Address,
    Pdu,
    ShortMessage,
    WireError,
    bind_transmitter,
    parse_head,
    status_name,
    submit_sm,
)
from tests.support.smsc import (
    BIND,
    ENQUIRE,
    NACK,
    SUBMIT,
    UNBIND,
    Centre,
    read_submit,
    sms_centre,
    until,
)

ASCII = st.characters(min_codepoint=1, max_codepoint=127)
SMALL = st.integers(0, 255)
ADDRESSES = st.builds(Address, st.text(ASCII, max_size=20), SMALL, SMALL)
HELLO = ShortMessage(Address("Mail", 5, 0), Address("431234567", 1, 1), 0, b"hello")


@given(ADDRESSES, ADDRESSES, SMALL, st.binary(max_size=254), st.booleans())
def test_submit_sm_reads_back(
    source: Address, to: Address, coding: int, octets: bytes, headed: bool
) -> None:
    taken = read_submit(submit_sm(ShortMessage(source, to, coding, octets, headed)))
    assert taken.source == (source.ton, source.npi, source.digits)
    assert taken.to == (to.ton, to.npi, to.digits)
    assert (taken.esm_class, taken.coding, taken.octets) == (0x40 * headed, coding, octets)
    assert taken.others == ("", 0, 0, "", "", 0, 0, 0)


@given(SMALL, SMALL, st.integers(0, 0x7FFFFFFF), st.binary(max_size=300))
def test_heads_read_back(command: int, status: int, sequence: int, body: bytes) -> None:
    octets = Pdu(command, status, sequence, body).encode()
    head = parse_head(octets[:16])
    assert (head.rest, head.command, head.status, head.sequence) == (
        len(body),
        command,
        status,
        sequence,
    )
    assert octets[16:] == body


@given(st.binary(min_size=16, max_size=16))
def test_any_head_is_read_or_refused(octets: bytes) -> None:
    try:
        head = parse_head(octets)
    except WireError:
        return
    assert 0 <= head.rest <= MAX_PDU


@pytest.mark.parametrize(
    "names",
    [("x" * 16, "", ""), ("", "x" * 9, ""), ("", "", "x" * 13), ("ü", "", ""), ("a\0", "", "")],
    ids=["id", "password", "type", "letter", "nul"],
)
def test_what_has_no_room_is_refused_not_cut(names: tuple[str, str, str]) -> None:
    with pytest.raises(WireError) as caught:
        bind_transmitter(*names)
    assert "x" * 9 not in str(caught.value)


def test_messages_that_have_no_room() -> None:
    with pytest.raises(WireError):
        submit_sm(ShortMessage(HELLO.source, HELLO.to, 0, b"x" * 255))
    with pytest.raises(WireError):
        submit_sm(ShortMessage(Address("1" * 21), HELLO.to, 0, b"x"))


@pytest.mark.parametrize(
    ("text", "alphabet", "coding", "octets"),
    [
        ("Hi @", "gsm", 0, b"Hi \0"),
        ("ä{€_$", "gsm", 0, b"\x7b\x1b\x28\x1b\x65\x11\x02"),
        ("\x1b", "gsm", 8, b"\0\x1b"),
        ("ä@", "latin1", 3, b"\xe4@"),
        ("Код", "gsm", 8, "Код".encode("utf-16-be")),
        ("€", "latin1", 8, "€".encode("utf-16-be")),
        ("a", "ucs2", 8, b"\0a"),
        ("\ud800", "gsm", 8, b"\0?"),
    ],
    ids=["at", "gsm", "escape", "latin1", "cyrillic", "no-latin1", "ucs2", "surrogate"],
)
def test_alphabets(text: str, alphabet: Alphabet, coding: int, octets: bytes) -> None:
    (part,) = parts_of(text, alphabet, 7)
    assert (part.coding, part.octets, part.headed) == (coding, octets, False)


def test_the_gsm_alphabet_is_whole() -> None:
    """128 places, of which one is the escape, and ten letters behind it (TS 23.038 §6.2.1)."""
    found = {chr(code): parts_of(chr(code), "gsm", 0)[0] for code in range(0x2200)}
    gsm = {sign: part.octets for sign, part in found.items() if part.coding == 0}
    assert {octets for octets in gsm.values() if len(octets) == 1} == {
        bytes([code]) for code in range(128) if code != 0x1B
    }
    assert len([octets for octets in gsm.values() if len(octets) == 2]) == 10
    assert [gsm[sign] for sign in "AZaz09 @Δß"] == [
        *(b"A", b"Z", b"a", b"z", b"0", b"9", b" ", b"\0", b"\x10", b"\x1e")
    ]


@given(st.text(st.sampled_from("aä{€К😀"), min_size=1, max_size=500), SMALL)
def test_parts_hold_the_whole_text(text: str, reference: int) -> None:
    parts = parts_of(text, "gsm", reference)
    heads = [part.octets[:6] for part in parts if part.headed]
    count = len(parts)
    wanted = [bytes([5, 0, 3, reference, count, at + 1]) for at in range(count)]
    assert heads == (wanted if count > 1 else [])
    bodies = [part.octets[6:] if part.headed else part.octets for part in parts]
    whole, coding = b"".join(bodies), parts[0].coding
    assert all(part.coding == coding for part in parts)
    if coding == 8:
        assert whole.decode("utf-16-be") == text
        assert all(body.decode("utf-16-be") for body in bodies), "no letter is cut"
        assert all(len(part.octets) <= 140 for part in parts)
    else:
        signs = {b"a": "a", b"\x7b": "ä", b"\x1b\x28": "{", b"\x1b\x65": "€"}
        read = re.findall(rb"\x1b?.", whole, re.DOTALL)
        assert "".join(signs[octets] for octets in read) == text
        assert all(len(body) <= (153 if count > 1 else 160) for body in bodies)
        assert not any(body.endswith(b"\x1b") for body in bodies), "no letter is cut"


@pytest.mark.parametrize("text", ["", "x" * 153 * MAX_PARTS + "x"], ids=["empty", "long"])
def test_texts_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="text"):
        parts_of(text, "gsm", 0)


def test_names_of_statuses() -> None:
    assert status_name(0x58) == "ESME_RTHROTTLED"
    assert status_name(0x400) == "status 0x00000400"


@pytest.fixture
async def centre() -> AsyncIterator[Centre]:
    async with sms_centre() as running:
        yield running


async def bound(centre: Centre, quiet: float = 3600.0) -> SmppSession:
    reader, writer = await asyncio.open_connection("127.0.0.1", centre.port)
    session = SmppSession(reader, writer, quiet)
    await session.bind("us", "secret", "type")
    return session


async def test_a_session(centre: Centre) -> None:
    session = await bound(centre)
    assert await session.submit(HELLO) == 0
    centre.answers.append(0x58)
    assert await session.submit(HELLO) == 0x58
    await session.close()
    assert centre.binds == [("us", "secret", "type", 0x34)]
    assert centre.commands == [BIND, SUBMIT, SUBMIT, UNBIND]
    assert [one.text for one in centre.taken] == ["hello"]
    with pytest.raises(SmppError):
        await session.submit(HELLO)


async def test_answers_out_of_order(centre: Centre) -> None:
    session = await bound(centre)
    centre.silent.add(SUBMIT)
    first = asyncio.create_task(session.submit(HELLO))
    second = asyncio.create_task(session.submit(HELLO))
    await until(lambda: len(centre.commands) >= 3)
    centre.say(SUBMIT | NACK, 0x45, 3)
    centre.say(SUBMIT | NACK, 0x99, 77)
    centre.say(NACK, 0x14, 2)
    assert (await first, await second) == (0x14, 0x45)
    await session.close()


async def test_what_the_centre_asks(centre: Centre) -> None:
    session = await bound(centre)
    centre.say(ENQUIRE, 0, 5)
    centre.say(0x05, 0, 6, b"deliver_sm is not for a transmitter")
    await until(lambda: len(centre.ended) >= 2)
    assert centre.commands[-2:] == [ENQUIRE | NACK, NACK]
    assert centre.ended == [0, 0x03]
    centre.say(UNBIND, 0, 7)
    await until(lambda: session.is_over)
    with pytest.raises(SmppError, match="ended the session"):
        await session.submit(HELLO)
    await session.close()


async def test_a_refused_bind(centre: Centre) -> None:
    centre.bind_status = 0x0E
    reader, writer = await asyncio.open_connection("127.0.0.1", centre.port)
    session = SmppSession(reader, writer)
    with pytest.raises(BindRefused, match="ESME_RINVPASWD") as caught:
        await session.bind("us", "secret", "")
    assert "secret" not in str(caught.value)
    await session.close()


@pytest.mark.parametrize("trouble", ["silent", "drop", "garbage", "huge", "half"])
async def test_trouble_ends_the_session_and_whoever_waits_hears_of_it(
    centre: Centre, trouble: str
) -> None:
    session = await bound(centre)
    session.answer_seconds = 0.2
    match trouble:
        case "silent":
            centre.silent.add(SUBMIT)
        case "drop":
            centre.drop = 1
        case "garbage":
            centre.garbage = b"HTTP/1.1 400 Bad Request\r\n\r\n"
        case "huge":
            centre.garbage = pack(">IIII", 0xFFFFFFFF, SUBMIT | NACK, 0, 2)
        case "half":
            centre.garbage = pack(">IIII", 100, SUBMIT | NACK, 0, 2)
    outcomes = await asyncio.gather(
        *(session.submit(HELLO) for _ in range(5)), return_exceptions=True
    )
    assert all(isinstance(outcome, SmppError) for outcome in outcomes)
    assert session.is_over
    await session.close()


async def test_a_quiet_line_is_asked_and_a_dead_one_given_up(centre: Centre) -> None:
    session = await bound(centre, quiet=0.05)
    await until(lambda: centre.commands.count(ENQUIRE) >= 3)
    session.answer_seconds = 0.1
    centre.silent.add(ENQUIRE)
    await until(lambda: session.is_over)
    await session.close()


async def test_nobody_is_there(centre: Centre) -> None:
    with pytest.raises(SmppError, match="no connection"):
        await SmppSession.connect(Resolver([]), "127.0.0.1", 1, None)
