"""The PROXY header by itself: both versions, every cut, and whatever else may come."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from net.proxy_protocol import MAX_HEADER, SIGNATURE, NotProxied, ProxyHeader, parse_header

TCP4 = b"PROXY TCP4 192.0.2.7 198.51.100.1 40000 25\r\n"
TCP6 = b"PROXY TCP6 2001:db8::7 2001:db8::1 40000 25\r\n"


def block(command: int, family: int, addresses: bytes, tlvs: bytes = b"") -> bytes:
    """A header of version 2."""
    length = (len(addresses) + len(tlvs)).to_bytes(2)
    return SIGNATURE + bytes([0x20 | command, family]) + length + addresses + tlvs


INET = bytes([192, 0, 2, 7, 198, 51, 100, 1]) + (40_000).to_bytes(2) + (25).to_bytes(2)
INET6 = bytes.fromhex("20010db8" + "00" * 11 + "07") * 2 + (40_000).to_bytes(2) + bytes(2)
MAPPED = bytes.fromhex("00" * 10 + "ffff" + "c0000207") * 2 + (40_000).to_bytes(2) + bytes(2)
TLV = b"\x01\x00\x02h2\xee\x00\x01x"
GOOD = [
    (TCP4, ("192.0.2.7", 40_000)),
    (TCP6, ("2001:db8::7", 40_000)),
    (b"PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2\r\n", ("192.0.2.7", 1)),
    (b"PROXY UNKNOWN\r\n", None),
    (b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n", None),
    (block(1, 0x11, INET), ("192.0.2.7", 40_000)),
    (block(1, 0x11, INET, TLV), ("192.0.2.7", 40_000)),
    (block(1, 0x21, INET6), ("2001:db8::7", 40_000)),
    (block(1, 0x21, MAPPED), ("192.0.2.7", 40_000)),
    (block(1, 0x31, bytes(216)), None),
    (block(1, 0x00, b"", TLV), None),
    (block(0, 0x00, b""), None),
    (block(0, 0x11, INET, TLV), None),
    (block(0, 0x99, b"anything"), None),
]
BAD = [
    b"EHLO client.test\r\n",
    b"GET / HTTP/1.1\r\n",
    b"\x16\x03\x01\x02\x00",
    b"\r\n\r\n\r\n",
    b"proxy TCP4 192.0.2.7 198.51.100.1 1 2\r\n",
    b"PROXY  TCP4 192.0.2.7 198.51.100.1 1 2\r\n",
    b"PROXY TCP4 192.0.2.7 198.51.100.1 1 2\n",
    b"PROXY TCP4 192.0.2.7 198.51.100.1 1\r\n",
    b"PROXY TCP4 192.0.2.7 198.51.100.1 1 2 3\r\n",
    b"PROXY TCP4 192.0.2.300 198.51.100.1 1 2\r\n",
    b"PROXY TCP4 192.0.2.07 198.51.100.1 1 2\r\n",
    b"PROXY TCP4 2001:db8::7 2001:db8::1 1 2\r\n",
    b"PROXY TCP6 192.0.2.7 198.51.100.1 1 2\r\n",
    b"PROXY TCP4 192.0.2.7 198.51.100.1 01 2\r\n",
    b"PROXY TCP4 192.0.2.7 198.51.100.1 70000 2\r\n",
    b"PROXY UDP4 192.0.2.7 198.51.100.1 1 2\r\n",
    b"PROXY UNKNOWN\0\r\n",
    b"PROXY UNKNOWN " + b"x" * 93,
    SIGNATURE + b"\x11\x11\x00\x0c" + INET,
    SIGNATURE + b"\x22\x11\x00\x0c" + INET,
    SIGNATURE + b"\x21\x11\x00\x04" + INET,
    SIGNATURE + b"\x21\x12\x00\x0c" + INET,
    SIGNATURE + b"\x21\x11\xff\xff" + INET,
]


@pytest.mark.parametrize(("header", "source"), GOOD)
def test_headers(header: bytes, source: tuple[str, int] | None) -> None:
    assert parse_header(header) == ProxyHeader(len(header), source)
    assert parse_header(header + b"EHLO x\r\n" + header) == ProxyHeader(len(header), source)
    assert all(parse_header(header[:cut]) is None for cut in range(len(header)))


@pytest.mark.parametrize("data", BAD)
def test_what_is_none(data: bytes) -> None:
    with pytest.raises(NotProxied):
        parse_header(data)


def test_the_longest_line_and_one_that_is_longer() -> None:
    line = b"PROXY UNKNOWN ".ljust(105, b"x") + b"\r\n"
    assert parse_header(line) == ProxyHeader(107, None)
    with pytest.raises(NotProxied):
        parse_header(b"PROXY UNKNOWN ".ljust(106, b"x") + b"\r\n")


@given(
    st.one_of(
        st.binary(max_size=200),
        st.binary(max_size=60).map(lambda data: b"PROXY " + data),
        st.binary(max_size=60).map(lambda data: SIGNATURE + data),
        st.builds(
            lambda data, at, octet: data[:at] + octet + data[at + 1 :],
            st.sampled_from([header for header, _ in GOOD]),
            st.integers(0, 60),
            st.binary(min_size=1, max_size=1),
        ),
    )
)
def test_anything_is_a_header_or_none_or_waited_for_within_bounds(data: bytes) -> None:
    try:
        found = parse_header(data)
    except NotProxied:
        return
    if found is None:
        with_more = data + b"\r\n" * MAX_HEADER
        try:
            assert parse_header(with_more) is not None
        except NotProxied:
            return
    else:
        assert 15 <= found.length <= len(data)
