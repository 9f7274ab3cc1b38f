"""MDN/send (RFC 9007 §2.1): a notification to who asked for it, the way that users' mail goes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from secrets import token_hex
from typing import Any, Final

from config.clock import Clock
from filters.context import Message
from filters.mailing.loading import Taking
from filters.mailing.submitter import Submitter
from filters.mailing.values import NotSent, Origin, To, Why, Wish
from message.compose_fields import BadValue, Group, Person, addresses, date, message_ids, text
from message.crlf import to_crlf
from message.headers import build_field, first, header_block
from message.mdn import Notification, build_mdn, wanted_by
from message.words import decode_words
from net.threads import Offload, Pool
from storage.credential_values import Protocol
from storage.directory_names import address_key
from storage.emails import StoredEmail
from storage.errors import MessageMissing
from storage.identities import Identity
from storage.object_ids import blob_of, email_number
from storage.store import Store
from web.jmap.arguments import Arguments, too_many
from web.jmap.context import Account, Context, account_of
from web.jmap.errors import MethodError, SetError, invalid_arguments, partly
from web.jmap.limits import Limits
from web.jmap.mail.email import EmailType
from web.jmap.mail.email_set import EmailSet
from web.jmap.mail.mailbox import MAIL
from web.jmap.mdn.objects import Asked, asked
from web.jmap.methods import Call, Results
from web.jmap.standard import Standard
from web.jmap.submission.identity import IdentityType

SENT: Final = "$mdnsent"
_TEXT: Final = "The message was {type}. This says nothing of whether it was read or understood.\n"
_MAX: Final = 10 * 1024 * 1024
_MESSAGE_ID: Final = 900
Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class MdnSending:
    """The method."""

    emails: EmailType
    email_set: EmailSet
    identities: IdentityType
    standard: Standard[Context]
    store: Store
    submitter: Submitter
    limits: Limits
    clock: Clock
    offload: Offload

    async def __call__(self, call: Call[Context], members: Object) -> Results:
        arguments = Arguments(members)
        account_id, identity_id = arguments.id("accountId"), arguments.text("identityId")
        send = arguments.objects("send")
        updates = arguments.objects("onSuccessUpdateEmail")
        arguments.end()
        if MAIL not in call.using:
            raise MethodError("unknownMethod")
        try:
            account = account_of(call, account_id)
        except MethodError:
            raise invalid_arguments("accountId: there is no such account") from None
        if len(send) > self.limits.objects_in_set:
            raise too_many("objects", self.limits.objects_in_set)
        if account.grant.read_only:
            raise MethodError("accountReadOnly")
        identity = await self._identity(call, account, identity_id)
        _check_updates(send, updates)
        sent: Object = {}
        failed: Object = {}
        done: dict[str, str] = {}
        with partly(sent):
            for creation_id, made in send.items():
                try:
                    told, email_id = await self._one(call, account, identity, made)
                except SetError as error:
                    failed[creation_id] = error.members
                else:
                    sent[creation_id], done[creation_id] = told, email_id
            told = {"accountId": account_id, "sent": sent or None, "notSent": failed or None}
            results: list[tuple[str, Object]] = [("MDN/send", told)]
            if done:
                patches = {id_: updates[f"#{one}"] for one, id_ in done.items()}
                results.append(await self._update(call, account_id, patches))
        return results

    async def _identity(self, call: Call[Context], account: Account, id_: str | None) -> Identity:
        found = await self.identities.one(account, call.real(id_ or ""))
        if found is None:
            raise invalid_arguments("identityId: there is no such Identity")
        return found

    async def _update(
        self, call: Call[Context], account_id: str, patches: Mapping[str, Object]
    ) -> tuple[str, Object]:
        """The implicit Email/set."""
        given = Arguments({"accountId": account_id, "update": patches})
        try:
            return "Email/set", await self.standard.set(self.email_set, call, given)
        except MethodError as error:
            return "error", error.members

    async def _one(
        self, call: Call[Context], account: Account, identity: Identity, made: Object
    ) -> tuple[Object, str]:
        """What the server chose, and the Email that it is about. Raises SetError."""
        wanted = asked(made)
        if not account.grant.writes:
            raise SetError("forbidden", "this login does not send mail")
        email = await self._email(call, account, wanted)
        if any(word.lower() == SENT for word in email.flags.keywords):
            raise SetError("mdnAlreadySent", "the message has $mdnsent")
        try:
            data = await self.emails.octets(account, email.blob)
        except MessageMissing:
            raise SetError("notFound") from None
        header = header_block(data)
        to = wanted_by(header)
        if not to:
            raise SetError("notFound", "nobody asked for a notification of this message")
        notification = _notification(wanted, identity, header)
        message = await self._message(identity, to, wanted, notification, data)
        wish = Wish("", (To(to),))
        context = call.context
        origin = Origin(context.peer, context.tls)
        try:
            await self.submitter.submit(context.login, origin, wish, message, None, Protocol.JMAP)
        except NotSent as error:
            raise _refusal(error) from None
        told = {
            "subject": _subject(wanted, header),
            "textBody": _body(wanted),
            "includeOriginalMessage": wanted.whole,
            "reportingUA": notification.reporting_ua or None,
            "mdnGateway": None,
            "originalRecipient": notification.original_recipient or None,
            "finalRecipient": notification.final_recipient,
            "originalMessageId": notification.message_id or None,
            "error": None,
            "extensionFields": None,
        }
        chosen = {name: value for name, value in told.items() if made.get(name) is None}
        return chosen, email_number(email.blob)

    async def _email(self, call: Call[Context], account: Account, wanted: Asked) -> StoredEmail:
        blob = blob_of(call.real(wanted.email_id))
        readable = await self.emails.readable(account)
        found = (await self.store.emails(account.id, [blob], readable)).get(blob)
        if found is None:
            raise SetError("notFound", "there is no such Email")
        return found

    async def _message(
        self,
        identity: Identity,
        to: str,
        wanted: Asked,
        notification: Notification,
        data: bytes,
    ) -> Message:
        """Raises SetError."""
        header = header_block(data)
        if wanted.whole and len(data) > _MAX:
            raise SetError("tooLarge", f"a message of at most {_MAX} octets can be included")
        original = to_crlf(data if wanted.whole else header)
        domain = identity.email.rpartition("@")[2]
        seed = f"{token_hex(16)}@{domain}"
        try:
            fields = [
                date("Date", datetime.fromtimestamp(int(self.clock.now()), UTC)),
                message_ids("Message-ID", [seed]),
                addresses("From", [Group(None, (Person(identity.email, identity.name or ""),))]),
                addresses("To", [Group(None, (Person(to),))]),
                text("Subject", _subject(wanted, header)),
            ]
        except BadValue as error:
            raise SetError("invalidProperties", str(error)) from None
        if notification.message_id:
            for name in ("In-Reply-To", "References"):
                fields.append(build_field(name, notification.message_id))
        if notification.sending == "mdn-sent-automatically":
            fields.append(b"Auto-Submitted: auto-replied\r\n")
        body = _body(wanted)

        def made() -> Message:
            taking = Taking(None)
            taking.take(build_mdn(fields, body, notification, original, seed).data)
            return taking.message()

        try:
            return await self.offload.run(Pool.MIME, made)
        except NotSent as error:
            raise _refusal(error) from None


def _notification(wanted: Asked, identity: Identity, header: bytes) -> Notification:
    """Raises SetError."""
    final = f"rfc822; {identity.email}"
    if wanted.final_recipient is not None:
        kind, _, address = wanted.final_recipient.partition(";")
        if kind.strip().lower() != "rfc822" or address_key(address.strip()) != address_key(
            identity.email
        ):
            raise SetError("forbiddenFrom", "finalRecipient is not the address of the Identity")
        final = wanted.final_recipient
    message_id = (first(header, b"message-id") or b"").decode("ascii", "ignore").strip()
    original = (first(header, b"original-recipient") or b"").decode("utf-8", "replace")
    return replace(
        wanted.notification,
        final_recipient=final,
        original_recipient=original,
        message_id=message_id if len(message_id) <= _MESSAGE_ID else "",
        reporting_ua=wanted.reporting_ua or "",
    )


def _subject(wanted: Asked, header: bytes) -> str:
    if wanted.subject is not None:
        return wanted.subject
    return f"Read: {decode_words(first(header, b'subject') or b'')}"[:500]


def _body(wanted: Asked) -> str:
    return _TEXT.format(type=wanted.notification.type) if wanted.text is None else wanted.text


def _check_updates(send: Mapping[str, Object], updates: Mapping[str, Object]) -> None:
    """Each sent one sets the keyword (§2.1). Raises MethodError."""
    for creation_id in send:
        patch = updates.get(f"#{creation_id}", {})
        whole = patch.get("keywords")
        inside = isinstance(whole, dict) and whole.get(SENT) is True
        if patch.get(f"keywords/{SENT}") is not True and not inside:
            raise invalid_arguments(f"onSuccessUpdateEmail: #{creation_id} does not set {SENT}")
    if others := updates.keys() - {f"#{one}" for one in send}:
        raise invalid_arguments(f"onSuccessUpdateEmail: {min(others)[:100]} is not sent")


def _refusal(error: NotSent) -> SetError:
    """In the words of RFC 9007 §2.1. Raises MethodError for a fault of the server's."""
    match error.why:
        case Why.LATER:
            raise MethodError("serverUnavailable", str(error))
        case Why.RATE_LIMIT:
            return SetError("rateLimit", str(error))
        case Why.TOO_LARGE:
            return SetError("tooLarge", str(error))
        case Why.FORBIDDEN_FROM:
            return SetError("forbiddenFrom", str(error))
        case Why.INVALID_EMAIL:
            return SetError("invalidProperties", str(error))
    return SetError("forbidden", str(error))
