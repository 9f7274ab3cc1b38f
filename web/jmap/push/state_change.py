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


def state_change(account: AccountId, states: Mapping[str, str]) -> dict[str, Any]:
    """The StateChange object of one account."""
    return {"@type": "StateChange", "changed": {account_number(account): dict(states)}}


def states_for(changes: TypeChanges, boxes: Boxes, types: Types, grant: Grant) -> dict[str, str]:
    """The states that a login with this grant may hear of."""
    states: Mapping[str, str] = changes.states
    if grant.folders:

        def sees(row: MailRow) -> bool:
            box = boxes.get(row.mailbox)
            return any(map(grant.sees, row.names)) or (box is not None and grant.sees(box.name))

        states = changes.within(sees)
    return {name: state for name, state in states.items() if types is None or name in types}


def text_of(point: StatePoint) -> str:
    """`123-45-6`: of mail, of what stands in config.db, and of what was sent."""
    return f"{point.mail}-{point.config}-{point.sent}"


def point_of(text: str) -> StatePoint | None:
    """None for what is no point."""
    found = _POINT.fullmatch(text)
    return None if found is None else StatePoint(*(int(one or 0) for one in found.groups()))
