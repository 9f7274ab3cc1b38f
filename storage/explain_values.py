"""What happened to a message, one value a happening, and its compact form in data/history.db.

A record is bounded: texts are cut, lists shortened by who makes it, and of what is still too large
the parts that say least go first. Pure.
"""

from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Any, NamedTuple

import orjson

MAX_DATA = 16 * 1024
"""Octets of one happening."""
MAX_TEXT = 300
_LEAST_FIRST = (
    *("asked", "recipients", "authentication", "symbols", "scripts", "spam", "header", "verdict"),
)


class Kind(IntEnum):
    """MESSAGE: it was whole, and this became of it; with its first local copy. COPY: one more.
    ATTEMPT: to hand it on.
    """

    MESSAGE = 1
    COPY = 2
    REFUSED = 3
    ATTEMPT = 4
    QUARANTINED = 5
    RELEASED = 6
    DELETED = 7


class Happening(NamedTuple):
    """`make` gives the data when the time has come to write it. `ident` is the id that a refusal's
    reply carries; `account` and `blob` name a local copy.
    """

    at: float
    trace: str
    kind: Kind
    make: Callable[[], Mapping[str, Any]]
    ident: str = ""
    message_id: str = ""
    queue: int | None = None
    account: int | None = None
    blob: int | None = None


class Recorded(NamedTuple):
    """A happening as it is read again; ids as above."""

    id: int
    at: float
    trace: str
    kind: Kind
    data: dict[str, Any]
    ident: str = ""
    message_id: str = ""
    queue: int | None = None
    account: int | None = None
    blob: int | None = None


def cut(text: str, length: int = MAX_TEXT) -> str:
    """The text, its end left out when it is long."""
    return text if len(text) <= length else text[: length - 1] + "…"


def pack(data: Mapping[str, Any]) -> bytes:
    """At most MAX_DATA octets."""
    packed = _dumps(data)
    left = dict(data)
    for name in _LEAST_FIRST:
        if len(packed) <= MAX_DATA:
            return packed
        if left.pop(name, None) is not None:
            packed = _dumps(left | {"shortened": True})
    return packed if len(packed) <= MAX_DATA else b'{"shortened":true}'


def unpack(packed: bytes) -> dict[str, Any]:
    """What `pack` was given; nothing of what can't be read."""
    try:
        data = orjson.loads(packed)
    except orjson.JSONDecodeError:
        return {}
    return data if isinstance(data, dict) else {}


def _dumps(data: Mapping[str, Any]) -> bytes:
    try:
        return orjson.dumps(data)
    except (TypeError, ValueError):  # octets of a peer that are no UTF-8 came as lone surrogates
        return orjson.dumps(_clean(data))


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {_clean(key): _clean(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(one) for one in value]
    return value if isinstance(value, int | float | None) else str(value)
