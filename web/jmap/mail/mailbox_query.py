"""Mailbox/query and Mailbox/queryChanges (RFC 8621 §2.3, §2.4)."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Any, ClassVar, Final

from web.jmap.arguments import Arguments
from web.jmap.context import Account, Context
from web.jmap.listed_query import Condition, Listed, Test, equals, holds
from web.jmap.mail.mailbox import MailboxType
from web.jmap.standard import Object
from web.jmap.standard_query import Query

_COMPARED: Final = frozenset(("name", "parentId", "role", "sortOrder", "isSubscribed"))


def _has_role(value: Any) -> Test | None:
    if not isinstance(value, bool):
        return None
    return lambda one: (one["role"] is not None) is value


class MailboxQuery(MailboxType, Listed[Context, Account]):
    """Those that the login may see; without a sort INBOX comes first, then by name."""

    conditions: ClassVar = {
        "parentId": equals("parentId", str, nullable=True),
        "name": holds("name"),
        "role": equals("role", str, nullable=True),
        "hasAnyRole": _has_role,
        "isSubscribed": equals("isSubscribed", bool),
    }
    sort_keys: ClassVar = {
        "sortOrder": lambda one: one["sortOrder"],
        "name": lambda one: one["name"],
    }
    sorts = frozenset(sort_keys)

    def query_arguments(self, arguments: Arguments) -> tuple[bool, bool]:
        """sortAsTree and filterAsTree."""
        return arguments.flag("sortAsTree"), arguments.flag("filterAsTree")

    async def query_state(self, account: Account) -> str:
        """Rights may change with no change of mail."""
        modseq = await self._store.known_modseq(account.id)
        if not account.limited and not await self._directory.acl.lists(account.id):
            return str(modseq)
        seen = [one["id"] for one in await self.objects(account)]
        return f"{modseq}-{sha256(' '.join(seen).encode()).hexdigest()[:12]}"

    async def objects(self, account: Account) -> Sequence[Object]:
        found, _ = await self.get(account, None, _COMPARED, None)
        return found

    async def query(self, account: Account, query: Query[Condition]) -> Sequence[str]:
        sort_as_tree, filter_as_tree = query.extra
        every = await self.objects(account)
        matching = {one["id"] for one in self.matching(every, query)}
        if filter_as_tree:
            parents = {one["id"]: one["parentId"] for one in every}
            matching = {id_ for id_ in matching if _above(id_, parents) <= matching}
        found = self.ordered(every, query) if query.sort else every
        ids = _as_tree(found) if sort_as_tree else [str(one["id"]) for one in found]
        return [id_ for id_ in ids if id_ in matching]


def _above(id_: str, parents: dict[str, str | None]) -> set[str]:
    """Those above a mailbox."""
    found: set[str] = set()
    above = parents[id_]
    while above is not None and above not in found:
        found.add(above)
        above = parents[above]
    return found


def _as_tree(found: Sequence[Object]) -> list[str]:
    """Each mailbox before those below it; those of one parent keep their order (§2.3)."""
    below: dict[str | None, list[str]] = {}
    for one in found:
        below.setdefault(one["parentId"], []).append(str(one["id"]))
    order: list[str] = []
    left = list(reversed(below.get(None, [])))
    while left:
        id_ = left.pop()
        order.append(id_)
        left += reversed(below.get(id_, []))
    return order
