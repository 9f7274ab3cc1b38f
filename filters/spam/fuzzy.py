"""Bodies that are nearly the same: a sketch of a text that survives other names, numbers and links,
and a memory of how many networks sent texts of one sketch.

The sketch is pure: runs of four words are hashed, the least hash of each of BINS is kept, and three
of these make a band. Texts that share nine tenths of their runs agree in two of the four bands
nearly always, texts that share half of them in hardly one in ten.
"""

import re
from collections.abc import Sequence
from typing import Final
from zlib import crc32

from cachetools import LRUCache

MAX_TEXT: Final = 16 * 1024
MAX_WORDS: Final = 600
MIN_WORDS: Final = 20
RUN: Final = 4
BINS: Final = 12
BAND: Final = 3
AGREE: Final = 2
"""Bands that have to agree for two texts to be taken for the same."""
WINDOW: Final = 86_400.0
MANY: Final = 5
"""Networks that send the same text within a day, from which on it is bulk."""
IN_MEMORY: Final = 50_000
_MOST: Final = 32
_WORD: Final = re.compile(r"[^\W\d_]{2,30}")
_LINK: Final = re.compile(r"(?:https?://|www\.)[^\s<>]{1,2000}|\S{1,64}@\S{1,255}")


def sketch(text: str) -> tuple[str, ...]:
    """The bands of a text, () of one with too few words to tell."""
    plain = _LINK.sub(" ", text[:MAX_TEXT].lower())
    words = _WORD.findall(plain)[:MAX_WORDS]
    if len(words) < MIN_WORDS:
        return ()
    least = [0] * BINS
    for at in range(len(words) - RUN + 1):
        number = crc32(" ".join(words[at : at + RUN]).encode())
        place, value = number % BINS, number // BINS + 1
        if not least[place] or value < least[place]:
            least[place] = value
    return tuple(
        f"{at}:" + "-".join(f"{one:x}" for one in least[at : at + BAND])
        for at in range(0, BINS, BAND)
    )


class Bulk:
    """Which networks sent what, within WINDOW. Bounded; the longest unseen goes first."""

    def __init__(self) -> None:
        self._seen: LRUCache[str, dict[str, float]] = LRUCache(IN_MEMORY)

    def networks(self, bands: Sequence[str], network: str, now: float) -> int:
        """Notes a text; how many networks have sent it, this one too."""
        counts = sorted((self._note(band, network, now) for band in bands), reverse=True)
        return counts[AGREE - 1] if len(counts) >= AGREE else 0

    def _note(self, band: str, network: str, now: float) -> int:
        known = self._seen.get(band)
        if known is None:
            known = self._seen[band] = {}
        if len(known) >= _MOST:
            for old in [one for one, at in known.items() if now - at > WINDOW]:
                del known[old]
        if network in known or len(known) < _MOST:
            known[network] = now
        return sum(now - at <= WINDOW for at in known.values())
