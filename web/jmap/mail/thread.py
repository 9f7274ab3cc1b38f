"""Thread objects: /get and /changes (RFC 8621 §3)."""

from collections.abc import Sequence
from typing import Any

from storage.errors import TooOld
from storage.object_ids import email_number, thread_number, thread_of
from storage.store import Store
from web.jmap.context import Account, Context, mail_account
from web.jmap.errors import MethodError
from web.jmap.mail.email import EmailType
from web.jmap.mail.mailbox import MAIL
from web.jmap.mail.states import point_of, state_of, told_state, unchanged
from web.jmap.methods import Call
from web.jmap.standard import Changes, Object, ObjectType


class ThreadType(ObjectType[Context, Account]):
    """Conversations, of the Emails that the login may read."""

    name = "Thread"
    capability = MAIL
    properties = frozenset(("emailIds",))

    def __init__(self, store: Store, emails: EmailType) -> None:
        self._store, self._emails = store, emails

    def account(self, call: Call[Context], account_id: str) -> Account:
        return mail_account(call, account_id)

    async def state(self, account: Account) -> str:
        return told_state(account, await self._store.modseq(account.id))

    async def get(
        self,
        account: Account,
        ids: Sequence[str] | None,
        properties: frozenset[str],
        arguments: Any,
    ) -> tuple[list[Object], list[str]]:
        if ids is None:
            raise MethodError("requestTooLarge", "ids are needed")
        held = await self._store.thread_emails(account.id, [thread_of(one) for one in ids])
        if account.limited:
            readable = await self._emails.readable(account)
            blobs = [blob for some in held.values() for blob in some]
            seen = await self._store.emails(account.id, blobs, readable)
            held = {
                thread: kept
                for thread, some in held.items()
                if (kept := [blob for blob in some if blob in seen])
            }
        found = [
            {
                "id": one,
                **(
                    {"emailIds": list(map(email_number, held[thread_of(one)]))}
                    if "emailIds" in properties
                    else {}
                ),
            }
            for one in ids
            if thread_of(one) in held
        ]
        return found, [one for one in ids if thread_of(one) not in held]

    async def changes(self, account: Account, since: str, limit: int) -> Changes:
        if account.limited:  # what is out of sight would show
            return unchanged(since, await self.state(account))
        try:
            found = await self._store.email_changes(account.id, point_of(since), limit)
        except TooOld:
            raise MethodError("cannotCalculateChanges") from None
        visible = await self._store.emails(account.id, [*found.created, *found.updated])
        came = {blob: visible[blob].thread for blob in found.created if blob in visible}
        threads = {thread for thread in came.values() if thread is not None}
        # with \Deleted on its last copy an Email is gone, though its row is there
        hidden = [blob for blob in found.updated if blob not in visible]
        lost = found.threads | await self._store.threads_of(account.id, hidden)
        held = await self._store.thread_emails(account.id, sorted(threads | lost))
        fresh = [
            thread
            for thread, blobs in held.items()
            if thread not in lost and came.keys() >= set(blobs)
        ]
        return Changes(
            state_of(found.until),
            [thread_number(thread) for thread in fresh],
            [thread_number(thread) for thread in held if thread not in fresh],
            [thread_number(thread) for thread in sorted(lost - held.keys())],
            found.has_more,
        )
