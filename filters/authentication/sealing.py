"""The ARC set of a message that is forwarded to another server (RFC 8617 §5.1).

It says to the next what this server found out, since SPF breaks by forwarding and DKIM may.
"""

from collections.abc import Iterator, Sequence

from filters.authentication.results import ArcResult, Result
from filters.authentication.statements import statements_of
from filters.context import Message
from message.arc_seal import seal
from message.authentication_results import build_payload
from message.dkim_signing_key import SigningKey
from message.dkim_tags import Status
from net.threads import Offload, Pool

_CHUNK = 256 * 1024


async def arc_set(
    message: Message,
    results: Sequence[Result],
    hostname: str,
    key: SigningKey,
    now: float,
    offload: Offload,
) -> bytes:
    """The three fields to put above the message, complete; b"" where none may be added: nothing
    was examined, validation failed for want of DNS, the chain has ended or is full, or there is a
    chain that nobody validated.

    `message` is as it goes on, `results` what the filters found when it arrived, `hostname` our
    authserv-id. Raises Busy, and OSError of a spooled file.
    """
    chain = next((one for one in results if isinstance(one, ArcResult)), None)
    if not results or (chain is not None and chain.temporary):
        return b""
    status = Status.NONE if chain is None else Status(chain.outcome.value)
    claims = build_payload(hostname, statements_of(results))
    return await offload.run(Pool.MIME, _sealed, message, claims, status, key, int(now))


def body_of(message: Message) -> Iterator[bytes]:
    """What follows the blank line, in chunks. Reads a spooled message from its file."""
    content, start = message.content, message.body_start
    if content.path is None:
        yield (content.data or b"")[start:]
        return
    with content.path.open("rb") as file:
        file.seek(start)
        while chunk := file.read(_CHUNK):
            yield chunk


def _sealed(message: Message, claims: bytes, status: Status, key: SigningKey, now: int) -> bytes:
    return b"".join(seal(message.header, body_of(message), claims, status, key, now))
