"""What bounds the cards of an account, as statements inside a change of them."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from message.jscontact import uid_key
from storage.config_contact_tables import address_book, card, card_history
from storage.contact_rows import batches
from storage.contact_values import MAX_ALL_OCTETS, MAX_CARDS, ContactExists, TooManyContacts
from storage.values import AccountId

HISTORY_SECONDS: Final = 90 * 24 * 3600.0
HISTORY_OCTETS: Final = 256 * 1024 * 1024
"""Of the vCards in the history of an account."""
_EVERY: Final = 64
_b, _c, _h = address_book.c, card.c, card_history.c


async def refuse_more(at: AsyncConnection, account: AccountId, cards: int, octets: int) -> None:
    """Raises TooManyContacts."""
    sums = select(func.sum(_b.cards), func.sum(_b.octets)).where(_b.account == account)
    there, held = (await at.execute(sums)).one()
    if cards and (there or 0) + cards > MAX_CARDS:
        raise TooManyContacts(f"An account has at most {MAX_CARDS} contacts")
    if octets and (held or 0) + octets > MAX_ALL_OCTETS:
        raise TooManyContacts(f"The contacts of an account have at most {MAX_ALL_OCTETS} octets")


async def refuse_uids(at: AsyncConnection, account: AccountId, uids: Sequence[str]) -> None:
    """Raises ContactExists when two of them are one, or a card of the account has one."""
    keys = sorted(set(map(uid_key, uids)))
    if len(keys) != len(uids):
        raise ContactExists("Two cards have one UID")
    for some in batches(keys):
        mine = (_c.account == account) & _c.uid_key.in_(some)
        found = (await at.execute(select(_c.href, _c.book).where(mine).limit(1))).first()
        if found is not None:
            raise ContactExists("Another card has the UID", *found)


async def prune_history(at: AsyncConnection, account: AccountId, modseq: int, now: float) -> None:
    """Takes what is too old or too much out of the history, at some of the changes."""
    if modseq % _EVERY:
        return
    mine = _h.account == account
    await at.execute(delete(card_history).where(mine, _h.replaced < now - HISTORY_SECONDS))
    held = func.sum(_h.octets).over(order_by=_h.id.desc()).label("held")
    kept = select(_h.id, held).where(mine).subquery()
    edge = select(func.max(kept.c.id)).where(kept.c.held > HISTORY_OCTETS)
    if (last := (await at.execute(edge)).scalar()) is not None:
        await at.execute(delete(card_history).where(mine, _h.id <= last))
