"""Header values as IMAP strings (RFC 9051 §4.3), for sessions that take ASCII and for UTF-8 ones.

For ASCII, 8-bit text becomes RFC 2047 words, 8-bit file names RFC 2231 values and 8-bit bytes
elsewhere `?`. Bytes that are no UTF-8 count as Windows-1252. CR, LF and NUL never reach the output,
so that a quoted string always does; only very long values are literals, for the sake of clients
that bound their lines.
"""

from urllib.parse import quote_from_bytes

from message.words import decode_text, encode_words

NIL = b"NIL"
LONG = 8192


def quoted(value: bytes) -> bytes:
    """A quoted string, or a literal when long; `value` is one line without NUL."""
    if len(value) > LONG:
        return b"{%d}\r\n%b" % (len(value), value)
    if b'"' in value or b"\\" in value:
        value = value.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    return b'"' + value + b'"'


def octets_string(value: bytes) -> bytes:
    """A quoted string, or a literal for what is no US-ASCII; `value` is one line without NUL."""
    return quoted(value) if value.isascii() else b"{%d}\r\n%b" % (len(value), value)


def text_string(value: bytes | None, utf8: bool) -> bytes:
    """Unstructured text (subject, display name, description) or NIL."""
    if value is None:
        return NIL
    if value.isascii():
        return quoted(value)
    text = decode_text(value, "")
    return quoted(text.encode("utf-8", "replace") if utf8 else encode_words(text))


def plain_string(value: bytes | None, utf8: bool) -> bytes:
    """A structured value (message id, host, type) or NIL."""
    if value is None:
        return NIL
    if value.isascii():
        return quoted(value)
    if utf8:
        return quoted(decode_text(value, "").encode("utf-8", "replace"))
    return quoted(bytes(byte if byte < 128 else 63 for byte in value))


def param_pair(name: bytes, value: bytes, utf8: bool) -> bytes:
    """`"NAME" "value"` of a Content-Type or Content-Disposition parameter."""
    if value.isascii() or utf8:
        return plain_string(name.upper(), utf8) + b" " + plain_string(one_line(value), utf8)
    data = decode_text(value, "").encode("utf-8", "replace")
    encoded = b"utf-8''" + quote_from_bytes(data, safe="").encode("ascii")
    return plain_string(name.upper().rstrip(b"*") + b"*", utf8) + b" " + quoted(encoded)


def one_line(value: bytes) -> bytes:
    """The value with CR, LF and NUL as spaces."""
    if b"\r" in value or b"\n" in value or b"\0" in value:
        return value.replace(b"\r", b" ").replace(b"\n", b" ").replace(b"\0", b" ")
    return value
