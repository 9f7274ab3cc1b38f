"""The classifier's sums in memory: of the site, and of an account on top of it.

Pure. filters/spam/model.py says what is summed; here a look-up is an index into an array that never
grows. The site keeps beside its sums what of them counts: a feature does once two accounts have
taught it, or the administrator.
"""

import sys
import zlib
from array import array
from math import sqrt
from typing import Final

from filters.spam.model import FEATURES, SCALE

SHIFT: Final = 2
"""Features of an account share a place with three others: 1 MiB for an account, 4 MiB for all."""
VERSION: Final = 1
"""Of features and places; sums of another version are made anew."""
NOBODY: Final = 0
SEVERAL: Final = -1
_LARGEST: Final = (1 << 31) - 1


class Weights:
    """Of an account: what learning adds for spam, and takes away for ham, by place."""

    __slots__ = ("sums",)
    count = FEATURES >> SHIFT

    def __init__(self) -> None:
        self.sums = array("i", bytes(4 * self.count))

    def margin(self, features: "array[int]") -> float:
        """How much speaks for spam, as in model.py."""
        sums = self.sums
        return _margin(sum([sums[feature >> SHIFT] for feature in features]), len(features))

    def of(self, feature: int) -> int:
        """The weight of one feature, for explanations."""
        return self.sums[feature >> SHIFT]

    def add(self, features: "array[int]", by: int) -> None:
        """Adds to each feature; negative for ham, and to take spam back."""
        sums = self.sums
        for feature in features:
            sums[feature >> SHIFT] = _bounded(sums[feature >> SHIFT] + by)

    def packed(self) -> bytes:
        """To be stored."""
        return zlib.compress(_little(self.sums), 1)

    def unpack(self, data: bytes) -> bool:
        """Takes what was stored; False when it is no such thing."""
        sums = _unpacked(data, self.count)
        if sums is not None:
            self.sums = sums
        return sums is not None


class SiteWeights:
    """`sums` are all that was taught; `counting` are those that several taught."""

    __slots__ = ("_voters", "counting", "sums")

    def __init__(self) -> None:
        self.sums = array("i", bytes(4 * FEATURES))
        self.counting = array("i", bytes(4 * FEATURES))
        self._voters = array("i", bytes(4 * FEATURES))

    def margin(self, features: "array[int]") -> float:
        """By what several taught."""
        counting = self.counting
        return _margin(sum([counting[feature] for feature in features]), len(features))

    def margin_of_all(self, features: "array[int]") -> float:
        """By everything, for learning: what is taught again adds little, confirmed or not."""
        sums = self.sums
        return _margin(sum([sums[feature] for feature in features]), len(features))

    def confirmed(self, features: "array[int]") -> int:
        """How many of them count."""
        voters = self._voters
        return sum([voters[feature] == SEVERAL for feature in features])

    def teach(self, features: "array[int]", by: int, voter: int) -> None:
        """Adds what an account taught, 0 the administrator. A feature whose teacher has taken his
        lesson back stays his: who confirms it is another one.
        """
        sums, counting, voters = self.sums, self.counting, self._voters
        for feature in features:
            value = sums[feature] = _bounded(sums[feature] + by)
            known = voters[feature]
            if known == SEVERAL:
                counting[feature] = value
            elif voter == NOBODY or known not in (NOBODY, voter):
                voters[feature] = SEVERAL
                counting[feature] = value
            else:
                voters[feature] = voter

    def packed(self) -> bytes:
        """To be stored."""
        return zlib.compress(_little(self.sums) + _little(self._voters), 1)

    def unpack(self, data: bytes) -> bool:
        """Takes what was stored; False when it is no such thing."""
        both = _unpacked(data, 2 * FEATURES)
        if both is None:
            return False
        self.sums, self._voters = both[:FEATURES], both[FEATURES:]
        pairs = zip(self.sums, self._voters, strict=True)
        self.counting = array("i", [v if voter == SEVERAL else 0 for v, voter in pairs])
        return True


def _margin(total: int, count: int) -> float:
    return total / (SCALE * sqrt(count)) if count else 0.0


def _bounded(value: int) -> int:
    return value if -_LARGEST <= value <= _LARGEST else max(-_LARGEST, min(_LARGEST, value))


def _little(values: "array[int]") -> bytes:
    if sys.byteorder == "little":
        return values.tobytes()
    swapped = values[:]
    swapped.byteswap()
    return swapped.tobytes()


def _unpacked(data: bytes, count: int) -> "array[int] | None":
    try:
        plain = zlib.decompress(data)
    except zlib.error:
        return None
    if len(plain) != 4 * count:
        return None
    values = array("i", plain)
    if sys.byteorder != "little":
        values.byteswap()
    return values
