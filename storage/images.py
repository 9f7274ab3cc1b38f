"""The loop's copy of accounts: mailboxes, use and subscriptions as last committed.

Read once from SQL, replaced whole by what the committer hands over; so `usage` and `mailboxes` cost
a dictionary look-up. Used in the loop's thread only.
"""

from collections import OrderedDict
from dataclasses import replace
from typing import Any
from weakref import WeakValueDictionary

from sqlalchemy import bindparam, select

from storage.database import Database
from storage.errors import NoSuchAccount, NoSuchMailbox
from storage.keywords import KeywordSets, KeywordTable
from storage.names import normal
from storage.schema import account, keyword_set, mailbox, subscription
from storage.state import AccountImage
from storage.statements import Query
from storage.values import AccountId, Mailbox, MailboxId, Usage

MAX_IMAGES = 10_000
_NO_BOX = MailboxId(0)
_ID: Any = bindparam("account")
_ACCOUNT = Query(
    lambda _: select(
        account.c.modseq,
        account.c.used_bytes,
        account.c.used_messages,
        account.c.limit_bytes,
        account.c.limit_messages,
    ).where(account.c.id == _ID)
)
_b = mailbox.c
_BOXES = Query(
    lambda _: select(
        _b.id,
        _b.account,
        _b.name,
        _b.uidvalidity,
        _b.uidnext,
        _b.highestmodseq,
        _b.messages,
        _b.unseen,
        _b.deleted,
        _b.size,
        _b.special_use,
        _b.subscribed,
        _b.selectable,
    ).where(_b.account == _ID)
)
_SETS = Query(
    lambda _: select(keyword_set.c.number, keyword_set.c.words).where(keyword_set.c.account == _ID)
)
_NAMES = Query(lambda _: select(subscription.c.name).where(subscription.c.account == _ID))


class Images:
    """Accounts by id, least recently used ones dropped."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._images: OrderedDict[AccountId, AccountImage] = OrderedDict()
        self._by_name: dict[AccountId, dict[str, MailboxId]] = {}
        self._keywords: WeakValueDictionary[AccountId, KeywordTable] = WeakValueDictionary()

    async def get(self, number: AccountId) -> AccountImage:
        """Raises NoSuchAccount."""
        image = self._images.get(number)
        if image is None:
            image = await self._load(number)
        return image

    async def mailbox(self, number: AccountId, name: str) -> Mailbox:
        """A mailbox by name, \\Noselect ones included. Raises NoSuchMailbox."""
        wanted = normal(name)
        image = await self.get(number)
        box = image.boxes.get(self._named(number).get(wanted, _NO_BOX))
        if box is None or box.name != wanted:
            names = self._by_name[number] = {box.name: box.id for box in image.boxes.values()}
            box = image.boxes.get(names.get(wanted, _NO_BOX))
        if box is not None:
            return box
        raise NoSuchMailbox("the mailbox does not exist")

    def box(self, number: AccountId, mailbox: MailboxId) -> Mailbox | None:
        """A mailbox as last committed, if its account is at hand."""
        image = self._images.get(number)
        return image.boxes.get(mailbox) if image is not None else None

    def _named(self, number: AccountId) -> dict[str, MailboxId]:
        """Mailboxes by the names that they had when they were last looked up in vain."""
        return self._by_name.get(number, {})

    def put(self, image: AccountImage) -> None:
        """Takes what was committed, in commit order."""
        if image.gone:
            self.drop(image.account)
            return
        self._images[image.account] = image
        self._images.move_to_end(image.account)
        if len(self._images) > MAX_IMAGES:
            dropped, _ = self._images.popitem(last=False)
            self._by_name.pop(dropped, None)
        table = self._keywords.get(image.account)
        if table is not None:
            table.sets = image.keywords

    def drop(self, number: AccountId) -> None:
        """Forgets one account; the next look-up reads it."""
        self._images.pop(number, None)
        self._by_name.pop(number, None)

    async def keywords(self, number: AccountId) -> KeywordTable:
        """The account's keyword table, shared by its views."""
        image = await self.get(number)
        table = self._keywords.get(number)
        if table is None:
            table = self._keywords[number] = KeywordTable(image.keywords)
        return table

    async def _load(self, number: AccountId) -> AccountImage:
        rows = await self._database.fetch(_ACCOUNT, account=number)
        if not rows:
            raise NoSuchAccount("no such account")
        boxes = [_mailbox(row) for row in await self._database.fetch(_BOXES, account=number)]
        sets = await self._database.fetch(_SETS, account=number)
        names = await self._database.fetch(_NAMES, account=number)
        committed = self._images.get(number)
        if committed is not None:  # handed over while this was being read: it is newer
            return committed
        image = AccountImage(
            number,
            rows[0][0],
            {box.id: box for box in boxes},
            Usage(*rows[0][1:]),
            frozenset(name for (name,) in names),
            KeywordSets((row[0], row[1]) for row in sets).sets,
        )
        self.put(image)
        return image


def _mailbox(row: tuple[Any, ...]) -> Mailbox:
    return replace(Mailbox(*row), subscribed=bool(row[-2]), selectable=bool(row[-1]))


def box_of(image: AccountImage, mailbox_id: MailboxId) -> Mailbox:
    """A mailbox by id. Raises NoSuchMailbox."""
    box = image.boxes.get(mailbox_id)
    if box is None:
        raise NoSuchMailbox("the mailbox does not exist")
    return box
