"""Rules about who wrote it, to whom, and who is answered, against the envelope and each other."""

import re
from typing import Final

from filters.spam.domains import FREEMAIL
from filters.spam.lookalike import imitated
from filters.spam.rules.mail import Finds, Found, Mail, Who

_ADDRESS: Final = re.compile(r"[\w.+-]{1,64}@([\w-]{1,63}(?:\.[\w-]{1,63}){1,8})")
_TITLE: Final = re.compile(
    r"(?:mr|mrs|ms|dr|prof|barr(?:ister)?|rev|sir|engr)\b\.?\s", re.IGNORECASE
)
_PRVS: Final = re.compile(r"^(?:prvs|msprvs\d?)=")
_PROVED: Final = frozenset({"DMARC_POLICY_ALLOW", "R_SPF_ALLOW", "R_DKIM_ALLOW", "ARC_ALLOW"})
_BASE64: Final = re.compile(rb"=\?[^?\s]{1,40}\?[Bb]\?([A-Za-z0-9+/=]{0,2000})\?=")


def author(mail: Mail) -> Finds:
    who = mail.author
    if mail.first(b"from") is not None and not who.domain:
        yield Found("FROM_INVALID")
        return
    name = who.name
    if not name:
        return
    shown = _ADDRESS.search(name)
    if name.strip().lower() == who.address:
        yield Found("FROM_DN_EQ_ADDR")
    elif shown is not None and shown[1].lower() != who.domain:
        ours = any(shown[1].lower() == reader.domain for reader in mail.recipients)
        foreign = Who("", "x", shown[1].lower()).owner != who.owner
        if foreign:
            symbol = "SPOOF_DISPLAY_NAME" if ours else "FROM_NEQ_DISPLAY_NAME"
            yield Found(symbol, shown[0])
    if "   " in name:
        yield Found("FROM_NAME_EXCESS_SPACE")
    if _TITLE.match(name):
        yield Found("FROM_NAME_HAS_TITLE", name[:40])


def likeness(mail: Mail) -> Finds:
    domain = mail.author.domain
    brand = imitated(domain) if domain else ""
    if brand:
        yield Found("FROM_LOOKALIKE", f"{domain} for {brand}")


def envelope(mail: Mail) -> Finds:
    sender, who = mail.sender, mail.author
    if not sender.domain or not who.domain:
        return
    if sender.address == who.address:
        yield Found("FROM_EQ_ENVFROM")
    else:
        yield Found("FROM_NEQ_ENVFROM", sender.address)
        if sender.owner != who.owner and b"list-id" not in mail.fields:
            yield Found("FORGED_SENDER", f"{who.domain}, sender {sender.domain}")
    if _PRVS.match(sender.local):
        yield Found("ENVFROM_PRVS")
    elif any(
        len(reader.local) > 2 and f"{reader.local}={reader.domain}" in sender.local
        for reader in mail.recipients[:3]
    ):
        yield Found("ENVFROM_VERP")


def own_domain(mail: Mail) -> Finds:
    """Strangers that write as one of us."""
    transit, who = mail.transit, mail.author
    if not transit.stranger or not who.domain or transit.symbols & _PROVED:
        return
    if any(who.domain == reader.domain for reader in mail.recipients):
        yield Found("SPOOF_OWN_DOMAIN", who.domain)


def freemail(mail: Mail) -> Finds:
    who, reply = mail.author, mail.reply_to
    if who.domain in FREEMAIL:
        yield Found("FREEMAIL_FROM", who.domain)
    if mail.sender.domain in FREEMAIL:
        yield Found("FREEMAIL_ENVFROM", mail.sender.domain)
    if reply.domain not in FREEMAIL:
        return
    yield Found("FREEMAIL_REPLYTO", reply.domain)
    if reply.address == who.address or b"list-id" in mail.fields or not who.domain:
        return
    if who.domain not in FREEMAIL:
        yield Found("FREEMAIL_REPLYTO_NEQ_FROM_DOM", reply.address)
    elif reply.domain != who.domain:
        yield Found("FREEMAIL_REPLYTO_NEQ_FROM", reply.address)


def reply_to(mail: Mail) -> Finds:
    if mail.first(b"reply-to") is None:
        return
    who, reply = mail.author, mail.reply_to
    yield Found("HAS_REPLYTO", reply.address)
    if not reply.domain:
        yield Found("REPLYTO_UNPARSEABLE")
    elif reply.address == who.address:
        yield Found("REPLYTO_EQ_FROM")
    elif reply.owner != who.owner:
        listed = b"list-id" in mail.fields
        yield Found("REPLYTO_DOM_NEQ_FROM_DOM", reply.domain, 0.0 if listed else 1.0)
        if any(reply.address == reader.address for reader in mail.recipients[:20]):
            yield Found("REPLYTO_EQ_TO_ADDR", reply.address)


def readers(mail: Mail) -> Finds:
    named = mail.readers
    raw = (mail.first(b"to") or b"") + (mail.first(b"cc") or b"")
    if not raw.strip():
        yield Found("MISSING_TO")
    elif not named and b"undisclosed" in raw[:200].lower():
        yield Found("UNDISC_RCPTS")
    if len(named) > 50:
        yield Found("RCPT_COUNT_GT_50", str(len(named)))
    addresses = {reader.address for reader in named}
    if mail.author.address and mail.author.address in {one.address for one in mail.people(b"to")}:
        yield Found("TO_EQ_FROM")
    listed = b"list-id" in mail.fields or b"resent-to" in mail.fields
    if named and mail.recipients and not listed and not mail.transit.user:
        plain = {_untagged(reader) for reader in mail.recipients}
        if not (plain & {_untagged(reader) for reader in named} or addresses & plain):
            yield Found("FORGED_RECIPIENTS")
    if any("+" in reader.local for reader in mail.recipients):
        yield Found("TAGGED_RCPT")


def bounces(mail: Mail) -> Finds:
    if not mail.transit.sender and len(mail.transit.recipients) > 1:
        yield Found("HFILTER_RCPT_BOUNCEMOREONE", str(len(mail.transit.recipients)))


def encoding(mail: Mail) -> Finds:
    value = mail.first(b"from") or b""
    if not value.isascii() and not mail.transit.smtputf8:
        yield Found("FROM_NEEDS_ENCODING")
    if needless_base64(value, mail.author.name):
        yield Found("FROM_EXCESS_BASE64")


def needless_base64(raw: bytes, text: str) -> bool:
    """Plain ASCII that somebody took the trouble to encode."""
    return bool(text) and text.isascii() and "=?" not in text and bool(_BASE64.search(raw[:4096]))


def _untagged(who: Who) -> str:
    return f"{who.local.partition('+')[0]}@{who.domain}"


RULES = (
    *(author, likeness, envelope, own_domain, freemail, reply_to),
    *(readers, bounces, encoding),
)
