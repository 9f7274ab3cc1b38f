"""IDLE: what happens elsewhere is pushed to every connection of the account, and only there."""

import asyncio
from pathlib import Path

from imap.context import Timing
from tests.support.imap_server import OTHER, message, serving


async def test_every_connection_hears_of_a_delivery(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        clients = [await imap.session(mailbox="INBOX") for _ in range(5)]
        stranger = await imap.session(OTHER, "INBOX")
        for client in (*clients, stranger):
            await client.idle()
        await imap.deliver(message("News"))
        for client in clients:
            assert await client.line() == b"* 1 EXISTS"
        assert await stranger.done() == []


async def test_changes_of_other_sessions_are_pushed(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        await imap.deliver(message("One"))
        await imap.deliver(message("Two"))
        watcher = await imap.session(mailbox="INBOX")
        await watcher.idle()
        actor = await imap.session(mailbox="INBOX")
        await actor.append(message("Three"))
        assert await watcher.line() == b"* 3 EXISTS"
        await actor.ok("COPY 1 INBOX")
        assert await watcher.line() == b"* 4 EXISTS"
        await actor.ok("STORE 2 +FLAGS (\\Flagged)")
        assert await watcher.line() == b"* 2 FETCH (UID 2 FLAGS (\\Flagged))"
        await actor.ok("STORE 1 +FLAGS.SILENT (\\Deleted)")
        assert await watcher.line() == b"* 1 FETCH (UID 1 FLAGS (\\Deleted))"
        await actor.ok("EXPUNGE")
        assert await watcher.line() == b"* 1 EXPUNGE"
        await actor.ok("MOVE 1 Trash")
        assert await watcher.line() == b"* 1 EXPUNGE"
        assert await watcher.done() == []


async def test_a_push_leaves_before_the_loop_does_anything_else(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        client = await imap.session(mailbox="INBOX")
        await client.idle()
        (connection,) = imap.server._connections
        written: list[bytes] = []
        write = connection._transport.write

        def spy(data: bytes) -> None:
            written.append(data)
            write(data)

        connection._transport.write = spy  # type: ignore[method-assign,assignment]
        await imap.deliver(message("Now"))
        assert written == [b"* 1 EXISTS\r\n"]


async def test_the_next_command_may_come_in_one_packet_with_done(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        client = await imap.session(mailbox="INBOX")
        await client.send("i IDLE\r\nDONE\r\nn NOOP\r\n")
        assert await client.line() == b"+ idling"
        assert (await client.line()).startswith(b"i OK")
        assert (await client.line()).startswith(b"n OK")


async def test_idle_without_a_selected_mailbox(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        client = await imap.session()
        await client.idle()
        await imap.deliver(message("Unseen by this one"))
        assert await client.done() == []


async def test_a_line_now_and_then_keeps_the_connection_alive(tmp_path: Path) -> None:
    async with serving(tmp_path, timing=Timing(still_here=0.05)) as imap:
        client = await imap.session(mailbox="INBOX")
        await asyncio.sleep(0.1)
        await client.idle()
        assert await client.line() == b"* OK Still here"
        await client.send("DONE\r\n")
        untagged, tagged = await client.until(b"idle")
        assert tagged.startswith(b"OK")
        assert set(untagged) <= {b"* OK Still here"}


async def test_flags_changed_twice_are_told_as_they_are(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        await imap.deliver(message("One"))
        first, second = await imap.session(mailbox="INBOX"), await imap.session(mailbox="INBOX")
        await second.ok("STORE 1 +FLAGS.SILENT (\\Seen)")
        await second.ok("STORE 1 +FLAGS.SILENT (\\Flagged)")
        assert await first.ok("NOOP") == [b"* 1 FETCH (UID 1 FLAGS (\\Flagged \\Seen))"]
        assert await first.ok("NOOP") == []
        assert await second.ok("NOOP") == []


async def test_a_deleted_mailbox_ends_the_sessions_that_have_it_open(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        actor = await imap.session()
        await actor.ok("CREATE old")
        watcher = await imap.session(mailbox="old")
        await watcher.idle()
        await actor.ok("DELETE old")
        assert (await watcher.line()).startswith(b"* BYE")
        assert await watcher.line() == b""


async def test_a_renamed_mailbox_stays_selected(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        client = await imap.session()
        await client.ok("CREATE old")
        await client.ok("SELECT old")
        await client.ok("RENAME old fresh")
        await client.append(message("x"), "fresh")
        assert await client.ok("UID SEARCH ALL") == [b"* SEARCH 1"]
        await client.ok("DELETE fresh")
        assert (await client.command("NOOP"))[1].startswith(b"OK")


async def test_apple_mail_sends_more_right_behind_idle_and_done(tmp_path: Path) -> None:
    """iOS 18 (stalwart#765): all of it in one packet, or DONE cut anywhere."""
    async with serving(tmp_path) as imap:
        client = await imap.session(mailbox="INBOX")
        await client.send("i IDLE\r\nDONE\r\nj IDLE\r\nDONE\r\nk NOOP\r\nl IDLE\r\n")
        lines = [await client.line() for _ in range(6)]
        assert [line[:4] for line in lines] == [
            b"+ id",
            b"i OK",
            b"+ id",
            b"j OK",
            b"k OK",
            b"+ id",
        ]
        for piece in ("DO", "NE", "\r", "\nm NO", "OP\r\n"):
            await client.send(piece)
            await asyncio.sleep(0.01)
        assert (await client.line()).startswith(b"l OK")
        assert (await client.line()).startswith(b"m OK")


async def test_outlook_hears_of_it_now_and_then_over_tls_and_compress(tmp_path: Path) -> None:
    """Outlook gives a connection up that is silent for long (James IMAP-272)."""
    async with serving(tmp_path, timing=Timing(still_here=0.05)) as imap:
        client = await imap.client(tls=True)
        await client.ok('LOGIN user@example.test "correct horse"')
        await client.ok("COMPRESS DEFLATE")
        client.compress()
        await client.idle()
        for _ in range(3):
            assert await client.line() == b"* OK Still here"
        assert (await client.done())[-1:] in ([], [b"* OK Still here"])


async def test_a_push_does_not_wait_for_the_next_change(tmp_path: Path) -> None:
    """What NOTIFY has to tell while IDLE begins, or while something else is being told."""
    async with serving(tmp_path) as imap:
        client = await imap.session()
        await client.ok("NOTIFY SET (personal (MessageNew MessageExpunge))")
        for number in range(1, 20):
            await client.send("i IDLE\r\n")
            await imap.deliver(message(f"n{number}"))
            wanted = b"* STATUS INBOX (UIDNEXT %d MESSAGES %d)" % (number + 1, number)
            assert {await client.line(), await client.line()} == {b"+ idling", wanted}
            await client.send("DONE\r\n")
            assert (await client.line()).startswith(b"i OK")
