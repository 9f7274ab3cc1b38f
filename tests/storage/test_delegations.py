"""Who may send as whom, roles and bounds of domains, as config.db keeps them."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.delegations import MAX_OF_ACCOUNT, Sending, SendingRight
from storage.directory import Directory
from storage.directory_values import Absent, AccountChange, ChangeKind, NotAllowed
from storage.domain_limits import DomainLimit
from storage.values import AccountId
from tests.support.directories import make_settings, open_directory, own_database

ADA, BOB, CY = "ada@example.test", "bob@example.test", "cy@example.test"
AS, ON_BEHALF, NO = Sending.AS, Sending.ON_BEHALF, Sending.NO


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def directory(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Directory]:
    async with (
        own_database(request.param) as database,
        open_directory(make_settings(tmp_path, database)) as opened,
    ):
        for address in (ADA, BOB, CY):
            await opened.add_account(address, "hash")
        yield opened


async def ids(directory: Directory) -> list[AccountId]:
    return [account.id for account in await directory.accounts()]


async def how(directory: Directory, account: AccountId, address: str) -> Sending:
    return (await directory.delegations.right(account, address)).sending


async def test_members_send_as_a_group_where_it_allows(directory: Directory) -> None:
    ada, bob, cy = await ids(directory)
    await directory.add_alias("team@example.test", [ADA, BOB])
    await directory.add_alias("shop@example.test", ["team@example.test"])
    await directory.add_alias("abroad@example.test", [ADA, "ada@elsewhere.test"])
    for address in ("team@example.test", "shop@example.test", "abroad@example.test"):
        assert await how(directory, ada, address) is NO
    assert await directory.is_own(ada, "team@example.test")
    await directory.set_send_as("team@example.test", True)
    assert [one.send_as for one in await directory.aliases()] == [False, False, True]
    for address in ("team@example.test", "TEAM+x@example.test", "shop@example.test"):
        assert (await how(directory, ada, address), await how(directory, cy, address)) == (AS, NO)
    await directory.add_alias("all@example.test", ["team@example.test", CY])
    assert await how(directory, bob, "all@example.test") is NO
    await directory.set_send_as("team@example.test", False)
    assert await how(directory, ada, "team@example.test") is NO
    with pytest.raises(Absent):
        await directory.set_send_as("none@example.test", True)


async def test_a_longer_way_that_lets_a_member_send_counts(directory: Directory) -> None:
    ada, bob, cy = await ids(directory)
    add = directory.add_alias
    await add("board@example.test", ["short@example.test", "long@example.test"], send_as=True)
    await add("short@example.test", ["x@example.test", CY])
    await add("long@example.test", ["deep@example.test", "board@example.test"], send_as=True)
    await add("deep@example.test", ["x@example.test", BOB], send_as=True)
    await add("x@example.test", [ADA])
    for member, right in ((ada, AS), (bob, AS), (cy, NO)):
        assert await how(directory, member, "board@example.test") is right
    found = await directory.resolve("board@example.test")
    assert sorted(one.account for one in found.local) == [ada, bob, cy]


async def test_an_owner_lets_others_send_with_its_addresses(directory: Directory) -> None:
    ada, bob, cy = await ids(directory)
    await directory.add_alias("sales@example.test", [ADA])
    await directory.add_alias("team@example.test", [ADA, CY], send_as=True)
    given = directory.delegations
    assert await how(directory, bob, ADA) is NO
    await given.allow(ada, bob, on_behalf=True)
    assert await given.right(bob, "sales@example.test") == SendingRight(ON_BEHALF, ada)
    await given.allow(ada, bob, on_behalf=False)
    for address in (ADA, "ada+x@example.test", "sales@example.test"):
        assert await given.right(bob, address) == SendingRight(AS, ada)
    assert await how(directory, bob, "team@example.test") is NO  # that is not hers alone
    await given.allow(bob, cy, on_behalf=False)
    assert await how(directory, cy, ADA) is NO  # what was given is not given on
    assert [(one.owner, one.delegate) for one in await given.of_owner()] == [(ada, bob), (bob, cy)]
    await directory.set_enabled(ADA, False)
    assert await how(directory, bob, ADA) is NO
    await directory.set_enabled(ADA, True)
    await given.revoke(ada, bob)
    assert await how(directory, bob, ADA) is NO
    with pytest.raises(Absent):
        await given.revoke(ada, bob)
    with pytest.raises(NotAllowed):
        await given.allow(ada, ada, on_behalf=False)


async def test_what_was_given_goes_with_the_account(directory: Directory) -> None:
    ada, bob, cy = await ids(directory)
    await directory.delegations.allow(ada, bob, on_behalf=False)
    await directory.delegations.allow(bob, cy, on_behalf=False)
    assert await how(directory, cy, BOB) is AS
    await directory.delete_account(BOB)
    assert await directory.delegations.of_owner() == []


async def test_delegates_are_bounded(directory: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    ada, bob, cy = await ids(directory)
    assert MAX_OF_ACCOUNT >= 100
    monkeypatch.setattr("storage.delegations.MAX_OF_ACCOUNT", 1)
    await directory.delegations.allow(ada, bob, on_behalf=False)
    await directory.delegations.allow(ada, bob, on_behalf=True)
    for owner, delegate in ((ada, cy), (cy, bob)):
        with pytest.raises(NotAllowed):
            await directory.delegations.allow(owner, delegate, on_behalf=False)


async def test_a_role_is_kept_and_told(directory: Directory) -> None:
    heard: list[AccountChange] = []
    directory.on_change(heard.append)
    made = await directory.set_role(ADA, admin=False, administers=("a.test", "example.test"))
    assert (await directory.account(ADA)) == made
    assert made.administers == ("a.test", "example.test")
    assert [(one.kind, one.revokes) for one in heard] == [(ChangeKind.ROLE, True)]
    with pytest.raises(Absent):
        await directory.set_role("none@example.test", admin=True, administers=())


async def test_a_domain_that_goes_is_administered_no_more(directory: Directory) -> None:
    await directory.add_domain("b.test")
    await directory.set_role(ADA, admin=False, administers=("b.test", "example.test"))
    await directory.domain_limits.set("b.test", DomainLimit(1, 1))
    await directory.account(ADA)
    await directory.delete_domain("b.test")
    found = await directory.account(ADA)
    assert found is not None and found.administers == ("example.test",)
    assert await directory.domain_limits.every() == {}


async def test_what_domain_administrators_give_out_is_bounded(directory: Directory) -> None:
    await directory.add_domain("b.test")
    await directory.domain_limits.set("b.test", DomainLimit(accounts=2, quota=100))
    assert await directory.domain_limits.of("b.test") == DomainLimit(2, 100)
    assert await directory.domain_limits.of("example.test") == DomainLimit()
    with pytest.raises(NotAllowed, match="need a quota"):
        await directory.add_account("x@b.test", "hash", bounded=True)
    assert await directory.account("x@b.test") is None
    # two at once do not pass together what neither may
    made = await asyncio.gather(
        *(directory.add_account(f"{n}@b.test", "h", quota_bytes=60, bounded=True) for n in "ab"),
        return_exceptions=True,
    )
    assert sum(isinstance(one, NotAllowed) for one in made) == 1
    (there,) = [one for one in await directory.accounts() if one.domain == "b.test"]
    with pytest.raises(NotAllowed, match="100 octets"):
        await directory.set_quota(there.address, 101, 0, bounded=True)
    assert (await directory.account_by_id(there.id)) == there
    await directory.set_quota(there.address, 40, 0, bounded=True)
    await directory.add_account("y@b.test", "hash", quota_bytes=60, bounded=True)
    with pytest.raises(NotAllowed, match="2 accounts"):
        await directory.add_account("z@b.test", "hash", quota_bytes=1, bounded=True)
    await directory.add_account("z@b.test", "hash")  # an administrator of the server
    await directory.domain_limits.set("b.test", DomainLimit())
    assert await directory.domain_limits.every() == {}
