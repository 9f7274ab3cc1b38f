"""The text that SEARCH looks at: decoded headers and decoded text parts. Pure; no case matters.

`contains` runs in a worker process for large messages, so it stays a function of the module.
"""

from base64 import b64decode
from binascii import Error
from quopri import decodestring
from typing import Final

from message.headers import all_values, iter_fields
from message.scan import Part, scan, walk
from message.words import decode_text, decode_words

# More text than this of one part is not looked at.
_PART: Final = 16 * 1024 * 1024


def header_contains(block: bytes, name: bytes, needle: str) -> bool:
    """Whether a field of that name holds `needle` (folded); an empty needle asks for presence."""
    values = all_values(block, name)
    return any(needle in decode_words(value).casefold() for value in values)


def may_contain(block: bytes, needle: str) -> bool:
    """False when the raw header can't hold the needle: cheap, and enough for most messages."""
    if not needle.isascii() or " " in needle or b"=?" in block or not block.isascii():
        return True
    return needle.encode() in block.lower()


def contains(data: bytes, needle: str, whole: bool) -> bool:
    """Whether the text of a message holds `needle` (folded); `whole` includes its own header."""
    root = scan(data)
    if whole and _in_header(data, root, needle):
        return True
    return any(_in_part(data, part, needle, root) for part in walk(root))


def _in_part(data: bytes, part: Part, needle: str, root: Part) -> bool:
    """Text parts, and the headers of messages inside."""
    if part.is_message:
        return any(_in_header(data, child, needle) for child in part.children)
    if part.type != b"text" or part.children:
        return False
    body = data[part.body_offset : part.body_offset + min(part.body_length, _PART)]
    return needle in decode_text(_decoded(body, part.encoding), part.charset).casefold()


def _in_header(data: bytes, part: Part, needle: str) -> bool:
    block = data[part.header_offset : part.header_offset + part.header_length]
    if not may_contain(block, needle):
        return False
    return any(
        needle in f"{field.name.decode('ascii', 'replace')}: {_unfolded(field.value)}".casefold()
        for field in iter_fields(block)
    )


def _unfolded(value: bytes) -> str:
    return decode_words(value.replace(b"\r\n", b"").strip())


def _decoded(body: bytes, encoding: bytes) -> bytes:
    """The octets behind the transfer encoding; broken base64 gives what can be read of it."""
    if encoding == b"quoted-printable":
        return decodestring(body)
    if encoding != b"base64":
        return body
    try:
        return b64decode(body)
    except Error:
        usable = bytes(octet for octet in body if octet in _ALPHABET)
        return b64decode(usable + b"=" * (-len(usable) % 4 % 3))


_ALPHABET: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
