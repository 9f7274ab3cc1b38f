"""Rules about the structure: types, charsets and encodings that are missing, wrong or senseless."""

import codecs
import re
from binascii import Error, a2b_base64
from typing import Final

from filters.spam.rules.mail import Finds, Found, Mail
from message.scan import Part

MAX_DEPTH: Final = 20
_LOOKED_AT: Final = 16 * 1024
_COMPARED: Final = 8 * 1024
_HIGH: Final = re.compile(rb"[\x80-\xff]")
_WORD: Final = re.compile(r"[^\W\d_]{4,30}")
_ENCODED: Final = (b"base64", b"quoted-printable")


def alternatives(mail: Mail) -> Finds:
    facts = mail.reading.facts
    if facts.html_only:
        yield Found("MIME_HTML_ONLY")
        if facts.type == "multipart/alternative":
            yield Found("MIME_MA_MISSING_TEXT")
    if facts.type == "multipart/mixed" and facts.parts == 2 and facts.texts == 1:
        yield Found("CTYPE_MIXED_BOGUS")
    if not mail.reading.attachments and not (mail.text.strip() or mail.reading.links):
        yield Found("TEXT_EMPTY")


def difference(mail: Mail) -> Finds:
    """Words of four letters and more: how many of the smaller text the other one has as well."""
    reading = mail.reading
    if not reading.plain or not reading.html:
        return
    plain = set(_WORD.findall(reading.plain[:_COMPARED].lower()))
    html = set(_WORD.findall(reading.html[:_COMPARED].lower()))
    smaller = min(len(plain), len(html))
    if smaller < 10:
        return
    shared = len(plain & html) / smaller
    if shared < 0.5:
        yield Found("R_PARTS_DIFFER", f"{round(shared * 100)} % in common")


def texts(mail: Mail) -> Finds:
    for part in mail.leaves[:20]:
        if part.type == b"text":
            yield from _text(mail.data, part)


def _text(data: bytes, part: Part) -> Finds:
    body = data[part.body_offset : part.body_offset + min(part.body_length, _LOOKED_AT)]
    high = _HIGH.search(body) is not None
    charset = part.charset
    if charset and not _is_known(charset):
        yield Found("R_UNKNOWN_CHARSET", charset[:40])
    if high and not charset:
        yield Found("R_MISSING_CHARSET")
    if high and part.encoding == b"7bit":
        yield Found("R_BAD_CTE_7BIT")
    plain = part.subtype == b"plain" and charset.lower() in ("", "us-ascii", "ascii")
    if plain and part.encoding == b"base64" and len(body) > 80 and _is_ascii(body):
        yield Found("MIME_BASE64_TEXT_BOGUS")


def structure(mail: Mail) -> Finds:
    facts = mail.reading.facts
    if facts.parts > 100:
        yield Found("MIME_MANY_PARTS", f"{facts.parts} parts")
    depth, pending = 0, [(mail.root, 1)]
    while pending and depth <= MAX_DEPTH:
        part, level = pending.pop()
        depth = max(depth, level)
        pending += [(child, level + 1) for child in part.children[:100]]
    if depth > MAX_DEPTH:
        yield Found("MIME_TOO_DEEP", f"more than {MAX_DEPTH} levels")
    yield from _declared(mail)


def _declared(mail: Mail) -> Finds:
    value = mail.first(b"content-type")
    if not value:
        return
    said = value[:200].strip().lower()
    if said.startswith(b"multipart/"):
        if not mail.root.is_multipart:
            yield Found("MULTIPART_BROKEN")
        elif _preamble(mail) > 200:
            yield Found("PREAMBLE_TEXT")
    elif b"/" not in said.partition(b";")[0] and said != b"text":
        yield Found("BROKEN_CONTENT_TYPE", value[:60].decode("ascii", "replace"))


def _preamble(mail: Mail) -> int:
    """Octets in front of the first part that are more than a hint to old programs."""
    begin = mail.root.body_offset
    end = min(mail.root.children[0].header_offset, begin + _LOOKED_AT)
    words = mail.data[begin:end].split(b"\r\n--")[0]
    return len(words.strip())


def _is_known(charset: str) -> bool:
    try:
        codecs.lookup(charset.strip("\"' ")[:40])
    except (LookupError, ValueError):
        return charset.lower().strip("\"' ") in ("unknown-8bit", "x-unknown", "iso-8859-8-i")
    return True


def _is_ascii(body: bytes) -> bool:
    whole = b"".join(body.split())
    try:
        return a2b_base64(whole[: len(whole) & ~3]).isascii()
    except Error:
        return False


RULES = (alternatives, difference, texts, structure)
