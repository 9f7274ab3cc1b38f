"""What milters change of a message and its envelope, as a value: it travels in the verdict."""

from collections.abc import Iterable
from dataclasses import dataclass

from message.header_edits import HeaderEdit


@dataclass(frozen=True, slots=True)
class Changes:
    """`edits` of the header in order; `body` and `sender` in the place of what there was.
    Recipients are addresses without brackets.
    """

    edits: tuple[HeaderEdit, ...] = ()
    body: bytes | None = None
    sender: str | None = None
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self != NO_CHANGES


NO_CHANGES = Changes()


def joined(several: Iterable[Changes]) -> Changes:
    """All of them one after the other; what the last says of body and sender counts."""
    found = [one for one in several if one is not NO_CHANGES]
    if len(found) < 2:
        return found[0] if found else NO_CHANGES
    return Changes(
        tuple(edit for one in found for edit in one.edits),
        next((one.body for one in reversed(found) if one.body is not None), None),
        next((one.sender for one in reversed(found) if one.sender is not None), None),
        tuple(address for one in found for address in one.added),
        tuple(address for one in found for address in one.removed),
    )
