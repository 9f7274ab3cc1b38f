"""The body of a received message for DKIM and ARC: hashed where it costs the loop nothing.

Small ones in the loop, those in memory in a thread, spooled ones in a worker process, each read
once in bounded memory. What was hashed is kept with the message for the next filter.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from filters.context import Message
from message.dkim_body import BodyDigest, BodyForm, body_hashes
from net.threads import Offload, Pool

# Below this hashing is cheaper than the way into a thread and back.
INLINE = 48 * 1024
_CHUNK = 256 * 1024
_BLANK_LINE = 2


@dataclass(frozen=True, slots=True)
class SpooledBody:
    """What a worker process is told: the file, where the body begins, the forms."""

    path: Path
    start: int
    forms: tuple[BodyForm, ...]


def is_small(message: Message) -> bool:
    """True when all of it may be worked on in the loop."""
    return message.content.path is None and message.content.size <= INLINE


async def body_digests(
    message: Message, forms: Iterable[BodyForm], offload: Offload
) -> dict[BodyForm, BodyDigest]:
    """The digests of these forms at least. Raises Busy, and OSError of a spooled file."""
    known = message.digests
    missing = tuple({form for form in forms if form not in known})
    if not missing:
        return known
    start = 0 if message.headless else len(message.header) + _BLANK_LINE
    data, path = message.content.data, message.content.path
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
