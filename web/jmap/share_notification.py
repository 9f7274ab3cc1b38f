"""ShareNotification objects: /get, /changes, /set, /query and /queryChanges (RFC 9670 §3)."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final

from config.clock import rfc3339
from storage.config_journal import Kind
from storage.contact_values import NoSuchContact
from storage.directory import Directory
from storage.object_ids import account_number, mailbox_number
from storage.share_notices import Shared, ShareNotice
from storage.values import MailboxId
from web.jmap.arguments import utc_date
from web.jmap.config_type import ConfigType
from web.jmap.contacts.accounts import RIGHTS
from web.jmap.contacts.address_book import book_id
from web.jmap.context import Account, Context
from web.jmap.errors import MethodError, SetError
from web.jmap.listed_query import Listed, Test, equals
from web.jmap.mail.mailbox_rights import LETTERS
from web.jmap.methods import Call
from web.jmap.principal_ids import principal_id
from web.jmap.principals import PRINCIPALS
from web.jmap.standard import Object

_PROPERTIES: Final = (
    "created",
    "changedBy",
    "objectType",
    "objectAccountId",
    "objectId",
    "oldRights",
    "newRights",
    "name",
)


def _time(*, before: bool) -> Callable[[Any], Test | None]:
    def made(value: Any) -> Test | None:
        edge = utc_date(value)
        if edge is None:
            return None

        def test(one: Object) -> bool:
            created = utc_date(one["created"])
            return created is not None and (created < edge) is before

        return test

    return made


class ShareNotificationType(ConfigType, Listed[Context, Account]):
    """What the user was told of shares, until it is destroyed."""

    name = "ShareNotification"
    capability = PRINCIPALS
    properties = frozenset(_PROPERTIES)
    kinds = frozenset((Kind.SHARE_NOTICE,))
    conditions: ClassVar = {
        "after": _time(before=False),
        "before": _time(before=True),
        "objectType": equals("objectType", str),
        "objectAccountId": equals("objectAccountId", str),
    }
    sort_keys: ClassVar = {"created": lambda one: one["created"]}
    sorts = frozenset(sort_keys)

    def __init__(self, directory: Directory) -> None:
        super().__init__(directory.database)
        self._directory, self._notices = directory, directory.contacts.share_notices

    def account(self, call: Call[Context], account_id: str) -> Account:
        account = super().account(call, account_id)
        if account.grant.folders:
            raise MethodError("accountNotSupportedByMethod")
        return account

    def id_of(self, account: Account, what: str) -> str:
        return f"N{what}"

    async def objects(self, account: Account) -> list[Object]:
        return [await self._shown(one) for one in await self._notices.of(account.id)]

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

    async def create(self, call: Call[Context], account: Account, made: Object) -> Object:
        raise SetError("forbidden", "the server makes them")

    async def update(
        self, call: Call[Context], account: Account, id_: str, patch: Object
    ) -> Object | None:
        raise SetError("forbidden", "they stay as they are")

    async def destroy(
        self, call: Call[Context], account: Account, id_: str, arguments: Any
    ) -> None:
        number = id_[1:]
        known = id_[:1] == "N" and number.isascii() and number.isdecimal() and len(number) < 19
        try:
            await self._notices.dismiss(account.id, int(number) if known else 0)
        except NoSuchContact:
            raise SetError("notFound") from None

    async def _shown(self, notice: ShareNotice) -> Object:
        giver = await self._directory.account_by_id(notice.giver)
        return {
            "id": f"N{notice.id}",
            "created": rfc3339(notice.created),
            "changedBy": {
                "name": (giver.name or giver.address) if giver else "",
                "email": giver.address if giver else None,
                "principalId": principal_id(giver.address) if giver else None,
            },
            "objectType": notice.kind.value,
            "objectAccountId": account_number(notice.owner),
            "objectId": _object(notice),
            "oldRights": _rights(notice.kind, notice.old),
            "newRights": _rights(notice.kind, notice.new),
            "name": notice.name,
        }


def _object(notice: ShareNotice) -> str:
    if notice.kind is Shared.MAILBOX:
        return mailbox_number(notice.owner, MailboxId(notice.book))
    return book_id(notice.book)


def _rights(kind: Shared, letters: str) -> Object | None:
    if not letters:
        return None
    if kind is Shared.MAILBOX:
        return {name: set(needed) <= set(letters) for name, needed in LETTERS.items()}
    return {name: letter in letters for name, letter in RIGHTS.items()}
