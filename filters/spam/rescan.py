"""Recent mail of INBOX looked at again, by what has been learned since it came: junk goes to Junk,
and tags are given that the account's models find fitting by now.

Never against a user: what was read, starred, answered, marked or put there, and what somebody said
of a message, stays as it is; a tag that was taken away is not given again. Done twice it does
nothing more. What is moved here teaches nothing: the journal says who moved it.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from config.clock import Clock
from config.logging import Logger
from config.settings import Settings
from filters.autotags.auto_tags import AutoTags
from filters.autotags.choosing import BY_ITSELF
from filters.spam.follower import READ
from filters.spam.learned import Learned
from filters.spam.result import BAYES, bayes
from filters.spam.signs import JUNK_WORDS, NOT_JUNK_WORDS, Place, place_of
from filters.spam.study import Study, study_judged
from net.threads import Busy, Offload
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

DAYS: Final = 3.0
"""How far back mail is recent."""
EVERY: Final = 3600.0
"""Seconds between two looks at an account that got mail."""
MOST: Final = 1_000
"""Messages of an account that one look reads, the newest."""
_TOUCHED: Final = System.SEEN | System.ANSWERED | System.FLAGGED | System.DELETED | System.DRAFT
_MARKS: Final = JUNK_WORDS | NOT_JUNK_WORDS
_DAY: Final = 86400.0


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
        offload: Offload,
        clock: Clock,
    ) -> None:
        self._settings, self._store, self._learned = settings, store, learned
        self._auto_tags, self._offload, self._clock = auto_tags, offload, clock

    async def account(self, account: AccountId, days: float = DAYS) -> Rescanned:
        """Raises StoreError, Busy."""
        box = await self._store.mailbox(account, INBOX)
        looked = junked = tagged = 0
        for uid, words in (await self._untouched(box))[-MOST:]:
            found = await self._study(box, uid, self._clock.now() - days * _DAY)
            if found is None or await self._is_known(account, found):
                continue
            looked += 1
            if await self._is_junk(account, found):
                junked += await self._to_junk(box, uid)
            else:
                tagged += await self._tag(box, uid, words, found)
        return Rescanned(looked, junked, tagged)

    async def _untouched(self, box: Mailbox) -> list[tuple[int, frozenset[str]]]:
        """Messages that nobody has done anything to, with their keywords."""
        view = await self._store.view(box.account, box.id)
        try:
            fields = {field: _flags(view.flags_text(field)) for field in view.fields()}
            every = list(zip(view.uids[:], view.flags[:], strict=True))
        finally:
            view.release()
        return [
            (uid, fields[field].keywords)
            for uid, field in every
            if not fields[field].system & _TOUCHED and fields[field].keywords.isdisjoint(_MARKS)
        ]

    async def _study(self, box: Mailbox, uid: int, since: float) -> Study | None:
        """None for one that is older or gone, or did not come through the filter."""
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
        return found if found.told is not None else None

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

    async def _is_junk(self, account: AccountId, found: Study) -> bool:
        settings = self._settings().spam
        if self._learned is None or found.told is None or found.told.junk:
            return False
        score = sum(weight for name, weight in found.told.symbols if name not in BAYES)
        probability = await self._learned.probability(found.features, account)
        score += sum(one.weight for one in bayes(probability, settings.weights))
        return 0 < settings.tag_at <= round(score, 2)

    async def _to_junk(self, box: Mailbox, uid: int) -> bool:
        for one in await self._store.mailboxes(box.account):
            if one.selectable and place_of(one.special_use, one.name) is Place.JUNK:
                done = await self._store.move(
                    box.account, box.id, [uid], one.id, origin=Origin.RESCAN
                )
                return bool(done.target)
        return False

    async def _tag(self, box: Mailbox, uid: int, words: frozenset[str], found: Study) -> bool:
        if BY_ITSELF.lower() in words:
            return False
        given = (await self._auto_tags.tags(box.account, found.features)).keywords
        if not given - {BY_ITSELF} or {one.lower() for one in given - {BY_ITSELF}} <= words:
            return False
        flags = Flags(System(0), given)
        done = await self._store.store(box.account, box.id, [uid], FlagChange.ADD, flags)
        return bool(done.changed)


class RescanTask:
    """Looks at accounts that got mail, EVERY so often: a lost event costs nothing but time."""

    def __init__(self, rescanner: Rescanner, store: Store, log: Logger) -> None:
        self._rescanner, self._store, self._log = rescanner, store, log
        self._due: set[AccountId] = set()
        self._task: asyncio.Task[None] | None = None
        self._unsubscribe: Callable[[], None] = lambda: None

    async def start(self) -> None:
        """Every account is looked at once: what changed while nobody listened is seen then."""
        self._unsubscribe = self._store.bus.subscribe(None, self._heard)
        self._due = set(await self._store.accounts())
        self._task = asyncio.create_task(self._run(), name="rescan")

    async def stop(self) -> None:
        self._unsubscribe()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def _heard(self, event: Event) -> None:
        if isinstance(event, MailboxChanged) and event.appended:
            self._due.add(event.account)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            due, self._due = self._due, set()
            for account in sorted(due):
                await self._try(account)

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


def _flags(text: bytes) -> Flags:
    system, words = System(0), set[str]()
    for word in text.decode().split():
        name = word.removeprefix("\\").upper()
        if word.startswith("\\") and name in System.__members__:
            system |= System[name]
        elif not word.startswith("\\"):
            words.add(word.lower())
    return Flags(system, frozenset(words))
