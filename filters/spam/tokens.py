"""What a message says in words: tokens of its subject, header, links, parts and shape.

Pure; bounded by the bounds of a reading and those below. A token is `family:text`, so that the same
word counts apart in a subject and in a link; the families are told in docs/spam.md.
"""

import re
from collections.abc import Iterator
from typing import Final

from filters.spam.markup import Link
from filters.spam.reading import Facts, Reading
from message.headers import iter_fields, unfold
from message.words import decode_words

MAX_FIELDS: Final = 200
MAX_FIELD: Final = 1000
_MOST_LINKS: Final = 60

_WORD: Final = re.compile(r"[^\W_](?:[\w'$%!.-]{0,22}[\w!$%])?|[!$%#]+")
_NAME: Final = re.compile(r"[a-z]{2,20}")
_ADDRESS: Final = re.compile(r"([^\s<>\"@]{1,64})@([^\s<>\"]{1,255})")
_URL: Final = re.compile(r"(?:[a-z]{2,12}:)?//(?:[^/@?#]*@)?([^/?#:]{1,255})(:\d+)?", re.I)
_FROM: Final = re.compile(r"from\s+(\S{1,100})\s*(?:\(([^)]{0,200})\))?", re.I)
_IP: Final = re.compile(r"\b(\d{1,3})\.(\d{1,3})\.\d{1,3}\.\d{1,3}\b")
_ZONE: Final = re.compile(r"([+-]\d{4}|[A-Z]{3,4})(?:\s*\([^)]*\))?\s*\Z")
_UPPER: Final = re.compile(r"[A-Z]+")
_LOWER: Final = re.compile(r"[a-z]+")
_DIGIT: Final = re.compile(r"[0-9]+")
_AUTHORS: Final = ("from", "reply-to")
_WORDED: Final = (
    "x-mailer",
    "user-agent",
    "content-type",
    "mime-version",
    "x-priority",
    "importance",
    "content-transfer-encoding",
    "x-msmail-priority",
    "organization",
    "x-mimeole",
    "content-disposition",
)


def tokens(reading: Reading) -> set[str]:
    """Every token of a message, each once."""
    found = _words(reading)
    found.update(_header(reading.header))
    found.update(_links(reading.links))
    found.update(_structure(reading))
    found.update(_shape(reading))
    return found


def _words(reading: Reading) -> set[str]:
    found = {"subject:" + word for word in _WORD.findall(reading.subject.lower()[:MAX_FIELD])}
    if reading.hidden:
        found.update(["hidden:" + word for word in _WORD.findall(reading.hidden[:2000].lower())])
    return found


def _header(block: bytes) -> Iterator[str]:
    fields: dict[str, str] = {}
    received: list[str] = []
    for count, field in enumerate(iter_fields(block)):
        if count >= MAX_FIELDS:
            break
        name = field.name[:40].decode("ascii", "replace").lower()
        value = decode_words(unfold(field.value[:MAX_FIELD]))
        if name == "received":
            received.append(value)
        elif name not in fields:
            fields[name] = value
            yield "field:" + name
    for name in _AUTHORS:
        yield from _author(name, fields.get(name, ""))
    yield from _addressed(fields.get("to", ""))
    for name in _WORDED:
        if name in fields:
            value = fields[name].lower().partition("boundary=")[0]
            yield from [f"{name}:{word}" for word in _WORD.findall(value)[:12]]
    yield from _marks(fields)
    yield from _path(received)


def _author(name: str, value: str) -> Iterator[str]:
    if not value:
        yield f"{name}-form:none"
        return
    phrase = value.partition("<")[0] if "<" in value else ""
    yield f"{name}-form:" + ("name" if phrase.strip() else "bare")
    yield from [f"{name}-name:{word}" for word in _WORD.findall(phrase.lower())]
    found = _ADDRESS.search(value.lower())
    if found:
        labels = found[2].split(".")
        yield f"{name}-local:{found[1]}"
        yield f"{name}-domain:{'.'.join(labels[-2:])}"
        yield f"{name}-host:{found[2]}"
        yield f"{name}-top:{labels[-1]}"


