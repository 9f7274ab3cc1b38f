"""Sharing between accounts, live: a change of rights reaches the sessions of others at once."""

import asyncio
from pathlib import Path

from tests.support.imap_server import OTHER, USER, Client, Imap, message, serving

INBOX = f'"Other Users/{USER}/INBOX"'


async def shared(imap: Imap, rights: str = "lrswite") -> tuple[Client, Client]:
    """The owner, and the other with the owner's INBOX selected."""
    owner, guest = await imap.session(USER), await imap.session(OTHER)
    await owner.ok(f"SETACL INBOX {OTHER} {rights}")
    await guest.ok(f"SELECT {INBOX}")
    return owner, guest


async def test_rights_taken_away_end_the_selected_state_at_once(tmp_path: Path) -> None:
    """Ten times a second, while the guest asks without a pause."""
    async with serving(tmp_path) as imap:
        await imap.deliver(message("One"))
        owner = await imap.session(USER)

        async def ask(guest: Client) -> bytes:
            """The last line before the end."""
            try:
                while True:
                    untagged, tagged = await guest.command("UID FETCH 1 (FLAGS BODY.PEEK[TEXT])")
                    assert tagged.startswith(b"OK"), tagged
                    assert untagged
            except EOFError as error:
                return bytes(error.args[0])

        for _ in range(20):
            await owner.ok(f"SETACL INBOX {OTHER} lr")
            guest = await imap.session(OTHER)
            await guest.ok(f"SELECT {INBOX}")
            asking = asyncio.create_task(ask(guest))
            await asyncio.sleep(0.05)
            await owner.ok(f"SETACL INBOX {OTHER} -r")
            assert b"* BYE You may not read" in await asking
            late = await imap.session(OTHER)
            _, tagged = await late.command(f"SELECT {INBOX}")
            assert tagged.startswith(b"NO [NOPERM]")
            await asyncio.sleep(0.05)


