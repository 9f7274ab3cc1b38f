"""Keys made, kept and rotated; what is signed with them verifies by dkimpy and by nothing else."""

import asyncio
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dkim
import pytest
import structlog

from config.settings import Settings
from filters.context import Message
from filters.rewriting import with_header
from filters.signing.keyring import Key, Keyring
from filters.signing.published import publishes
from filters.signing.rotation import Rotation
from filters.signing.signer import Signer
from message.dkim_signing_key import Algorithm
from message.headers import all_values
from net.dns import Resolver
from net.threads import Offload
from storage.directory import Directory
from storage.directory_values import AlreadyExists
from storage.dkim_keys import DkimKeys, StoredKey
from storage.values import Content
from tests.support.directories import MovedClock, make_settings
from tests.support.dns_server import DnsServer, dns_server

DAY = 86_400.0
DOMAIN = "example.test"
FIELDS = b"From: Ada <ada@example.test>\r\nSubject: hello\r\n"
BODY = b"text  with   blanks \r\n\r\n\r\n"


@dataclass(slots=True)
class Site:
    settings: Settings
    clock: MovedClock
    offload: Offload
    directory: Directory
    table: DkimKeys
    keyring: Keyring
    signer: Signer

    async def names(self) -> list[str]:
        """The selectors in use, RSA first."""
        return [key.selector for key in await self.keyring.signing(DOMAIN)]

    async def states(self) -> dict[str, str]:
        return {key.stored.selector: state(key) for key in await self.keyring.keys(DOMAIN)}

    def again(self) -> Keyring:
        """As after a restart."""
        return Keyring(self.table, self.clock, self.offload, structlog.get_logger())

    def rotation(self, dns: DnsServer) -> Rotation:
        resolver = Resolver([dns.endpoint], lifetime=2.0)
        log = structlog.get_logger()
        return Rotation(self.settings, self.directory, self.keyring, resolver, self.clock, log)


def state(key: Key) -> str:
    if key.waiting:
        return "waiting"
    return "in use" if key.in_use else "retired"


@asynccontextmanager
async def site(folder: Path, **values: Any) -> AsyncIterator[Site]:
    settings, clock, offload = make_settings(folder, **values), MovedClock(), Offload(processes=1)
    directory = await Directory.open(settings, clock, offload)
    table = DkimKeys(directory.database)
    keyring = Keyring(table, clock, offload, structlog.get_logger())
    signer = Signer(settings, directory, keyring, offload, clock)
    try:
        yield Site(settings, clock, offload, directory, table, keyring, signer)
    finally:
        await directory.close()
        await asyncio.to_thread(offload.close)


def publish(dns: DnsServer, *keys: Key) -> None:
    for key in keys:
        text = key.signing.record
        dns.set(key.signing.name, "TXT", " ".join(f'"{text[n : n + 250]}"' for n in (0, 250)))


def message(body: bytes = BODY, header: bytes = FIELDS) -> Message:
    data = header + b"\r\n" + body
    return Message(Content(len(data), b"d" * 16, data=data), header)


def verified(signed: bytes, keys: tuple[Key, ...]) -> list[bool]:
    """What dkimpy says of each signature, in order."""
    records = {f"{key.signing.name}.".encode(): key.signing.record.encode() for key in keys}

    def answer(name: bytes, timeout: float = 5) -> bytes | None:
        return records.get(name)

    def verifies(index: int) -> bool:
        try:
            return bool(dkim.DKIM(signed).verify(index, dnsfunc=answer))
        except dkim.DKIMException:
            return False

    header = signed.partition(b"\r\n\r\n")[0] + b"\r\n"
    return [verifies(index) for index in range(len(all_values(header, b"dkim-signature")))]


