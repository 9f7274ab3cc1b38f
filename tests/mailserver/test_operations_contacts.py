"""`contact ...`: address books and correspondents by operation, and what rules make of them."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from mailserver.operations.errors import OperationError
from mailserver.operations.registry import perform
from mailserver.services import Services
from tests.support.server import PASSWORD, ServerProcess, configuration
from tests.support.services import open_test_services

ADA = "ada@example.test"


@pytest.fixture
async def services(tmp_path: Path) -> AsyncIterator[Services]:
    async with open_test_services(tmp_path) as opened:
        await run(opened, "account.add", password="correct horse")
        yield opened


async def run(services: Services, operation: str, **args: Any) -> Any:
    return await perform(services, operation, {"address": ADA, **args}, lambda *_: None)


async def test_contacts_are_added_listed_and_deleted(services: Services) -> None:
    await run(services, "contact.add", email="tom@world.test", name="Tom", groups=["Team", "Men"])
    await run(services, "contact.add", email="ann@world.test", groups=["Team"])
    shown = await run(services, "contact.add", email="TOM@World.test", name="Tommy", groups=["New"])
    assert (shown["name"], shown["groups"]) == ("Tommy", ["Men", "New", "Team"])
    rows = await run(services, "contact.list")
    assert [(row["name"], row["emails"], row["groups"]) for row in rows] == [
        ("", ["ann@world.test"], ["Team"]),
        ("Tommy", ["tom@world.test"], ["Men", "New", "Team"]),
    ]
    await run(services, "contact.delete", group="Men")
    await run(services, "contact.delete", email="Ann@world.test")
    (row,) = await run(services, "contact.list")
    assert row["groups"] == ["New", "Team"]
    for operation, wrong in (
        ("contact.delete", {"email": "ann@world.test"}),
        ("contact.delete", {"group": "Men"}),
        ("contact.add", {"email": "nobody"}),
        ("contact.list", {"address": "nobody@example.test"}),
    ):
        with pytest.raises(OperationError):
            await run(services, operation, **wrong)


async def test_correspondents_are_listed(services: Services) -> None:
    account = await services.directory.account(ADA)
    assert account is not None
    services.directory.contacts.correspondents.met(account.id, ["tom@world.test"])
    (row,) = await run(services, "contact.written")
    assert (row["address"], row["count"]) == ("tom@world.test", 1)
    assert set(row) == {"address", "count", "first", "last"}


def test_the_commands(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, configuration()) as server:
        server.add_account(ADA, PASSWORD)
        server.command("contact", "add", ADA, "tom@world.test", "--name", "Tom", "--group", "Team")
        (row,) = server.json("contact", "list", ADA)
        assert (row["name"], row["emails"], row["groups"]) == ("Tom", ["tom@world.test"], ["Team"])
        assert server.json("contact", "written", ADA) == []
        server.command("contact", "delete", ADA, expect=2)
        server.command("contact", "delete", ADA, "tom@world.test")
        server.command("contact", "delete", ADA, "tom@world.test", expect=1)
