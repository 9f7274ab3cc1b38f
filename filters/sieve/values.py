"""What tests look at: texts with their forms by comparator, made once and kept within bounds."""

from typing import Final

from filters.sieve.comparators import Comparator

ROOM: Final = 64 * 1024  # weights: some four million characters


class Values:
    """`weight`: how much they are, about one for 64 characters. Forms are kept, so that a thousand
    rules over one field map it once.
    """

    __slots__ = ("_forms", "texts", "weight")

    def __init__(self, texts: list[str]) -> None:
        self.texts = texts
        self.weight = 1 + (sum(map(len, texts)) + 16 * len(texts)) // 64
        self._forms: list[list[str] | None] = [None, texts, None, None]

    def form(self, comparator: Comparator) -> list[str]:
        found = self._forms[comparator.number]
        if found is None:
            found = self._forms[comparator.number] = [comparator.form(one) for one in self.texts]
        return found


class Kept:
    """Values by what was asked for. What finds no room any more is made anew each time: a script
    may ask for one long text under a thousand lists of names.
    """

    __slots__ = ("_found", "_room")

    def __init__(self) -> None:
        self._found: dict[tuple[str, ...], Values] = {}
        self._room = ROOM

    def get(self, key: tuple[str, ...]) -> Values | None:
        return self._found.get(key)

    def put(self, key: tuple[str, ...], values: Values) -> Values:
        """Gives the values back."""
        if values.weight <= self._room:
            self._room -= values.weight
            self._found[key] = values
        return values

    def clear(self) -> None:
        self._found.clear()
        self._room = ROOM
