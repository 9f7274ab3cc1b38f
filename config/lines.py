"""Finds the line of a key in a TOML text for error messages; the TOML parser gives none."""

import re

_TABLE = re.compile(r"\s*\[\[?\s*([^\]]+?)\s*\]\]?\s*(#.*)?$")
_ASSIGN = re.compile(r"\s*([A-Za-z0-9_.\"'-]+?)\s*=")

Key = tuple[str | int, ...]


class KeyLines:
    """Where each table and key of a text begins. Array tables count from 0."""

    def __init__(self, text: str) -> None:
        self._lines: dict[Key, int] = {}
        table: Key = ()
        counts: dict[str, int] = {}
        for number, line in enumerate(text.splitlines(), 1):
            if found := _TABLE.match(line):
                table = tuple(part.strip("\"' ") for part in found[1].split("."))
                if line.lstrip().startswith("[["):
                    index = counts.get(found[1], 0)
                    counts[found[1]] = index + 1
                    table = (*table, index)
                self._lines.setdefault(table, number)
            elif found := _ASSIGN.match(line):
                key = (*table, *(part.strip("\"' ") for part in found[1].split(".")))
                self._lines.setdefault(key, number)

    def find(self, key: Key) -> int:
        """The line of the key, else of the nearest table around it, else 0."""
        while key:
            if key in self._lines:
                return self._lines[key]
            key = key[:-1]
        return 0
