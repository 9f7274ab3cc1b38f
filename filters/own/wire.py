"""How the server and its filter processes talk: two lengths, a JSON object, raw octets behind it.

What a process says is read as data of a stranger: a filter may have written it.
"""

import struct
from collections.abc import Mapping
from typing import Any

import orjson

HEAD = struct.Struct(">II")
# A verdict with everything that fits into a log line; more is no verdict.
ANSWER_LIMIT = 256 * 1024
Frame = Mapping[str, Any]


def pack(frame: Frame, octets: bytes = b"") -> bytes:
    """One frame."""
    try:
        text = orjson.dumps(frame)
    except TypeError:  # a lone surrogate stands for an octet that is no UTF-8
        text = orjson.dumps(_clean(frame))
    return HEAD.pack(len(text), len(octets)) + text + octets


def unpack(text: bytes) -> dict[str, Any]:
    """The object of a frame. Raises ValueError."""
    found = orjson.loads(text)
    if not isinstance(found, dict):
        raise ValueError("no object")
    return found


def _clean(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {_clean(key): _clean(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(one) for one in value]
    return value
