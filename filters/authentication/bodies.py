"""The body of a received message for DKIM and ARC: hashed where it costs the loop nothing.

Small ones in the loop, those in memory in a thread, spooled ones in a worker process, each read
once in bounded memory. What was hashed is kept with the message for the next filter.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from filters.context import Message
from message.dkim_body import BodyDigest, BodyForm, body_hashes
from message.dkim_signing_key import Algorithm
from net.threads import Offload, Pool

# Below this hashing is cheaper than the way into a thread and back.
INLINE = 48 * 1024
# What verifying costs with a key that was read before, and how much of it the loop may do at once.
_MICROSECONDS = {Algorithm.RSA: 40, Algorithm.ED25519: 200}
_INLINE_MICROSECONDS = 300
_CHUNK = 256 * 1024


@dataclass(frozen=True, slots=True)
class SpooledBody:
    """What a worker process is told: the file, where the body begins, the forms."""

    path: Path
    start: int
    forms: tuple[BodyForm, ...]


def is_small(message: Message) -> bool:
    """True when all of it may be worked on in the loop."""
    return message.content.path is None and message.content.size <= INLINE


def is_cheap(algorithms: Iterable[Algorithm]) -> bool:
    """True when signatures of these algorithms may be verified in the loop."""
    return sum(_MICROSECONDS[one] for one in algorithms) <= _INLINE_MICROSECONDS


async def body_digests(
    message: Message, forms: Iterable[BodyForm], offload: Offload
) -> dict[BodyForm, BodyDigest]:
    """The digests of these forms at least. Raises Busy, and OSError of a spooled file."""
    known = message.digests
    missing = tuple({form for form in forms if form not in known})
    if not missing:
        return known
    start, data, path = message.body_start, message.content.data, message.content.path
    if path is not None:
        found = await offload.apart(hash_spooled, SpooledBody(path, start, missing))
    elif is_small(message):
        found = body_hashes(_slices(data or b"", start), missing)
    else:
        found = await offload.run(Pool.MIME, body_hashes, _slices(data or b"", start), missing)
    known.update(found)
    return known


def hash_spooled(job: SpooledBody) -> dict[BodyForm, BodyDigest]:
    """In a worker process. Raises OSError."""
    with job.path.open("rb") as file:
        file.seek(job.start)
        return body_hashes(iter(lambda: file.read(_CHUNK), b""), job.forms)


def _slices(data: bytes, start: int) -> Iterator[bytes]:
    for at in range(start, len(data), _CHUNK):
        yield data[at : at + _CHUNK]
