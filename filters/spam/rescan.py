"""Recent mail of INBOX looked at again, by what was learned and configured since it came: junk goes
to Junk, and tags are given by the rules of today and the account's models.

Never against a user: only a message whose modseq is still that of its delivery is looked at, so
that what was read, starred, answered, marked, tagged or put there stays as it is, and so does what
somebody said of. Done twice it does nothing more. What is moved here teaches nothing: the journal
says who moved it.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final

from config.clock import Clock
from config.logging import Logger
from config.settings import Settings
from filters.autotags.auto_tags import AutoTags
from filters.autotags.choosing import BY_ITSELF
from filters.recipients.junk import CONTACT, KNOWN, author_address
from filters.spam.follower import READ
from filters.spam.learned import Learned
from filters.spam.result import BAYES, bayes, reweighed
from filters.spam.signs import JUNK_WORDS, NOT_JUNK_WORDS, Place, place_of
from filters.spam.study import Study, Told, study_judged
from filters.tagging import tags_of
from message.headers import header_block
from net.threads import Busy, Offload
from storage.contacts import Contacts
from storage.errors import MessageMissing, StoreError
from storage.names import INBOX
from storage.schema import Origin
from storage.spam_values import Label
from storage.store import Store
from storage.values import (
    AccountId,
    Event,
    FlagChange,
    Flags,
    Mailbox,
    MailboxChanged,
    MessageRow,
    System,
)

_SEARCHED: Final = 20
"""In so many messages for each that may be looked at those are searched that nobody touched."""
_TOUCHED: Final = System.SEEN | System.ANSWERED | System.FLAGGED | System.DELETED | System.DRAFT
_MARKS: Final = JUNK_WORDS | NOT_JUNK_WORDS


@dataclass(frozen=True, slots=True)
class Rescanned:
    """How many messages were looked at, went to Junk, and got tags."""

    looked: int = 0
    junked: int = 0
    tagged: int = 0


class Rescanner:
    """`settings` gives those in force; `learned` is None where nothing is learned."""

    def __init__(
        self,
        settings: Callable[[], Settings],
        store: Store,
        learned: Learned | None,
        auto_tags: AutoTags,
        contacts: Contacts,
        offload: Offload,
        clock: Clock,
    ) -> None:
        self._settings, self._store, self._learned = settings, store, learned
        self._contacts = contacts
        self._auto_tags, self._offload, self._clock = auto_tags, offload, clock

    async def account(self, account: AccountId, reach: float | None = None) -> Rescanned:
        """`reach` in seconds, for that of the settings. Raises StoreError, Busy."""
        settings = self._settings().spam
        since = self._clock.now() - (settings.rescan_reach if reach is None else reach)
        box = await self._store.mailbox(account, INBOX)
        looked = junked = tagged = 0
        for uid, words in await self._untouched(box, settings.rescan_messages):
            seen = await self._study(box, uid, since)
            if seen is None or await self._is_known(account, seen[0]):
                continue
            looked += 1
            if await self._is_junk(account, *seen):
                junked += await self._to_junk(box, uid)
            else:
                tagged += await self._tag(box, uid, words, *seen)
        return Rescanned(looked, junked, tagged)

    async def _untouched(self, box: Mailbox, most: int) -> list[tuple[int, frozenset[str]]]:
        """Messages that nobody has done anything to, with their keywords, the newest `most`."""
        view = await self._store.view(box.account, box.id)
        searched = most * _SEARCHED
        try:
            fields = {field: _flags(view.flags_text(field)) for field in view.fields()}
            newest = list(zip(view.uids[-searched:], view.flags[-searched:], strict=True))
        finally:
            view.release()
        return [
            (uid, fields[field].keywords)
            for uid, field in newest
            if not fields[field].system & _TOUCHED and fields[field].keywords.isdisjoint(_MARKS)
        ][-most:]

    async def _study(self, box: Mailbox, uid: int, since: float) -> tuple[Study, bytes] | None:
        """With its header; None for one that is older or gone, was changed since it was delivered,
        or did not come through the filter.
        """
        row = await self._row(box, uid)
        if row is None or row.internaldate < since:
            return None
        if await self._store.brought_by(box.account, box.id, row.modseq) is not Origin.DELIVERY:
            return None
        came, blob = row.internaldate, row.blob
        try:
            data = await self._store.read_body(box.account, blob, box.id, uid, 0, READ)
        except MessageMissing:
            return None
        hostname = self._settings().hostname
        look = partial(study_judged, hostname=hostname, at=came)
        found = await self._offload.process(look, data)
        return (found, header_block(data)) if found.told is not None else None

    async def _row(self, box: Mailbox, uid: int) -> MessageRow | None:
        async for rows in self._store.rows(box.account, box.id, [uid]):
            for row in rows:
                return row
        return None

    async def _is_known(self, account: AccountId, found: Study) -> bool:
        """Whether the user said what it is."""
        if self._learned is None:
            return False
        known = (await self._learned.known(account, [found.key])).get(found.key)
        return known is not None and (known.learned is not Label.NONE or known.in_junk)

    async def _is_junk(self, account: AccountId, found: Study, header: bytes) -> bool:
        settings = self._settings().spam
        if found.told is None or found.told.junk:
            return False
        score = sum(
            reweighed(name, weight, settings.weights)
            for name, weight in found.told.symbols
            if name not in BAYES
        )
        if self._learned is not None:
            probability = await self._learned.probability(found.features, account)
            score += sum(one.weight for one in bayes(probability, settings.weights))
        if not 0 < settings.tag_at <= round(score, 2):
            return False
        score += await self._for_contact(account, found.told, header)
        return settings.tag_at <= round(score, 2)

    async def _for_contact(self, account: AccountId, told: Told, header: bytes) -> float:
        """What speaks for whom the account has in its address book. Whether it is him was a
        question for the delivery: here nothing is let in that was not.
        """
        author = author_address(header)
        if not author or any(name == KNOWN for name, _ in told.symbols):
            return 0.0
        if not (await self._contacts.relation(account, author)).contact:
            return 0.0
        return reweighed(CONTACT, 0.0, self._settings().spam.weights)

    async def _to_junk(self, box: Mailbox, uid: int) -> bool:
        for one in await self._store.mailboxes(box.account):
            if one.selectable and place_of(one.special_use, one.name) is Place.JUNK:
                done = await self._store.move(
                    box.account, box.id, [uid], one.id, origin=Origin.RESCAN
                )
                return bool(done.target)
        return False

    async def _tag(
        self, box: Mailbox, uid: int, words: frozenset[str], found: Study, header: bytes
    ) -> bool:
        settings, given = self._settings(), frozenset[str]()
        if "tagging" in settings.filters.pipeline:
            given = tags_of(header, settings.tagging.rule)
        if BY_ITSELF.lower() not in words:
            own = (await self._auto_tags.tags(box.account, found.features)).keywords
            given |= own if own > {BY_ITSELF} else frozenset()
        missing = frozenset(one for one in given if one.lower() not in words)
        if missing <= {BY_ITSELF}:
            return False
        done = await self._store.store(
            box.account, box.id, [uid], FlagChange.ADD, Flags(System(0), missing)
        )
        return bool(done.changed)


class RescanTask:
    """Looks at accounts that got mail, `rescan_every` so often, and at all once rules changed: a
    lost event costs nothing but time.
    """

    def __init__(self, rescanner: Rescanner, settings: Settings, store: Store, log: Logger) -> None:
        self._rescanner, self._settings, self._store = rescanner, settings, store
        self._log = log
        self._due: set[AccountId] = set()
        self._all, self._woken = True, asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._unsubscribe: Callable[[], None] = lambda: None

    async def start(self) -> None:
        """Every account is looked at once: what changed while nobody listened is seen then."""
        self._unsubscribe = self._store.bus.subscribe(None, self._heard)
        self._task = asyncio.create_task(self._run(), name="rescan")

    async def stop(self) -> None:
        self._unsubscribe()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def reload(self, settings: Settings) -> None:
        """Rules that are other ones are run over recent mail at once."""
        changed = _rules(settings) != _rules(self._settings)
        if changed or settings.spam.rescan_every != self._settings.spam.rescan_every:
            self._woken.set()
        self._all = self._all or changed
        self._settings = settings

    def _heard(self, event: Event) -> None:
        if isinstance(event, MailboxChanged) and event.appended:
            self._due.add(event.account)

    async def _run(self) -> None:
        while True:
            every, woken = self._settings.spam.rescan_every, False
            with suppress(TimeoutError):
                async with asyncio.timeout(every or None):
                    woken = await self._woken.wait()
            self._woken.clear()
            if not self._settings.spam.rescan_every or (woken and not self._all):
                continue
            for account in await self._taken():
                await self._try(account)

    async def _taken(self) -> list[AccountId]:
        """Whom to look at."""
        due, self._due = self._due, set()
        if self._all:
            try:
                due, self._all = due | set(await self._store.accounts()), False
            except StoreError as error:
                self._log.warning("accounts not listed", reason=str(error))
        return sorted(due)

    async def _try(self, account: AccountId) -> None:
        try:
            done = await self._rescanner.account(account)
        except (StoreError, OSError, Busy) as error:
            self._due.add(account)
            self._log.warning("not looked at again", account=int(account), reason=repr(error))
        except Exception:
            self._log.exception("not looked at again", account=int(account))
        else:
            if done.junked or done.tagged:
                told = {"junked": done.junked, "tagged": done.tagged}
                self._log.info("looked at again", account=int(account), **told)


def _rules(settings: Settings) -> tuple[object, ...]:
    """What decides about mail but what was learned."""
    spam = settings.spam
    return spam.weights, spam.tag_at, settings.tagging.rule, settings.filters.pipeline


def _flags(text: bytes) -> Flags:
    system, words = System(0), set[str]()
    for word in text.decode().split():
        name = word.removeprefix("\\").upper()
        if word.startswith("\\") and name in System.__members__:
            system |= System[name]
        elif not word.startswith("\\"):
            words.add(word.lower())
    return Flags(system, frozenset(words))
