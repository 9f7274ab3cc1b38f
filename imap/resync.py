"""What changed in the selected mailbox since a modseq (RFC 7162 §3.1.4.1, §3.2.5, §3.2.6)."""

from collections.abc import Sequence
from typing import Final

from imap.session import Session

_BLOCK: Final = 10_000


async def changed(session: Session, indices: Sequence[int], since: int) -> Sequence[int]:
    """Those of the indices whose messages have a modseq above `since`; expunged ones are left
    out.
    """
    selected, found = session.mailbox, list[int]()
    for start in range(0, len(indices), _BLOCK):
        view, part = selected.view, indices[start : start + _BLOCK]
        if selected.stale:
            pairs = ((i, view.index_of(selected.uids[i])) for i in part)
            found += [i for i, place in pairs if place >= 0 and view.modseqs[place] > since]
        else:
            modseqs = view.modseqs
            found += [i for i in part if modseqs[i] > since]
        await session.connection.breathe()
    return found
