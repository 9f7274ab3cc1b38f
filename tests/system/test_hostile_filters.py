"""A whole server whose own filter loops, whose milter hangs and whose rspamd lies: mail goes on."""

import asyncio
import smtplib
from pathlib import Path

from mailserver import control
from tests.support.milter_peer import HANG, MilterPeer, milter_peer
from tests.support.server import serving, until

USER = "user@example.test"
LOOP = """
from filters.own.api import Context, Message, Verdict

TIMEOUT = 0.3


def check(message: Message, context: Context) -> Verdict | None:
    while True:
        pass
"""
AT_ONCE, EACH = 5, 2


def send(port: int, sender: int) -> list[str]:
    """Some messages in one connection; the ids that they were accepted with."""
    ids = []
    with smtplib.SMTP("127.0.0.1", port, timeout=50) as client:
        client.ehlo()
        for number in range(EACH):
            client.mail(f"s{sender}@elsewhere.test")
            client.rcpt(USER)
            code, text = client.data(f"Subject: {sender}.{number}\r\n\r\ntext\r\n")
            assert code == 250, text
            ids.append(text.decode().rpartition(" ")[2])
    return ids


async def _lie(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{"score":"a"')
    writer.close()


async def test_every_message_is_delivered(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "loop.py").write_text(LOOP)
    liar = await asyncio.start_server(_lie, "127.0.0.1", 0)
    rspamd = f"http://127.0.0.1:{liar.sockets[0].getsockname()[1]}"
    async with milter_peer(MilterPeer({b"E": HANG})) as peer:
        extra = (
            '[filters]\nown = "own"\nlocal_networks = []\n'
            f'[[milter]]\nname = "hangs"\naddress = "{peer.address}"\ncontent_timeout = "300ms"\n'
            f'[spam.rspamd]\nurl = "{rspamd}"\ntimeout = "500ms"\n'
        )
        async with serving(tmp_path, extra, accounts=[USER]) as server:
            port = server.port("smtp")
            ids = await asyncio.to_thread(send, port, 0)
            sending = (asyncio.to_thread(send, port, number) for number in range(1, AT_ONCE))
            ids += [one for some in await asyncio.gather(*sending) for one in some]
            args = {"id": ids[0]}
            told = str(await control.call(server.data, "explain", args, lambda *_: None))
            await asyncio.to_thread(until, lambda: len(server.events("accepted")) == AT_ONCE * EACH)
            failed = {event["reason"] for event in server.events("own filter failed")}
    liar.close()
    await liar.wait_closed()
    assert len(set(ids)) == AT_ONCE * EACH
    assert "no answer within 0.3 s" in failed
    assert "MILTER_HANGS_FAIL" in told and "OWN_LOOP_ERROR" in told and "RSPAMD_FAIL" in told
    assert len(list((tmp_path / "data" / "mail").rglob("*,S=*"))) == AT_ONCE * EACH
