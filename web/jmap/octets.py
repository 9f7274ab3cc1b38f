"""Octets that a request is allowed, and how many a value has as JSON. Pure."""

from typing import Any, Final

import orjson

from web.jmap.errors import MethodError

DEPTH: Final = 240
"""Levels of arrays and objects in an answer: orjson writes 254."""
REQUEST_DEPTH: Final = 100
"""Levels in a request: an answer wraps some around what it repeats of them, references more."""


class Budget:
    """So many octets of `what`."""

    def __init__(self, what: str, octets: int) -> None:
        self._what, self._most, self._left = what, octets, octets

    def take(self, octets: int) -> None:
        """Raises MethodError: requestTooLarge."""
        self._left -= octets
        if self._left < 0:
            raise MethodError("requestTooLarge", f"{self._what}: more than {self._most} octets")


def octets_of(value: Any, depth: int = DEPTH) -> int:
    """Octets of the value as JSON. Raises TypeError where it has more levels."""
    for _ in range(DEPTH + 14 - depth):
        value = [value]
    return len(orjson.dumps(value))
