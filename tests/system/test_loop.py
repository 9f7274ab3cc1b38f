"""The event loop is never blocked for long, whatever the conversation: a watchdog in the server."""

import asyncio
from pathlib import Path

from tests.support.messages import hostile
from tests.support.server import PASSWORD
from tests.support.whole import SENDER, WatchedProcess, Whole, stuffed, whole

# Ten times what the issue allows, for the sake of busy machines.
BLOCKED_MS = 500
BIG = 25 * 1024 * 1024


async def deliver(server: Whole, account: str, count: int, text: bytes) -> None:
    async with server.smtp() as client:
        await client.greet()
        for number in range(count):
            client.write(
                f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<{account}>\r\nDATA\r\n".encode()
                + b"Subject: message %d\r\n\r\n" % number
                + text
                + b"\r\n.\r\n"
            )
            codes = [(await client.reply())[:3] for _ in range(4)]
            assert codes == ["250", "250", "354", "250"]


async def attack(server: Whole, account: str) -> None:
    """Appends and reads what no parser likes."""
    async with server.imap(account) as client:
        for text in hostile(400_000).values():
            await client.append(text)
        await client.ok("FETCH 1:* (ENVELOPE BODYSTRUCTURE RFC822.SIZE)")
        await client.ok("FETCH 1:* (BODY.PEEK[1.1.2] BODY.PEEK[HEADER])")
        await client.ok("UID SEARCH TEXT nothing")


async def use(server: Whole, account: str) -> None:
    """What a client does in a day."""
    async with server.imap(account, tls=True) as client:
        await client.append(b"Subject: big\r\n\r\n" + (b"y" * 76 + b"\r\n") * (BIG // 78))
        await client.ok("UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE)")
        await client.ok("FETCH 1:100 (BODY.PEEK[])")
        await client.ok("FETCH * (BODY.PEEK[])")
        for key in ("SUBJECT message", "BODY lorem", "TEXT ipsum", "FROM friend"):
            await client.ok(f"UID SEARCH {key}")
        await client.ok("STORE 1:* +FLAGS (\\Seen $Forwarded)")
        await client.ok("CREATE Copies")
        await client.ok("UID COPY 1:* Copies")
        await client.ok("STORE 1:* +FLAGS (\\Deleted)")
        await client.ok("EXPUNGE")
        await client.ok("SELECT Copies")
        await client.ok("UID MOVE 1:* Archive")


async def log_in(server: Whole, account: str) -> None:
    """Right and wrong passwords: each wrong one costs a whole hash."""
    for _ in range(4):
        async with server.imap() as client:
            await client.command(f"LOGIN {account} wrong")
            await client.ok(f'LOGIN {account} "{PASSWORD}"')


async def send_big(server: Whole, account: str) -> None:
    async with server.smtp() as client:
        await client.begin(SENDER, account)
        text = (b"." + b"z" * 75 + b"\r\n") * (BIG // 78)
        client.write(b"Subject: big\r\n\r\n" + stuffed(text) + b".\r\n")
        assert (await client.reply())[:3] == "250"


async def test_no_conversation_blocks_the_loop(tmp_path: Path) -> None:
    with whole(tmp_path, made=WatchedProcess) as server:
        # as in production: four rounds would hide a hash in the loop
        config = server.process.config
        config.write_text(config.read_text().replace("bcrypt_rounds = 4", "bcrypt_rounds = 12"))
        server.process.signal(1)
        users = [await server.account() for _ in range(5)]
        await deliver(server, users[0], 600, b"lorem ipsum " * 50)
        await asyncio.gather(
            use(server, users[0]),
            attack(server, users[1]),
            log_in(server, users[2]),
            send_big(server, users[3]),
            deliver(server, users[4], 200, b"q" * 4000),
        )
    assert isinstance(server.process, WatchedProcess)
    for one in server.process.blocked()[:8]:
        print(f"{one['wall']:8.1f} ms, {one['cpu']:8.1f} ms of it at work: {one['where']}")
    assert all(one["wall"] < BLOCKED_MS for one in server.process.blocked())
