"""IMAP URLs of messages and their parts, as far as CATENATE needs them (RFC 5092 §7, §11).

Relative ones only: `/INBOX;UIDVALIDITY=1/;UID=20/;SECTION=1.2/;PARTIAL=0.1024`, or `;UID=20` in the
selected mailbox. Names are percent-encoded UTF-8. URLs with a server, an authorisation (URLAUTH) or
no message are no such ones.
"""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes

from imap.grammar.fetch import parse_section
from imap.grammar.fetch_item import Section
from imap.grammar.frame import Frame, ParseError
from imap.grammar.tokens import MAX_NUMBER, MAX_NUMBER64, Cursor
from imap.grammar.values import Partial, canonical_mailbox

_NUMBER: Final = r"[1-9][0-9]{0,9}"
_MESSAGE: Final = re.compile(
    rf"(?![a-z][a-z0-9+.-]*:)/?(?:([^;/][^;]*)(?:;UIDVALIDITY=({_NUMBER}))?/)?;UID=({_NUMBER})"
    r"(?:/;SECTION=([^;]+?))?(?:/;PARTIAL=([0-9]{1,19})(?:\.([0-9]{1,19}))?)?/?",
    re.IGNORECASE,
)
_SHOWN: Final = 500
_UNSAFE: Final = re.compile(rb'[^!#-\[^-~]|["\\\]]')


@dataclass(frozen=True, slots=True)
class MessageUrl:
    """A message or a part of it; `mailbox` None is the selected one, 0 no UIDVALIDITY."""

    mailbox: str | None
    uid: int
    uidvalidity: int = 0
    section: Section = Section()
    partial: Partial | None = None


def parse_url(text: str) -> MessageUrl | None:
    """The message that a URL names, None for any other URL."""
    found = _MESSAGE.fullmatch(text)
    if found is None:
        return None
    name, validity, uid, section, offset, size = found.groups()
    parsed = Section() if section is None else _section(section)
    mailbox = None if name is None else _name(name)
    numbers = (int(uid), int(validity or 0))
    if parsed is None or (mailbox is None and name is not None) or max(numbers) > MAX_NUMBER:
        return None
    partial = None
    if offset is not None:
        partial = Partial(int(offset), int(size) if size is not None else MAX_NUMBER64)
    return MessageUrl(mailbox, *numbers, parsed, partial)


def badurl_code(text: str) -> bytes:
    """BADURL with the URL that was refused (RFC 4469 §4.1)."""
    octets = text.encode("utf-8", "replace")[:_SHOWN]
    return b'BADURL "%s"' % _UNSAFE.sub(lambda found: b"%%%02X" % found[0][0], octets)


def _name(text: str) -> str | None:
    try:
        return canonical_mailbox(unquote_to_bytes(text).decode("utf-8"))
    except UnicodeDecodeError:
        return None


def _section(text: str) -> Section | None:
    cursor = Cursor(Frame("", "URL", False, unquote_to_bytes(text).replace(b"\n", b" ")))
    try:
        section = parse_section(cursor)
        cursor.end()
    except ParseError:
        return None
    return section