async def test_two_keys_are_made_once_and_kept(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        several = await asyncio.gather(*(here.names() for _ in range(5)))
        assert several == [["20231114r", "20231114e"]] * 5
        keys = await here.keyring.keys(DOMAIN)
        assert [key.signing.algorithm for key in keys] == list(Algorithm)
        again = await here.again().keys(DOMAIN)
        assert [key.signing.record for key in again] == [key.signing.record for key in keys]
        assert stat.S_IMODE((tmp_path / "data" / "config.db").stat().st_mode) == 0o600
        assert "PRIVATE" not in repr(again) + repr(keys)
        with pytest.raises(AlreadyExists):
            await here.table.add(StoredKey(DOMAIN, "20231114r", "rsa-sha256", b"", 0.0))


async def test_both_signatures_verify(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        added = b"Received-SPF: none\r\n"
        signature = await here.signer.sign(added, message(), "ada@example.test")
        signed = signature + added + message().content.data  # type: ignore[operator]
        keys = await here.keyring.keys(DOMAIN)
        assert verified(signed, keys) == [True, True]
        assert verified(signed.replace(b"hello", b"hallo"), keys) == [False, False]
        assert verified(signed.replace(b"text", b"test"), keys) == [False, False]
        assert verified(b"From: <ceo@example.test>\r\n" + signed, keys) == [False, False]


@pytest.mark.parametrize("start", ["as it came", "other header", "headless", "headless changed"])
async def test_spooled_mail_is_signed_as_it_goes_out(tmp_path: Path, start: str) -> None:
    async with site(tmp_path) as here:
        body = b"a line of text\r\n" * 50_000
        path = tmp_path / "spooled"
        whole = start.startswith("headless")
        data = body if whole else FIELDS + b"\r\n" + body
        path.write_bytes(data)
        content = Content(len(data), b"d" * 16, path=path)
        found = Message(content, b"" if whole else FIELDS, headless=whole)
        header = found.header
        if start != "as it came":
            header = b"From: Ada <ada@example.test>\r\nSubject: another\r\n"
            found = with_header(found, header)
        if start == "headless changed":
            header = b"X: a header changed twice\r\n" + header
            found = with_header(found, header)
        signature = await here.signer.sign(b"", found, "")
        out = found.content.prefix + path.read_bytes()[found.content.start :]
        assert len(out) == found.content.size and out == header + b"\r\n" + body
        assert verified(signature + out, await here.keyring.keys(DOMAIN)) == [True, True]


@pytest.mark.parametrize(
    ("author", "sender", "domain"),
    [
        ("ada@example.test", "", DOMAIN),
        ("x@EXAMPLE.test", "", DOMAIN),
        ("MAILER-DAEMON@mx.example.test", "", DOMAIN),
        ("ceo@bank.test", "ada@example.test", DOMAIN),
        ("ceo@bank.test", "x@bank.test", None),
        ("ceo@test", "", None),
        ("nobody", "", None),
    ],
)
async def test_the_domain_that_signs(
    tmp_path: Path, author: str, sender: str, domain: str | None
) -> None:
    async with site(tmp_path) as here:
        assert here.signer.domain(f"From: {author}\r\n".encode(), sender) == domain
        if domain is None:
            header = f"From: {author}\r\n".encode()
            assert await here.signer.sign(b"", message(header=header), sender) == b""


async def test_signing_can_be_off(tmp_path: Path) -> None:
    async with site(tmp_path, dkim={"sign": False}) as here:
        assert await here.signer.sign(b"", message(), "") == b""
        assert await here.keyring.domains() == []


async def test_the_next_keys_wait_until_dns_serves_them(tmp_path: Path) -> None:
    async with site(tmp_path, dkim={"rotate_every": "90d"}) as here, dns_server() as dns:
        rotation = here.rotation(dns)
        await here.names()
        await rotation.turn()
        assert list((await here.states()).values()) == ["in use", "in use"]
        here.clock.seconds += 91 * DAY
        await rotation.turn()
        waiting = {"20240213r": "waiting", "20240213e": "waiting"}
        old = {"20231114r": "in use", "20231114e": "in use"}
        assert await here.states() == waiting | old
        here.clock.seconds += 300 * DAY
        await rotation.turn()
        assert await here.states() == waiting | old
        keys = await here.keyring.keys(DOMAIN)
        publish(dns, keys[1])
        await here.rotation(dns).turn()
        assert await here.names() == ["20231114r", "20240213e"]
        publish(dns, keys[0])
        await here.rotation(dns).turn()
        assert await here.names() == ["20240213r", "20240213e"]
        assert (await here.states())["20231114r"] == "retired"
        signature = await here.signer.sign(b"", message(), "")
        assert b"s=20240213r;" in signature and b"s=20231114" not in signature
        here.clock.seconds += 8 * DAY
        await here.rotation(dns).turn()
        assert "20231114r" not in await here.states()
        assert await here.again().domains() == [DOMAIN]


async def test_keys_that_dns_never_shows_are_used_when_told_so(tmp_path: Path) -> None:
    limits = {"rotate_every": "90d", "use_unseen_after": "10d"}
    async with site(tmp_path, dkim=limits) as here, dns_server() as dns:
        await here.names()
        await here.keyring.prepare(DOMAIN)
        dns.failing.add(f"20231114r2._domainkey.{DOMAIN}")
        await here.rotation(dns).turn()
        assert await here.names() == ["20231114r", "20231114e"]
        here.clock.seconds += 10 * DAY
        await here.rotation(dns).turn()
        assert await here.names() == ["20231114r2", "20231114e2"]


async def test_a_record_of_another_key_is_not_the_key(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        rsa, ed = (key.signing for key in await here.keyring.keys(DOMAIN))
        assert publishes(rsa.record.encode(), rsa)
        assert publishes(rsa.record.replace("k=rsa; ", "").encode() + b"; t=s", rsa)
        for text in (ed.record.encode(), b"v=DKIM1; k=rsa; p=", b"", b"v=spf1 -all", b"p=!"):
            assert not publishes(text, rsa)


async def test_a_key_that_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        await here.names()
        await here.table.remove(DOMAIN, "20231114r")
        broken = StoredKey(DOMAIN, "bad", "rsa-sha256", b"no key", 1.0, None, 1.0)
        await here.table.add(broken)
        assert [key.selector for key in await here.again().signing(DOMAIN)] == ["20231114e"]
