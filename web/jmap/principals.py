"""Principal objects: /get, /changes, /query and /queryChanges (RFC 9670 §2).

A user sees themself, those with whom there are shares, and whose whole address they name: nobody
learns by this who has an account here.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Final
from zlib import crc32

from message.casemap import casemap
from storage.acl import EVERYBODY
from storage.directory import Directory
from storage.directory_values import Account as User
from storage.object_ids import account_number
from web.jmap.contacts.accounts import CONTACTS
from web.jmap.context import Account, Context, account_of
from web.jmap.errors import MethodError
from web.jmap.filters import Combined, Filter
from web.jmap.listed_query import Condition, Listed, Test, equals, holds
from web.jmap.mail.mailbox import MAIL
from web.jmap.methods import Call
from web.jmap.principal_ids import address_of, principal_id
from web.jmap.standard import Object
from web.jmap.standard_query import Query

PRINCIPALS: Final = "urn:ietf:params:jmap:principals"
OWNER: Final = "urn:ietf:params:jmap:principals:owner"
_PROPERTIES: Final = (
    "type",
    "name",
    "description",
    "email",
    "timeZone",
    "capabilities",
    "accounts",
)
_MOST: Final = 20
_WORDS: Final = re.compile(r"\S+")


def _with_account(value: Any) -> Test | None:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        return None
    return lambda one: any(id_ in (one["accounts"] or ()) for id_ in value)


class _Words:
    """A condition on texts: all words, each somewhere in them. `value` may be a whole address."""

    def __init__(self, value: str, *properties: str) -> None:
        self.value, self._properties = value, properties
        self._words = _WORDS.findall(casemap(value))

    def __call__(self, one: Object) -> bool:
        held = casemap(" ".join(one[name] or "" for name in self._properties))
        return all(word in held for word in self._words)


def _words(*properties: str) -> Callable[[Any], Test | None]:
    return lambda value: _Words(value, *properties) if isinstance(value, str) else None


class PrincipalType(Listed[Context, Account]):
    """Those that the user may know of."""

    name = "Principal"
    capability = PRINCIPALS
    properties = frozenset(_PROPERTIES)
    conditions: ClassVar = {
        "accountIds": _with_account,
        "email": _words("email"),
        "name": holds("name"),
        "text": _words("name", "email", "description"),
        "type": equals("type", str),
        "timeZone": equals("timeZone", str),
    }
    sort_keys: ClassVar = {"name": lambda one: one["name"], "email": lambda one: one["email"]}
    sorts = frozenset(sort_keys)

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def account(self, call: Call[Context], account_id: str) -> Account:
        account = account_of(call, account_id)
        if account.grant.folders:
            raise MethodError("accountNotSupportedByMethod")
        return replace(account, sharers=frozenset(one.owner for one in call.context.mail))

    async def state(self, account: Account) -> str:
        """Nothing tells of what becomes of others: what is known may be read again."""
        known = sorted((one.id, one.name) for one in await self._known(account))
        return f"{crc32(repr(known).encode()):x}"

    def can_calculate(self, account: Account, query: Query[Condition]) -> bool:
        return False

    async def objects(self, account: Account) -> list[Object]:
        return [await self._shown(account, one, known=True) for one in await self._known(account)]

    async def query(self, account: Account, query: Query[Condition]) -> Sequence[str]:
        objects = {str(one["id"]): one for one in await self.objects(account)}
        for address in _addresses(query.filter):
            user = await self._directory.account(address)
            if user is not None and user.enabled:
                id_ = principal_id(user.address)
                objects.setdefault(id_, await self._shown(account, user, known=False))
        return [str(one["id"]) for one in self._found(list(objects.values()), query)]

    def _found(self, objects: list[Object], query: Query[Condition]) -> list[Object]:
        return self.ordered(self.matching(objects, query), query)

    async def get(
        self,
        account: Account,
        ids: Sequence[str] | None,
        properties: frozenset[str],
        arguments: Any,
    ) -> tuple[list[Object], list[str]]:
        held = {one["id"]: one for one in await self.objects(account)}
        for id_ in ids or ():
            if id_ not in held and (address := address_of(id_)):
                user = await self._directory.account(address)
                if user is not None and principal_id(user.address) == id_:
                    held[id_] = await self._shown(account, user, known=False)
        asked = list(held) if ids is None else ids
        found = [
            {name: value for name, value in held[id_].items() if name in {"id", *properties}}
            for id_ in asked
            if id_ in held
        ]
        return found, [id_ for id_ in asked if id_ not in held]

    async def _known(self, account: Account) -> list[User]:
        contacts = self._directory.contacts
        numbers = {account.id: None}
        for one in await contacts.shares.seen_by(account.id):
            numbers[one.owner] = None
        for book in await contacts.books.all(account.id):
            numbers |= dict.fromkeys(await contacts.shares.of(account.id, book.id))
        numbers |= dict.fromkeys(sorted(account.sharers))
        for entries in (await self._directory.acl.lists(account.id)).values():
            given = (one.grantee for one in entries if not one.negative)
            numbers |= dict.fromkeys(one for one in given if one != EVERYBODY)
        found = [await self._directory.account_by_id(one) for one in numbers]
        return [one for one in found if one is not None]

    async def _shown(self, account: Account, user: User, *, known: bool) -> Object:
        books = await self._directory.contacts.shares.seen_by(account.id)
        can: Object = {}
        if user.id == account.id or any(one.owner == user.id for one in books):
            can[CONTACTS] = {}
        if user.id == account.id or user.id in account.sharers:
            can[MAIL] = {}
        accounts = {account_number(user.id): can} if can else {}
        return {
            "id": principal_id(user.address),
            "type": "individual",
            "name": (user.name if known else "") or user.address,
            "description": None,
            "email": user.address,
            "timeZone": None,
            "capabilities": {},
            "accounts": accounts or None,
        }


def _addresses(found: Filter[Condition]) -> list[str]:
    """Whole addresses that a filter names, few."""
    if isinstance(found, Combined):
        return [one for part in found.parts for one in _addresses(part)][:_MOST]
    values = [test.value.strip() for test in found if isinstance(test, _Words)]
    return [value for value in values if value.count("@") == 1 and " " not in value]
