"""StateChange objects (RFC 8620 §7.1), what a listener may hear of, and where it has come to."""

import re
from collections.abc import Mapping
from typing import Any, Final

from auth.grant import Grant
from storage.object_ids import account_number
from storage.type_states import MailRow, StatePoint, TypeChanges
from storage.values import AccountId
from web.jmap.push.hub import Boxes

_POINT: Final = re.compile(r"(\d{1,18})-(\d{1,18})(?:-(\d{1,18}))?", re.ASCII)
Types = frozenset[str] | None
"""None: all."""


class Pending:
    """What a listener was not told yet: the last state of each type, by account."""

    __slots__ = ("_states",)

    def __init__(self) -> None:
        self._states: dict[AccountId, dict[str, str]] = {}

    def __bool__(self) -> bool:
        return bool(self._states)

    def add(self, account: AccountId, states: Mapping[str, str]) -> None:
        """Newer ones."""
        if states:
            self._states.setdefault(account, {}).update(states)

    def taken(self) -> "States":
        """All, of which nothing is left."""
        states, self._states = self._states, {}
        return states

    def again(self, states: "States") -> None:
        """What was taken and is to be told still."""
        later = self.taken()
        for each in (states, later):
            for account, some in each.items():
                self.add(account, some)


States = Mapping[AccountId, Mapping[str, str]]


def state_change(states: States) -> dict[str, Any]:
    """The StateChange object."""
    changed = {account_number(account): dict(some) for account, some in states.items()}
    return {"@type": "StateChange", "changed": changed}


def of_types(states: Mapping[str, str], types: Types) -> dict[str, str]:
    """Those that were asked for."""
    return {name: state for name, state in states.items() if types is None or name in types}


def states_for(changes: TypeChanges, boxes: Boxes, types: Types, grant: Grant) -> dict[str, str]:
    """The states that a login with this grant may hear of."""
    states: Mapping[str, str] = changes.states
    if grant.folders:

        def sees(row: MailRow) -> bool:
            box = boxes.get(row.mailbox)
            return any(map(grant.sees, row.names)) or (box is not None and grant.sees(box.name))

        states = changes.within(sees)
    return of_types(states, types)


def text_of(point: StatePoint) -> str:
    """`123-45-6`: of mail, of what stands in config.db, and of what was sent."""
    return f"{point.mail}-{point.config}-{point.sent}"


def point_of(text: str) -> StatePoint | None:
    """None for what is no point."""
    found = _POINT.fullmatch(text)
    return None if found is None else StatePoint(*(int(one or 0) for one in found.groups()))
