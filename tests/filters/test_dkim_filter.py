"""The filters `dkim` and `arc` with a real DNS server: results, symbols, bounds, large messages."""

import time
from collections.abc import AsyncIterator
from hashlib import blake2b
from pathlib import Path

import pytest

from auth.login_values import Login
from config.clock import SystemClock
from filters.authentication.arc import Arc, ArcValidator
from filters.authentication.bodies import INLINE
from filters.authentication.dkim import Dkim
from filters.authentication.results import ArcResult, DkimResult, Identity, Outcome, SpfResult
from filters.authentication.sealing import arc_set
from filters.context import Context, Kind, Message, Peer
from filters.rewriting import with_header
from filters.verdict import ACCEPT
from message.arc_seal import seal
from message.dkim_body import BodyForm
from message.dkim_sign import sign
from message.dkim_signing_key import Algorithm, SigningKey
from message.dkim_tags import Status
from net.dns import Resolver
from net.threads import Busy, Offload
from storage.values import AccountId, Content
from tests.support.dkim_messages import BODY, HEADER, key, keys, signed
from tests.support.dns_server import DnsServer, dns_server

RSA, ED25519 = key(Algorithm.RSA), key(Algorithm.ED25519)
FORM = BodyForm(relaxed=True)
CLAIMS = b"lists.test; dmarc=pass header.from=example.org"


@pytest.fixture
async def dns() -> AsyncIterator[DnsServer]:
    async with dns_server() as server:
        for one in keys():
            publish(server, one)
        yield server


@pytest.fixture
async def offload() -> AsyncIterator[Offload]:
    made = Offload(processes=1)
    yield made
    made.close()


@pytest.fixture
async def dkim(dns: DnsServer, offload: Offload) -> Dkim:
    return Dkim(Resolver([dns.endpoint], lifetime=0.5), offload, SystemClock())


@pytest.fixture
async def arc(dns: DnsServer, offload: Offload) -> Arc:
    return Arc(ArcValidator(Resolver([dns.endpoint], lifetime=0.5), offload, SystemClock()))


def publish(server: DnsServer, one: SigningKey) -> None:
    text = one.record
    parts = [text[at : at + 200] for at in range(0, len(text), 200)]
    server.set(one.name, "TXT", " ".join(f'"{part}"' for part in parts))


def context(data: bytes, path: Path | None = None) -> Context:
    """A message as it stands at DATA; with `path` spooled into that file."""
    made = Context(Kind.MX, Peer("192.0.2.1"))
    end = data.index(b"\r\n\r\n") + 2
    digest = blake2b(data, digest_size=16).digest()
    if path is not None:
        path.write_bytes(data)
    content = Content(len(data), digest, data=None if path else data, path=path)
    made.message = Message(content, data[:end])
    return made


async def test_an_unsigned_message(dns: DnsServer, dkim: Dkim, arc: Arc) -> None:
    made = context(HEADER + b"\r\n" + BODY)
    verdict = await dkim.data(made)
    assert (verdict.symbols, verdict.results) == (("R_DKIM_NA",), (DkimResult(Outcome.NONE),))
    assert (await arc.data(made)).results == (ArcResult(Outcome.NONE),)
    named = context(b"Subject: dkim-signature: and\r\n arc-seal: i=1\r\n" + HEADER + b"\r\n")
    assert (await dkim.data(named)).symbols == ("R_DKIM_NA",)
    assert (await arc.data(named)).symbols == ("ARC_NA",)
    assert dns.asked == []


async def test_two_signatures(dkim: Dkim) -> None:
    fields = sign(HEADER, [BODY], keys(), int(time.time()), identity="@mail.example.org")
    verdict = await dkim.data(context(b"".join(fields) + HEADER + b"\r\n" + BODY))
    assert verdict.symbols == ("R_DKIM_ALLOW",)
    first, second = verdict.results
    assert isinstance(first, DkimResult)
    assert isinstance(second, DkimResult)
    assert (first.outcome, second.outcome) == (Outcome.PASS, Outcome.PASS)
    assert (first.domain, first.selector, first.agent) == (
        *("example.org", "rsa", "@mail.example.org"),
    )
    assert (first.algorithm, second.algorithm) == ("rsa-sha256", "ed25519-sha256")
    assert first.tag == fields[0].split(b" b=\r\n ")[1][:8].decode()


