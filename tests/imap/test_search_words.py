"""SEARCH gives the same, and the truth, with the word index missing, half filled and whole."""

import random
from base64 import encodebytes
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from email.header import Header
from pathlib import Path
from quopri import encodestring

import pytest

from message.casemap import casemap
from tests.support.directories import own_database
from tests.support.imap_server import Client, Imap, serving

_WORDS = (
    "Rechnung invoice INVOICE Übergröße straße café naïve Ωmega οδος Привет мир 日本語 会議 foo_bar"
    " a-b x@example.org 100% it's https://example.org/a?b=c ﬁsh §5 “quoted” — end. e\u0301t\u00e9 I"
)
_CHARSETS = ("utf-8", "utf-8", "utf-16", "iso-8859-15", "cp1251", "shift_jis")


@dataclass(frozen=True)
class Mail:
    """What a message says, as its writer knows it."""

    data: bytes
    subject: str
    body: str
    attached: str


def _words(chance: random.Random, most: int) -> str:
    return " ".join(chance.choices(_WORDS.split(), k=chance.randint(1, most)))


def _text(text: str, charset: str, chance: random.Random, more: str = "") -> bytes:
    """A part of type text, base64 or quoted-printable."""
    octets = text.encode(charset)
    base64 = charset == "utf-16" or chance.random() < 0.5
    coded = encodebytes(octets) if base64 else encodestring(octets.replace(b"\r\n", b"\n"))
    head = (
        f"Content-Type: text/plain; charset={charset}\nContent-Transfer-Encoding: "
        f"{'base64' if base64 else 'quoted-printable'}\n{more}\n"
    )
    return head.encode() + coded


def _mail(chance: random.Random) -> Mail:
    charset = chance.choice(_CHARSETS)
    subject, attached = _words(chance, 4), ""
    body = "\r\n".join(_words(chance, 12) for _ in range(chance.randint(1, 6)))
    body = body.encode(charset, "ignore").decode(charset)
    part = _text(body, charset, chance)
    if chance.random() < 0.3:
        attached = _words(chance, 8)
        file = _text(
            attached, "utf-8", chance, "Content-Disposition: attachment; filename=report.txt\n"
        )
        attached += "\0report.txt"
        parts = b"\n--xyz\n".join([b"", part, file]) + b"\n--xyz--\n"
        part = b"Content-Type: multipart/mixed; boundary=xyz\n" + parts
    name = Header(subject, "utf-8").encode()
    data = f"From: Ann <ann@example.org>\nSubject: {name}\n".encode() + part
    return Mail(data.replace(b"\n", b"\r\n"), subject, body, attached)


def _needle(chance: random.Random, mails: list[Mail]) -> str:
    mail = chance.choice(mails)
    text = chance.choice([mail.subject, mail.body, mail.attached or mail.body])
    start = chance.randrange(len(text))
    found = text[start : start + chance.choice([1, 2, 3, 5, 8, 15])]
    found = found.split("\r")[0].split("\0")[0]
    return chance.choice([found, found.upper(), found.lower(), found + "x"]) or "a"


def _holds(needle: str, *texts: str) -> bool:
    return any(casemap(needle) in casemap(text) for text in texts)


_KEYS: dict[str, Callable[[Mail, str], bool]] = {
    "SUBJECT": lambda mail, needle: _holds(needle, mail.subject),
    "BODY": lambda mail, needle: _holds(needle, mail.body, mail.attached),
    "HEADER Subject": lambda mail, needle: _holds(needle, mail.subject),
    "NOT BODY": lambda mail, needle: not _holds(needle, mail.body, mail.attached),
    "TEXT": lambda mail, needle: _holds(needle, mail.body, mail.attached, *_header(mail)),
}


def _header(mail: Mail) -> list[str]:
    """The lines of the header, as far as a needle may meet them."""
    raw = mail.data.split(b"\r\n\r\n")[0].decode().split("\r\n")
    lines: list[str] = []
    for line in raw:
        if line.startswith(" "):
            lines[-1] += line
        else:
            lines.append(line)
    return [line for line in lines if not line.startswith("Subject:")] + [
        f"Subject: {mail.subject}"
    ]


async def _found(client: Client, key: str, needle: str) -> list[int]:
    octets = needle.encode()
    command = b"SEARCH %s {%d+}\r\n%s" % (key.encode(), len(octets), octets)
    (line,) = await client.ok(command)
    return [int(word) for word in line.split()[2:]]


async def _check(client: Client, mails: list[Mail], chance: random.Random, count: int) -> None:
    for _ in range(count):
        needle, key = _needle(chance, mails), chance.choice(list(_KEYS))
        wanted = [number for number, mail in enumerate(mails, 1) if _KEYS[key](mail, needle)]
        assert await _found(client, key, needle) == wanted, (key, needle)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def imap(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Imap]:
    async with (
        own_database(request.param) as database,
        serving(tmp_path, database=database, words=False) as made,
    ):
        yield made


@pytest.mark.parametrize("seed", range(3))
async def test_the_same_in_every_state_of_the_index(imap: Imap, seed: int) -> None:
    chance = random.Random(seed)
    mails = [_mail(chance) for _ in range(45)]
    for mail in mails[:15]:
        await imap.deliver(mail.data)
    client = await imap.session(mailbox="INBOX")
    await _check(client, mails[:15], chance, 30)
    await imap.store.search.settle()
    await _check(client, mails[:15], chance, 30)
    for mail in mails[15:]:
        await imap.deliver(mail.data)
    await client.ok("NOOP")
    await _check(client, mails, chance, 40)
    await imap.store.search.settle()
    await _check(client, mails, chance, 60)


async def test_messages_that_are_copied_expunged_and_gone(imap: Imap) -> None:
    chance = random.Random(7)
    mails = [_mail(chance) for _ in range(20)]
    for mail in mails:
        await imap.deliver(mail.data)
    await imap.store.search.settle()
    client = await imap.session(mailbox="INBOX")
    other = await imap.session(mailbox="INBOX")
    await client.ok("COPY 1:20 Archive")
    await client.ok("STORE 3:7 +FLAGS.SILENT (\\Deleted)")
    await client.ok("EXPUNGE")
    del mails[2:7]
    await _check(client, mails, chance, 30)
    assert 4 not in await _found(other, "BODY", "e")
    await client.ok("SELECT Archive")
    chance = random.Random(7)
    await _check(client, [_mail(chance) for _ in range(20)], chance, 30)
