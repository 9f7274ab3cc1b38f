"""Rules about the subject: how it is written, encoded, and what it holds."""

import re
from typing import Final

from filters.spam.lookalike import invisible, mixed_words
from filters.spam.rules.addresses import needless_base64
from filters.spam.rules.mail import Finds, Found, Mail

_MARKS: Final = re.compile(r"[!?]{3}|[$€£]{3}|\*{3}")
_CURRENCY: Final = re.compile(r"[$€£¥]\s?\d|\b(?:usd|eur|gbp)\s?\d|\d\s?(?:[€£]|usd|eur)\b", re.I)
_TAIL: Final = re.compile(r"\s{5,}[a-z0-9_-]{4,20}$", re.IGNORECASE)
_VOWELS: Final = re.compile(r"[aeiouy]", re.IGNORECASE)
_URL: Final = re.compile(
    r"https?://\S|\bwww\.[\w-]+\.|\b[\w-]{2,63}\.(?:com|net|org|info|biz|ru|cn|top|xyz|club|online"
    r"|site|shop|icu)\b",
    re.IGNORECASE,
)
_QP: Final = re.compile(rb"=\?[^?\s]{1,40}\?[Qq]\?[^?]{0,2000}\?=")


def writing(mail: Mail) -> Finds:
    raw = mail.first(b"subject")
    subject = mail.reading.subject
    if raw is None:
        yield Found("MISSING_SUBJECT")
        return
    if not subject.strip():
        yield Found("EMPTY_SUBJECT")
        return
    letters = [letter for letter in subject[:200] if letter.isalpha()]
    if len(letters) > 9 and not any(map(str.islower, letters)) and any(map(str.isupper, letters)):
        yield Found("SUBJ_ALL_CAPS")
    if len(subject) > 200:
        yield Found("LONG_SUBJ", f"{len(subject)} characters")
    if subject.rstrip().endswith("!"):
        yield Found("SUBJECT_ENDS_EXCLAIM")
    if _MARKS.search(subject):
        yield Found("SUBJECT_MANY_MARKS")
    if subject != subject.rstrip():
        yield Found("SUBJECT_ENDS_SPACES")


def content(mail: Mail) -> Finds:
    subject = mail.reading.subject[:1000]
    if not subject:
        return
    if found := _CURRENCY.search(subject):
        yield Found("SUBJECT_HAS_CURRENCY", found[0])
    if (found := _TAIL.search(subject)) and not _VOWELS.search(found[0].strip()[:5]):
        yield Found("SUBJECT_RANDOM_TAIL", found[0].strip())
    if found := _URL.search(subject):
        # shops are called like their domain
        own = bool(mail.author.owner) and mail.author.owner in found[0].lower()
        yield Found("URL_IN_SUBJECT", found[0], 0.2 if own else 1.0)
    lower = subject.lower()
    for reader in mail.recipients[:5]:
        if reader.address and reader.address in lower:
            yield Found("SUBJECT_HAS_RCPT", reader.address)
            break


def letters(mail: Mail) -> Finds:
    subject = mail.reading.subject
    if subject.isascii():
        return
    mixed = mixed_words(subject, 1)
    if mixed:
        yield Found("SUBJECT_MIXED_CHARSET", mixed[0])
    unseen = invisible(subject)
    if unseen > 1:
        yield Found("SUBJECT_INVISIBLE", str(unseen))


def encoding(mail: Mail) -> Finds:
    raw, subject = mail.first(b"subject") or b"", mail.reading.subject
    if not raw.isascii() and not mail.transit.smtputf8:
        yield Found("SUBJECT_NEEDS_ENCODING")
    if needless_base64(raw, subject):
        yield Found("SUBJ_EXCESS_BASE64")
    elif subject.isascii() and "=?" not in subject and _QP.search(raw[:4096]):
        yield Found("SUBJ_EXCESS_QP")


RULES = (writing, content, letters, encoding)
