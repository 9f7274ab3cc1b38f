"""DKIM and ARC fields made to cost or to cheat, into a serving process: taken, told of, and others
are served meanwhile.
"""

import base64
import time
from collections.abc import Iterator

import pytest

from message.arc_seal import seal
from message.dkim_body import BodyForm, body_hashes
from message.dkim_header import Header
from message.dkim_sign import sign, signed_field
from message.dkim_signing_key import Algorithm
from message.dkim_tags import Status
from tests.support.dkim_messages import key
from tests.support.dns_server import DnsServer
from tests.support.dns_thread import dns_in_thread
from tests.support.server import until
from tests.support.smtp_receiving import Client
from tests.support.whole import SENDER, Pinger, Whole, stuffed, whole

# What the issue bounds is 50 ms; ten times that leaves room for a busy machine.
STALL_MS = 500
SIGNER = key(Algorithm.ED25519, "ed25519", "author.test")
HEADER = b"From: a@author.test\r\nSubject: x\r\nMessage-ID: <%d@author.test>\r\n"
BODY = b"text\r\n"
FORM = BodyForm(relaxed=True)
CLAIMS = b"hop.test; spf=pass smtp.mfrom=a@author.test"


def der(tag: int, content: bytes) -> bytes:
    size = len(content).to_bytes(2, "big")
    return bytes([tag, 0x82]) + size + content


def key_of_16384_bits() -> str:
    modulus = der(2, b"\0" + b"\xc5" * 2048)
    octets = der(0x30, modulus + b"\x02\x03\x01\x00\x01")
    return f"v=DKIM1; p={base64.b64encode(octets).decode()}"


def publish(dns: DnsServer, name: str, text: str) -> None:
    strings = (f'"{text[at : at + 200]}"' for at in range(0, len(text), 200))
    dns.set(name, "TXT", " ".join(strings))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with dns_in_thread() as dns:
        publish(dns, SIGNER.name, SIGNER.record)
        publish(dns, "large._domainkey.author.test", key_of_16384_bits())
        publish(dns, "tags._domainkey.author.test", "v=DKIM1; " + "x=y; " * 700)
        extra = f'[dns]\nnameservers = ["{dns.endpoint}"]\n[filters]\npipeline = ["dkim", "arc"]\n'
        with whole(tmp_path_factory.mktemp("hostile"), extra) as running:
            yield running


def genuine(body: bytes = BODY, length: int | None = None) -> bytes:
    """A DKIM-Signature that holds, as far as `length` goes."""
    form = FORM._replace(length=length)
    digest = base64.b64encode(body_hashes([body], [form])[form].digest)
    tags = [b"v=1", b"a=ed25519-sha256", b"c=relaxed/relaxed", b"d=author.test", b"s=ed25519"]
    tags += [] if length is None else [b"l=%d" % length]
    tags += [b"h=from", b"bh=" + digest, b"b="]
    covered = Header(HEADER % 0).forms([0], relaxed=True)
    return signed_field(b"DKIM-Signature", tags, covered, SIGNER)


def chained(hops: int) -> bytes:
    block, status = HEADER % 0, Status.NONE
    for _ in range(hops):
        block = b"".join(seal(block, [BODY], CLAIMS, status, SIGNER, 1)) + block
        status = Status.PASS
    return block.removesuffix(HEADER % 0)


def stranger(number: int) -> bytes:
    return genuine().replace(b"author.test", b"d%d.test" % number)


def names(count: int) -> bytes:
    """A signature that lists one name many times."""
    return genuine().replace(b"h=from", b"h=from" + b":x-1" * count)


