"""Depth, Overwrite, Destination, and the conditions of a request (RFC 4918 §10, RFC 9110 §13).

Pure. There are no locks: a lock token in If never matches.
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import Enum
from typing import Final
from urllib.parse import urlsplit

from web.dav.errors import DavError

MAX_HEADER: Final = 8192
MAX_NAMED: Final = 32
"""Resources that If names, each of which is looked up."""
_PORTS: Final = {"http": ":80", "https": ":443"}
_ETAG: Final = re.compile(r'\s*(W/)?"([\x21\x23-\x7e\x80-\xff]*)"\s*(?:,|$)')
_IF: Final = re.compile(
    r"\s*(?:(?P<open>\()|(?P<close>\))|(?P<not>Not\b)"
    r'|<(?P<uri>[^<>\s]+)>|\[\s*(?P<weak>W/)?"(?P<etag>[^"]*)"\s*\])',
    re.IGNORECASE,
)


class Depth(Enum):
    """As a request has it."""

    ZERO = "0"
    ONE = "1"
    INFINITY = "infinity"


def depth_of(value: str | None, default: Depth) -> Depth:
    """Raises DavError."""
    if value is None:
        return default
    try:
        return Depth(value.strip().lower())
    except ValueError:
        raise DavError(400, detail="Depth is 0, 1 or infinity") from None


def overwrites(value: str | None) -> bool:
    """Raises DavError."""
    word = "T" if value is None else value.strip().upper()
    if word not in ("T", "F"):
        raise DavError(400, detail="Overwrite is T or F")
    return word == "T"


def destination_of(value: str | None, host: str) -> str:
    """The path of a Destination here, encoded. Raises DavError."""
    if not value:
        raise DavError(400, detail="Destination is needed")
    try:
        parts = urlsplit(value.strip())
    except ValueError:
        raise DavError(400, detail="Destination is no URL") from None
    # some write the port that goes without saying (RFC 9110 §4.2.3)
    usual = _PORTS.get(parts.scheme.lower(), "")
    if parts.netloc and _named(parts.netloc, usual) != _named(host, usual):
        raise DavError(502, detail="Destination is on another server")
    return parts.path


def _named(host: str, port: str) -> str:
    return host.lower().removesuffix(port)


@dataclass(frozen=True, slots=True)
class Tags:
    """If-Match or If-None-Match: any, or these entity tags, each with whether it is weak."""

    any: bool = False
    tags: tuple[tuple[bool, str], ...] = ()

    def has(self, etags: Collection[str], *, weakly: bool) -> bool:
        """Whether they name what has one of these entity tags; none: nothing is there."""
        if not etags:
            return False
        return self.any or any(tag in etags and (weakly or not weak) for weak, tag in self.tags)


def tags_of(values: list[str]) -> Tags | None:
    """None without the header. Raises DavError."""
    text = ",".join(values).strip()
    if not text:
        return None
    if len(text) > MAX_HEADER:
        raise DavError(400, detail="too many entity tags")
    if text == "*":
        return Tags(any=True)
    found: list[tuple[bool, str]] = []
    at = 0
    while at < len(text):
        match = _ETAG.match(text, at)
        if match is None:
            raise DavError(400, detail="that is no list of entity tags")
        found.append((match[1] is not None, match[2]))
        at = match.end()
    return Tags(tags=tuple(found))


@dataclass(frozen=True, slots=True)
class Condition:
    """One of If: a state token, or an entity tag; weak ones match nothing (RFC 4918 §10.4.4)."""

    token: str = ""
    etag: str | None = None
    negated: bool = False


@dataclass(frozen=True, slots=True)
class IfList:
    """Conditions that hold together, about the resource at `uri`, "" for that of the request."""

    uri: str
    conditions: tuple[Condition, ...]


def parse_if(value: str | None) -> tuple[IfList, ...]:
    """The lists, of which one has to hold (RFC 4918 §10.4.2). Raises DavError."""
    if value is None:
        return ()
    if len(value) > MAX_HEADER:
        raise DavError(400, detail="If is too long")
    return _IfReader().read(value.strip())


class _IfReader:
    def __init__(self) -> None:
        self._found: list[IfList] = []
        self._uri = ""
        self._inside: list[Condition] | None = None
        self._negated = False

    def read(self, text: str) -> tuple[IfList, ...]:
        at = 0
        while at < len(text):
            match = _IF.match(text, at)
            if match is None:
                raise _bad_if()
            self._take(match)
            at = match.end()
        if self._inside is not None or self._negated or not self._found:
            raise _bad_if()
        if len({one.uri for one in self._found}) > MAX_NAMED:
            raise DavError(400, detail=f"If names more than {MAX_NAMED} resources")
        return tuple(self._found)

    def _take(self, match: re.Match[str]) -> None:
        if match["open"]:
            if self._inside is not None:
                raise _bad_if()
            self._inside = []
        elif match["close"]:
            if not self._inside or self._negated:
                raise _bad_if()
            self._found.append(IfList(self._uri, tuple(self._inside)))
            self._inside = None
        elif self._inside is None:
            if not match["uri"]:
                raise _bad_if()
            self._uri = match["uri"]
        elif match["not"]:
            self._negated = True
        else:
            etag = None if match["etag"] is None or match["weak"] else match["etag"]
            self._inside.append(Condition(match["uri"] or "", etag, self._negated))
            self._negated = False


def _bad_if() -> DavError:
    return DavError(400, detail="If is a list of conditions")


def holds(lists: tuple[IfList, ...], state: Callable[[str], tuple[str | None, str]]) -> bool:
    """Whether one of the lists holds. `state` gives the entity tag (None: there is nothing) and the
    sync token ("" without) of the resource at an URI, "" for that of the request.
    """
    return not lists or any(_list_holds(one, *state(one.uri)) for one in lists)


def _list_holds(one: IfList, etag: str | None, token: str) -> bool:
    return all(
        (condition.token == token if condition.token else condition.etag == etag is not None)
        != condition.negated
        for condition in one.conditions
    )
