"""Messages that no parser likes: stored octet for octet, shown in lawful answers, others served."""

import time
from collections.abc import Iterator

import pytest

from tests.support.imap_server import Client as ImapClient
from tests.support.imap_strict import check_bodystructure, check_envelope, fetch_items
from tests.support.messages import corpus, hostile
from tests.support.smtp_receiving import Client
from tests.support.whole import (
    SENDER,
    TRACE,
    Pinger,
    Whole,
    body_of,
    fetched,
    stuffed,
    uids,
    whole,
    without_trace,
)

# What the issue bounds is 50 ms; ten times that leaves room for a busy machine.
STALL_MS = 500
SIZE = 400_000
DOWN = range(999, -1, -1)
LIST = "UID RFC822.SIZE INTERNALDATE FLAGS ENVELOPE BODYSTRUCTURE BODY"
FIELDS = "BODY.PEEK[HEADER.FIELDS (FROM TO CC SUBJECT DATE MESSAGE-ID REFERENCES CONTENT-TYPE)]"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with whole(tmp_path_factory.mktemp("hostile")) as running:
        yield running


def worst() -> dict[str, bytes]:
    """What issue and experience name, beside tests.support.messages.hostile."""
    mixed = b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=%s\r\n\r\n"
    nested = b"".join(mixed % b"b%d" % n + b"--b%d\r\n" % n for n in range(1000))
    return {
        "lines of 100 kB": b"Subject: long\r\n\r\n" + (b"x" * 100_000 + b"\r\n") * 5,
        "header lines of 100 kB": b"X-A: " + b"y" * 100_000 + b"\r\nSubject: after\r\n\r\ntext\r\n",
        "subject of 100 kB": b"Subject: " + b"s" * 100_000 + b"\r\n\r\ntext\r\n",
        "folded subject": b"Subject:" + b"\r\n s" * 25_000 + b"\r\n\r\ntext\r\n",
        "10,000 headers": b"".join(b"X-%d: value\r\n" % n for n in range(10_000)) + b"\r\ntext\r\n",
        "10,000 of one": b"To: a@b.test\r\n" * 10_000 + b"\r\ntext\r\n",
        "1,000 nested": nested + b"text\r\n" + b"".join(b"--b%d--\r\n" % n for n in DOWN),
        "1,000 nested messages": b"Content-Type: message/rfc822\r\n\r\n" * 1000 + b"text\r\n",
        "unknown charsets": b"Subject: =?x-klingon?q?=F8=E9?= =?utf-99?b?////?= =?utf-8?b?=?=\r\n"
        b"From: =?gb18030?b?gTCBMA==?= <a@b.test>\r\n"
        b'Content-Type: text/plain; charset="x-no-such\\"set"\r\n\r\n\x80\x81\xfe\xff\r\n',
        "broken base64": b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        b"====AAA=!!\xff\xfe@@\r\nQ\r\n" + b"A" * 999 + b"\r\n",
        "broken quoted-printable": b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
        b"=\r\n=G1=\r\n=",
        "8-bit headers": b"Subject: \xff\xfe\xe4\r\n"
        b'From: J\xf6rg "q\xfc" <j\xf6rg@b\xfccher.test>\r\n'
        b"To: \xe2\x82\xac <\xe2\x82\xac@test>, \xff: a@b.test;\r\nMessage-ID: <\xff@b.test>\r\n"
        b'Content-Type: text/pl\xe4in; n\xe4me="\xff"; filename*=utf-8\'\'%FF%FE\r\n'
        b"Content-Disposition: att\xe4chment; filename=\"\xff\\\"\xfe\"\r\n"
        b"Content-ID: <\xff>\r\nContent-Description: \xff\xfe\r\nContent-Language: \xff, d\xe4\r\n"
        b"Content-Location: http://\xff/\r\n\r\n\xff\xfe\r\n",
        "controls": b"Subject: " + bytes(n for n in range(1, 128) if n not in (10, 13)) + b"\r\n"
        b'From: "\x1b[2J\\" <a@b.test>\r\nContent-Type: text/plain; x="\x01\x7f"\r\n\r\ntext\r\n',
        "8-bit header names": b"S\xfcbject: x\r\n\xff\xfe: y\r\nSubject : z\r\n: w\r\n\r\ntext\r\n",
        "no header": b"just text, no header at all\r\nmore: text\r\n",
        "header only": b"Subject: only\r\n",
        "no line end": b"Subject: x\r\n\r\nno line end",
        "empty line first": b"\r\nSubject: in the body\r\n\r\ntext\r\n",
        "continuation first": b" continued: from nothing\r\nSubject: x\r\n\r\ntext\r\n",
        "boundary in boundary": b"Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n"
        b"Content-Type: multipart/mixed; boundary=a--\r\n\r\n--a--\r\n--a----\r\n--a--\r\n",
        "empty boundary": b'Content-Type: multipart/mixed; boundary=""\r\n\r\n'
        b"--\r\n\r\n--\r\n----\r\n",
        "multipart without parts": b"Content-Type: multipart/mixed; boundary=a\r\n\r\ntext\r\n",
        "a date that is none": b"Date: Fri, 99 Foo 99999 99:99:99 +9999 ((((\r\n\r\ntext\r\n",
    }  # fmt: skip


