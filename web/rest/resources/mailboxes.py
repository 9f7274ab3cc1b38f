"""Mailboxes: JMAP's Mailbox/get and Mailbox/set, one at a time."""

from collections.abc import Awaitable, Sequence
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import Field, StringConstraints

from web.jmap.context import Account, Context
from web.jmap.errors import SetError
from web.jmap.mail.mailbox_set import MAX_NAME, MailboxSet
from web.jmap.methods import Call as JmapCall
from web.jmap.octets import Budget
from web.rest.endpoint import Access, Call, Endpoint
from web.rest.errors import RestError, absent
from web.rest.models import LINE, Give, Page, Paging, Query, Take

TAG: Final = "mailboxes"
BoxId = Annotated[str, StringConstraints(pattern="^F[0-9]{1,18}-[0-9]{1,18}$")]
Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME, pattern=LINE)]
Role = Literal["all", "archive", "drafts", "flagged", "important", "junk", "sent", "trash"]
T = TypeVar("T")
_ANSWER: Final = 32 * 1024 * 1024
_STATUS: Final = {
    "notFound": 404,
    "forbidden": 403,
    "mailboxHasChild": 409,
    "mailboxHasEmail": 409,
}


class MailboxShape(Give):
    """As JMAP has it (RFC 8621 §2)."""

    id: str
    name: str
    parentId: str | None  # noqa: N815
    role: str | None
    sortOrder: int  # noqa: N815
    totalEmails: int  # noqa: N815
    unreadEmails: int  # noqa: N815
    totalThreads: int  # noqa: N815
    unreadThreads: int  # noqa: N815
    isSubscribed: bool  # noqa: N815
    myRights: dict[str, bool]  # noqa: N815


class MailboxBody(Take):
    """A new one, at the top unless a parent is named."""

    name: Name
    parentId: BoxId | None = None  # noqa: N815
    role: Role | None = None
    isSubscribed: bool = True  # noqa: N815


class MailboxPatch(Take):
    """What is given changes."""

    name: Name | None = None
    parentId: BoxId | None = None  # noqa: N815
    role: Role | None = None
    isSubscribed: bool | None = None  # noqa: N815


class Ending(Query):
    """`emails`: with the Emails that are in no other mailbox."""

    emails: bool = False


class MailboxResource:
    """Handlers."""

    def __init__(self, mailboxes: MailboxSet) -> None:
        self._mailboxes = mailboxes

    def endpoints(self) -> Sequence[Endpoint]:
        at, one, mail = "/mailboxes/{id}", {"id": BoxId}, Access.MAIL
        return [
            Endpoint(
                *("GET", "/mailboxes", TAG, "listMailboxes", "Mailboxes", self._list, mail, None),
                *(Paging, Page[MailboxShape]),
                order=lambda row: (row["sortOrder"], row["name"].casefold(), row["id"]),
            ),
            Endpoint(
                *("POST", "/mailboxes", TAG, "addMailbox", "Make a mailbox", self._add, mail),
                MailboxBody,
                gives=MailboxShape,
                status=201,
            ),
            Endpoint(
                *("GET", at, TAG, "getMailbox", "A mailbox", self._get, mail),
                params=one,
                gives=MailboxShape,
            ),
            Endpoint(
                *("PATCH", at, TAG, "changeMailbox", "Rename or move", self._change, mail),
                MailboxPatch,
                params=one,
                gives=MailboxShape,
            ),
            Endpoint(
                *("DELETE", at, TAG, "deleteMailbox", "Delete a mailbox", self._delete, mail),
                query=Ending,
                params=one,
            ),
        ]

    async def _list(self, call: Call) -> list[dict[str, Any]]:
        kind = self._mailboxes
        found, _ = await kind.get(account_of(call), None, kind.properties, None)
        return found

    async def _one(self, call: Call, id_: str) -> dict[str, Any]:
        kind = self._mailboxes
        found, _ = await kind.get(account_of(call), [id_], kind.properties, None)
        if not found:
            raise absent("There is no such mailbox")
        return found[0]

    async def _get(self, call: Call) -> dict[str, Any]:
        return await self._one(call, call.params["id"])

    async def _add(self, call: Call) -> dict[str, Any]:
        made = call.taken(MailboxBody).model_dump()
        work = self._mailboxes.create(_jmap(call), account_of(call), made)
        return await self._one(call, str((await _done(work))["id"]))

    async def _change(self, call: Call) -> dict[str, Any]:
        patch = call.taken(MailboxPatch).model_dump(exclude_unset=True)
        given = {name: value for name, value in patch.items() if value is not None}
        given |= {name: None for name in ("parentId", "role") if name in patch and not patch[name]}
        id_ = call.params["id"]
        await _done(self._mailboxes.update(_jmap(call), account_of(call), id_, given))
        return await self._one(call, id_)

    async def _delete(self, call: Call) -> None:
        emails = call.asked(Ending).emails
        work = self._mailboxes.destroy(_jmap(call), account_of(call), call.params["id"], emails)
        await _done(work)


async def _done(work: Awaitable[T]) -> T:
    """Raises RestError."""
    try:
        return await work
    except SetError as error:
        raise RestError(_STATUS.get(error.kind, 422), str(error)) from None


def account_of(call: Call) -> Account:
    """The login's own, as JMAP's types take it."""
    login = call.user
    return Account(login.account, login.grant, login.address, Budget("the answer", _ANSWER))


def _jmap(call: Call) -> JmapCall[Context]:
    nothing = Budget("what references gave", 0)
    context = Context(call.user, call.peer)
    return JmapCall(context, frozenset(), {}, nothing, Budget("the answer", _ANSWER))
