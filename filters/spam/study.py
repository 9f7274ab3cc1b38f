"""A stored message looked at again: what tells it from others, its features, and what the spam
filter said of it when it came.

Pure but for what storage calls a key; one call, in a thread or a worker process.
"""

import re
from array import array
from dataclasses import dataclass
from typing import Final

from filters.spam.extract import as_it_came, extract
from filters.spam.judging import Job, judge
from filters.spam.rules.transit import Transit
from message.crlf import to_crlf
from message.headers import first, header_block, unfold
from storage.spam_changes import key_of

_SYMBOL: Final = re.compile(r"([A-Z][A-Z0-9_]{0,63})=(-?\d+(?:\.\d+)?)(?: \([^()]*\))?(?:, |\Z)")


@dataclass(frozen=True, slots=True)
class Told:
    """What X-Spam-Status and X-Spam-Result say: whether it was junk, and symbols with weights."""

    junk: bool
    symbols: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Study:
    """`key` as in storage/spam_changes.py. `told` is None where the message came without the
    filter; `symbols` are then those that the rules find in it alone.
    """

    key: bytes
    features: "array[int]"
    told: Told | None = None
    symbols: tuple[str, ...] = ()


def study(data: bytes, hostname: str) -> Study:
    """For learning."""
    data = to_crlf(data)
    return Study(key_of(data), extract(data, hostname))


def study_judged(data: bytes, hostname: str, at: float) -> Study:
    """For grading; it came `at`, in seconds since 1970."""
    data = to_crlf(data)
    told = told_in(header_block(data))
    found: tuple[str, ...] = ()
    if told is None:
        judged = judge(Job(Transit(now=at, local=True), b"", as_it_came(data, hostname)))
        found = tuple(one.name for one in judged.found)
    return Study(key_of(data), extract(data, hostname), told, found)


def told_in(header: bytes) -> Told | None:
    """What the filter wrote into the message."""
    status = first(header, b"x-spam-status")
    if status is None:
        return None
    result = first(header, b"x-spam-result")
    text = unfold(result or b"").decode("ascii", "replace").strip()
    found = tuple((name, float(weight)) for name, weight in _SYMBOL.findall(text))
    return Told(status.strip().lower().startswith(b"yes"), found)
