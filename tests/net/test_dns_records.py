"""Names, records and answers are read as dnspython reads them, octet by octet."""

import struct
from dataclasses import astuple
from typing import Any

import dns.exception
import dns.message
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import pytest
from hypothesis import given
from hypothesis import strategies as st

from net.dns_message import Unusable, answers, ask, read
from net.dns_names import name_text, parse_name, read_name
from net.dns_records import AAAA, CNAME, MX, PTR, SRV, TLSA, TXT, A, Kind

KINDS: list[Kind[object]] = [A, AAAA, CNAME, MX, PTR, SRV, TLSA, TXT]
FRONT = b"\1a\7example\3ORG\0\1b\xc0\2\xc0\0\2\xff.\0"

# octets as names have them: mostly small lengths, letters, pointers into what stands before
octet = st.one_of(st.integers(0, 5), st.sampled_from(b"aZ.\\@"), st.integers(0, 255))
pieces = st.one_of(
    st.binary(max_size=3),
    st.lists(octet, max_size=12).map(bytes),
    st.sampled_from([b"\0", b"\1x", b"\1X\0", b"\xc0\x00", b"\xc0\x02", b"\xc0\x11", b"\x3f" * 64]),
)
wires = st.lists(pieces, max_size=8).map(b"".join)


def theirs(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower() if name != dns.name.root else ""


@given(wires, st.integers(0, 60))
def test_names_in_messages(octets: bytes, at: int) -> None:
    wire = FRONT + octets
    at = min(at, len(wire) - 1)
    try:
        name, length = dns.name.from_wire(wire, at)
    except dns.exception.DNSException:
        with pytest.raises((ValueError, IndexError)):
            read_name(wire, at, len(wire))
        return
    assert read_name(wire, at, len(wire)) == (name.canonicalize().to_wire(), at + length)
    assert name_text(read_name(wire, at, len(wire))[0]) == theirs(name)


def test_no_more_pointers_than_a_name_can_have_labels() -> None:
    chain = b"\1a\0" + b"\xc0\0" + b"".join(struct.pack("!H", 0xC001 + n) for n in range(2, 600, 2))
    assert read_name(chain, 201, 203) == (b"\1a\0", 203)
    with pytest.raises(ValueError, match="leads nowhere"):
        read_name(chain, 301, 303)


@given(st.text(st.sampled_from("ab.-_\\Z0(\x7f"), max_size=260), st.integers(1, 64))
def test_names_from_text(text: str, repeated: int) -> None:
    for whole in (text, text + "c" * repeated):
        plain = whole.removesuffix(".")
        labels = [label.encode() for label in plain.split(".")] if plain else []
        try:
            expected = dns.name.Name([*labels, b""])
        except dns.exception.DNSException:
            with pytest.raises(ValueError, match="no name"):
                parse_name(whole)
            continue
        assert parse_name(whole) == expected.canonicalize().to_wire()
        assert name_text(parse_name(whole)) == theirs(expected)


def value(kind: Kind[object], rdata: Any) -> object:
    """What dnspython made of a record, as a Kind decodes it."""
    if kind in (A, AAAA):
        return rdata.address
    if kind is TXT:
        return b"".join(rdata.strings)
    if kind is MX:
        return rdata.preference, theirs(rdata.exchange)
    if kind is SRV:
        return rdata.priority, rdata.weight, rdata.port, theirs(rdata.target)
    if kind is TLSA:
        return rdata.usage, rdata.selector, rdata.mtype, rdata.cert
    return theirs(rdata.target)


# answers by parts, most of them well formed; an owner has one alias at most
OWNERS = {b"\xc0\x0c": 1, b"\7EXAMPLE\3org\0": 1, b"\1x\xc0\x0c": 2, b"\1X\xc0\x0c": 2, b"\1y\0": 3}
NAMES = (b"\1x\xc0\x0c", b"\1y\0", b"\xc0\x0c", b"\2")
DATA: list[tuple[Kind[object], bytes]] = [
    *((kind, name) for kind in (CNAME, CNAME, PTR) for name in NAMES),
    *((MX, b"\0\5" + name) for name in NAMES),
    *((A, data) for data in (b"\x0a\0\0\1", b"\x0a\0\0\2", b"\x0a\0\0")),
    *((AAAA, data) for data in (b"\0" * 15 + b"\1", b"\0" * 10 + b"\xff\xff\x0a\0\0\1")),
    *((TXT, data) for data in (b"\3abc\1d", b"\0", b"\4abc")),
    *((SRV, b"\0\1\0\2\0\3" + name) for name in NAMES),
    (TLSA, b"\3\1\1" + b"d" * 32),
]
Part = tuple[bytes, tuple[Kind[object], bytes], int]
parts = st.lists(
    st.tuples(st.sampled_from([*OWNERS]), st.sampled_from(DATA), st.integers(0, 99)),
    min_size=1,
    max_size=6,
    unique_by=lambda part: (OWNERS[part[0]], part[1] if part[1][0] is not CNAME else CNAME),
)


@given(parts)
def test_answers(parts: list[Part]) -> None:
    kind = parts[0][1][0]
    question = ask(parse_name("example.org"), kind, authentic=True)
    packed = [
        owner + struct.pack("!HHIH", one.code, 1, ttl, len(data)) + data
        for owner, (one, data), ttl in parts
    ]
    header = question.wire[:2] + struct.pack("!HHHHH", 0x8180, 1, len(packed), 0, 0)
    wire = header + question.section + b"".join(packed)
    assert answers(wire, question)
    try:
        message = dns.message.from_wire(wire)
        assert isinstance(message, dns.message.QueryMessage)
        chain = message.resolve_chaining()
    except dns.exception.DNSException:
        return
    try:
        reading = read(wire, question)
    except Unusable:
        return
    expected = [value(kind, one) for one in chain.answer or ()]
    found = [astuple(one) if kind in (MX, SRV, TLSA) else one for one in reading.records]  # type: ignore[call-overload]
    assert list(dict.fromkeys(found)) == list(dict.fromkeys(expected))


@given(st.sampled_from(KINDS), wires, st.binary(max_size=20))
def test_data_of_records(kind: Kind[object], octets: bytes, behind: bytes) -> None:
    wire, start, end = FRONT + octets + behind, len(FRONT), len(FRONT + octets)
    rdtype = dns.rdatatype.RdataType(kind.code)
    try:
        rdata = dns.rdata.from_wire(dns.rdataclass.IN, rdtype, wire, start, len(octets))
    except dns.exception.DNSException as error:
        if "inconsistent with matching type" in str(error):
            return  # a digest of a wrong length makes one record unusable, for DANE to say
        with pytest.raises((ValueError, IndexError)):
            kind.decode(wire, start, end)
        return
    found = kind.decode(wire, start, end)
    plain = astuple(found) if kind in (MX, SRV, TLSA) else found  # type: ignore[call-overload]
    assert plain == value(kind, rdata)


def test_questions_ask_for_answers_that_fit_one_packet() -> None:
    """RFC 9715: answers above that come over TCP, not in fragments."""
    name = parse_name("a.example.org")
    asked = dns.message.from_wire(ask(name, TXT, authentic=True).wire)
    assert (asked.edns, asked.payload) == (0, 1232)
    assert asked.question[0].name == dns.name.from_text("a.example.org")
    assert dns.message.from_wire(ask(name, TXT, authentic=True, edns=False).wire).edns == -1
