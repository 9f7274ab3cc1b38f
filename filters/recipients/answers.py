"""What scripts ask of the outside, looked up: lists, ids seen before, annotations of mailboxes,
other scripts of the account.
"""

from filters.recipients.compiled import Compiled
from filters.recipients.contact_lists import ContactLists
from filters.sieve.environment import Answer, Ask, Question
from filters.sieve.errors import CompileError
from filters.sieve.script import Script
from storage.directory import Directory
from storage.duplicates import Duplicates
from storage.errors import NoSuchMailbox
from storage.metadata import SERVER, Holder, Metadata
from storage.script_values import BadScriptName, NoSuchScript
from storage.store import Store
from storage.values import AccountId

# Entries of mailboxes as scripts name them (RFC 5490 §3): shared and private, as in RFC 5464.
_PLACES = ("/shared/", "/private/")


class Answers:
    """Raises StoreError."""

    def __init__(
        self,
        directory: Directory,
        store: Store,
        metadata: Metadata,
        duplicates: Duplicates,
        compiled: Compiled,
    ) -> None:
        self._directory, self._store, self._metadata = directory, store, metadata
        self._duplicates, self._compiled = duplicates, compiled
        self.lists = ContactLists(directory.contacts)

    async def answer(self, account: AccountId, question: Question) -> Answer:
        """One answer."""
        if question.ask is Ask.SEEN:
            return await self._duplicates.seen(account, question.name, question.detail)
        if question.ask is Ask.METADATA:
            return await self._annotation(account, question.name, question.detail)
        if question.ask is Ask.SCRIPT:
            return await self._script(account, question.name, question.detail)
        if question.ask is Ask.LIST:
            return await self.lists.exists(account, question.name)
        return await self.lists.holding(account, question.name)

    async def _annotation(self, account: AccountId, mailbox: str, entry: str) -> str | None:
        entry = entry.lower()
        if not entry.startswith(_PLACES):
            return None
        holder = SERVER
        if mailbox:
            try:
                box = await self._store.named(account, mailbox)
            except NoSuchMailbox:
                return None
            holder = Holder(account, box.id)
        found = await self._metadata.read(holder, account, [entry])
        value = found.get(entry)
        return None if value is None else value.decode("utf-8", "replace")

    async def _script(self, account: AccountId, name: str, place: str) -> Script | None:
        """Only scripts of the account itself: there are no global ones."""
        if place != "personal":
            return None
        try:
            found = await self._directory.scripts.get(account, name)
            return await self._compiled.get(found.text)
        except (NoSuchScript, BadScriptName, CompileError):
            return None
