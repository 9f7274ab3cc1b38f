"""Rules about the header: what is missing, doubled or broken, and what made it."""

import re
from typing import Final

from filters.spam.domains import registered
from filters.spam.rules.mail import MAX_HEADER, Finds, Found, Mail
from message.date import parse_date

_DAY: Final = 86_400
_ONCE: Final = (
    b"date sender reply-to to cc bcc message-id in-reply-to references subject mime-version"
    b" content-type content-transfer-encoding".split()
)
_MID: Final = re.compile(rb"<[^<>@\s]+@([^<>@\s]+)>")
_CONTROL: Final = re.compile(rb"[\0-\x08\x0b\x0c\x0e-\x1f\x7f]")
_BROKEN: Final = re.compile(rb"^(?![!-9;-~]+[ \t]*:|[ \t\r\n]|From )[^\n]+", re.MULTILINE)
_REPLY: Final = re.compile(r"(?:re|aw|sv|antw|odp)(?:\[\d+\])?:", re.IGNORECASE)
_PHP_EVAL: Final = re.compile(rb"eval\(\)'d code|\bassert code\b")
_PROGRAMS: Final = (b"x-mailer", b"user-agent")


def dates(mail: Mail) -> Finds:
    value = mail.first(b"date")
    if value is None:
        yield Found("MISSING_DATE")
        return
    when = parse_date(value)
    if when is None:
        yield Found("INVALID_DATE", _shown(value))
    elif when.timestamp < mail.transit.now - _DAY:
        yield Found("DATE_IN_PAST", _shown(value))
    elif when.timestamp > mail.transit.now + _DAY:
        yield Found("DATE_IN_FUTURE", _shown(value))


def message_id(mail: Mail) -> Finds:
    value = mail.first(b"message-id")
    if not value:
        yield Found("MISSING_MID")
        return
    found = _MID.fullmatch(value[:1000])
    if found is None:
        yield Found("INVALID_MSGID", _shown(value))
        return
    right = found[1].decode("ascii", "replace").lower()
    if right.startswith("["):
        yield Found("MID_RHS_IP_LITERAL", right)
    elif re.fullmatch(r"\d{1,3}(?:\.\d{1,3}){3}", right):
        yield Found("MID_BARE_IP", right)
    elif "." not in right:
        yield Found("MID_RHS_NOT_FQDN", right)
    yield from _message_id_and_people(mail, value.decode("ascii", "replace").lower(), right)


def _message_id_and_people(mail: Mail, value: str, right: str) -> Finds:
    """A reader's domain or address in it: programs of spammers put it there."""
    author = mail.author
    for reader in mail.recipients[:5]:
        if not reader.domain or reader.owner == author.owner:
            continue
        if len(reader.local) > 3 and f"{reader.local}" in value and reader.address in value:
            yield Found("MID_CONTAINS_TO", reader.address)
            return
        if registered(right) == reader.owner:
            yield Found("MID_RHS_MATCH_TO", right)
            return


def presence(mail: Mail) -> Finds:
    fields = mail.fields
    count = len(fields.get(b"from", ()))
    if not count:
        yield Found("MISSING_FROM")
    elif count > 1:
        yield Found("MULTIPLE_FROM", str(count))
    doubled = [name.decode() for name in _ONCE if len(fields.get(name, ())) > 1]
    if doubled:
        yield Found("MULTIPLE_UNIQUE_HEADERS", ", ".join(doubled))
    if b"mime-version" not in fields:
        if b"content-type" in fields and b"content-transfer-encoding" not in fields:
            yield Found("MIME_HEADER_CTYPE_ONLY")
        elif b"content-transfer-encoding" in fields:
            yield Found("MISSING_MIME_VERSION")


def form(mail: Mail) -> Finds:
    header = mail.header
    if len(mail.reading.header) > MAX_HEADER:
        yield Found("LONG_HEADER", f"{len(mail.reading.header)} octets")
    broken = _BROKEN.search(header)
    if broken is not None:
        yield Found("BROKEN_HEADERS", _shown(broken[0]))
    if _CONTROL.search(header):
        yield Found("R_BAD_HEADER_OCTETS")


def received(mail: Mail) -> Finds:
    values = mail.fields.get(b"received", [])
    if len(values) > 25:
        yield Found("RCVD_COUNT_MANY", str(len(values)))
    if any(not value.isascii() for value in values):
        yield Found("RCVD_ILLEGAL_CHARS")
    if values or not mail.transit.stranger:
        return
    yield Found("ONCE_RECEIVED")
    program = next((name for name in _PROGRAMS if mail.first(name)), None)
    if program is not None:
        yield Found("DIRECT_TO_MX", _shown(mail.first(program) or b""))


def programs(mail: Mail) -> Finds:
    priority = (mail.first(b"x-priority") or b"").strip()[:1]
    named = any(mail.first(name) for name in _PROGRAMS)
    if priority == b"1":
        yield Found("HAS_X_PRIO_ONE")
        if not named:
            yield Found("PRIO_NO_MUA")
    script = mail.first(b"x-php-script") or mail.first(b"x-php-originating-script")
    if script is not None:
        evil = _PHP_EVAL.search(script[:1000])
        yield Found("X_PHP_EVAL" if evil else "HAS_X_PHP_SCRIPT", _shown(script))
    flag = mail.first(b"x-spam-flag") or b""
    if flag.strip().lower() in (b"yes", b"true"):
        yield Found("SPAM_FLAG")


def receipts(mail: Mail) -> Finds:
    """RFC 8098 §2.1: who wants to know that it was read should be who wrote it."""
    for reader in mail.people(b"disposition-notification-to")[:1]:
        if reader.domain and mail.author.domain and reader.owner != mail.author.owner:
            yield Found("HEADER_RCONFIRM_MISMATCH", reader.address)


def replies(mail: Mail) -> Finds:
    if not _REPLY.match(mail.reading.subject):
        return
    if not (mail.fields.keys() & {b"in-reply-to", b"references", b"thread-index", b"list-id"}):
        yield Found("FAKE_REPLY")


def _shown(value: bytes) -> str:
    return value[:80].decode("utf-8", "replace").strip()


RULES = (dates, message_id, presence, form, received, programs, receipts, replies)