@pytest.mark.parametrize("size", [0, INLINE, 300_000])
async def test_sizes_in_memory(dkim: Dkim, size: int) -> None:
    body = b"word and \t word\r\n" * (size // 17) + b"\r\n\r\n"
    data = signed(HEADER, body)
    assert (await dkim.data(context(data))).symbols == ("R_DKIM_ALLOW",)
    changed = context(data.replace(b"\r\n\r\n", b"\r\n\r\nx", 1))
    assert (await dkim.data(changed)).symbols == ("R_DKIM_REJECT",)


async def test_a_spooled_message_and_the_digest_that_is_kept(
    dkim: Dkim, arc: Arc, dns: DnsServer, tmp_path: Path
) -> None:
    body = b"word and \t word\r\n" * 300_000
    block = b"".join(sign(HEADER, [body], [RSA], int(time.time()))) + HEADER
    block = b"".join(seal(block, [body], CLAIMS, Status.NONE, RSA, 1)) + block
    made = context(block + b"\r\n" + body, tmp_path / "spooled")
    assert (await dkim.data(made)).symbols == ("R_DKIM_ALLOW",)
    assert made.message is not None
    assert list(made.message.digests) == [FORM]
    (tmp_path / "spooled").unlink()
    assert (await arc.data(made)).symbols == ("ARC_ALLOW",)
    gone = context(block + b"\r\n" + body, tmp_path / "spooled")
    (tmp_path / "spooled").unlink()
    assert (await dkim.data(gone)).symbols == ("R_DKIM_TEMPFAIL",)
    assert (await arc.data(gone)).symbols == ("ARC_DNSFAIL",)


@pytest.mark.parametrize(
    ("trouble", "outcome", "symbol"),
    [
        ("absent", Outcome.PERMERROR, "R_DKIM_PERMFAIL"),
        ("failing", Outcome.TEMPERROR, "R_DKIM_TEMPFAIL"),
        ("silent", Outcome.TEMPERROR, "R_DKIM_TEMPFAIL"),
    ],
)
async def test_no_key(
    dns: DnsServer, dkim: Dkim, trouble: str, outcome: Outcome, symbol: str
) -> None:
    if trouble == "absent":
        dns.records.clear()
    else:
        getattr(dns, trouble).update(one.name for one in keys())
    verdict = await dkim.data(context(signed()))
    assert verdict.symbols == (symbol,)
    assert [one.outcome for one in verdict.results] == [outcome, outcome]
    assert not verdict.refused


async def test_one_key_missing_does_not_hide_the_other(dns: DnsServer, dkim: Dkim) -> None:
    dns.silent.add(RSA.name)
    verdict = await dkim.data(context(signed()))
    assert verdict.symbols == ("R_DKIM_TEMPFAIL", "R_DKIM_ALLOW")


async def test_a_thousand_signatures(dns: DnsServer, dkim: Dkim) -> None:
    good = signed(HEADER, BODY, RSA)
    field = good[: good.index(b"Received:")]
    others = [field.replace(b"d=example.org", b"d=d%d.test" % n) for n in range(999)]
    verdict = await dkim.data(context(b"".join(others) + good))
    *looked_at, left = verdict.results
    assert [one.outcome.value for one in looked_at] == ["permerror"] * 7 + ["pass"]
    assert left == DkimResult(Outcome.POLICY, reason="992 more signatures were not looked at")
    assert len(dns.asked) == 8
    assert verdict.symbols == ("R_DKIM_PERMFAIL", "R_DKIM_ALLOW")


@pytest.mark.parametrize("spooled", [False, True])
async def test_the_body_is_found_behind_a_changed_header(
    dkim: Dkim, tmp_path: Path, spooled: bool
) -> None:
    made = context(signed(), tmp_path / "spooled" if spooled else None)
    assert made.message is not None
    made.message = with_header(made.message, b"X-Added: x\r\n" + made.message.header)
    assert (await dkim.data(made)).symbols == ("R_DKIM_ALLOW",)


async def test_what_is_not_examined(dkim: Dkim, arc: Arc) -> None:
    made = context(signed())
    made.login = Login(AccountId(1), "a@example.test", False)
    for kind in Kind:
        made.kind = kind
        assert await dkim.data(made) is ACCEPT
        assert await arc.data(made) is ACCEPT
    made.login, made.kind = None, Kind.LMTP
    assert await dkim.data(made) is ACCEPT


async def test_too_much_to_do_is_temporary(
    dkim: Dkim, offload: Offload, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def busy(*_: object) -> None:
        raise Busy("mime")

    monkeypatch.setattr(offload, "run", busy)
    verdict = await dkim.data(context(signed(HEADER, b"x\r\n" * INLINE)))
    assert [one.outcome for one in verdict.results] == [Outcome.TEMPERROR]


def hop(number: int) -> SigningKey:
    return key(Algorithm.ED25519, "arc", f"hop{number}.test")


def chained(hops: int, message: bytes = b"") -> bytes:
    message = message or HEADER + b"\r\n" + BODY
    status = Status.NONE
    for number in range(hops):
        block, _, body = message.partition(b"\r\n\r\n")
        fields = seal(block + b"\r\n", [body], CLAIMS, status, hop(number), 1)
        message, status = b"".join(fields) + message, Status.PASS
    return message


async def test_a_chain_that_holds(dns: DnsServer, arc: Arc) -> None:
    for number in range(4):
        publish(dns, hop(number))
    verdict = await arc.data(context(chained(4)))
    (result,) = verdict.results
    assert isinstance(result, ArcResult)
    assert verdict.symbols == ("ARC_ALLOW",)
    assert result.sealers == ("hop0.test", "hop1.test", "hop2.test", "hop3.test")
    assert result.claims == tuple(b"i=%d; " % n + CLAIMS for n in range(1, 5))


async def test_a_broken_chain_asks_dns_for_the_latest_signer_only(dns: DnsServer, arc: Arc) -> None:
    for number in range(3):
        publish(dns, hop(number))
    verdict = await arc.data(context(chained(3).replace(b"Second", b"Third")))
    assert verdict.symbols == ("ARC_REJECT",)
    assert [name for name, _, _ in dns.asked] == [hop(2).name]
    verdict = await arc.data(context(b"ARC-Seal: i=1; cv=none\r\n" + HEADER + b"\r\n"))
    assert verdict.symbols == ("ARC_REJECT",)
    assert not verdict.refused


async def test_dns_that_fails_is_told_apart(dns: DnsServer, arc: Arc) -> None:
    publish(dns, hop(1))
    dns.failing.add(hop(0).name)
    (result,) = (await arc.data(context(chained(2)))).results
    assert result == ArcResult(
        Outcome.FAIL, reason="ARC-Seal 1: DNS gave no answer", temporary=True
    )


async def test_an_earlier_result_is_not_told_twice(dns: DnsServer, arc: Arc) -> None:
    made = context(chained(1))
    earlier = ArcResult(Outcome.PASS, ("elsewhere.test",))
    made.results.append(earlier)
    verdict = await arc.data(made)
    assert (verdict.symbols, verdict.results) == (("ARC_ALLOW",), ())
    assert dns.asked == []


async def sealed(made: Context, offload: Offload, number: int) -> bytes:
    """The ARC set for a message whose filters have run."""
    assert made.message is not None
    key_of_hop = hop(number)
    now = time.time()
    return await arc_set(
        made.message, made.results, f"mx.{key_of_hop.domain}", key_of_hop, now, offload
    )


@pytest.mark.parametrize("spooled", [False, True])
async def test_forwarders_seal_what_they_found(
    dns: DnsServer, dkim: Dkim, arc: Arc, offload: Offload, tmp_path: Path, spooled: bool
) -> None:
    data = signed()
    for number in range(3):
        publish(dns, hop(number))
        made = context(data, tmp_path / "spooled" if spooled else None)
        for one in (dkim, arc):
            made.results += (await one.data(made)).results
        data = await sealed(made, offload, number) + data
    verdict = await arc.data(context(data))
    (result,) = verdict.results
    assert isinstance(result, ArcResult)
    assert result.outcome is Outcome.PASS
    assert result.sealers == ("hop0.test", "hop1.test", "hop2.test")
    assert b"arc=none" in result.claims[0]
    assert all(b"dkim=pass" in claim for claim in result.claims)
    assert all(b"arc=pass" in claim for claim in result.claims[1:])


async def test_what_is_not_sealed(dns: DnsServer, arc: Arc, offload: Offload) -> None:
    made = context(chained(1))
    assert await sealed(made, offload, 1) == b""
    made.results.append(SpfResult(Outcome.PASS, Identity.MAIL_FROM, "example.org"))
    assert await sealed(made, offload, 1) == b"", "nobody has validated the chain"
    dns.failing.add(hop(0).name)
    made.results += (await arc.data(made)).results
    assert await sealed(made, offload, 1) == b"", "the chain may be whole"
    made.results[-1] = ArcResult(Outcome.FAIL)
    assert b"cv=fail" in await sealed(made, offload, 1)
