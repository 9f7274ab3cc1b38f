"""App passwords, tokens and sessions in both kinds of account database."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest

from storage.credential_uses import LISTED_SECONDS
from storage.credential_values import CredentialId, CredentialKind, Protocol, Terms, Use
from storage.directory import Directory
from storage.directory_values import Absent, AccountChange, ChangeKind, NotAllowed
from storage.values import AccountId
from tests.support.directories import MovedClock, make_settings, open_directory, own_database

ADA = "ada@example.test"
FAMILY = sha256(b"family").digest()
TERMS = Terms(
    frozenset({Protocol.IMAP, Protocol.SIEVE}),
    read_only=True,
    folders=("INBOX", "Work/Ä"),
    senders=(ADA,),
    networks=("192.0.2.0/24",),
    rate=5,
    preset="plain",
)


def digest(secret: str) -> bytes:
    return sha256(secret.encode()).digest()


@dataclass
class Site:
    directory: Directory
    clock: MovedClock
    ada: AccountId
    bob: AccountId
    heard: list[AccountChange]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def site(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Site]:
    clock = MovedClock()
    async with (
        own_database(request.param) as url,
        open_directory(make_settings(tmp_path, url), clock) as directory,
    ):
        ada = await directory.add_account(ADA, "hash")
        bob = await directory.add_account("bob@example.test", "hash")
        heard: list[AccountChange] = []
        directory.on_change(heard.append)
        yield Site(directory, clock, ada.id, bob.id, heard)


async def test_what_is_kept_is_found_by_its_digest_until_revoked(site: Site) -> None:
    kept = site.directory.credentials
    made = await kept.add(
        site.ada, CredentialKind.APP_PASSWORD, "Phone", TERMS, digest("a"), expires=2e9
    )
    other = await kept.add(site.bob, CredentialKind.APP_PASSWORD, "x", Terms(), digest("b"))
    assert (made.terms, made.expires, made.used) == (TERMS, 2e9, None)
    assert await kept.find(digest("a")) == made
    assert await kept.find(digest("c")) is None
    assert await kept.of(site.ada) == [made]
    assert await kept.every() == [made, other]
    with pytest.raises(Absent):
        await kept.revoke(site.ada, other.id)
    assert site.heard == []
    assert await kept.revoke(site.ada, made.id) == made
    assert site.heard == [AccountChange(site.ada, ChangeKind.CREDENTIAL, credential=made.id)]
    assert await kept.find(digest("a")) is None
    assert await kept.find(digest("b")) == other


async def test_a_new_password_ends_tokens_and_sessions(site: Site) -> None:
    kept = site.directory.credentials
    for number, kind in enumerate(CredentialKind):
        await kept.add(site.ada, kind, "", Terms(), digest(str(number)))
        assert await kept.find(digest(str(number)))
    await site.directory.set_password(ADA, "other")
    assert [one.kind for one in await kept.of(site.ada)] == [CredentialKind.APP_PASSWORD]
    found = [await kept.find(digest(str(number))) for number in range(len(CredentialKind))]
    assert [one is not None for one in found] == [
        kind is CredentialKind.APP_PASSWORD for kind in CredentialKind
    ]


@pytest.mark.parametrize("kind", CredentialKind, ids=str)
async def test_none_is_made_for_who_had_the_old_password(site: Site, kind: CredentialKind) -> None:
    kept = site.directory.credentials
    await site.directory.account(ADA)  # remembered: then the new password is first
    changed = asyncio.create_task(site.directory.set_password(ADA, "other"))
    await asyncio.sleep(0)
    made = kept.add(site.ada, kind, "", Terms(), digest("a"))
    if kind is CredentialKind.APP_PASSWORD:
        await made
    else:
        with pytest.raises(NotAllowed, match="changed meanwhile"):
            await made
    await changed


async def test_a_deleted_account_leaves_nothing(site: Site) -> None:
    kept = site.directory.credentials
    await kept.add(site.ada, CredentialKind.APP_PASSWORD, "", Terms(), digest("a"))
    assert await kept.find(digest("a"))
    await site.directory.delete_account(ADA)
    assert await kept.find(digest("a")) is None
    assert await kept.every() == []


async def test_uses_are_shown_at_once_and_written(site: Site) -> None:
    kept = site.directory.credentials
    made = await kept.add(site.ada, CredentialKind.TOKEN, "", Terms(), digest("a"))
    kept.used(made, "192.0.2.1", "imap")
    use = Use(site.clock.now(), "192.0.2.1", "imap")
    assert [one.used for one in await kept.of(site.ada)] == [use]
    await kept.uses.close()
    assert [one.used for one in await kept.of(site.ada)] == [use]


async def test_old_ones_go_in_the_end(site: Site) -> None:
    kept = site.directory.credentials
    soon = site.clock.now() + 5
    await kept.add(site.ada, CredentialKind.TOKEN, "", Terms(), digest("a"), expires=soon)
    site.clock.seconds += LISTED_SECONDS
    await kept.uses.prune()
    (one,) = await kept.of(site.ada)
    assert one.is_over(site.clock.now())
    site.clock.seconds += 6
    await kept.uses.prune()
    assert await kept.of(site.ada) == []
    with pytest.raises(NotAllowed, match="is over"):
        await kept.add(site.ada, CredentialKind.TOKEN, "", Terms(), digest("a"), expires=soon)


async def test_a_used_refresh_token_ends_its_session(site: Site) -> None:
    kept, now = site.directory.credentials, site.clock.now()
    made = await kept.add(
        site.ada,
        CredentialKind.SESSION,
        "Firefox",
        Terms(),
        digest("access"),
        expires=now + 100,
        access_until=now + 10,
        refresh_digest=digest("refresh"),
    )
    assert await kept.find(digest("access")) == made
    turned = await kept.rotate(
        digest("refresh"), FAMILY, digest("access2"), digest("refresh2"), now + 20
    )
    assert turned is not None
    assert (turned.id, turned.access_until) == (made.id, now + 20)
    assert await kept.find(digest("access")) is None
    assert await kept.find(digest("access2")) == turned
    assert (
        await kept.rotate(
            digest("foreign"), digest("other family"), digest("x"), digest("y"), now + 20
        )
        is None
    )
    assert site.heard == [AccountChange(site.ada, ChangeKind.TOKENS)]
    assert not site.heard.pop().revokes
    assert await kept.rotate(digest("refresh"), FAMILY, digest("x"), digest("y"), now + 20) is None
    assert site.heard == [AccountChange(site.ada, ChangeKind.CREDENTIAL, credential=made.id)]
    assert await kept.find(digest("access2")) is None


async def test_an_older_refresh_token_ends_its_session_too(site: Site) -> None:
    kept, now = site.directory.credentials, site.clock.now()
    made = await kept.add(
        site.ada,
        CredentialKind.OAUTH,
        "Client",
        Terms(client="c", scopes=("openid",)),
        digest("a0"),
        expires=now + 100,
        refresh_digest=digest("r0"),
    )
    found = await kept.find_refresh(digest("r0"))
    assert found == made
    assert (made.terms.client, made.terms.scopes) == ("c", ("openid",))
    kind = CredentialKind.OAUTH
    session = await kept.rotate(digest("r0"), FAMILY, digest("x"), digest("y"), now + 9)
    assert session is None
    for turn in range(3):
        old, new = digest(f"r{turn}"), digest(f"r{turn + 1}")
        turned = await kept.rotate(
            old, FAMILY, digest(f"a{turn + 1}"), new, now + 9, kind=kind, expires=now + 200
        )
        assert turned is not None
        assert turned.expires == now + 200
    stolen = await kept.rotate(digest("r0"), FAMILY, digest("x"), digest("y"), now + 9, kind=kind)
    assert stolen is None
    assert [one.kind for one in site.heard[:-1]] == [ChangeKind.TOKENS] * 3
    assert site.heard[-1:] == [AccountChange(site.ada, ChangeKind.CREDENTIAL, credential=made.id)]
    assert await kept.find(digest("a3")) is None


async def test_one_refresh_token_is_taken_once(site: Site) -> None:
    kept, now = site.directory.credentials, site.clock.now()
    await kept.add(
        site.ada,
        CredentialKind.SESSION,
        "",
        Terms(),
        digest("access"),
        expires=now + 100,
        refresh_digest=digest("refresh"),
    )
    turned = await asyncio.gather(
        *(
            kept.rotate(digest("refresh"), FAMILY, digest(f"a{n}"), digest(f"r{n}"), now)
            for n in range(5)
        )
    )
    assert sum(one is not None for one in turned) == 1


async def test_a_session_that_is_over_is_not_refreshed(site: Site) -> None:
    kept, now = site.directory.credentials, site.clock.now()
    await kept.add(
        site.ada,
        CredentialKind.SESSION,
        "",
        Terms(),
        digest("access"),
        expires=now + 100,
        refresh_digest=digest("refresh"),
    )
    site.clock.seconds += 100
    assert await kept.rotate(digest("refresh"), FAMILY, digest("x"), digest("y"), now + 200) is None


async def test_bounds_of_number(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.credentials.MAX_OF_ACCOUNT", 3)
    kept = site.directory.credentials
    for number in range(3):
        for kind in (CredentialKind.TOKEN, CredentialKind.SESSION):
            await kept.add(site.ada, kind, "", Terms(), digest(f"{kind} {number}"))
    with pytest.raises(NotAllowed, match="revoke some first"):
        await kept.add(site.ada, CredentialKind.TOKEN, "", Terms(), digest("a"))
    await kept.add(site.ada, CredentialKind.SESSION, "", Terms(), digest("b"))
    sessions = await kept.of(site.ada, CredentialKind.SESSION)
    assert len(sessions) == 3
    assert [change.kind for change in site.heard] == [ChangeKind.CREDENTIAL]
    assert CredentialId(sessions[0].id) > CredentialId(site.heard[0].credential or 0)


async def test_what_was_allowed_in_a_session_that_ended_is_not_made(site: Site) -> None:
    kept = site.directory.credentials
    begun = await kept.add(
        site.ada, CredentialKind.BROWSER, "x", Terms(frozenset()), digest("a"), expires=2e9
    )

    async def allow(account: AccountId, secret: str) -> None:
        await kept.add(
            account, CredentialKind.OAUTH, "x", Terms(), digest(secret), session=begun.id
        )

    await allow(site.ada, "b")
    with pytest.raises(NotAllowed, match="session"):
        await allow(site.bob, "c")
    await kept.revoke(site.ada, begun.id)
    with pytest.raises(NotAllowed, match="session"):
        await allow(site.ada, "d")
    assert await kept.find(digest("d")) is None
