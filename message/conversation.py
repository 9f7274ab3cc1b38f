"""Which messages make one conversation: the numbers by which they find each other.

As RFC 8621 §3 proposes: two messages belong together when one Message-ID stands in both, in
Message-ID, In-Reply-To or References, and their base subjects are the same. Both are hashed into
one number of 63 bits.
"""

from collections.abc import Iterable
from hashlib import blake2b
from typing import NamedTuple

from message.casemap import casemap
from message.meta import Keys


class Links(NamedTuple):
    """`first` names a conversation that this message begins: the oldest message it knows of.
    `numbers` are its own, then what it answers, the nearest first.
    """

    first: int
    numbers: tuple[int, ...]


def links(keys: Keys, digest: bytes) -> Links:
    """Those of a message; one without any Message-ID stands alone, with its copies."""
    subject = casemap(keys.subject_base.decode("utf-8", "replace")).encode()
    named = [item for item in reversed(keys.references.split()) if item.startswith(b"<")]
    if keys.message_id.startswith(b"<"):
        named.insert(0, keys.message_id)
    numbers = tuple(dict.fromkeys(_numbers(named, subject)))
    return Links(numbers[-1] if numbers else _number(digest), numbers)


def _numbers(ids: Iterable[bytes], subject: bytes) -> Iterable[int]:
    return (_number(item.replace(b'"', b"") + b"\0" + subject) for item in ids)


def _number(data: bytes) -> int:
    """Positive, and no zero."""
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "big") >> 1 or 1