async def test_rights_taken_away_while_select_reads_are_noticed(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        owner, guest = await imap.session(USER), await imap.session(OTHER)
        for _ in range(30):
            await owner.ok(f"SETACL INBOX {OTHER} lr")
            taking = asyncio.create_task(owner.ok(f"DELETEACL INBOX {OTHER}"))
            try:
                _, tagged = await guest.command(f"SELECT {INBOX}")
                await taking
                if tagged.startswith(b"OK"):
                    await guest.command("FETCH 1:* FLAGS")
                    raise AssertionError("still selected")
            except (EOFError, ConnectionError):  # BYE behind the answer, or in its place
                await taking
                guest = await imap.session(OTHER)


async def test_idle_tells_of_mail_in_another_users_mailbox(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        owner, guest = await shared(imap)
        await guest.idle()
        await imap.deliver(message("News"))
        assert await guest.line() == b"* 1 EXISTS"
        await owner.ok(f"SETACL INBOX {OTHER} -w")
        assert (await guest.line()).startswith(b"* FLAGS ")
        assert b"PERMANENTFLAGS (\\Deleted \\Seen)" in await guest.line()
        assert (await guest.line()).startswith(b"* OK [READ-WRITE]")
        await owner.ok(f"DELETEACL INBOX {OTHER}")
        assert (await guest.line()).startswith(b"* BYE")
        assert await guest.line() == b""


async def test_mailboxes_with_one_number_are_not_mixed_up(tmp_path: Path) -> None:
    """INBOX is the first mailbox of both accounts."""
    async with serving(tmp_path) as imap:
        _, guest = await shared(imap)
        await imap.deliver(message("Mine"), user=OTHER)
        assert await guest.ok("NOOP") == []
        await imap.deliver(message("Theirs"))
        assert await guest.ok("NOOP") == [b"* 1 EXISTS"]


async def test_the_owner_disabled_or_deleted_ends_it(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        _, guest = await shared(imap)
        await imap.directory.set_password(USER, "another hash")
        assert (await guest.command("NOOP"))[1].startswith(b"OK")
        await imap.directory.set_enabled(USER, False)
        assert (await guest.line()).startswith(b"* BYE The owner")
        guest = await imap.session(OTHER)
        assert (await guest.command(f"SELECT {INBOX}"))[1].startswith(b"NO [NONEXISTENT]")
        assert await guest.ok('LIST "Other Users/" *') == []
        await imap.directory.set_enabled(USER, True)
        await guest.ok(f"SELECT {INBOX}")
        await imap.directory.delete_account(USER)
        assert (await guest.line()).startswith(b"* BYE")
        guest = await imap.session(OTHER)
        assert (await guest.command(f"SELECT {INBOX}"))[1].startswith(b"NO [NONEXISTENT]")


async def test_quota_is_the_owners(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        _, guest = await shared(imap)
        await imap.store.set_limits(imap.accounts[OTHER], 1, 1)
        target = INBOX.strip('"')
        assert (await guest.append(message("Not mine"), target)).startswith(b"OK")
        await imap.store.set_limits(imap.accounts[OTHER], 0, 0)
        await imap.store.set_limits(imap.accounts[USER], 0, 1)
        assert (await guest.append(message("Too much"), target)).startswith(b"NO [OVERQUOTA]")
        _, tagged = await guest.command(f"COPY 1 {INBOX}")
        assert tagged.startswith(b"NO [OVERQUOTA]")
        await imap.store.set_limits(imap.accounts[USER], 300, 0)
        assert (await guest.append(message("Large", "x" * 500), target)).startswith(
            b"NO [OVERQUOTA]"
        )
        await guest.ok("COPY 1 INBOX")


async def test_rights_stay_with_the_mailbox_and_not_with_its_number(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        owner, guest = await imap.session(USER), await imap.session(OTHER)
        await owner.ok("CREATE one")
        await owner.ok(f"SETACL one {OTHER} lr")
        await imap.store.delete(imap.accounts[USER], "one")  # not by IMAP: the list stays behind
        await owner.ok("CREATE one")
        assert await guest.ok('LIST "Other Users/" *') == []
        assert await owner.ok("GETACL one") == [b"* ACL one user@example.test lrswipkxteacd"]


async def test_every_way_of_reading_reads_the_owners_mailbox(tmp_path: Path) -> None:
    """Both INBOXes have the same number, and messages with the same UIDs."""
    async with serving(tmp_path) as imap:
        for name, user in (("theirs", USER), ("mine", OTHER)):
            for number in (2, 1):
                await imap.deliver(
                    message(f"{name} {number}", f"text {name} {number}\r\n"), user=user
                )
        _, guest = await shared(imap)
        for command, answer in (
            ("SEARCH BODY theirs", b"* SEARCH 1 2"),
            ("SEARCH TEXT mine", b"* SEARCH"),
            ("UID SEARCH SUBJECT theirs UID 1:*", b"* SEARCH 1 2"),
            ("SORT (SUBJECT) UTF-8 ALL", b"* SORT 2 1"),
            ("THREAD REFERENCES UTF-8 BODY theirs", b"* THREAD (1)(2)"),
            ("FETCH 1 (BODY.PEEK[TEXT])", b"* 1 FETCH (BODY[TEXT] {15}\r\ntext theirs 2\r\n)"),
            ("FETCH 1 (BINARY.PEEK[1])", b"* 1 FETCH (BINARY[1] {15}\r\ntext theirs 2\r\n)"),
            ("FETCH 1 PREVIEW", b'* 1 FETCH (PREVIEW "text theirs 2")'),
            (f"ESEARCH IN (mailboxes {INBOX}) BODY theirs", b"ALL 1:2"),
            (f"ESEARCH IN (mailboxes {INBOX}) BODY mine", b""),
            ("ESEARCH IN (personal) BODY theirs", b""),
        ):
            (found,) = await guest.ok(command) or [b""]
            assert answer in found, command
            assert b"mine" not in found, command
        (envelope,) = await guest.ok("FETCH 2 ENVELOPE")
        assert b'"theirs 1"' in envelope


async def test_sharing_with_anyone_can_be_forbidden(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        owner, guest = await imap.session(USER), await imap.session(OTHER)
        await owner.ok("SETACL INBOX anyone lr")
        await guest.ok(f"SELECT {INBOX}")
        settings = imap.server._context.settings
        forbidding = settings.imap.model_copy(update={"share_with_anyone": False})
        imap.server.reload(settings.model_copy(update={"imap": forbidding}))
        assert await guest.ok('LIST "Other Users/" *') == []
        assert (await guest.command(f"STATUS {INBOX} (MESSAGES)"))[1].startswith(b"NO [NONEXIST")
        assert (await owner.command("SETACL Sent anyone l"))[1].startswith(b"NO [CANNOT]")
        await owner.ok("SETACL INBOX anyone -r")
        assert (await guest.line()).startswith(b"* BYE")
        await owner.ok("SETACL INBOX -anyone w")
        await owner.ok("DELETEACL INBOX anyone")
        await owner.ok(f"SETACL INBOX {OTHER} lr")
        guest = await imap.session(OTHER)
        await guest.ok(f"SELECT {INBOX}")
