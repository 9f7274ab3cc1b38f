"""Email/query and Email/queryChanges (RFC 8621 §4.4, §4.5) over the store's search."""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any, Final, overload

from net.pacing import Slices
from storage.mail_query.search import Found
from storage.mail_query.tables import Scope
from storage.object_ids import blob_of, email_number
from storage.values import AccountId, BlobId
from web.jmap.arguments import Arguments
from web.jmap.context import Account, Context
from web.jmap.errors import MethodError
from web.jmap.kept_results import Difference, in_order
from web.jmap.mail.email import EmailType
from web.jmap.mail.email_conditions import (
    SORTS,
    Made,
    comparator_members,
    email_condition,
    email_query,
)
from web.jmap.mail.states import modseq_of
from web.jmap.standard import Object
from web.jmap.standard_query import Query, Queryable


class EmailIds(Sequence[str]):
    """Ids of Emails, kept as numbers."""

    octets_each: Final = 8

    def __init__(self, found: Found) -> None:
        self.found = found

    def __len__(self) -> int:
        return len(self.found.blobs)

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> list[str]: ...
    def __getitem__(self, at: int | slice) -> str | list[str]:
        if isinstance(at, slice):
            return [email_number(BlobId(blob)) for blob in self.found.blobs[at]]
        return email_number(BlobId(self.found.blobs[at]))

    def index(self, value: str, start: int = 0, stop: int | None = None) -> int:
        """The place of an id. Raises ValueError."""
        end = len(self) if stop is None else stop
        return self.found.blobs.index(blob_of(value), start, end)

    def __contains__(self, value: object) -> bool:
        return isinstance(value, str) and blob_of(value) in self.found.blobs


class EmailQuery(EmailType, Queryable[Context, Account, Made]):
    """Emails that the login may read."""

    sorts = frozenset(SORTS)

    def condition(self, members: Object) -> Made:
        return email_condition(members)

    def comparator(self, property_: str, arguments: Arguments) -> Mapping[str, Any]:
        return comparator_members(property_, arguments)

    def query_arguments(self, arguments: Arguments) -> bool:
        return arguments.flag("collapseThreads")

    def is_immutable(self, query: Query[Made]) -> bool:
        return email_query(_NOBODY, query).is_immutable

    async def query_state(self, account: Account) -> str:
        modseq = await self._store.known_modseq(account.id)
        return f"{modseq}{_suffix(await self.scope(account))}"

    async def query(self, account: Account, query: Query[Made]) -> Sequence[str]:
        asked = email_query(account.id, query)
        scope = await self.scope(account)
        return EmailIds(await self._store.mail_search.find(scope, asked))

    async def query_changes(
        self,
        account: Account,
        query: Query[Made],
        since: str,
        old: Sequence[str] | None,
        new: Sequence[str],
    ) -> Difference:
        scope = await self.scope(account)
        state, suffix = since.partition("-")[0], _suffix(scope)
        touched = None
        if since == state + suffix:
            asked = email_query(account.id, query)
            touched = await self._store.mail_search.touched(scope, asked, modseq_of(state))
        if touched is None:
            return await super().query_changes(account, query, since, old, new)
        assert isinstance(new, EmailIds)
        if isinstance(old, EmailIds):
            before = await _placed(old.found.blobs, touched)
            return exact(before, await _placed(new.found.blobs, touched))
        if scope.within is not None:  # what is out of sight would show
            raise MethodError("cannotCalculateChanges")
        return _known(touched, (), await _placed(new.found.blobs, touched))

    async def scope(self, account: Account) -> Scope:
        """What the login sees."""
        lists = await self._directory.acl.lists(account.id)
        if not lists and not account.limited:
            return Scope(account.id)
        boxes = await self._store.mailboxes(account.id)
        readable = await self.readable(account)
        if not account.limited and all(box.id in readable for box in boxes):
            return Scope(account.id)  # one table however many mailboxes come and are shared
        return Scope(account.id, frozenset(readable))


_NOBODY: Final = AccountId(0)
_Placed = list[tuple[BlobId, int]]
_BLOCK: Final = 10_000


def exact(before: _Placed, after: _Placed) -> Difference:
    """Of the Emails touched, with their places, those that are in one result alone, or moved: all
    others keep their order among each other, so that each of these has a place between two of them.
    """
    gaps = {blob: at - number for number, (blob, at) in enumerate(before)}
    order = {blob: number for number, (blob, _) in enumerate(before)}
    still = [
        (order[blob], blob)
        for number, (blob, at) in enumerate(after)
        if gaps.get(blob) == at - number
    ]
    staying = in_order(still)
    gone = [blob for blob, _ in before if blob not in staying]
    return _known(gone, staying, after)


def _known(gone: Iterable[BlobId], staying: Iterable[BlobId], after: _Placed) -> Difference:
    stays = set(staying)
    added = [(email_number(blob), at) for blob, at in after if blob not in stays]
    return Difference([email_number(blob) for blob in gone], added)


async def _placed(blobs: "array[int]", touched: set[BlobId]) -> _Placed:
    found: _Placed = []
    pause = Slices()
    for start in range(0, len(blobs), _BLOCK):
        block = enumerate(blobs[start : start + _BLOCK], start)
        found += [(BlobId(blob), at) for at, blob in block if blob in touched]
        await pause()
    return found


def _suffix(scope: Scope) -> str:
    """States of logins that see another part of the account are others."""
    if scope.within is None:
        return ""
    return "-" + sha256(str(sorted(scope.within)).encode()).hexdigest()[:12]
