"""dkimpy as second opinion: what one signs the other verifies, changed messages alike."""

import random
import re
import time

import pytest

from message.arc_seal import seal
from message.dkim_sign import sign
from message.dkim_signing_key import Algorithm
from message.dkim_tags import Status
from tests.support.dkim_messages import chain, checked, key, records
from tests.support.dkim_peer import ED25519, RECORDS, RSA, peer_chain, peer_sign, peer_verifies

ROUNDS = 40
CASES = 8
FORMS = (b"simple", b"relaxed")
TEXT = ("Hello", "wörld", "x" * 70, "a  b", "tab\there", "end ", " lead", "=?utf-8?q?=C3=A4?=", "")
NAMES = ("To", "Cc", "Subject", "subject", "Date", "Message-ID", "X-Other", "Reply-To", "List-Id")


def made(chance: random.Random) -> bytes:
    """A message that may be odd, but that both take for one: CRLF, one From, no blanks at the very
    end (where dkimpy counts them), no name with a blank behind it (which it refuses).
    """
    lines = [f"From: {chance.choice(TEXT)} <a@example.org>"]
    for _ in range(chance.randrange(12)):
        fold = chance.choice(("", "\r\n ", "\r\n\t", " \r\n  "))
        value = chance.choice(TEXT) + fold + chance.choice(("x", "y z"))
        lines.append(f"{chance.choice(NAMES)}:{chance.choice(('', ' ', '  '))}{value}")
    chance.shuffle(lines)
    body = "".join(
        chance.choice(TEXT) + chance.choice(("\r\n", "\r\n", "\r\n\r\n", " \r\n"))
        for _ in range(chance.randrange(8))
    )
    return ("\r\n".join(lines) + "\r\n\r\n" + body + chance.choice(("", "end"))).encode()


def changed(chance: random.Random, message: bytes) -> bytes:
    """One change, of the kinds that mail suffers on its way or that a forger tries."""
    header, blank, body = message.partition(b"\r\n\r\n")
    at = chance.randrange(len(header))
    match chance.randrange(14):
        case 0:
            body += b"added\r\n"
        case 1:
            body += chance.choice((b"\r\n", b"\r\n\r\n \r\n"))
        case 2:
            body = body.replace(b" ", b"  ")
        case 3:
            body = body[: len(body) // 2] + b"end"
        case 4:
            header = header.replace(b"Subject:", b"SUBJECT: ")
        case 5:
            header = header.replace(b"\r\n ", b"\r\n\t ")
        case 6:
            header = chance.choice((b"To: b@bad.test", b"X-Added: x")) + b"\r\n" + header
        case 7:
            header += chance.choice((b"\r\nTo: b@bad.test", b"\r\nX-Other: x"))
        case 8:
            header = header.replace(b"<a@", b"<b@")
        case 9:
            header = re.sub(rb"\b([dst])=", rb"\1=x", header, count=1)
        case 10:
            header = header.replace(b"bh=", b"bh=A", 1)
        case 11:
            header = header[:at] + header[at : at + 1].swapcase() + header[at + 1 :]
        case 12:
            header = re.sub(rb"c=\w+/", b"c=simple/", header, count=1)
        case _:
            header = re.sub(rb"(;\s*)b=(\s*)(..)", rb"\1b=\2/\3", header, count=1)
    return header + blank + body


def same(message: bytes, number: int = 0) -> bool:
    """Whether both let the signature pass; fails when they disagree."""
    status, reason = checked(message, RECORDS)[number]
    theirs = peer_verifies(message, number)
    assert (status is Status.PASS) == theirs, (status, reason, message)
    return theirs


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_what_we_sign(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(CASES):
        plain = made(chance)
        header, _, body = plain.partition(b"\r\n\r\n")
        fields = sign(header + b"\r\n", [body], [RSA, ED25519], int(time.time()))
        message = b"".join(fields) + plain
        assert same(message, 0)
        assert same(message, 1)
        for _ in range(2):
            same(changed(chance, message), chance.randrange(2))


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_what_dkimpy_signs(seed: int) -> None:
    chance = random.Random(1000 + seed)
    for _ in range(CASES):
        plain = made(chance)
        signer = chance.choice((RSA, ED25519))
        form = (chance.choice(FORMS), chance.choice(FORMS))
        names = [name.lower().encode() for name in chance.choices(NAMES, k=chance.randrange(9))]
        message = peer_sign(plain, signer, form, [*names, b"from"] if names else None)
        assert same(message)
        for _ in range(2):
            same(changed(chance, message))


@pytest.mark.parametrize("seed", range(20))
def test_arc_chains(seed: int) -> None:
    """dkimpy validates what we seal, and is of our opinion when it was changed."""
    chance = random.Random(2000 + seed)
    hops = [key(Algorithm.RSA, "arc", f"hop{number}.test") for number in range(3)]
    zone = records(*hops)
    message, status = made(chance), Status.NONE
    for hop in hops:
        header, _, body = message.partition(b"\r\n\r\n")
        results = b"mx." + hop.domain.encode() + b"; spf=pass smtp.mfrom=a@example.org"
        fields = seal(header + b"\r\n", [body], results, status, hop, int(time.time()))
        message, status = b"".join(fields) + message, Status.PASS
        assert chain(message, zone) == (Status.PASS, "")
        assert peer_chain(message, zone) == "pass"
    for _ in range(4):
        other = changed(chance, message)
        assert chain(other, zone)[0].value == peer_chain(other, zone), other


PLAIN = b"From: a@example.org\r\nSubject: s\r\n\r\nbody\r\n"


@pytest.mark.parametrize(
    ("why", "before", "after", "ours", "theirs"),
    [
        # RFC 6376 §5.4.2 takes the lowest; what two From fields mean is for DMARC to say.
        ("a second From", b"From:", b"From: b@bad.test\r\nFrom:", Status.PASS, False),
        # §3.4.4: the end of the body ends its last line, so its blanks go. No mail ends so.
        ("blanks at the very end", b"body\r\n", b"body\r\n\t ", Status.PASS, False),
        # §3.4.2 names the blank before the colon; dkimpy takes such a line for no field.
        ("a blank before the colon", b"Subject:", b"Subject :", Status.PASS, False),
        # A line that is no field is not signed; dkimpy refuses the message.
        ("junk in the header", b"Subject:", b"junk\r\nSubject:", Status.PASS, False),
    ],
)
def test_known_differences(
    why: str, before: bytes, after: bytes, ours: Status, theirs: bool
) -> None:
    message = peer_sign(PLAIN, RSA, (b"relaxed", b"relaxed"), [b"from", b"subject"])
    message = message.replace(before, after)
    assert checked(message, RECORDS)[0][0] is ours, why
    assert peer_verifies(message) is theirs, why
