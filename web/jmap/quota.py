"""Quota objects: /get, /changes, /query and /queryChanges (RFC 9425).

An account has one for octets and one for messages, each only where there is a limit. The state
says limits and use, so that what became of them since can be told without a journal.
"""

import re
from collections.abc import Sequence
from typing import Any, ClassVar, Final

from storage.quota_state import quota_state
from storage.store import Store
from storage.values import Usage
from web.jmap.context import Account, Context, account_of
from web.jmap.errors import MethodError
from web.jmap.listed_query import Listed, Test, equals, holds
from web.jmap.methods import Call
from web.jmap.standard import Changes, Object

QUOTA: Final = "urn:ietf:params:jmap:quota"
_STATE: Final = re.compile(r"(\d{1,19})-(\d{1,19})-(\d{1,19})-(\d{1,19})", re.ASCII)
_PROPERTIES: Final = (
    "resourceType",
    "used",
    "hardLimit",
    "scope",
    "name",
    "types",
    "warnLimit",
    "softLimit",
    "description",
)


def _typed(value: Any) -> Test | None:
    """A condition on the types: one of them."""
    if not isinstance(value, str):
        return None
    return lambda one: value in one["types"]


class QuotaType(Listed[Context, Account]):
    """Those of the account's mail."""

    name = "Quota"
    capability = QUOTA
    properties = frozenset(_PROPERTIES)
    conditions: ClassVar = {
        "name": holds("name"),
        "scope": equals("scope", str),
        "resourceType": equals("resourceType", str),
        "type": _typed,
    }
    sort_keys: ClassVar = {"name": lambda one: one["name"], "used": lambda one: one["used"]}
    sorts = frozenset(sort_keys)

    def __init__(self, store: Store) -> None:
        self._store = store

    def account(self, call: Call[Context], account_id: str) -> Account:
        return account_of(call, account_id)

    async def state(self, account: Account) -> str:
        return quota_state(await self._store.usage(account.id))

    async def objects(self, account: Account) -> list[Object]:
        return quotas(await self._store.usage(account.id))

    async def get(
        self,
        account: Account,
        ids: Sequence[str] | None,
        properties: frozenset[str],
        arguments: Any,
    ) -> tuple[list[Object], list[str]]:
        held = {one["id"]: one for one in await self.objects(account)}
        asked = list(held) if ids is None else ids
        found = [
            {name: value for name, value in held[id_].items() if name in {"id", *properties}}
            for id_ in asked
            if id_ in held
        ]
        return found, [id_ for id_ in asked if id_ not in held]

    async def changes(self, account: Account, since: str, limit: int) -> Changes:
        usage = await self._store.usage(account.id)
        match = _STATE.fullmatch(since)
        if match is None:
            raise MethodError("cannotCalculateChanges")
        octets, messages, used, count = map(int, match.groups())
        before = {one["id"]: one for one in quotas(Usage(used, count, octets, messages))}
        after = {one["id"]: one for one in quotas(usage)}
        both = before.keys() & after.keys()
        updated = sorted(one for one in both if before[one] != after[one])
        limits = any(before[one]["hardLimit"] != after[one]["hardLimit"] for one in updated)
        return Changes(
            quota_state(usage),
            sorted(after.keys() - both),
            updated,
            sorted(before.keys() - both),
            more={"updatedProperties": ["used"] if updated and not limits else None},
        )


def quotas(usage: Usage) -> list[Object]:
    """The Quota objects. Pure."""
    found = []
    for id_, kind, used, most in (
        ("octets", "octets", usage.bytes, usage.limit_bytes),
        ("messages", "count", usage.messages, usage.limit_messages),
    ):
        if most:
            values = (kind, used, most, "account", f"mail: {id_}", ["Email"], None, None, None)
            found.append({"id": id_, **dict(zip(_PROPERTIES, values, strict=True))})
    return found
