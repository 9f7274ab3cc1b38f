"""What an app password hides where mailboxes meet: sharing, labels, metadata, changed rights."""

import re
from pathlib import Path

import pytest

from auth.generated import app_password, password_digest
from storage.credential_values import CredentialKind, Terms
from tests.support.imap_server import OTHER, USER, Client, Imap, message, serving

PLANS = f"Other Users/{USER}/Plans"


async def session(imap: Imap, user: str, terms: Terms) -> Client:
    """A session by an app password."""
    secret = app_password()
    await imap.directory.credentials.add(
        imap.accounts[user],
        CredentialKind.APP_PASSWORD,
        "Phone",
        terms,
        password_digest(secret) or b"",
    )
    client = await imap.client()
    await client.ok(f"LOGIN {user} {secret}")
    return client


async def names(client: Client, command: str = "LIST") -> set[str]:
    lines = await client.ok(f'{command} "" "*"')
    found = [re.search(rb' "/" "?([^"\r]*)', line) for line in lines]
    return {match[1].decode() for match in found if match}


async def test_shared_mailboxes_go_by_the_name_that_is_seen(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        owner = await imap.session(USER)
        for name in ("Plans", "Private"):
            await owner.ok(f"CREATE {name}")
            await owner.ok(f"SETACL {name} {OTHER} lrswite")
        nothing = await session(imap, OTHER, Terms(folders=("INBOX", "Plans")))
        assert await names(nothing) == {"INBOX"}
        _, tagged = await nothing.command(f'SELECT "{PLANS}"')
        assert tagged.startswith(b"NO [NONEXISTENT]")
        one = await session(imap, OTHER, Terms(folders=(PLANS,)))
        assert PLANS in await names(one)
        assert f"Other Users/{USER}/Private" not in await names(one)
        await one.ok(f'SELECT "{PLANS}"')
        await one.append(message(), PLANS)


async def test_rights_given_later_are_cut_too(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        owner = await imap.session(USER)
        await owner.ok("CREATE Plans")
        await owner.append(message(), "Plans")
        await owner.ok(f"SETACL Plans {OTHER} lr")
        guest = await session(imap, OTHER, Terms(read_only=True))
        await guest.ok(f'SELECT "{PLANS}"')
        await owner.ok(f"SETACL Plans {OTHER} lrswitekxa")
        await guest.ok("NOOP")
        _, tagged = await guest.command("STORE 1 +FLAGS (\\Seen)")
        assert tagged.startswith(b"NO [READ-ONLY]")
        (line,) = [one for one in await guest.ok(f'MYRIGHTS "{PLANS}"') if b"MYRIGHTS" in one]
        assert line.split()[-1] == b"lr"


async def test_labels_of_what_is_not_seen(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        await imap.directory.set_imap(USER, gmail_labels=True)
        owner = await imap.session()
        for name in ("Secret", "Work"):
            await owner.ok(f"CREATE {name}")
        await imap.deliver(message())
        await owner.ok("SELECT INBOX")
        await owner.ok("STORE 1 +X-GM-LABELS (Secret Work)")
        client = await session(imap, USER, Terms(folders=("INBOX", "Work")))
        await client.ok("SELECT INBOX")
        told = b"".join(await client.ok("FETCH 1 (X-GM-LABELS)"))
        assert b"Work" in told and b"Secret" not in told
        for query in ("X-GM-LABELS Secret", 'X-GM-RAW "label:secret"'):
            assert b"".join(await client.ok(f"SEARCH {query}")).strip() == b"* SEARCH"
        assert b"* SEARCH 1" in b"".join(await client.ok("SEARCH X-GM-LABELS Work"))
        _, tagged = await client.command("STORE 1 +X-GM-LABELS (Secret)")
        assert tagged.startswith(b"NO [NOPERM]")


@pytest.mark.parametrize(
    "command", ["ENABLE METADATA", "NOTIFY SET (PERSONAL (MailboxMetadataChange))"]
)
async def test_metadata_of_what_is_not_seen_is_not_told(tmp_path: Path, command: str) -> None:
    async with serving(tmp_path) as imap:
        owner = await imap.session()
        for name in ("Secret", "Work"):
            await owner.ok(f"CREATE {name}")
        client = await session(imap, USER, Terms(folders=("Work",)))
        await client.ok(command)
        for name in ("Secret", "Work"):
            await owner.ok(f'SETMETADATA {name} (/shared/comment "x")')
        told = b"".join(await client.ok("NOOP"))
        assert b"Work" in told and b"Secret" not in told


async def test_searching_everywhere_is_searching_what_is_seen(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        owner = await imap.session()
        for name in ("Secret", "Work"):
            await owner.ok(f"CREATE {name}")
            await owner.append(message("findme"), name)
        client = await session(imap, USER, Terms(folders=("Work",)))
        told = b"".join(await client.ok("ESEARCH IN (personal) RETURN (ALL) SUBJECT findme"))
        assert b"Work" in told and b"Secret" not in told
