"""The features that the classifier counts: runs of four octets of the text, and tokens.

Pure. A feature is a number below FEATURES, a hash: a site knows a million of them at most, whatever
it learns. A message has each feature once, in no order. What a feature says is found by making them
again with their texts: filters/spam/reasons.py.
"""

import re
import sys
from array import array
from itertools import repeat
from operator import mod
from typing import Final
from zlib import crc32

from filters.spam.reading import Reading
from filters.spam.tokens import tokens

MAX_SHOWN: Final = 1500  # octets of the text that are cut into runs
MAX_BESIDE: Final = 750  # octets of the plain text beside HTML
_PRIME: Final = 1_048_573  # the rest of a division by it is a quick hash of four octets
_READ: Final = 5 * MAX_SHOWN  # characters: white space is many of them
# What lists add: a tag before the subject, and a line of underscores with their addresses below.
_LIST_TAG: Final = re.compile(r"((?:(?:re|fwd?): )*)\[[^\]]{2,24}\] ")
_FOOT: Final = re.compile(r"^\s?[_=-]{20,}\s*$", re.MULTILINE)
_LONGEST_FOOT: Final = 500


def features(reading: Reading) -> "array[int]":
    """The features of a message."""
    found = set(map(mod, runs(shown_text(reading)), repeat(_PRIME)))
    found.update([token_feature(token) for token in tokens(reading)])
    return array("I", found)


def token_feature(token: str) -> int:
    """The feature of a token."""
    return crc32(token.encode("utf-8", "replace")) % _PRIME


def run_feature(octets: bytes) -> int:
    """The feature of a run of four octets."""
    return int.from_bytes(octets, "little") % _PRIME


def shown_text(reading: Reading) -> bytes:
    """What is cut into runs: subject and text, lower case, every white space one blank."""
    subject = " ".join(reading.subject[:_READ].lower().split())
    subject = _LIST_TAG.sub(r"\1", subject, count=1) if "[" in subject else subject
    octets = (subject + " \0 ").encode("utf-8", "replace")[:MAX_SHOWN]
    octets += _start(reading.html or reading.plain, MAX_SHOWN)
    if reading.html and reading.plain:
        octets += b" \0 " + _start(reading.plain, MAX_BESIDE)
    return octets


def _start(text: str, length: int) -> bytes:
    if len(text) < _READ and (foot := _foot(text)) >= 0:
        text = text[:foot]
    return " ".join(text[:_READ].lower().split()).encode("utf-8", "replace")[:length]


def _foot(text: str) -> int:
    """Where a list's foot begins, -1 for nowhere."""
    below = max(0, len(text) - _LONGEST_FOOT)
    found = None
    for found in _FOOT.finditer(text, below):  # noqa: B007
        pass
    return -1 if found is None else found.start()


def runs(data: bytes) -> set[int]:
    """Every four octets in a row as one number, the first octet lowest."""
    found: set[int] = set()
    for start in range(4):
        part = array("I", data[start : start + max(0, len(data) - start) // 4 * 4])
        if sys.byteorder == "big":
            part.byteswap()
        found.update(part)
    return found