CASES: dict[str, tuple[bytes, bytes, set[str]]] = {
    "1,000 signatures": (
        b"".join(map(stranger, range(999))) + genuine(),
        BODY,
        {"R_DKIM_PERMFAIL", "R_DKIM_ALLOW", "ARC_NA"},
    ),
    "3,000 without sense": (
        b"DKIM-Signature: v=1; a=rsa-sha256; d=x.test\r\n" * 3000,
        BODY,
        {"R_DKIM_PERMFAIL", "ARC_NA"},
    ),
    "16,384-bit key": (
        genuine().replace(b"s=ed25519", b"s=large"),
        BODY,
        {"R_DKIM_PERMFAIL", "ARC_NA"},
    ),
    "a key of 700 tags": (
        genuine().replace(b"s=ed25519", b"s=tags"),
        BODY,
        {"R_DKIM_PERMFAIL", "ARC_NA"},
    ),
    "9,000 tags": (
        b"DKIM-Signature: " + b"".join(b"t%d=x;\r\n " % n for n in range(6000)) + b"a=b\r\n",
        BODY,
        {"R_DKIM_PERMFAIL", "ARC_NA"},
    ),
    "12,000 names, 20,000 fields": (
        names(12_000) + b"X-1: y\r\n" * 20_000,
        BODY,
        {"R_DKIM_REJECT", "ARC_NA"},
    ),
    "l= of nothing": (genuine(length=0), BODY, {"R_DKIM_PERMFAIL", "ARC_NA"}),
    "l= before an advertisement": (
        genuine(length=6),
        BODY + b"Buy now\r\n",
        {"R_DKIM_PERMFAIL", "ARC_NA"},
    ),
    "l= of all": (genuine(length=6), BODY, {"R_DKIM_ALLOW", "ARC_NA"}),
    "a body of blanks": (
        genuine(b" \t\r\n" * 200_000 + b"x\r\n"),
        b" \t\r\n" * 200_000 + b"x\r\n",
        {"R_DKIM_ALLOW", "ARC_NA"},
    ),
    "fifty sets": (chained(50), BODY, {"R_DKIM_NA", "ARC_ALLOW"}),
    "fifty sets, a changed body": (chained(50), b"other\r\n", {"R_DKIM_NA", "ARC_REJECT"}),
    "10,000 seals": (b"ARC-Seal: i=1; cv=none\r\n" * 10_000, BODY, {"R_DKIM_NA", "ARC_REJECT"}),
}


async def send(client: Client, account: str, message: bytes) -> str:
    """The id that the answer to the data tells."""
    assert (await client.say(f"MAIL FROM:<{SENDER}>"))[:3] == "250"
    assert (await client.say(f"RCPT TO:<{account}>"))[:3] == "250"
    assert (await client.say("DATA"))[:3] == "354"
    client.write(stuffed(message) + b".\r\n")
    answer = await client.reply()
    assert answer.startswith("250 "), answer
    return answer.rpartition("id ")[2].strip()


async def test_all_are_taken_told_of_and_cheap(server: Whole) -> None:
    account, idle = await server.account(), await server.account()
    started = time.monotonic()
    async with Pinger(server, idle) as pinger, server.smtp() as client:
        await client.greet()
        found = {
            name: await send(client, account, fields + HEADER % 0 + b"\r\n" + body)
            for name, (fields, body, _) in CASES.items()
        }
    print(pinger.pings, f"{time.monotonic() - started:.1f} s")
    assert pinger.pings.worst < STALL_MS
    for name, trace in found.items():
        assert accepted(server, trace) == CASES[name][2], name
    assert await server.count(account) == len(CASES)


def accepted(server: Whole, trace: str) -> set[str]:
    """The symbols that the log tells of an accepted message; the line may come a little later."""

    def look() -> dict[str, object] | None:
        events = server.process.events("accepted")
        return next((line for line in events if line.get("message") == trace), None)

    found = until(look, 20)
    return set(found["symbols"])


async def test_the_next_message_owes_nothing_to_the_last(server: Whole) -> None:
    """Two on one connection: what was hashed of one body is not taken for another's."""
    account = await server.account()
    block = b"".join(sign(HEADER % 1, [BODY], [SIGNER], int(time.time()))) + HEADER % 1
    async with server.smtp() as client:
        await client.greet()
        good = await send(client, account, block + b"\r\n" + BODY)
        bad = await send(client, account, block + b"\r\n" + b"other\r\n")
    for trace, symbol in ((good, "R_DKIM_ALLOW"), (bad, "R_DKIM_REJECT")):
        assert symbol in accepted(server, trace)
