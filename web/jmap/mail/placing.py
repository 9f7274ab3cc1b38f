"""Where a new Email goes and what it bears: mailboxIds, keywords and receivedAt of Email/set,
Email/import and Email/copy (RFC 8621 §4.6 to §4.8).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from auth.rights import NONE, Rights
from storage.directory import Directory
from storage.object_ids import mailbox_of
from storage.store import Store
from storage.values import Flags, MailboxId
from web.jmap.arguments import utc_date
from web.jmap.context import Account, Context
from web.jmap.errors import invalid_properties
from web.jmap.mail.intake import check_marks, check_targets
from web.jmap.mail.keyword_values import flags_of, settable
from web.jmap.methods import Call


@dataclass(frozen=True, slots=True)
class Place:
    """`received` in seconds since 1970, None where it was not given."""

    boxes: Sequence[MailboxId]
    flags: Flags
    received: float | None


async def rights_of(
    store: Store, directory: Directory, account: Account
) -> dict[MailboxId, Rights]:
    """What the login may do in each mailbox."""
    lists = await directory.acl.lists(account.id)
    boxes = await store.mailboxes(account.id)
    return {box.id: account.rights(box, lists) for box in boxes if box.selectable}


def mailboxes_of(
    call: Call[Context], account: Account, ids: Any, rights: Mapping[MailboxId, Rights]
) -> set[MailboxId]:
    """Raises SetError."""
    if not isinstance(ids, dict) or not ids or not all(one is True for one in ids.values()):
        raise invalid_properties("an object of ids, each true, is needed", "mailboxIds")
    found = set[MailboxId]()
    for id_ in ids:
        box = mailbox_of(call.real(id_), account.id)
        if box is None or "l" not in rights.get(box, ""):
            raise invalid_properties("there is no such mailbox", "mailboxIds")
        found.add(box)
    return found


def place_of(
    call: Call[Context],
    account: Account,
    made: Mapping[str, Any],
    rights: Mapping[MailboxId, Rights],
) -> Place:
    """Raises SetError."""
    boxes = sorted(mailboxes_of(call, account, made.get("mailboxIds"), rights))
    keywords = made.get("keywords")
    flags = flags_of({} if keywords is None else keywords)
    check_targets(boxes, rights)
    check_marks(flags, boxes, {box: settable(rights.get(box, NONE)) for box in boxes})
    received = made.get("receivedAt")
    when = None if received is None else utc_date(received)
    if received is not None and when is None:
        raise invalid_properties("a UTCDate is needed", "receivedAt")
    return Place(boxes, flags, None if when is None else when.timestamp())
