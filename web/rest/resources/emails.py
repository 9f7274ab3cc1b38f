"""Mail: search in the language of a search box, reading, tagging, moving, deleting, and
why a message is where it is. On the EmailService, and for lists on JMAP's Email.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

from pydantic import Field, StringConstraints
from starlette.responses import Response

from config.clock import Clock, rfc3339
from filters.explaining import Explainer
from filters.mailing.email_service import EmailService, Viewed
from filters.mailing.handling import Handling
from message.query import MAX_LENGTH, Query
from message.query_explain import explain
from message.query_words import told
from net.threads import Offload
from storage.explain import ExplainStore
from storage.mail_query.conditions import AllOf, InMailbox, MailQuery
from storage.mail_query.tables import Scope
from storage.mail_query.words import Surroundings, understood
from storage.object_ids import blob_of, email_number, mailbox_of
from storage.preferences import TIME_ZONE, Preferences
from storage.store import Store
from storage.values import BlobId, Mailbox
from web.jmap.arguments import Arguments
from web.jmap.errors import MethodError
from web.jmap.mail.email import EmailType
from web.rest.endpoint import Access, Call, Endpoint
from web.rest.errors import RestError, absent
from web.rest.models import Give, Page, Paging, Take, Time
from web.rest.paging import cursor, place_of
from web.rest.resources.mailboxes import BoxId, account_of
from web.rest.resources.server import Life

TAG: Final = "emails"
LISTED: Final = frozenset(
    ("threadId", "mailboxIds", "keywords", "size", "receivedAt", "from", "to", "subject")
) | {"preview", "hasAttachment"}
EmailId = Annotated[str, StringConstraints(pattern="^M[0-9a-f]{1,16}$")]
ThreadId = Annotated[str, StringConstraints(pattern="^T[0-9a-f]{1,16}$")]
Word = Annotated[str, StringConstraints(min_length=1, max_length=255)]
Words = Annotated[tuple[Word, ...], Field(max_length=100)]


@dataclass(frozen=True, slots=True)
class MailParts:
    """What the endpoints work on."""

    service: EmailService
    handling: Handling
    store: Store
    preferences: Preferences
    explain: ExplainStore
    explainer: Explainer
    emails: EmailType
    offload: Offload
    clock: Clock


class Person(Give):
    """One address of a field."""

    email: str
    name: str | None


class EmailLine(Give):
    """An Email in a list."""

    id: str
    thread: str | None
    mailboxes: list[str]
    keywords: list[str]
    size: int
    received: Time
    from_: list[Person] = Field(alias="from")
    to: list[Person]
    subject: str
    preview: str
    has_attachment: bool


class EmailPage(Page[EmailLine]):
    """`understood`: how the query was read, "" for all mail; `chips`: the same as a tree of
    conditions, each with its place in the query; `total`: how many there are.
    """

    understood: str
    chips: dict[str, Any]
    total: int


class AttachmentShape(Give):
    """`part` is its number as IMAP counts, `size` in octets once it is decoded."""

    part: str
    name: str
    type: str
    size: int
    cid: str


class EmailWhole(Give):
    """An Email as somebody reads it. HTML is as it was sent: who shows it has to clean it. `cut`:
    not all of the texts is there.
    """

    id: str
    thread: str
    mailboxes: list[str]
    keywords: list[str]
    size: int
    received: Time
    subject: str
    from_: list[Person] = Field(alias="from")
    to: list[Person]
    cc: list[Person]
    bcc: list[Person]
    reply_to: list[Person]
    date: str | None
    message_id: str
    text: str | None
    html: str | None
    attachments: list[AttachmentShape]
    cut: bool


class ThreadShape(Give):
    """Ids of its Emails, the oldest first."""

    id: str
    emails: list[str]


class Asked(Paging):
    """`q` in the language of a search box; `mailbox` is the id of one."""

    q: Annotated[str, StringConstraints(max_length=MAX_LENGTH)] = ""
    mailbox: BoxId | None = None


class EmailPatch(Take):
    """What is given changes: whether it was seen, whether it has a star, tags that it gets and
    loses, and the mailbox that it moves to.
    """

    seen: bool | None = None
    flagged: bool | None = None
    add: Words = ()
    remove: Words = ()
    mailbox: BoxId | None = None


class ManyPatch(EmailPatch):
    """The same of several."""

    ids: Annotated[tuple[EmailId, ...], Field(min_length=1, max_length=500)]


class Ending(Paging):
    """`for_good`: not into Trash."""

    for_good: bool = False


class EmailResource:
    """Handlers."""

    def __init__(self, parts: MailParts) -> None:
        self._parts = parts

    def endpoints(self) -> Sequence[Endpoint]:
        at, one, mail = "/emails/{id}", {"id": EmailId}, Access.MAIL
        return [
            Endpoint(
                *("GET", "/emails", TAG, "listEmails", "Search mail, the newest first"),
                *(self._list, mail, None, Asked, EmailPage),
            ),
            Endpoint(
                *("PATCH", "/emails", TAG, "changeEmails", "Change several", self._many, mail),
                ManyPatch,
            ),
            Endpoint(
                *("GET", at, TAG, "getEmail", "Read an Email", self._one, mail),
                params=one,
                gives=EmailWhole,
            ),
            Endpoint(
                *("PATCH", at, TAG, "changeEmail", "Tag or move an Email", self._change, mail),
                EmailPatch,
                params=one,
                gives=EmailWhole,
            ),
            Endpoint(
                *("DELETE", at, TAG, "deleteEmail", "Delete an Email", self._delete, mail),
                query=Ending,
                params=one,
            ),
            Endpoint(
                *("GET", f"{at}/raw", TAG, "getEmailRaw", "The message as it came", self._raw),
                mail,
                params=one,
                ready=True,
                media="message/rfc822",
            ),
            Endpoint(
                *("GET", f"{at}/why", TAG, "explainEmail", "Why it is here", self._why, mail),
                params=one,
                gives=Life,
            ),
            Endpoint(
                *("GET", "/threads/{id}", TAG, "getThread", "A thread", self._thread, mail),
                params={"id": ThreadId},
                gives=ThreadShape,
            ),
        ]

    async def _list(self, call: Call) -> dict[str, Any]:
        asked = call.asked(Asked)
        query, found = await self._found(call, asked.q, asked.mailbox)
        start = _start(call, found) if asked.cursor else 0
        part = [email_number(BlobId(blob)) for blob in found[start : start + asked.limit]]
        end = start + len(part)
        return {
            "items": await self._lines(call, part),
            "next": cursor(call, (end, part[-1])) if part and end < len(found) else None,
            "understood": told(query),
            "chips": explain(query).members(),
            "total": len(found),
        }

    async def _found(
        self, call: Call, text: str, mailbox: str | None
    ) -> tuple[Query, Sequence[int]]:
        """How the text was read, and blobs of the Emails that the login sees, in order. Raises
        RestError.
        """
        boxes = await self._parts.handling.boxes(call.user)
        read = understood(text, await self._around(call, boxes.boxes))
        condition = read.condition
        if mailbox is not None:
            box = mailbox_of(mailbox, call.account)
            if box is None or box not in boxes.readable:
                raise absent("There is no such mailbox")
            condition = AllOf((InMailbox(frozenset({box})), condition))
        every = len(boxes.readable) == len(boxes.boxes)
        scope = Scope(call.account, None if every else frozenset(boxes.readable))
        found = await self._parts.store.mail_search.find(scope, MailQuery(condition))
        return read.query, found.blobs

    async def _around(self, call: Call, boxes: Sequence[Mailbox]) -> Surroundings:
        tags = await self._parts.preferences.tags(call.account)
        return Surroundings(
            boxes,
            self._parts.clock.now(),
            await self._zone(call),
            {tag.name.casefold(): tag.keyword for tag in tags},
            (call.user.address,),
        )

    async def _zone(self, call: Call) -> tzinfo:
        name = await self._parts.preferences.get(call.account, TIME_ZONE)
        try:
            return await self._parts.offload.disk(ZoneInfo, name) if name else UTC
        except (LookupError, ValueError, OSError):  # of a name that there is not
            return UTC

    async def _lines(self, call: Call, ids: Sequence[str]) -> list[dict[str, Any]]:
        kind = self._parts.emails
        options = kind.get_arguments(Arguments({}))
        try:
            found, _ = await kind.get(account_of(call), ids, LISTED, options)
        except MethodError as error:
            raise RestError(422, f"{error}: ask for fewer") from None
        return [_line(one) for one in found]

    async def _one(self, call: Call) -> dict[str, Any]:
        return _whole(await self._parts.service.view(call.user, call.params["id"]))

    async def _thread(self, call: Call) -> dict[str, Any]:
        found = await self._parts.service.thread(call.user, call.params["id"])
        return {"id": call.params["id"], "emails": found}

    async def _change(self, call: Call) -> dict[str, Any]:
        body = call.taken(EmailPatch)
        await self._changed(call, [call.params["id"]], body)
        return await self._one(call)

    async def _many(self, call: Call) -> None:
        body = call.taken(ManyPatch)
        await self._changed(call, body.ids, body)

    async def _changed(self, call: Call, ids: Sequence[str], body: EmailPatch) -> None:
        add, take = set(body.add), set(body.remove)
        for word, wanted in (("$seen", body.seen), ("$flagged", body.flagged)):
            if wanted is not None:
                (add if wanted else take).add(word)
        service = self._parts.service
        try:
            await service.tag(call.user, ids, add, take - add)
        except ValueError as error:
            raise RestError(422, str(error)) from None
        if body.mailbox is not None:
            await service.move(call.user, ids, body.mailbox)

    async def _delete(self, call: Call) -> None:
        for_good = call.asked(Ending).for_good
        await self._parts.service.delete(call.user, [call.params["id"]], for_good=for_good)

    async def _raw(self, call: Call) -> Response:
        data = await self._parts.emails.octets(account_of(call), blob_of(call.params["id"]))
        name = f"attachment; filename={call.params['id']}.eml"
        headers = {
            # the next who logs in with this browser has other mail at the same address
            "Cache-Control": "private, no-store",
            "Content-Disposition": name,
            "Content-Security-Policy": "sandbox; default-src 'none'",
        }
        return Response(data, headers=headers, media_type="message/rfc822")

    async def _why(self, call: Call) -> dict[str, Any]:
        parts = self._parts
        await parts.service.view(call.user, call.params["id"])  # only what the login sees
        trace = await parts.explain.trace_of(call.account, blob_of(call.params["id"]))
        found = None if trace is None else await parts.explainer.explain_for(call.account, trace)
        if found is None:
            raise absent("Nothing is recorded of it: it came otherwise, or too long ago")
        lines = [{"at": rfc3339(one.at), "what": one.what, "text": one.text} for one in found.lines]
        return {
            "id": found.id,
            "message_id": found.message_id,
            "at": rfc3339(found.at),
            "happenings": lines,
        }


def _start(call: Call, found: Sequence[int]) -> int:
    """Behind the Email that the cursor names; if that is gone, where it stood. Raises RestError."""
    place = place_of(call)
    if len(place) != 2 or not isinstance(place[0], int) or not isinstance(place[1], str):
        raise RestError(422, "the cursor is none of this list: ask without one")
    blob = blob_of(place[1])
    try:
        return found.index(blob) + 1
    except ValueError:
        return max(place[0] - 1, 0)


def _line(one: Any) -> dict[str, Any]:
    return {
        "id": one["id"],
        "thread": one["threadId"],
        "mailboxes": sorted(one["mailboxIds"]),
        "keywords": sorted(one["keywords"]),
        "size": one["size"],
        "received": one["receivedAt"],
        "from": one["from"] or [],
        "to": one["to"] or [],
        "subject": one["subject"] or "",
        "preview": one["preview"],
        "has_attachment": one["hasAttachment"],
    }


def _whole(viewed: Viewed) -> dict[str, Any]:
    content = viewed.content
    return {
        "id": viewed.id,
        "thread": viewed.thread,
        "mailboxes": list(viewed.mailboxes),
        "keywords": list(viewed.keywords),
        "size": viewed.size,
        "received": datetime.fromtimestamp(viewed.received, UTC).isoformat().replace("+00:00", "Z"),
        "subject": content.subject,
        "from": content.author,
        "to": content.to,
        "cc": content.cc,
        "bcc": content.bcc,
        "reply_to": content.reply_to,
        "date": None if content.date is None else content.date.isoformat(),
        "message_id": content.message_id,
        "text": content.text,
        "html": content.html,
        "attachments": content.attachments,
        "cut": content.cut,
    }
