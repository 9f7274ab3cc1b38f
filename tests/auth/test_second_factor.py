"""Second factors, sessions and tokens at the one door, on both kinds of database."""

import asyncio
from base64 import b32decode
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from auth.generated import app_password, digest, password_digest, recovery_digest, token_digest
from auth.issuing import ACCESS_SECONDS, SESSION_SECONDS
from auth.login import Authenticator
from auth.login_values import Cause, Login, Refused
from auth.password import hash_password
from auth.totp import code_of, matching_step, step_of
from net.threads import Offload
from storage.credential_values import CredentialKind, Protocol, Terms
from storage.directory import Directory
from storage.directory_values import Absent, Account, AlreadyExists, NotAllowed
from storage.factor_rows import DAY, LONGEST_PAUSE, PAUSE, TRIES
from storage.second_factors import Spent
from storage.values import AccountId
from tests.support.directories import PASSWORD, MovedClock, make_settings, own_database

ADA = "ada@example.test"
RFC_KEY = b"12345678901234567890"


@pytest.mark.parametrize(
    ("now", "code"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_the_vectors_of_rfc_6238(now: int, code: str) -> None:
    assert code_of(RFC_KEY, step_of(now), 8) == code


def test_the_vectors_of_rfc_4226() -> None:
    codes = [
        "755224",
        "287082",
        "359152",
        "969429",
        "338314",
        "254676",
        "287922",
        "162583",
        "399871",
        "520489",
    ]
    assert [code_of(RFC_KEY, number) for number in range(10)] == codes


@pytest.mark.parametrize("steps", [-2, -1, 0, 1, 2])
def test_clocks_may_be_a_step_apart(steps: int) -> None:
    code = code_of(RFC_KEY, step_of(3000 + 30 * steps))
    found = matching_step(RFC_KEY, f" {code[:3]} {code[3:]}", 3000)
    assert found == (100 + steps if abs(steps) <= 1 else None)


@pytest.mark.parametrize("code", ["", "12345", "1234567", "١٢٣٤٥٦", "-12345", "abcdef", "1" * 9999])
def test_what_is_no_code(code: str) -> None:
    assert matching_step(RFC_KEY, code, 3000) is None


def test_what_is_no_secret_of_this_server() -> None:
    made = app_password()
    plain = digest(made.replace("-", ""))
    assert password_digest(made) == password_digest(f" {made.upper().replace('-', ' ')} ") == plain
    for text in ("", "a" * 19, "a" * 21, "o" * 20, made + "\0", "x" * 1_000_000, "é" * 20):
        assert password_digest(text) is None
    for text in ("", "ghp_" + "a" * 43, "mst_" + "a" * 42, "eyJhbGciOiJub25lIn0.e30.", "mst_\0"):
        assert token_digest(text) is None
    assert recovery_digest("abcd-efgh-ijkm-npq") is None


@dataclass
class Site:
    directory: Directory
    auth: Authenticator
    clock: MovedClock
    ada: Account

    async def login(self, password: str = PASSWORD, code: str = "") -> Login | Cause:
        found = await self.auth.login(
            ADA, password, peer="192.0.2.1", protocol=Protocol.WEB, code=code
        )
        return found.cause if isinstance(found, Refused) else found

    async def switch_on(self) -> tuple[bytes, list[str]]:
        """The key and the recovery codes."""
        begun = await self.auth.second_factor.begin(self.ada, "mx.example.test")
        key = b32decode(begun.key)
        codes = await self.auth.second_factor.confirm(self.ada, self.code(key))
        self.clock.seconds += 30
        return key, codes

    def code(self, key: bytes, steps: int = 0) -> str:
        return code_of(key, step_of(self.clock.now()) + steps)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def site(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Site]:
    offload, clock = Offload(), MovedClock()
    async with own_database(request.param) as url:
        settings = make_settings(tmp_path, url)
        directory = await Directory.open(settings, clock, offload)
        auth = Authenticator(settings, directory, offload, clock)
        account = await directory.add_account(ADA, hash_password(PASSWORD, 4))
        yield Site(directory, auth, clock, account)
        await auth.close()
        await directory.close()
    offload.close()


async def test_the_web_takes_password_and_code(site: Site) -> None:
    assert isinstance(await site.login(), Login)
    key, codes = await site.switch_on()
    assert await site.login() is Cause.CODE
    assert await site.login("wrong", site.code(key)) is Cause.CREDENTIALS
    assert await site.login(code="123") is Cause.WRONG_CODE
    right = site.code(key)
    assert isinstance(await site.login(code=right), Login)
    assert await site.login(code=right) is Cause.WRONG_CODE, "a code is good once"
    assert await site.login(code=site.code(key, -1)) is Cause.WRONG_CODE, "one before it is spent"
    assert isinstance(await site.login(code=site.code(key, 1)), Login)
    assert isinstance(await site.login(code=codes[0].upper().replace("-", " ")), Login)
    assert await site.login(code=codes[0]) is Cause.WRONG_CODE
    found = await site.directory.second_factors.of(site.ada.id)
    assert found is not None and found.codes_left == 9


@pytest.mark.parametrize("change", ["password", "disabled"])
async def test_what_changes_while_the_factor_is_looked_up(
    site: Site, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up = site.directory.second_factors.is_on

    async def slow(account: AccountId) -> bool:
        if change == "password":
            await site.directory.set_password(ADA, hash_password("another", 4))
        else:
            await site.directory.set_enabled(ADA, False)
        return await looked_up(account)

    monkeypatch.setattr(site.directory.second_factors, "is_on", slow)
    assert await site.login() is Cause.CREDENTIALS


async def test_a_factor_switched_on_in_the_middle_of_a_login_is_asked_for(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up = site.directory.second_factors.is_on
    keys: list[bytes] = []

    async def slow(account: AccountId) -> bool:
        found = await looked_up(account)
        if not keys:
            keys.append((await site.switch_on())[0])
        return found

    monkeypatch.setattr(site.directory.second_factors, "is_on", slow)
    assert await site.login() is Cause.CODE
    assert isinstance(await site.login(code=site.code(keys[0])), Login)


async def test_the_code_that_switches_it_on_is_spent(site: Site) -> None:
    begun = await site.auth.second_factor.begin(site.ada, "mx.example.test")
    code = site.code(b32decode(begun.key))
    await site.auth.second_factor.confirm(site.ada, code)
    assert await site.login(code=code) is Cause.WRONG_CODE


@pytest.mark.parametrize("what", ["recovery", "code"])
async def test_at_once_one_code_is_taken_once(site: Site, what: str) -> None:
    key, codes = await site.switch_on()
    code = codes[3] if what == "recovery" else site.code(key)
    found = await asyncio.gather(*(site.login(code=code) for _ in range(8)))
    assert sum(isinstance(one, Login) for one in found) == 1


async def test_codes_are_not_guessed(site: Site) -> None:
    key, codes = await site.switch_on()
    for _ in range(TRIES):
        assert await site.login(code="000000") is Cause.WRONG_CODE
    assert await site.login(code=site.code(key)) is Cause.THROTTLED
    assert await site.login(code=codes[0]) is Cause.THROTTLED
    for pause in (PAUSE, 2 * PAUSE, 4 * PAUSE, 8 * PAUSE, LONGEST_PAUSE, LONGEST_PAUSE):
        site.clock.seconds += pause - 1
        assert await site.login(code="000000") is Cause.THROTTLED
        site.clock.seconds += 1
        assert await site.login(code="000000") is Cause.WRONG_CODE
    site.clock.seconds += LONGEST_PAUSE
    assert isinstance(await site.login(code=site.code(key)), Login)
    assert await site.login(code="000000") is Cause.WRONG_CODE


async def test_wrong_codes_are_forgotten_after_a_day(site: Site) -> None:
    await site.switch_on()
    for _ in range(TRIES):
        assert await site.login(code="000000") is Cause.WRONG_CODE
    site.clock.seconds += DAY
    for _ in range(TRIES):
        assert await site.login(code="000000") is Cause.WRONG_CODE


async def test_a_factor_is_begun_confirmed_and_removed(site: Site) -> None:
    factor = site.auth.second_factor
    with pytest.raises(Absent):
        await factor.confirm(site.ada, "123456")
    first = await factor.begin(site.ada, "mx.example.test")
    assert isinstance(await site.login(), Login), "nothing changes before the first code"
    second = await factor.begin(site.ada, "mx.example.test")
    with pytest.raises(NotAllowed):
        await factor.confirm(site.ada, site.code(b32decode(first.key)))
    assert "secret" not in repr(second) and second.key not in repr(second)
    codes = await factor.confirm(site.ada, site.code(b32decode(second.key)))
    with pytest.raises(AlreadyExists):
        await factor.begin(site.ada, "mx.example.test")
    assert await factor.renew(site.ada) != codes
    assert await factor.check(site.ada, codes[0]) is Spent.WRONG
    assert await factor.remove(site.ada) and not await factor.remove(site.ada)
    assert isinstance(await site.login(), Login)
    with pytest.raises(Absent):
        await factor.renew(site.ada)


async def test_a_session_is_refreshed_and_ends(site: Site) -> None:
    issuer, kept = site.auth.issuer, site.directory.credentials
    first = await issuer.open_session(site.ada, "Firefox")
    assert first.access not in repr(first) and first.refresh not in repr(first)
    credential = await kept.find(digest(first.access))
    assert credential is not None
    login = site.auth.admit(site.ada, credential, peer="192.0.2.1", protocol=Protocol.WEB)
    assert isinstance(login, Login) and login.grant.credential == credential.id
    site.clock.seconds += ACCESS_SECONDS
    late = site.auth.admit(site.ada, credential, peer="192.0.2.1", protocol=Protocol.WEB)
    assert late == Refused(Cause.EXPIRED)
    second = await issuer.refresh(first.refresh)
    assert second is not None and second.credential.id == credential.id
    assert await kept.find(digest(first.access)) is None
    for foreign in ("", "msr_" + "a" * 43, second.access, "eyJhbGciOiJub25lIn0.e30."):
        assert await issuer.refresh(foreign) is None
    assert await kept.find(digest(second.access)) is not None
    site.clock.seconds += SESSION_SECONDS
    assert await issuer.refresh(second.refresh) is None


async def test_a_session_is_no_password(site: Site) -> None:
    opened = await site.auth.issuer.open_session(site.ada, "Firefox")
    assert await site.login(opened.access) is Cause.CREDENTIALS
    assert await site.login(opened.refresh) is Cause.CREDENTIALS


async def test_no_new_tokens_for_a_disabled_account(site: Site) -> None:
    opened = await site.auth.issuer.open_session(site.ada, "Firefox")
    await site.directory.set_enabled(ADA, False)
    assert await site.auth.issuer.refresh(opened.refresh) is None


async def test_what_is_not_made(site: Site) -> None:
    make, kind = site.auth.issuer.make, CredentialKind.TOKEN
    for name in ("", " ", "x" * 101, "a\nb", "a\x1b[2J"):
        with pytest.raises(NotAllowed, match="name"):
            await make(site.ada, kind, name)
    with pytest.raises(NotAllowed, match="no protocol"):
        await make(site.ada, kind, "x", Terms(frozenset()))
    with pytest.raises(NotAllowed, match="only drafts"):
        await make(site.ada, CredentialKind.AGENT, "x")
    with pytest.raises(NotAllowed, match="comes of a login"):
        await make(site.ada, CredentialKind.SESSION, "x")
    with pytest.raises(NotAllowed, match="is over"):
        await make(site.ada, kind, "x", expires=site.clock.now())
