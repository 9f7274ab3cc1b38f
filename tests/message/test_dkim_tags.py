"""Tag lists: what is written is read, whatever stands around it, and any octets are survived."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from message.arc import parse_seal
from message.dkim_key import parse_key
from message.dkim_signature import mentioned, parse_message_signature, parse_signature
from message.dkim_tags import DkimFault, TagError, colon_list, decode_base64, parse_tags

NAMES = st.from_regex(rb"[A-Za-z][A-Za-z0-9_]{0,8}", fullmatch=True)
VALUES = st.from_regex(rb"([!-:<-~]([!-:<-~ ]{0,20}[!-:<-~])?)?", fullmatch=True)
SPACE = st.sampled_from([b"", b" ", b"\t", b"\r\n ", b" \r\n\t "])


@given(st.dictionaries(NAMES, VALUES, min_size=1, max_size=12), SPACE, st.sampled_from([b"", b";"]))
def test_round_trip(tags: dict[bytes, bytes], space: bytes, end: bytes) -> None:
    parts = [space + name + space + b"=" + space + value + space for name, value in tags.items()]
    assert parse_tags(b";".join(parts) + end + space) == tags


@pytest.mark.parametrize(
    "value", [b"a", b"a=1;;b=2", b"a=1;a=2", b"1=a", b"a b=c", b";", b"=", b"a=1; =", b"\xe4=1"]
)
def test_what_is_no_tag_list(value: bytes) -> None:
    with pytest.raises(TagError):
        parse_tags(value)


def test_an_empty_list_has_no_tags() -> None:
    assert parse_tags(b" \r\n ") == {}
    assert parse_tags(b"A=; a=x=y") == {b"A": b"", b"a": b"x=y"}


@given(st.binary(max_size=60), st.integers(1, 9))
def test_base64_with_folds(data: bytes, step: int) -> None:
    text = base64.b64encode(data)
    folded = b"\r\n ".join(text[at : at + step] for at in range(0, len(text), step))
    if data:
        assert decode_base64(folded) == data


@pytest.mark.parametrize("value", [b"", b"=", b"A", b"AAAA=", b"AA=A", b"AA-_", b"====", b"AAA"])
def test_what_is_no_base64(value: bytes) -> None:
    with pytest.raises(TagError):
        decode_base64(value)


def test_lists() -> None:
    assert colon_list(b"a : b\r\n :c") == [b"a", b"b", b"c"]
    assert colon_list(b"") == [b""]


@given(st.one_of(st.binary(max_size=80), st.text("abdhisvtcqlx=;:1 @.\r\n", max_size=80)))
def test_any_octets_are_read_or_refused(value: bytes | str) -> None:
    octets = value.encode() if isinstance(value, str) else value
    mentioned(octets)
    for read in (parse_signature, parse_message_signature, parse_seal, parse_key):
        try:
            read(octets)
        except DkimFault as fault:
            assert fault.reason.isascii()
