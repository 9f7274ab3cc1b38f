"""The milters of OpenDKIM and rspamd behind our SMTP server."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from message.dkim_signing_key import Algorithm
from message.dkim_tags import Status
from tests.support.dkim_messages import BODY, HEADER, checked, key, keys, signed
from tests.support.filter_daemons import Rspamd, opendkim, rspamd
from tests.support.smtp_receiving import ADA, BEN, Client, receiving
from tests.support.smtp_stage import plain


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rspamd]:
    with rspamd(tmp_path_factory.mktemp("rspamd")) as running:
        yield running


async def sent(client: Client, message: bytes, *, sender: str = "a@b.test", to: str = ADA) -> str:
    for line in (f"MAIL FROM:<{sender}>", f"RCPT TO:<{to}>"):
        assert (await client.say(line)).startswith("250")
    assert (await client.say("DATA")).startswith("354")
    return await client.say(re.sub(rb"(?m)^\.", b"..", message) + b".")


def public_keys(folder: Path) -> Path:
    path = folder / "keys"
    path.write_text("".join(f"{one.name} {one.record}\n" for one in keys()))
    return path


@pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
async def test_opendkim_verifies(tmp_path: Path, unix: bool) -> None:
    """What we signed reaches it unchanged, several messages in one connection and the next."""
    records = public_keys(tmp_path)
    text = f"Mode v\nTestDNSData file:{records}\nAuthservID their.test\nAlwaysAddARHeader yes\n"
    message = signed(HEADER, BODY)
    with opendkim(tmp_path / "opendkim", text + "InternalHosts 192.0.2.1\n", unix=unix) as address:
        milter = {"name": "opendkim", "address": address, "on_error": "defer"}
        async with receiving(tmp_path, milter=[milter]) as running:
            for _ in range(2):
                client = await running.client()
                await client.greet()
                for one in (message, message.replace(b"Subject:", b"Subject: other")):
                    assert (await sent(client, one)).startswith("250")
                await client.say("QUIT")
                await running.quiet()
            good, bad = running.store.bodies[:2]
            assert [good.count(b"dkim=pass"), bad.count(b"dkim=fail")] == [2, 2]
            assert good.endswith(message) and b"Authentication-Results: their.test;" in good
            assert len(running.store.bodies) == 4


async def test_opendkim_signs_and_the_signature_holds(tmp_path: Path) -> None:
    one = key(Algorithm.RSA)
    pem = one.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "key.pem").write_bytes(pem)
    text = (
        f"Mode s\nDomain {one.domain}\nSelector {one.selector}\nKeyFile {tmp_path}/key.pem\n"
        "Canonicalization simple/simple\nInternalHosts 192.0.2.1\n"
    )
    header = HEADER + b"Message-ID: <1@example.test>\r\n"
    with opendkim(tmp_path / "opendkim", text) as address:
        milter = {"name": "opendkim", "address": address, "listeners": ["submission"]}
        auth = {"plaintext_from": ["127.0.0.0/8"], "bcrypt_rounds": 4}
        anybody = {"from_header": "any"}
        settings: dict[str, Any] = {"milter": [milter], "auth": auth, "submission": anybody}
        async with receiving(tmp_path, **settings) as running:
            client = await running.client("submission")
            await client.greet()
            assert (await client.say(f"AUTH PLAIN {plain(BEN)}")).startswith("235")
            reply = await sent(client, header + b"\r\n" + BODY, sender=BEN)
            assert reply.startswith("250"), reply
            body = running.body
    assert body.count(b"DKIM-Signature:") == 1
    assert checked(body[body.index(b"DKIM-Signature:") :]) == [(Status.PASS, "")]


async def test_rspamd_marks_rejects_and_lets_through(tmp_path: Path, daemon: Rspamd) -> None:
    milter = {"name": "rspamd", "address": daemon.milter, "on_error": "defer"}
    gtube = b"XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
    head = (
        b"From: A <a@b.test>\r\nTo: <ada@example.test>\r\nSubject: hello\r\n"
        b"Date: Sat, 28 Nov 2026 22:00:00 +0000\r\nMessage-ID: <1@b.test>\r\n\r\n"
    )
    # of our own filters one knows the test pattern too
    async with receiving(tmp_path, milter=[milter], filters={"pipeline": []}) as running:
        client = await running.client()
        await client.greet()
        assert (await sent(client, head + b"just text\r\n")).startswith("250")
        assert (await sent(client, head + b"xyzzyspam here\r\n")).startswith("250")
        assert (await sent(client, head + gtube + b"\r\n")).startswith("554 5.7.1 Gtube pattern")
        clean, marked = running.store.bodies
    assert b"X-Spam: Yes" in marked and re.search(rb"TEST_WORD\(7\.00\)", marked)
    assert b"X-Spamd-Result:" in clean and b"X-Spam: Yes" not in clean
    assert "192.0.2" not in clean.decode() and b"just text\r\n" in clean
