"""Mail that is tagged by itself, on a whole server: a user tags by IMAP, the tags are learned, and
what arrives then has them, with the reasons told.
"""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.support import smtp_receiving
from tests.support.whole import SENDER, Whole, whole

WORK = tuple(
    "invoice budget quarterly meeting deadline contract supplier payment ledger audit".split()  # noqa: SIM905
)
CLUB = tuple(
    "sailing harbour regatta anchor weekend barbecue crew tide lighthouse picnic".split()  # noqa: SIM905
)
COMMON = tuple(
    "please about thanks would there after before other these which could should".split()  # noqa: SIM905
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Whole]:
    with whole(tmp_path, '[filters]\npipeline = ["spam"]\n') as running:
        yield running


def letter(random: Random, words: tuple[str, ...], number: int) -> bytes:
    text = " ".join(random.choices([*words, *words, *COMMON], k=80))
    subject = " ".join(random.sample(words, 3))
    return (
        f"From: Friend <{SENDER}>\r\nTo: user@example.test\r\nSubject: {subject}\r\n"
        f"Date: Fri, 02 Jan 2026 10:00:00 +0000\r\nMessage-ID: <{number}@elsewhere.test>\r\n"
        f"\r\n{text}\r\n"
    ).encode()


async def deliver(client: smtp_receiving.Client, account: str, message: bytes) -> None:
    for line in (f"MAIL FROM:<{SENDER}>", f"RCPT TO:<{account}>", "DATA"):
        assert (await client.say(line))[:1] in "23"
    assert (await client.say(message + b"."))[:3] == "250"


async def test_tags_are_learned_given_and_explained(server: Whole) -> None:
    account, random = await server.account(), Random(3)
    await server.control("tags.add", address=account, keyword="work", name="Work", colour="#aa0000")
    async with server.smtp() as smtp:
        await smtp.greet()
        for number in range(40):
            await deliver(smtp, account, letter(random, WORK if number % 2 else CLUB, number))
        async with server.imap(account) as client:
            even = ",".join(str(uid) for uid in range(2, 41, 2))
            await client.ok(f"UID STORE {even} +FLAGS (work)")
            found = await server.control("tags.learn", address=account)
            (tag,) = found["tags"]
            assert found["auto"] is False and tag["learned"]["used"], tag
            assert tag["learned"]["tagged"] == 20

            await deliver(smtp, account, letter(random, WORK, 41))
            await server.control("tags.auto", address=account, on=True)
            await deliver(smtp, account, letter(random, WORK, 42))
            await deliver(smtp, account, letter(random, CLUB, 43))
            await client.ok("NOOP")
            flags = {}
            for uid in (41, 42, 43):
                (line,) = [
                    one for one in await client.ok(f"UID FETCH {uid} (FLAGS)") if b"FETCH" in one
                ]
                flags[uid] = b"work" in line
            assert flags == {41: False, 42: True, 43: False}

    (told,) = await server.control("explain", id="<42@elsewhere.test>")
    assert any("tagged work by itself" in line["text"] for line in told["happenings"])
    (why,) = await server.control("tags.why", address=account, mailbox="INBOX", uid=42)
    assert why["fits"] and why["margin"] >= why["threshold"]
    (why,) = await server.control("tags.why", address=account, mailbox="INBOX", uid=43)
    assert not why["fits"] and why["reasons"][0][1] < 0

    # a tag that is no more is not given any longer, though its model is still there
    await server.control("tags.delete", address=account, keyword="work")
    async with server.smtp() as smtp, server.imap(account) as client:
        await smtp.greet()
        await deliver(smtp, account, letter(random, WORK, 44))
        await client.ok("NOOP")
        found = await client.ok("UID FETCH 42,44 (FLAGS)")
    tagged = {
        line.split(b"UID ")[1].split(b" ")[0]: b"work" in line for line in found if b"UID" in line
    }
    assert len(tagged) == 2 and list(tagged.values()) == [True, False], found
