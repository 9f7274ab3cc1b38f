"""EmailSubmission objects: /get, /changes and /set (RFC 8621 §7)."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Final

import orjson

from config.clock import Clock
from filters.cancelling import NotCancelled, cancel
from filters.mailing.loading import Loader
from filters.mailing.submitter import Submitter
from filters.mailing.values import Grammar, NotSent, Origin, Why
from net.threads import Busy, Offload, Pool
from storage.credential_values import Protocol
from storage.emails import StoredEmail
from storage.errors import MessageMissing, StoreError, TooOld
from storage.object_ids import blob_of, email_number
from storage.store import Store
from storage.submission_values import Submission
from storage.values import BlobId, Sending
from web.jmap.arguments import Arguments, too_many, utc_date
from web.jmap.context import Account, Context, account_of
from web.jmap.errors import MethodError, SetError, invalid_properties
from web.jmap.limits import Limits
from web.jmap.listed_query import Listed, Test, equals
from web.jmap.mail.email import EmailType
from web.jmap.methods import Call
from web.jmap.patch import patched
from web.jmap.standard import Changeable, Changes, Object
from web.jmap.submission.envelopes import derived, given, wish_of
from web.jmap.submission.identity import SUBMISSION, IdentityType, id_of
from web.jmap.submission.submission_shown import (
    mail_from,
    shown,
    submission_number,
    submission_of,
)

_PROPERTIES: Final = (
    "identityId",
    "emailId",
    "threadId",
    "envelope",
    "sendAt",
    "undoStatus",
    "deliveryStatus",
    "dsnBlobIds",
    "mdnBlobIds",
)
_GIVEN: Final = frozenset(("identityId", "emailId", "envelope"))
_COMPARED: Final = frozenset(("identityId", "emailId", "threadId", "sendAt", "undoStatus"))
_MANY: Final = 100_000
_QUICK: Final = 16 * 1024


def _among(property_: str) -> Callable[[Any], Test | None]:
    """A condition on an Id: one of an array."""

    def made(value: Any) -> Test | None:
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            return None
        wanted = frozenset(value)
        return lambda one: one[property_] in wanted

    return made


def _timed(value: Any, meets: Callable[[datetime, datetime], bool]) -> Test | None:
    """A condition on sendAt."""
    limit = utc_date(value)
    if limit is None:
        return None

    def test(one: Object) -> bool:
        at = utc_date(one["sendAt"])
        return at is not None and meets(at, limit)

    return test


class SubmissionType(Listed[Context, Account], Changeable[Context, Account]):
    """Of a login that is good for some senders or folders, those of Emails and senders that it may
    use.
    """

    name = "EmailSubmission"
    capability = SUBMISSION
    properties = frozenset(_PROPERTIES)
    conditions: ClassVar = {
        "identityIds": _among("identityId"),
        "emailIds": _among("emailId"),
        "threadIds": _among("threadId"),
        "undoStatus": lambda value: equals("undoStatus", str)(value) if value else None,
        "before": lambda value: _timed(value, lambda at, limit: at < limit),
        "after": lambda value: _timed(value, lambda at, limit: at >= limit),
    }
    sort_keys: ClassVar = {
        "emailId": lambda one: one["emailId"],
        "threadId": lambda one: one["threadId"],
        "sentAt": lambda one: utc_date(one["sendAt"]),
        "sendAt": lambda one: utc_date(one["sendAt"]),
    }
    sorts = frozenset(sort_keys)

    def __init__(
        self,
        store: Store,
        emails: EmailType,
        identities: IdentityType,
        submitter: Submitter,
        grammar: Grammar,
        loader: Loader,
        clock: Clock,
        limits: Limits,
        offload: Offload,
    ) -> None:
        self._store, self._emails, self._identities = store, emails, identities
        self._submitter, self._grammar, self._loader = submitter, grammar, loader
        self._clock, self._limits, self._offload = clock, limits, offload

    def account(self, call: Call[Context], account_id: str) -> Account:
        return account_of(call, account_id)

    def is_read_only(self, account: Account) -> bool:
        return account.grant.read_only

    def set_arguments(self, arguments: Arguments) -> "OnSuccess":
        updates = arguments.objects("onSuccessUpdateEmail")
        destroyed = arguments.texts("onSuccessDestroyEmail") or []
        return OnSuccess(updates, destroyed)

    async def state(self, account: Account) -> str:
        return str(await self._store.submissions.state(account.id))

    async def get(
        self,
        account: Account,
        ids: Sequence[str] | None,
        properties: frozenset[str],
        arguments: Any,
    ) -> tuple[list[Object], list[str]]:
        found = {submission_number(one.id): one for one in await self._asked(account, ids)}
        threads = await self._threads(account, list(found.values()), properties)
        shown = {
            id_: {"id": id_, **self._shown(one, threads, properties)} for id_, one in found.items()
        }
        if ids is None:
            return list(shown.values()), []
        return [shown[one] for one in ids if one in shown], [i for i in ids if i not in shown]

    async def changes(self, account: Account, since: str, limit: int) -> Changes:
        grant = account.grant
        if grant.folders or grant.senders or not since.isascii() or not since.isdecimal():
            raise MethodError("cannotCalculateChanges")
        try:
            found = await self._store.submissions.changes(account.id, int(since[:18]), limit)
        except TooOld:
            raise MethodError("cannotCalculateChanges") from None
        created, updated, destroyed = (
            [submission_number(one) for one in ids]
            for ids in (found.created, found.updated, found.destroyed)
        )
        return Changes(str(found.until), created, updated, destroyed, found.has_more)

    async def objects(self, account: Account) -> list[Object]:
        found = await self.seen(account, await self._store.submissions.all(account.id, _MANY))
        threads = await self._threads(account, found, _COMPARED)
        return [
            {"id": submission_number(one.id), **self._shown(one, threads, _COMPARED)}
            for one in found
        ]

    async def query_state(self, account: Account) -> str:
        """What is pending becomes final by itself."""
        found, now = await self._store.submissions.all(account.id, _MANY), self._clock.now()
        late = sum(one.undo_at(now) is not one.undo for one in found)
        return f"{await self.state(account)}-{late}" if late else await self.state(account)

    async def create(self, call: Call[Context], account: Account, made: Object) -> Object:
        if unknown := sorted(made.keys() - _GIVEN):
            raise invalid_properties("cannot be set", *unknown)
        try:
            id_, one, envelope = await self._send(call, account, made)
        except NotSent as error:
            raise _refusal(error) from None
        except MessageMissing:
            raise invalid_properties("there is no such Email", "emailId") from None
        except (OSError, Busy):
            raise MethodError("serverUnavailable") from None
        call_state = self._shown(one, {}, self.properties)
        told = {name: value for name, value in call_state.items() if name not in _GIVEN}
        extra = {} if made.get("envelope") is not None else {"envelope": envelope}
        return {"id": id_, **told, **extra}

    async def update(
        self, call: Call[Context], account: Account, id_: str, patch: Object
    ) -> Object | None:
        one = await self._one(account, id_)
        before = {"id": id_, **self._shown(one, {}, self.properties)}
        before["threadId"] = patch.get("threadId", before["threadId"])
        after = patched(before, patch)
        unlike = [name for name in after if name not in before or after[name] != before[name]]
        if others := sorted(set(unlike) - {"undoStatus"}):
            raise invalid_properties("cannot be changed", *others)
        if not unlike:
            return None
        if after["undoStatus"] != "canceled":
            raise invalid_properties('can become "canceled" alone', "undoStatus")
        _check_writes(account)
        try:
            await cancel(self._store.queue, self._clock, one.id, account.id)
        except NotCancelled as error:
            raise SetError("cannotUnsend", str(error)) from None
        return None

    async def destroy(
        self, call: Call[Context], account: Account, id_: str, arguments: Any
    ) -> None:
        _check_writes(account)
        one = await self._one(account, id_)
        if not await self._store.submissions.destroy(account.id, one.id):
            raise SetError("notFound")

    async def email_ids(self, account: Account, ids: Sequence[str]) -> dict[str, str]:
        """The Emails of submissions, by id."""
        return {
            submission_number(one.id): email_number(one.email)
            for one in await self._asked(account, ids)
        }

    async def _send(
        self, call: Call[Context], account: Account, made: Object
    ) -> tuple[str, Submission, Object]:
        """Raises NotSent, SetError, MessageMissing, Busy."""
        if not account.grant.writes:
            raise NotSent(Why.FORBIDDEN_TO_SEND, "This login does not send mail")
        identity = await self._identities.one(account, _reference(call, made, "identityId"))
        if identity is None:
            raise invalid_properties("there is no such Identity", "identityId")
        email = await self._email(account, _reference(call, made, "emailId"))
        login = call.context.login
        envelope = None if made.get("envelope") is None else given(made["envelope"])
        message = await self._loader.load(account.id, email)
        try:
            if envelope is None:
                envelope = await self._derived(message.header, identity.email)
            wish = wish_of(envelope, self._grammar, admin=login.admin)
        except BaseException:
            await self._loader.drop(message)
            raise
        sending = Sending(
            id_of(identity),
            email.blob,
            email.thread or 0,
            orjson.dumps(envelope).decode(),
            frozenset(),
        )
        origin = Origin(call.context.peer, call.context.tls)
        sent = await self._submitter.submit(login, origin, wish, message, sending, Protocol.JMAP)
        try:
            found = await self._store.submissions.get(account.id, [sent.id])
            return submission_number(sent.id), found[sent.id], envelope
        except (StoreError, KeyError):
            raise MethodError("serverPartialFail", "it is sent, and cannot be shown") from None

    async def _derived(self, header: bytes, email: str) -> Object:
        if len(header) <= _QUICK:
            return derived(header, email)
        return await self._offload.run(Pool.MIME, derived, header, email)

    async def _email(self, account: Account, id_: str) -> StoredEmail:
        readable = await self._emails.readable(account)
        blob = blob_of(id_)
        found = (await self._store.emails(account.id, [blob], readable)).get(blob)
        if found is None:
            raise invalid_properties("there is no such Email", "emailId")
        return found

    async def _one(self, account: Account, id_: str) -> Submission:
        found = await self._asked(account, [id_])
        if not found:
            raise SetError("notFound")
        return found[0]

    async def _asked(self, account: Account, ids: Sequence[str] | None) -> list[Submission]:
        """Those that the login sees."""
        submissions, most = self._store.submissions, self._limits.objects_in_get
        if ids is None:
            found = await submissions.all(account.id, most + 1)
            if len(found) > most:
                raise too_many("objects", most)
        else:
            wanted = [number for one in ids if (number := submission_of(one))]
            by_id = await submissions.get(account.id, wanted)
            found = [by_id[one] for one in wanted if one in by_id]
        return await self.seen(account, found)

    async def seen(self, account: Account, found: Sequence[Submission]) -> list[Submission]:
        """Those of these that the login sees."""
        grant = account.grant
        if grant.senders:
            found = [one for one in found if grant.may_send_as(mail_from(one))]
        if grant.folders:
            readable = await self._emails.readable(account)
            there = await self._store.emails(account.id, [one.email for one in found], readable)
            found = [one for one in found if one.email in there]
        return list(found)

    async def _threads(
        self, account: Account, found: Sequence[Submission], properties: frozenset[str]
    ) -> Mapping[BlobId, int]:
        """Of Emails whose thread was not known when they were sent."""
        lacking = [one.email for one in found if not one.thread]
        if not lacking or "threadId" not in properties:
            return {}
        stored = await self._store.emails(account.id, lacking)
        return {blob: one.thread for blob, one in stored.items() if one.thread}

    def _shown(
        self, one: Submission, threads: Mapping[BlobId, int], properties: frozenset[str]
    ) -> Object:
        thread = one.thread or threads.get(one.email, 0)
        found = shown(one, thread, self._clock.now())
        return {name: value for name, value in found.items() if name in properties}


class OnSuccess:
    """What is done to Emails whose submission was created, changed or destroyed."""

    def __init__(self, updates: Mapping[str, Object], destroyed: Sequence[str]) -> None:
        self.updates, self.destroyed = updates, destroyed

    @property
    def ids(self) -> list[str]:
        return [*self.updates, *self.destroyed]


def _reference(call: Call[Context], made: Object, name: str) -> str:
    """An id, or what was created under a creation id. Raises SetError."""
    value = made.get(name)
    if not isinstance(value, str):
        raise invalid_properties("an Id is needed", name)
    return call.created.get(value[1:], "") if value.startswith("#") else value


def _check_writes(account: Account) -> None:
    if not account.grant.writes:
        raise SetError("forbidden", "this login only writes drafts")


def _refusal(error: NotSent) -> SetError:
    """In the words of RFC 8621 §7.5."""
    match error.why:
        case Why.LATER:
            raise MethodError("serverUnavailable", str(error))
        case Why.INVALID_RECIPIENTS:
            more: Object = {"invalidRecipients": list(error.recipients)}
        case Why.TOO_MANY_RECIPIENTS:
            more = {"maxRecipients": error.limit}
        case Why.TOO_LARGE:
            more = {"maxSize": error.limit}
        case _:
            more = {}
    return SetError(error.why.value, str(error), **more)
