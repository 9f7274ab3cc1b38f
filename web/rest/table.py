"""Which endpoint a path and a method mean. Segments are compared before their "%" is undone, so
that a name may hold a "/".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote_to_bytes

from web.rest.endpoint import PREFIX, Endpoint

MAX_SEGMENTS: Final = 12
MAX_PATH: Final = 4096


@dataclass(slots=True)
class _Node:
    named: dict[str, "_Node"] = field(default_factory=dict)
    any: "_Node | None" = None
    methods: dict[str, Endpoint] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Found:
    """Endpoints of a path by method, and the texts of its parameters."""

    methods: Mapping[str, Endpoint]
    texts: tuple[str, ...]

    @property
    def allow(self) -> str:
        """For the field Allow (RFC 9110 §10.2.1)."""
        names = set(self.methods) | {"OPTIONS"} | ({"HEAD"} if "GET" in self.methods else set())
        return ", ".join(sorted(names))


class Table:
    """Raises ValueError for two endpoints at one place."""

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        self._root = _Node()
        for one in endpoints:
            self._add(one)

    def find(self, raw_path: bytes) -> Found | None:
        """`raw_path` as it came, without the part behind "?"; None for what is not there."""
        prefix = f"{PREFIX}/".encode()
        if not raw_path.startswith(prefix) or len(raw_path) > MAX_PATH:
            return None
        parts = raw_path[len(prefix) :].split(b"/")
        if len(parts) > MAX_SEGMENTS:
            return None
        try:
            segments = [unquote_to_bytes(part).decode() for part in parts]
        except UnicodeDecodeError:
            return None
        if any("\0" in segment for segment in segments):
            return None
        return _walk(self._root, segments, ())

    def _add(self, one: Endpoint) -> None:
        node = self._root
        for part in one.path.strip("/").split("/"):
            if part.startswith("{"):
                node.any = node.any or _Node()
                node = node.any
            else:
                node = node.named.setdefault(part, _Node())
        if one.method in node.methods:
            raise ValueError(f"{one.method} {one.path} is declared twice")
        node.methods[one.method] = one


def _walk(node: _Node, segments: Sequence[str], texts: tuple[str, ...]) -> Found | None:
    if not segments:
        return Found(node.methods, texts) if node.methods else None
    first, rest = segments[0], segments[1:]
    if first in node.named and (found := _walk(node.named[first], rest, texts)) is not None:
        return found
    if node.any is not None and first:
        return _walk(node.any, rest, (*texts, first))
    return None


def names_of(path: str) -> list[str]:
    """The parameters of a path, in order."""
    return [part[1:-1] for part in path.split("/") if part.startswith("{")]
