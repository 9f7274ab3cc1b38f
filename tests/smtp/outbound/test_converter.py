"""Mail in seven bits: that of our users is signed anew, all other goes with what it came with."""

from pathlib import Path

import pytest

from message.headers import all_values, header_block
from storage.values import AccountId
from tests.filters.test_signing import DOMAIN, message, site, verified
from tests.smtp.outbound.conftest import Sender
from tests.support.smtp_sink import Sink

HEADER = b"From: Ada <ada@example.test>\r\nSubject: hello\r\nContent-Type: text/plain\r\n"
BODY = "grüße\r\n".encode()


async def sent(sender: Sender, sink: Sink, data: bytes, account: int | None) -> bytes:
    """What arrives at a server that takes seven bits only."""
    sink.extensions = ("PIPELINING",)
    owner = None if account is None else AccountId(account)
    queue = await sender.store.put("bob@there.test", data=data, eightbit=True, account=owner)
    await sender.start(sink.endpoint.port)
    await sender.until_gone(queue)
    (received,) = sink.received
    assert received.data.isascii()
    return received.data


@pytest.mark.parametrize("own", [True, False])
async def test_signatures(sender: Sender, there: Sink, tmp_path: Path, own: bool) -> None:
    async with site(tmp_path) as here:
        sender.signer = here.signer
        first = await here.signer.sign(b"", message(BODY, HEADER), "ada@example.test")
        whole = b"Received: x\r\n" + first + HEADER + b"\r\n" + BODY
        keys = await here.keyring.keys(DOMAIN)
        assert verified(whole, keys) == [True, True]
        arrived = await sent(sender, there, whole, 1 if own else None)
        assert verified(arrived, keys) == [own, own]
        assert len(all_values(header_block(arrived), b"dkim-signature")) == 2


async def test_nothing_is_signed_where_signing_is_off(
    sender: Sender, there: Sink, tmp_path: Path
) -> None:
    async with site(tmp_path, dkim={"sign": False}) as here:
        sender.signer = here.signer
        arrived = await sent(sender, there, HEADER + b"\r\n" + BODY, 1)
        assert b"DKIM-Signature" not in arrived
