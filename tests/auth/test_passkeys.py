"""Passkeys at the one door, with an authenticator in software, on both kinds of database."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from auth.arrivals import Arrival
from auth.caller import Caller
from auth.challenges import LIFE, Ceremony, Challenges
from auth.login import Authenticator
from auth.login_values import Cause, Login, Refused
from auth.passkeys import PasskeyDesk
from auth.password import hash_password
from auth.service import Fault, Problem
from auth.webauthn import Site as RelyingParty
from net.threads import Offload
from storage.credential_values import CredentialId, Protocol
from storage.directory import Directory
from storage.directory_values import Absent, Account, AccountChange, AlreadyExists, NotAllowed
from storage.passkeys import MAX_OF_ACCOUNT, NewPasskey
from tests.support.authenticator import Authenticator as Device
from tests.support.authenticator import decoded, encoded
from tests.support.directories import PASSWORD, MovedClock, make_settings, own_database

ADA, BOB = "ada@example.test", "bob@example.test"
CALLER = Caller("192.0.2.1", Protocol.WEB, client="Test/1")
SESSION = CredentialId(7)
ON_ONE = pytest.mark.parametrize("site", ["sqlite"], indirect=True)
"""For what does not come to the database."""
PARTY = RelyingParty("mx.example.test", ("https://mx.example.test",))


@dataclass
class Site:
    directory: Directory
    auth: Authenticator
    desk: PasskeyDesk
    clock: MovedClock
    ada: Account
    bob: Account

    async def enrol(self, *, factor: bool = False, **device: Any) -> Device:
        made = Device(**device)
        answer = made.make(await self.desk.begin(self.ada, SESSION))
        await self.desk.register(self.ada, SESSION, answer, "Key", factor=factor)
        return made

    async def sign_in(self, answer: dict[str, Any]) -> Login | Cause:
        found = await self.desk.sign_in(answer, CALLER)
        return found.cause if isinstance(found, Refused) else found

    async def password(self, protocol: Protocol = Protocol.WEB) -> Login | Refused:
        return await self.auth.login(ADA, PASSWORD, peer="192.0.2.1", protocol=protocol)

    async def second(self, ticket: str, answer: dict[str, Any]) -> Login | Cause:
        found = await self.auth.login_second(
            ticket, CALLER, lambda account: self.desk.prove(account, answer, CALLER)
        )
        return found.cause if isinstance(found, Refused) else found

    async def audited(self) -> list[tuple[str, str]]:
        found = await self.directory.audit.listed(self.ada.id)
        return [(one.kind.value, one.detail) for one in found]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def site(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Site]:
    offload, clock = Offload(), MovedClock()
    async with own_database(request.param) as url:
        directory = await Directory.open(make_settings(tmp_path, url), clock, offload)
        auth = Authenticator(make_settings(tmp_path, url), directory, offload, clock)
        ada = await directory.add_account(ADA, hash_password(PASSWORD, 4), name="Ada")
        bob = await directory.add_account(BOB, hash_password(PASSWORD, 4))
        desk = PasskeyDesk(auth, directory, lambda: PARTY, offload, clock)
        yield Site(directory, auth, desk, clock, ada, bob)
        await auth.close()
        await directory.close()
    offload.close()


async def test_a_passkey_signs_in_without_user_name_and_password(site: Site) -> None:
    options = await site.desk.begin(site.ada, SESSION)
    assert (options["rp"]["id"], options["user"]["name"]) == ("mx.example.test", ADA)
    assert ADA.encode() not in decoded(options["user"]["id"])
    chosen = options["authenticatorSelection"]
    assert (chosen["residentKey"], chosen["userVerification"]) == ("required", "required")
    assert options["attestation"] == "none"
    device = await site.enrol()
    asked = await site.desk.sign_in_options()
    assert not asked["allowCredentials"] and asked["userVerification"] == "required"
    login = await site.sign_in(device.sign(asked))
    assert isinstance(login, Login)
    assert (login.account, login.address) == (site.ada.id, ADA)
    (kept,) = await site.desk.of(site.ada.id)
    assert (kept.sign_count, kept.used, kept.used_from) == (1, site.clock.now(), "192.0.2.1")
    assert kept.transports == ("internal", "usb") and not kept.synced
    assert isinstance(await site.password(Protocol.IMAP), Login), "it is no second factor"
    assert ("login", "") in await site.audited()


@ON_ONE
@pytest.mark.parametrize(
    ("change", "client"),
    [
        pytest.param({"origin": "https://mx.example.test:444"}, {}, id="port"),
        pytest.param({"origin": "https://mx.example.test.evil.test"}, {}, id="origin"),
        pytest.param({"origin": "http://mx.example.test"}, {}, id="plain-http"),
        pytest.param({"rp": "evil.test"}, {}, id="rp-id"),
        pytest.param({"rp": "example.test"}, {}, id="parent-rp-id"),
        pytest.param({"verifies": False}, {}, id="not-verified"),
        pytest.param({"framed": True}, {}, id="framed"),
        pytest.param({"id": b"y" * 32}, {}, id="unknown"),
        pytest.param({"handle": b"x" * 32}, {}, id="other-user"),
        pytest.param({"handle": b""}, {}, id="no-user"),
        pytest.param({}, {"type": "webauthn.create"}, id="type"),
        pytest.param({}, {"challenge": "AAAA"}, id="short-challenge"),
        pytest.param({}, {"challenge": encoded(bytes(56))}, id="own-challenge"),
    ],
)
async def test_what_is_no_login(site: Site, change: dict[str, Any], client: dict[str, Any]) -> None:
    device = await site.enrol()
    for name, value in change.items():
        setattr(device, name, value)
    asked = await site.desk.sign_in_options()
    assert await site.sign_in(device.sign(asked, **client)) is Cause.CREDENTIALS


@ON_ONE
@pytest.mark.parametrize("part", ["signature", "authenticatorData", "clientDataJSON", "userHandle"])
async def test_an_altered_answer(site: Site, part: str) -> None:
    device = await site.enrol()
    answer = device.sign(await site.desk.sign_in_options())
    data = bytearray(decoded(answer["response"][part]))
    data[len(data) // 2] ^= 1
    answer["response"][part] = encoded(bytes(data))
    assert await site.sign_in(answer) is Cause.CREDENTIALS


@ON_ONE
@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda answer: answer.clear(), id="empty"),
        pytest.param(lambda answer: answer.update(response=None), id="null"),
        pytest.param(lambda answer: answer.update(response=[1]), id="list"),
        pytest.param(lambda answer: answer.update(id=5, rawId=5), id="number"),
        pytest.param(lambda answer: answer["response"].update(clientDataJSON="e30"), id="braces"),
        pytest.param(lambda answer: answer["response"].update(clientDataJSON="\0é"), id="text"),
        pytest.param(lambda answer: answer["response"].update(signature=""), id="unsigned"),
        pytest.param(lambda answer: answer["response"].pop("authenticatorData"), id="no-data"),
        pytest.param(lambda answer: answer.update(rawId=encoded(bytes(2000))), id="long-id"),
        pytest.param(lambda answer: answer.update(type="password"), id="type"),
    ],
)
async def test_broken_answers(site: Site, spoil: Callable[[dict[str, Any]], object]) -> None:
    device = await site.enrol()
    answer = device.sign(await site.desk.sign_in_options())
    spoil(answer)
    assert await site.sign_in(answer) is Cause.CREDENTIALS


async def test_an_answer_counts_once(site: Site) -> None:
    device = await site.enrol(step=0)
    answer = device.sign(await site.desk.sign_in_options())
    found = await asyncio.gather(*(site.sign_in(answer) for _ in range(5)))
    assert sum(isinstance(one, Login) for one in found) == 1
    assert await site.sign_in(answer) is Cause.CREDENTIALS
    assert isinstance(await site.sign_in(device.sign(await site.desk.sign_in_options())), Login)


@ON_ONE
async def test_a_challenge_has_its_time(site: Site) -> None:
    device = await site.enrol()
    asked = await site.desk.sign_in_options()
    site.clock.seconds += LIFE - 1
    assert isinstance(await site.sign_in(device.sign(asked)), Login)
    asked = await site.desk.sign_in_options()
    site.clock.seconds += LIFE
    assert await site.sign_in(device.sign(asked)) is Cause.CREDENTIALS


async def test_a_counter_that_goes_back(site: Site) -> None:
    device = await site.enrol()
    device.count = 40
    assert isinstance(await site.sign_in(device.sign(await site.desk.sign_in_options())), Login)
    for count in (40, 0):
        device.count = count - device.step
        asked = await site.desk.sign_in_options()
        assert await site.sign_in(device.sign(asked)) is Cause.CREDENTIALS
    (kept,) = await site.desk.of(site.ada.id)
    assert ("login failed", f"passkey {kept.id}: counter went back") in await site.audited()
    device.count = 41
    assert isinstance(await site.sign_in(device.sign(await site.desk.sign_in_options())), Login)


async def test_a_disabled_account_and_a_deleted_passkey(site: Site) -> None:
    device = await site.enrol()
    await site.directory.set_enabled(ADA, False)
    assert await site.sign_in(device.sign(await site.desk.sign_in_options())) is Cause.CREDENTIALS
    await site.directory.set_enabled(ADA, True)
    (kept,) = await site.desk.of(site.ada.id)
    with pytest.raises(Absent):
        await site.desk.delete(site.bob, kept.id)
    await site.desk.delete(site.ada, kept.id)
    assert await site.sign_in(device.sign(await site.desk.sign_in_options())) is Cause.CREDENTIALS
    with pytest.raises(Absent):
        await site.desk.delete(site.ada, kept.id)


async def test_a_passkey_as_second_factor(site: Site) -> None:
    closed: list[AccountChange] = []
    site.auth.on_revoke(closed.append)
    device = Device(verifies=True)
    answer = device.make(await site.desk.begin(site.ada, SESSION))
    made = await site.desk.register(site.ada, SESSION, answer, "Key", factor=True)
    assert len(made.codes) == 10 and made.codes[0] not in repr(made)
    assert [one.account for one in closed] == [site.ada.id], "what the password opened closes"
    refused = await site.password(Protocol.IMAP)
    assert isinstance(refused, Refused) and refused.cause is Cause.APP_PASSWORD
    asked = await site.password()
    assert isinstance(asked, Refused) and asked.cause is Cause.CODE
    assert asked.factors == ("passkey", "recovery_code") and asked.ticket not in repr(asked)

    options = await site.desk.second_options(site.ada)
    assert [decoded(one["id"]) for one in options["allowCredentials"]] == [device.id]
    device.verifies = False
    signed = device.sign(options)
    assert await site.sign_in(signed) is Cause.CREDENTIALS, "it was asked for as second factor"
    assert await site.second("nothing", signed) is Cause.TICKET
    assert isinstance(await site.second(asked.ticket, signed), Login)
    assert await site.second(asked.ticket, signed) is Cause.TICKET
    assert isinstance(
        await site.auth.login(
            ADA, PASSWORD, peer="192.0.2.1", protocol=Protocol.WEB, code=made.codes[0]
        ),
        Login,
    )
    assert ("second factor on", "passkey") in await site.audited()
    (kept,) = await site.desk.of(site.ada.id)
    await site.desk.delete(site.ada, kept.id)
    assert isinstance(await site.password(Protocol.IMAP), Login)
    assert await site.directory.second_factors.codes_left(site.ada.id) == 0
    assert ("second factor off", "passkey") in await site.audited()


async def test_somebody_elses_passkey_is_no_second_factor(site: Site) -> None:
    await site.enrol(factor=True)
    stranger = Device()
    answer = stranger.make(await site.desk.begin(site.bob, SESSION))
    await site.desk.register(site.bob, SESSION, answer, "Key", factor=True)
    asked = await site.password()
    assert isinstance(asked, Refused)
    for whose in (site.ada, site.bob):
        signed = stranger.sign(await site.desk.second_options(whose))
        assert await site.second(asked.ticket, signed) is Cause.WRONG_CODE
    signed = stranger.sign(await site.desk.sign_in_options())
    assert await site.second(asked.ticket, signed) is Cause.WRONG_CODE


async def test_a_passkey_that_is_no_factor_is_none_beside_one(site: Site) -> None:
    alone = await site.enrol()
    await site.enrol(factor=True)
    asked = await site.password()
    assert isinstance(asked, Refused)
    options = await site.desk.second_options(site.ada)
    assert encoded(alone.id) not in [one["id"] for one in options["allowCredentials"]]
    assert await site.second(asked.ticket, alone.sign(options)) is Cause.WRONG_CODE
    assert isinstance(await site.sign_in(alone.sign(await site.desk.sign_in_options())), Login)


async def test_a_login_by_passkey_from_a_new_network_is_told(site: Site) -> None:
    told: list[Arrival] = []
    site.auth.arrivals.on_new = told.append
    device = await site.enrol()
    assert isinstance(await site.sign_in(device.sign(await site.desk.sign_in_options())), Login)
    assert told == [], "the first login of all"
    elsewhere = Caller("198.51.100.7", Protocol.WEB, client="Test/2")
    await site.desk.sign_in(device.sign(await site.desk.sign_in_options()), elsewhere)
    assert [(one.name, one.address, one.client) for one in told] == [
        (ADA, "198.51.100.7", "Test/2")
    ]


@ON_ONE
async def test_a_challenge_is_for_one_ceremony(site: Site) -> None:
    challenges = Challenges(site.directory, site.clock)
    for made in Ceremony:
        challenge = await challenges.make(made, "1")
        good = [one for one in Ceremony if await challenges.is_good(challenge, one, "1")]
        assert good == [made]
        assert not await challenges.is_good(challenge, made, "2")
        assert not await challenges.is_good(challenge + b"x", made, "1")


@ON_ONE
@pytest.mark.parametrize("change", ["password", "disabled"])
async def test_a_ticket_ends_with_its_password(site: Site, change: str) -> None:
    device = await site.enrol(factor=True)
    asked = await site.password()
    assert isinstance(asked, Refused)
    signed = device.sign(await site.desk.second_options(site.ada))
    if change == "password":
        await site.directory.set_password(ADA, hash_password("another", 4))
    else:
        await site.directory.set_enabled(ADA, False)
    assert await site.second(asked.ticket, signed) is Cause.TICKET


@ON_ONE
@pytest.mark.parametrize(
    ("session", "owner", "change"),
    [
        pytest.param(CredentialId(8), "ada", {}, id="other-session"),
        pytest.param(SESSION, "bob", {}, id="other-account"),
        pytest.param(SESSION, "ada", {"origin": "https://evil.test"}, id="origin"),
        pytest.param(SESSION, "ada", {"rp": "evil.test"}, id="rp-id"),
        pytest.param(SESSION, "ada", {"verifies": False}, id="not-verified"),
        pytest.param(SESSION, "ada", {"framed": True}, id="framed"),
    ],
)
async def test_what_is_not_registered(
    site: Site, session: CredentialId, owner: str, change: dict[str, Any]
) -> None:
    device = Device(**change)
    answer = device.make(await site.desk.begin(site.ada, SESSION))
    account = site.ada if owner == "ada" else site.bob
    with pytest.raises(Problem) as caught:
        await site.desk.register(account, session, answer, "Key", factor=True)
    assert caught.value.fault is Fault.INVALID
    assert await site.desk.of(site.ada.id) == await site.desk.of(site.bob.id) == []


async def test_registering_has_bounds(site: Site) -> None:
    device = Device()
    options = await site.desk.begin(site.ada, SESSION)
    answer = device.make(options)
    for name in ("x" * 101, "a\nb", "a\x1b[2J"):
        with pytest.raises(NotAllowed, match="name"):
            await site.desk.register(site.ada, SESSION, answer, name, factor=False)
    made = await site.desk.register(site.ada, SESSION, answer, " Key ", factor=False)
    assert (made.passkey.name, made.codes) == ("Key", ())
    with pytest.raises(Problem):
        await site.desk.register(site.ada, SESSION, answer, "Key", factor=False)
    options = await site.desk.begin(site.ada, SESSION)
    assert [decoded(one["id"]) for one in options["excludeCredentials"]] == [device.id]
    with pytest.raises(AlreadyExists):
        await site.desk.register(site.ada, SESSION, device.make(options), "Key", factor=False)
    assert (await site.desk.rename(site.ada, made.passkey.id, "Phone")).name == "Phone"
    with pytest.raises(Absent):
        await site.desk.rename(site.bob, made.passkey.id, "Mine")
    for number in range(MAX_OF_ACCOUNT - 1):
        new = NewPasskey(bytes([number] * 16), b"", 0, (), False)
        await site.directory.passkeys.add(site.ada.id, new, "Key", None)
    options = await site.desk.begin(site.ada, SESSION)
    with pytest.raises(NotAllowed, match="already"):
        await site.desk.register(site.ada, SESSION, Device().make(options), "Key", factor=False)


async def test_a_deleted_account_takes_its_passkeys_along(site: Site) -> None:
    device = await site.enrol(factor=True)
    await site.directory.delete_account(ADA)
    assert await site.directory.passkeys.find(device.id) is None
    assert await site.sign_in(device.sign(await site.desk.sign_in_options())) is Cause.CREDENTIALS