def lawful(message: bytes) -> bool:
    """What DATA takes: no bare CR or LF, no NUL, and a header block within its bound."""
    rest = message.replace(b"\r\n", b"")
    if any(octet in rest for octet in (b"\r", b"\n", b"\0")):
        return False
    return len(message.partition(b"\r\n\r\n")[0]) < 1_000_000


def terminated(message: bytes) -> bytes:
    """DATA gives every message a line end at its end."""
    return message if message.endswith(b"\r\n") else message + b"\r\n"


async def send(client: Client, account: str, message: bytes) -> str:
    """The answer to the data."""
    assert (await client.say(f"MAIL FROM:<{SENDER}>"))[:3] == "250"
    assert (await client.say(f"RCPT TO:<{account}>"))[:3] == "250"
    assert (await client.say("DATA"))[:3] == "354"
    client.write(stuffed(terminated(message)) + b".\r\n")
    return await client.reply()


async def deliver(server: Whole, account: str, messages: dict[str, bytes]) -> dict[str, bytes]:
    """Sends all; those that were taken, in order."""
    taken = {}
    async with server.smtp() as client:
        await client.greet()
        for name, message in messages.items():
            answer = await send(client, account, message)
            assert answer[:3] in ("250", "550", "552"), (name, answer)
            assert (answer[:3] == "250") == lawful(terminated(message)), (name, answer)
            if answer[:3] == "250":
                taken[name] = terminated(message)
    return taken


async def append(server: Whole, account: str, messages: dict[str, bytes]) -> dict[str, bytes]:
    """Appends all; those that were taken, in order, as they must be stored."""
    taken = {}
    async with server.imap(account) as client:
        for name, message in messages.items():
            answer = await client.append(message)
            assert answer.startswith(b"OK") == (b"\0" not in message), (name, answer[:100])
            if answer.startswith(b"OK"):
                taken[name] = message.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return taken


async def check_all(client: ImapClient, names: list[str]) -> None:
    """Every list answer is lawful and true, in ASCII."""
    responses = await client.ok(f"FETCH 1:* ({LIST})")
    assert len(responses) == len(names)
    for name, response in zip(names, responses, strict=True):
        try:
            _, items = fetch_items(response)
            check_envelope(items["ENVELOPE"])
            parts = check_bodystructure(items["BODYSTRUCTURE"])
            assert check_bodystructure(items["BODY"], extended=False) == parts
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}") from error
        assert response.isascii(), name


async def check_sections(client: ImapClient, number: int, uid: int, stored: bytes) -> None:
    """Header and text make the message; parts of it are parts of it."""
    header = await fetched(client, f"UID FETCH {uid} (BODY.PEEK[HEADER])")
    text = await fetched(client, f"UID FETCH {uid} (BODY.PEEK[TEXT])")
    assert header + text == stored
    middle = len(stored) // 2
    assert (
        await fetched(client, f"UID FETCH {uid} (BODY.PEEK[]<{middle}.77>)")
        == (stored[middle : middle + 77])
    )
    for section in ("1", "1.1.1", "2", "1.MIME", "1.HEADER", "1.1.1.1.1.TEXT", "9999.9999"):
        assert await fetched(client, f"UID FETCH {uid} (BODY.PEEK[{section}])") in stored
    (response,) = await client.ok(f"UID FETCH {uid} (RFC822.SIZE {FIELDS})")
    found, items = fetch_items(response)
    assert (found, items["RFC822.SIZE"]) == (number, len(stored))
    for line in _header_lines(response):
        # a header that ends with the message gets the line end that it lacks
        assert line in header + b"\r\n"


