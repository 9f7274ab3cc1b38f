"""State strings of mail: the account's modseq, and how far into a change a client has come."""

import re
from typing import Final

from storage.email_changes import Point
from web.jmap.context import Account
from web.jmap.errors import MethodError
from web.jmap.standard import Changes

_STATE: Final = re.compile(r"(\d{1,18})(?:-(\d{1,9}))?")


def state_of(point: Point) -> str:
    """`123`, or `123-500`: 500 contents of the change after 123 are known."""
    return f"{point.modseq}-{point.more}" if point.more else str(point.modseq)


def point_of(state: str) -> Point:
    """Raises MethodError for what is no state of this server."""
    found = _STATE.fullmatch(state)
    if found is None or not state.isascii():
        raise MethodError("cannotCalculateChanges")
    return Point(int(found[1]), int(found[2] or 0))


def told_state(account: Account, modseq: int) -> str:
    """Of what an account has at a modseq; in somebody else's it says too what is shared."""
    return f"{modseq}.{account.mark}" if account.mark else str(modseq)


def unchanged(since: str, state: str) -> Changes:
    """Nothing, where nothing has changed at all. Raises MethodError: cannotCalculateChanges."""
    if since != state:
        raise MethodError("cannotCalculateChanges")
    return Changes(state)


def modseq_of(state: str) -> int:
    """Of a state without such a rest. Raises MethodError."""
    return point_of(state).modseq
