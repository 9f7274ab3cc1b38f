"""What becomes of lists of rights when mailboxes are made and deleted (RFC 4314 §4).

What is made takes over the list of the nearest mailbox above it; a list goes with its mailbox and
stays through a change of name. Lists are changed after the store: what a crash leaves in between is
a mailbox that nobody else sees, or a list that no mailbox has.
"""

from collections.abc import Iterable, Sequence

from config.logging import Logger
from storage.acl import AclTable, BoxKey, Entries
from storage.errors import NoSuchMailbox, TooMany
from storage.store import Store
from storage.values import AccountId, Mailbox


async def take_over(
    acl: AclTable,
    store: Store,
    account: AccountId,
    names: Sequence[str],
    entries: Entries,
    log: Logger,
) -> None:
    """The mailboxes of these names were made below one with `entries`."""
    lists = await acl.lists(account)
    if not lists:
        return
    for name in names:
        try:
            key = BoxKey.of(await store.named(account, name))
            if lists.get(key, ()) != entries:
                await acl.change(account, key, lambda _: entries)
        except NoSuchMailbox:  # gone again
            continue
        except TooMany:
            log.warning("list of rights too long to be taken over", mailbox=name)


async def forget(acl: AclTable, boxes: Iterable[Mailbox]) -> None:
    """The lists of mailboxes that were deleted."""
    for box in boxes:
        if BoxKey.of(box) in await acl.lists(box.account):
            await acl.change(box.account, BoxKey.of(box), lambda _: ())
