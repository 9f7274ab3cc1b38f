"""Email/copy (RFC 8621 §4.7, RFC 8620 §5.4): Emails of one account in another one."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from storage.blob_values import NoSuchBlob
from storage.directory import Directory
from storage.object_ids import blob_of
from storage.store import Store
from web.jmap.arguments import Arguments, too_many
from web.jmap.blob.management import source_account
from web.jmap.blob.reading import BlobReader
from web.jmap.context import Account, Context, mail_account
from web.jmap.errors import (
    MethodError,
    SetError,
    invalid_arguments,
    invalid_properties,
    partly,
)
from web.jmap.limits import Limits
from web.jmap.mail.blobs import message_blob
from web.jmap.mail.email import keywords
from web.jmap.mail.email_set import EmailSet
from web.jmap.mail.intake import Intake, created
from web.jmap.mail.keyword_values import settable
from web.jmap.mail.mailbox import MAIL
from web.jmap.mail.placing import mailboxes_of, place_of, rights_of
from web.jmap.methods import Call, Methods, Results

_COPY: Final = frozenset(("id", "mailboxIds", "keywords", "receivedAt"))
Object = dict[str, Any]
Accounts = Callable[[Call[Context], str], Account]


class EmailCopy:
    """`accounts` and `sources` give the account that is copied to and from by its id."""

    def __init__(
        self,
        emails: EmailSet,
        reader: BlobReader,
        intake: Intake,
        store: Store,
        directory: Directory,
        limits: Limits,
        accounts: Accounts = mail_account,
        sources: Accounts = source_account,
    ) -> None:
        self._emails, self._reader, self._intake = emails, reader, intake
        self._store, self._directory, self._limits = store, directory, limits
        self._accounts, self._sources = accounts, sources

    def add_to(self, methods: Methods[Context]) -> None:
        """The method."""
        methods.add(MAIL, "Email/copy", self.copy)

    async def copy(self, call: Call[Context], members: Object) -> Results:
        """One response, and that of Email/set where originals were to be destroyed."""
        arguments = Arguments(members)
        from_id, account_id = arguments.id("fromAccountId"), arguments.id("accountId")
        from_state, in_state = arguments.text("ifFromInState"), arguments.text("ifInState")
        create = arguments.objects("create")
        destroy = arguments.flag("onSuccessDestroyOriginal")
        destroy_state = arguments.text("destroyFromIfInState")
        arguments.end()
        if from_id == account_id:
            raise invalid_arguments("fromAccountId: it is the same account")
        source, target = self._sources(call, from_id), self._accounts(call, account_id)
        if len(create) > self._limits.objects_in_set:
            raise too_many("objects", self._limits.objects_in_set)
        if target.read_only:
            raise MethodError("accountReadOnly")
        before = await self._emails.state(target)
        if in_state not in (None, before):
            raise MethodError("stateMismatch")
        if from_state not in (None, await self._emails.state(source)):
            raise MethodError("stateMismatch")
        made: Object = {}
        failed: Object = {}
        with partly(made):
            for creation_id, asked in create.items():
                try:
                    made[creation_id] = await self._one(call, source, target, asked)
                except SetError as error:
                    failed[creation_id] = error.members
                else:
                    call.created[creation_id] = made[creation_id]["id"]
            told = {
                "fromAccountId": from_id,
                "accountId": account_id,
                "oldState": before,
                "newState": await self._emails.state(target),
                "created": made or None,
                "notCreated": failed or None,
            }
            responses = [("Email/copy", told)]
            if destroy and made:
                ids = [create[creation_id]["id"] for creation_id in made]
                responses.append(await self._destroyed(call, source, from_id, ids, destroy_state))
        return responses

    async def _one(
        self, call: Call[Context], source: Account, target: Account, asked: Object
    ) -> Object:
        """Raises SetError."""
        if unknown := sorted(asked.keys() - _COPY):
            raise invalid_properties("cannot be given", *unknown)
        if not isinstance(asked.get("id"), str):
            raise invalid_properties("an Id is needed", "id")
        blob = blob_of(asked["id"])
        readable = await self._emails.readable(source)
        email = (await self._store.emails(source.id, [blob], readable)).get(blob)
        if email is None:
            raise SetError("notFound")
        rights = await rights_of(self._store, self._directory, target)
        given: Mapping[str, Any] = {"keywords": keywords(email.flags), **asked}
        if "keywords" not in asked:  # as IMAP copies: what may not be set there is left out
            boxes = mailboxes_of(call, target, asked.get("mailboxIds"), rights)
            flags = email.flags
            for box in boxes:
                flags = settable(rights[box]).among(flags)
            given = {**given, "keywords": keywords(flags)}
        place = place_of(call, target, given, rights)
        received = email.received if place.received is None else place.received
        try:
            found = await self._reader.find(source, message_blob(blob))
        except NoSuchBlob:
            raise SetError("notFound") from None
        async with self._intake.spool() as spool:
            await self._intake.fill(spool, self._reader.pieces(found))
            made = await self._intake.add(target, spool, place.boxes, place.flags, received)
        return created(made)

    async def _destroyed(
        self,
        call: Call[Context],
        source: Account,
        account_id: str,
        ids: list[str],
        in_state: str | None,
    ) -> tuple[str, Object]:
        """The implicit Email/set (RFC 8620 §5.4)."""
        before = await self._emails.state(source)
        if source.read_only:
            return "error", MethodError("accountReadOnly").members
        if in_state not in (None, before):
            return "error", MethodError("stateMismatch").members
        gone: list[str] = []
        failed: Object = {}
        for id_ in ids:
            try:
                await self._emails.destroy(call, source, id_, None)
                gone.append(id_)
            except SetError as error:
                failed[id_] = error.members
        after = await self._emails.state(source)
        told = dict.fromkeys(("created", "updated", "notCreated", "notUpdated"))
        return "Email/set", {
            "accountId": account_id,
            "oldState": before,
            "newState": after,
            **told,
            "destroyed": gone or None,
            "notDestroyed": failed or None,
        }
