"""Filters by name in search programs (RFC 5466): looked up and put in place before a command runs.

A filter is a server entry of the user, or else one that all users share. A filter may name others,
PASSES deep; a loop, what is deeper, and what is no criterion count as undefined.
"""

from dataclasses import replace
from typing import Final, TypeVar

from imap.annotations import FILTERS
from imap.grammar.filters import expand, filter_names, is_too_deep, parse_criteria
from imap.grammar.search_key import SearchKey, SearchReturn
from imap.grammar.values import NO_MESSAGES
from imap.replies import No
from imap.session import Session
from storage.metadata import SERVER

PASSES: Final = 8
_MOST: Final = 100
C = TypeVar("C")


async def filtered(session: Session, command: C) -> C:
    """The command with the filters of its search program replaced. Raises No."""
    key = getattr(command, "key", None)
    if key is None or not any(filter_names(key)):
        return command
    try:
        made = await _Expansion(session).of(key, ())
        if is_too_deep(made):
            raise No("The filters are nested too deep", b"LIMIT")
    except No:
        if SearchReturn.SAVE in (getattr(command, "returns", None) or ()) and session.selected:
            session.selected.saved = NO_MESSAGES
        raise
    return replace(command, key=made)  # type: ignore[type-var]


class _Expansion:
    """One command's look-ups, bounded in number."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._left = _MOST

    async def of(self, key: SearchKey, outer: tuple[str, ...]) -> SearchKey:
        """The tree without filters; `outer` are those that it stands in."""
        values: dict[str, SearchKey] = {}
        for name in filter_names(key):
            if name not in values:
                values[name] = await self._value(name, outer)
        return expand(key, values)

    async def _value(self, name: str, outer: tuple[str, ...]) -> SearchKey:
        entry = name.lower()
        if entry in outer or len(outer) >= PASSES or not self._left:
            raise _undefined(name)
        self._left -= 1
        names = [prefix + entry for prefix in FILTERS]
        session = self._session
        found = await session.context.metadata.read(SERVER, session.account, names)
        octets = next((found[each] for each in names if each in found), None)
        key = None if octets is None else parse_criteria(octets)
        if key is None:
            raise _undefined(name)
        return await self.of(key, (*outer, entry))


def _undefined(name: str) -> No:
    return No("There is no such filter", b"UNDEFINED-FILTER " + name.encode())