def _header_lines(response: bytes) -> list[bytes]:
    _, items = fetch_items(response)
    (block,) = (value for name, value in items.items() if name.startswith("BODY["))
    assert isinstance(block, bytes)
    return block.removesuffix(b"\r\n").splitlines(keepends=True)


async def check(server: Whole, account: str, sent: dict[str, bytes], *, delivered: bool) -> None:
    """What IMAP shows of every message against what was sent."""
    async with server.imap(account) as client:
        await check_all(client, list(sent))
        await client.ok("ENABLE UTF8=ACCEPT")  # else headers in UTF-8 come encoded
        await client.ok("SELECT INBOX")
        found = await uids(client)
        assert len(found) == len(sent)
        for number, (uid, (name, message)) in enumerate(zip(found, sent.items(), strict=True), 1):
            stored = await body_of(client, uid)
            if delivered:
                assert TRACE.match(stored), name
                assert without_trace(stored) == message or stored.endswith(b"\r\n" + message), name
            else:
                assert stored == message, name
            try:
                await check_sections(client, number, uid, stored)
            except AssertionError as error:
                raise AssertionError(f"{name}: {error}") from error
        for key in ("SUBJECT zzz", "TEXT zzz", "BODY zzz", 'HEADER X-A ""', "FROM x", "LARGER 9"):
            await client.ok(f"UID SEARCH {key}")


def judge(pinger: Pinger, what: str) -> None:
    """Prints the figures; they are in the report of a failing test and with -s."""
    print(f"\n{what}: {pinger.pings}")
    assert pinger.pings.worst < STALL_MS, str(pinger.pings)


@pytest.mark.parametrize("way", ["delivered", "appended"])
async def test_the_corpus_is_kept_and_shown(server: Whole, way: str) -> None:
    account, watcher = await server.account(), await server.account()
    messages = corpus()
    async with Pinger(server, watcher) as pinger:
        by_smtp = way == "delivered"
        sent = await (deliver if by_smtp else append)(server, account, messages)
        assert len(sent) > len(messages) * 0.9
        await check(server, account, sent, delivered=by_smtp)
    judge(pinger, f"corpus {way}")


@pytest.mark.parametrize("way", ["delivered", "appended"])
async def test_hostile_messages_are_kept_and_shown(server: Whole, way: str) -> None:
    account, watcher = await server.account(), await server.account()
    messages = hostile(SIZE // 4) | worst()
    began = time.monotonic()
    async with Pinger(server, watcher) as pinger:
        by_smtp = way == "delivered"
        sent = await (deliver if by_smtp else append)(server, account, messages)
        await check(server, account, sent, delivered=by_smtp)
    judge(pinger, f"hostile {way}, {len(sent)} messages in {time.monotonic() - began:.1f} s")


async def test_large_hostile_messages_take_bounded_time(server: Whole) -> None:
    """Sixteen times the size is worked on beside the loop: others are served as before."""
    account, watcher = await server.account(), await server.account()
    async with Pinger(server, watcher) as pinger:
        sent = await append(server, account, hostile(SIZE * 4))
        async with server.imap(account) as client:
            await check_all(client, list(sent))
    judge(pinger, "1.6 MB each")


async def test_large_rows_come_whole_and_in_order(server: Whole) -> None:
    """Structures of megabytes are read a few at a time; no message is lost between the pieces."""
    account, watcher = await server.account(), await server.account()
    large = hostile(SIZE * 2)["many parts"]
    async with server.imap(account) as client, Pinger(server, watcher) as pinger:
        for number in range(12):
            small = b"Subject: message %d\r\n\r\ntext\r\n" % number
            await client.append(large if number % 3 else small)
        await client.ok("STORE 1,5,6,11 +FLAGS.SILENT (\\Deleted)")
        await client.ok("EXPUNGE")
        left = await uids(client)
        responses = await client.ok("UID FETCH 1:* (UID ENVELOPE BODYSTRUCTURE)")
        assert [fetch_items(response)[1]["UID"] for response in responses] == left
        assert len(left) == 8
    judge(pinger, "8 rows of up to a megabyte")
