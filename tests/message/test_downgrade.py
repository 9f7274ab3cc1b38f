"""The surrogate of an internationalised message: ASCII headers that say the same (RFC 6858)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from message.address_list import parse_address_list
from message.downgrade import downgrade, is_international
from message.headers import first, header_block, iter_fields
from message.params import decode_params, parse_disposition
from message.render import render, surrogate
from message.scan import scan_crlf, walk
from message.words import decode_words
from tests.support.messages import leaf, message, multipart


def of(data: bytes) -> bytes:
    return downgrade(data, scan_crlf(data))


def value(data: bytes, name: bytes) -> bytes:
    found = first(header_block(data), name)
    assert found is not None and found.isascii()
    return found


def test_text_becomes_words_that_say_the_same() -> None:
    data = "Subject: Grüße aus Köln\r\nX-Note: ß\r\nDate: now\r\n\r\nKörper\r\n".encode()
    shown = of(data)
    assert decode_words(value(shown, b"Subject")) == "Grüße aus Köln"
    assert decode_words(value(shown, b"x-note")) == "ß"
    assert shown.endswith("Date: now\r\n\r\nKörper\r\n".encode())


def test_addresses_keep_their_form() -> None:
    data = 'To: "Zoë, B." <zoë@bücher.example>, g: Ann <a@b>, c@d;, "x" <e@f>\r\n\r\n'.encode()
    shown = value(of(data), b"To")
    entries = parse_address_list(shown)
    assert [entry.display for entry in entries] == ["Zoë, B.", "", "Ann", "", "", "x"]
    assert [entry.domain for entry in entries] == (
        [b"xn--bcher-kva.example", None, b"b", b"d", None, b"f"]
    )
    assert (entries[1].local, entries[4].local) == (b"g", None)


def test_parameters_become_rfc_2231_values() -> None:
    data = 'Content-Disposition: attachment; filename="grün.txt"; size=3\r\n\r\n'.encode()
    found = parse_disposition(value(of(data), b"Content-Disposition"))
    assert found is not None
    assert decode_params(found[1]) == {"filename": "grün.txt", "size": "3"}


def test_what_has_no_place_for_words_is_masked() -> None:
    data = "Message-ID: <ü@x>\r\nReferences: <é@y>\r\n junk ö\r\n\r\n".encode()
    assert value(of(data), b"message-id") == b"<?@x>"
    assert header_block(of(data)).isascii()


def test_parts_keep_their_numbers_and_bodies() -> None:
    inner = leaf("ä".encode(), "text/plain; charset=utf-8", "X-A: ä\r\n".encode())
    whole = multipart("b", inner, message(inner), extra="Subject: ö\r\n".encode()).whole
    shown, parts = surrogate(whole)
    before, after = walk(scan_crlf(whole)), walk(scan_crlf(shown))
    for old, new in zip(before, after, strict=True):
        assert old.content_type == new.content_type
        assert shown[new.header_offset : new.header_offset + new.header_length].isascii()
    rendered = render(whole)
    assert rendered.surrogate_size == len(shown) > rendered.size == len(whole)
    assert len(parts) == len(rendered.parts)
    assert b"".join(field.name for field in iter_fields(rendered.fields)) == b"SubjectContent-Type"


@pytest.mark.parametrize(
    "data", [b"Subject: plain\r\n\r\n\xc3\xa4", b"Subject: caf\xe9\r\n\r\n", b"", b"\r\n"]
)
def test_other_messages_have_no_surrogate(data: bytes) -> None:
    assert not is_international(data, scan_crlf(data))
    assert of(data) == data
    assert render(data).surrogate_size == 0


_TEXT = st.text(st.sampled_from('aé"\\<>@,;:()= \t\0\r\n'), max_size=60)


@given(st.sampled_from(["From", "Subject", "Content-Type", "Content-Disposition", "Date"]), _TEXT)
def test_any_header_in_utf8_becomes_ascii(name: str, text: str) -> None:
    data = f"{name}: {text}\r\n\r\n".encode()
    data = data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    root = scan_crlf(data)
    shown = downgrade(data, root)
    block = shown[: scan_crlf(shown).header_length]
    assert block.isascii()
    assert shown.endswith(data[root.header_length :])
