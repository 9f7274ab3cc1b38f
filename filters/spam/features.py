"""The features that the classifier counts: runs of four octets of the text, and tokens.

Pure. A feature is a number below FEATURES, a hash: a site knows a million of them at most, whatever
it learns. A message has each feature once. What a feature says is found by making them again with
their texts: filters/spam/reasons.py.
"""

import sys
from array import array
from collections.abc import Iterable
from typing import Final
from zlib import crc32

from filters.spam.reading import Reading
from filters.spam.tokens import tokens

BITS: Final = 20
FEATURES: Final = 1 << BITS
MAX_RUNS: Final = 3000  # octets of what is shown that are cut into runs
MAX_BESIDE: Final = 1500  # characters of the plain text beside HTML
_SHIFT: Final = 32 - BITS
_MIX: Final = 0x9E3779B1  # the golden ratio: spreads octets that differ little
_WORD: Final = 0xFFFFFFFF


def features(reading: Reading, symbols: Iterable[str] = ()) -> "array[int]":
    """The features of a message, ascending; `symbols` are names that other checks gave it."""
    found = {(run * _MIX & _WORD) >> _SHIFT for run in runs(shown_text(reading))}
    found.update([token_feature(token) for token in tokens(reading)])
    found.update([token_feature("symbol:" + name) for name in symbols])
    return array("I", sorted(found))


def token_feature(token: str) -> int:
    """The feature of a token."""
    return crc32(token.encode("utf-8", "replace")) >> _SHIFT


def run_feature(octets: bytes) -> int:
    """The feature of a run of four octets."""
    return (int.from_bytes(octets, "little") * _MIX & _WORD) >> _SHIFT


def shown_text(reading: Reading) -> bytes:
    """What is cut into runs: subject and text, lower case, every white space one blank."""
    shown = reading.html or reading.plain
    text = f"{reading.subject} \0 {shown[: 2 * MAX_RUNS]}"
    octets = " ".join(text.lower().split()).encode("utf-8", "replace")[:MAX_RUNS]
    if reading.html and reading.plain:
        beside = " ".join(reading.plain[:MAX_BESIDE].lower().split())
        octets += b" \0 " + beside.encode("utf-8", "replace")
    return octets


def runs(data: bytes) -> set[int]:
    """Every four octets in a row as one number, the first octet lowest."""
    found: set[int] = set()
    for start in range(4):
        part = array("I", data[start : start + max(0, len(data) - start) // 4 * 4])
        if sys.byteorder == "big":
            part.byteswap()
        found.update(part)
    return found