def _addressed(value: str) -> Iterator[str]:
    yield f"to-count:{min(value.count('@'), 6)}"
    if not value:
        yield "to-form:none"
        return
    yield "to-form:" + ("name" if value.partition("<")[0].strip() and "<" in value else "bare")
    yield from ["to:" + word for word in _WORD.findall(value.lower())[:20]]


def _marks(fields: dict[str, str]) -> Iterator[str]:
    """What shows the software that wrote the message: the forms of Message-ID and Date."""
    left, at, right = fields.get("message-id", "").strip(" <>").partition("@")
    yield f"id:{bool(at)}"
    if at:
        yield "id-form:" + _form(left)
        yield "id-host:" + right.lower()[:60]
        author = _ADDRESS.search(fields.get("from", "").lower())
        same = author is not None and author[2].split(".")[-2:] == right.lower().split(".")[-2:]
        yield f"id-author:{same}"
    date = fields.get("date", "")[:100]
    zone = _ZONE.search(date)
    yield "zone:" + (zone[1] if zone else "none")
    yield "date-form:" + _form(date)


def _form(text: str) -> str:
    text = _DIGIT.sub("0", _LOWER.sub("a", _UPPER.sub("A", text[:100])))
    return text[:40]


def _path(received: list[str]) -> Iterator[str]:
    yield f"hops:{min(len(received), 6)}"
    for value in received[:12]:
        found = _FROM.search(value)
        if found:
            host = found[1].lower()
            yield "hop-host:" + host[:60]
            yield "hop-top:" + host.rpartition(".")[2]
            yield from ["hop:" + word for word in _NAME.findall((found[2] or "").lower())]
            address = _IP.search(value)
            if address:
                yield f"hop-net:{address[1]}.{address[2]}"


def _links(links: tuple[Link, ...]) -> Iterator[str]:
    """Where links lead. How many there are, of what kind and with what text says more of a kind of
    mail than of spam: a model that counts them takes newsletters that it does not know for spam.
    """
    for link in links[:_MOST_LINKS]:
        found = _URL.match(link.target)
        if found is not None:
            labels = found[1].lower().split(".")
            yield "link-domain:" + ".".join(labels[-2:])
            yield "link-top:" + ("ip" if labels[-1].isdigit() else labels[-1])
            if found[2]:
                yield "link-port:" + found[2]


def _structure(reading: Reading) -> Iterator[str]:
    facts: Facts = reading.facts
    for attachment in reading.attachments[:20]:
        yield "attached-type:" + attachment.type[:60]
        yield "attached-kind:" + attachment.kind
        yield "attached-name:" + attachment.name.lower().rpartition(".")[2][:10]
    yield "type:" + facts.type[:60]
    yield f"parts:{min(facts.parts, 6)}"
    yield f"html-only:{facts.html_only}"
    yield f"tags:{facts.tags.bit_length()}"
    yield f"hidden-length:{facts.hidden.bit_length()}"
    yield from ["charset:" + charset for charset in facts.charsets[:6]]
    yield from ["encoding:" + encoding[:20] for encoding in facts.encodings[:6]]


def _shape(reading: Reading) -> Iterator[str]:
    """How it is written, not what."""
    text = (reading.plain or reading.html)[:4000]
    letters = len(text) - sum(map(text.count, " \n\r"))
    capitals = len(_UPPER.findall(text)), sum(map(len, _UPPER.findall(text)))
    yield f"capitals:{20 * capitals[1] // (letters + 1)}"
    yield f"length:{(len(reading.plain) + len(reading.html)).bit_length()}"
    yield f"exclaimed:{text.count('!').bit_length()}"
    yield f"dollars:{text.count('$').bit_length()}"
    yield f"quoted:{min(text.count(chr(10) + '>'), 3)}"
    subject = reading.subject
    yield f"subject-capitals:{subject.isupper()}"
    yield f"subject-reply:{subject[:3].lower() == 're:'}"
    yield f"subject-number:{subject.rstrip()[-3:].isdigit()}"
