"""Keys, rewritten senders and answers in both kinds of account database."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from message.address import parse_mailbox
from storage.answered import DAY, Answered
from storage.directory import Directory
from storage.directory_values import AlreadyExists
from storage.dkim_keys import DkimKeys, StoredKey
from storage.rewritten import Rewritten
from storage.server_secrets import ServerSecrets
from tests.support.directories import MovedClock, make_settings, open_directory, own_database

LONG = "bounces+12345678-abcdefgh-away=example.test@em1234.mail.sender.test"
OURS = "example.test"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def directory(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Directory]:
    async with (
        own_database(request.param) as url,
        open_directory(make_settings(tmp_path, url)) as opened,
    ):
        yield opened


async def test_keys(directory: Directory) -> None:
    table = DkimKeys(directory.database)
    first = StoredKey(OURS, "1r", "rsa-sha256", b"pem", 1.0, None, 1.0)
    second = StoredKey(OURS, "2r", "rsa-sha256", b"other", 2.0)
    await table.add(first, second)
    with pytest.raises(AlreadyExists):
        await table.add(second)
    assert await table.of(OURS) == [first, second]
    await table.change(OURS, "1r", retired=5.5)
    assert [key.retired for key in await table.of(OURS)] == [5.5, None]
    assert await table.domains() == [OURS]
    await table.remove(OURS, "1r")
    assert await table.of(OURS) == [second]
    await table.remove(OURS)
    assert await table.domains() == []


async def test_rewritten_senders(directory: Directory) -> None:
    clock = MovedClock()
    here, other_node = (
        Rewritten(directory.database, clock, ServerSecrets(directory.database)) for _ in range(2)
    )
    for sender in ("friend@far.test", LONG):
        made = await here.forward(sender, OURS)
        assert await here.forward(sender, OURS) == made
        assert await other_node.back(parse_mailbox(made)) == sender
        clock.seconds += 21 * DAY
        assert await other_node.back(parse_mailbox(made)) == sender
        clock.seconds += 2 * DAY
        assert await here.back(parse_mailbox(made)) is None
    assert await here.back(parse_mailbox("ada@example.test")) is None
    assert await here.forward("no address", OURS) == ""


async def test_answers_go_with_the_account(directory: Directory) -> None:
    clock = MovedClock()
    answered = Answered(directory.database, clock)
    account = await directory.add_account("ada@example.test", "hash")
    assert await answered.may_answer(account.id, "x@far.test", DAY)
    assert not await answered.may_answer(account.id, "x@far.test", DAY)
    clock.seconds += DAY
    assert await answered.may_answer(account.id, "x@far.test", DAY)
    await directory.delete_account(account.address)
