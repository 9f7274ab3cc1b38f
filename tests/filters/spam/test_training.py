"""What users do with their mail in the store, as lessons: by hand and by the server, both
directions, copies, marks, gaps in the journal, and a stop in between; on SQLite and PostgreSQL.
"""

import asyncio
from array import array
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import pytest

from config.clock import SystemClock
from config.logging import get_logger
from filters.spam.follower import Follower
from filters.spam.learned import Learned
from filters.spam.model import FEATURES
from filters.spam.training import RETRY, Training
from net.threads import Busy, Offload
from storage.history_database import HistoryDatabase
from storage.prune import PruneJob
from storage.spam_lessons import SpamLessons
from storage.spam_values import Counts, Label, Lesson
from storage.store import Store
from storage.values import AccountId, FlagChange, Flags, LocalRecipient, MailboxId, System
from tests.support.directories import MovedClock, own_database
from tests.support.stores import ACCOUNT, OTHER, StoreHome, appended, deliver, delivery, message


def words(data: bytes) -> "array[int]":
    """Features for the tests: the words of the body."""
    return array(
        "I", sorted({crc32(word) % FEATURES for word in data.partition(b"\r\n\r\n")[2].split()})
    )


@dataclass(slots=True)
class Site:
    home: StoreHome
    store: Store
    history: HistoryDatabase
    lessons: SpamLessons
    learned: Learned
    offload: Offload

    def training(self) -> Training:
        following = Follower(self.store, self.learned, self.offload, words)
        return Training(self.store, following, SystemClock(), get_logger("spam"))

    async def settle(self) -> None:
        await self.training().settle()

    async def counts(self, account: AccountId = ACCOUNT) -> tuple[int, int]:
        own = (await self.lessons.totals(account)).own
        return own.spam, own.ham

    async def word(self, text: str, account: AccountId = ACCOUNT) -> tuple[int, int]:
        """How often it was learned in spam and in ham."""
        number = crc32(text.encode()) % FEATURES
        labels = [
            example.label
            async for page in self.lessons.examples(account)
            for _, _, example in page
            if number in example.features
        ]
        return labels.count(Label.SPAM), labels.count(Label.HAM)

    async def box(self, name: str, account: AccountId = ACCOUNT) -> MailboxId:
        return (await self.store.mailbox(account, name)).id

    async def uids(self, name: str) -> Sequence[int]:
        view = await self.store.view(ACCOUNT, await self.box(name))
        view.release()
        return list(view.uids)

    async def move(self, source: str, target: str, uids: Sequence[int] | None = None) -> None:
        chosen = await self.uids(source) if uids is None else uids
        await self.store.move(ACCOUNT, await self.box(source), chosen, target)

    async def flag(self, name: str, change: FlagChange, *flags: str) -> None:
        system = System.ANSWERED if "\\Answered" in flags else System(0)
        value = Flags(system, frozenset(flags) - {"\\Answered"})
        uids = await self.uids(name)
        await self.store.store(ACCOUNT, await self.box(name), uids, change, value)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def site(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Site]:
    async with own_database(request.param) as database:
        home = StoreHome(tmp_path, database)
        offload = Offload()
        history = await HistoryDatabase.open(database, tmp_path, offload)
        store = await home.open()
        for account in (ACCOUNT, OTHER):
            await store.add_account(account)
        lessons = SpamLessons(history, SystemClock())
        learned = Learned(lessons, offload, get_logger("spam"))
        await learned.start()
        made = Site(home, store, history, lessons, learned, offload)
        await made.settle()
        try:
            yield made
        finally:
            await learned.stop()
            await history.close()
            offload.close()
            await home.clean_up()


async def test_into_junk_and_back(site: Site) -> None:
    await deliver(site.store, message("cheap watches"))
    await site.settle()
    assert await site.counts() == (0, 0)
    await site.move("INBOX", "Junk")
    await site.settle()
    assert await site.counts() == (1, 0)
    assert await site.word("watches") == (1, 0)
    await site.move("Junk", "INBOX")
    await site.settle()
    assert await site.counts() == (0, 1)
    assert await site.word("watches") == (0, 1)
    await site.settle()
    assert await site.counts() == (0, 1)


async def test_what_the_server_filed_trains_only_when_it_is_moved(site: Site) -> None:
    flags = Flags(System(0), frozenset({"$Junk"}))
    recipient = LocalRecipient(ACCOUNT, "user@example.test", "Junk", flags)
    for text in ("one", "two", "three"):
        await site.store.deliver(delivery(message(text), recipient))
    await site.settle()
    await site.flag("Junk", FlagChange.ADD, "$label1")  # it is looked at
    await site.move("Junk", "Trash", [1])
    await site.settle()
    assert await site.counts() == (0, 0)
    await site.move("Junk", "Archive", [2])
    await site.settle()
    assert await site.counts() == (0, 1)
    assert await site.word("two") == (0, 1)
    # and out of Trash, where it was thrown from Junk
    await site.move("Trash", "INBOX")
    await site.settle()
    assert await site.word("one") == (0, 1)


async def test_what_was_filed_elsewhere_with_a_mark_teaches_nothing_when_it_is_read(
    site: Site,
) -> None:
    """A script sorts a list into a folder of its own, junk or not."""
    await site.store.create(ACCOUNT, "Lists")
    flags = Flags(System(0), frozenset({"$Junk", "other"}))
    recipient = LocalRecipient(ACCOUNT, "user@example.test", "Lists", flags)
    for text in ("one", "two"):
        await site.store.deliver(delivery(message(text), recipient))
    await site.flag("Lists", FlagChange.ADD, "$label1")
    await site.settle()
    await site.flag("Lists", FlagChange.ADD, "$label2")
    await site.move("Lists", "Archive", [1])
    await site.settle()
    assert await site.counts() == (0, 0)
    await site.flag("Lists", FlagChange.SET, "$NotJunk")  # and this is the user's word
    await site.settle()
    assert await site.counts() == (0, 1)
    assert await site.word("two") == (0, 1)


async def test_a_mark_that_is_set_before_anybody_follows_counts(site: Site) -> None:
    flags = Flags(System(0), frozenset({"$Junk"}))
    recipient = LocalRecipient(ACCOUNT, "user@example.test", "Junk", flags)
    await site.store.deliver(delivery(message("one"), recipient))
    await site.flag("Junk", FlagChange.SET, "$NotJunk")
    await site.settle()
    assert await site.counts() == (0, 1)


async def test_a_copy_in_either_direction_is_the_same_message(site: Site) -> None:
    await deliver(site.store, message("cheap watches"))
    await site.store.copy(ACCOUNT, await site.box("INBOX"), [1], "Junk")
    await site.settle()
    assert await site.counts() == (1, 0)
    await site.store.copy(ACCOUNT, await site.box("Junk"), [1], "Archive")
    await site.settle()
    assert await site.counts() == (0, 1)


async def test_a_copy_out_of_junk_counts_though_its_source_is_gone_by_then(site: Site) -> None:
    """As clients without MOVE do it, before anybody has seen the message in Junk."""
    for text in ("one", "two"):
        await site.store.deliver(
            delivery(message(text), LocalRecipient(ACCOUNT, "user@example.test", "Junk"))
        )
    junk = await site.box("Junk")
    await site.store.copy(ACCOUNT, junk, [1], "INBOX")
    await site.store.copy(ACCOUNT, junk, [2], "Trash")
    await site.store.store(ACCOUNT, junk, [1, 2], FlagChange.ADD, Flags(System.DELETED))
    await site.store.expunge(ACCOUNT, junk, [1, 2])
    await site.settle()
    assert await site.counts() == (0, 1)
    assert await site.word("one") == (0, 1)
    await site.store.copy(ACCOUNT, await site.box("Trash"), [1], "Archive")
    await site.settle()
    assert await site.word("two") == (0, 1)


async def test_a_copy_within_junk_says_nothing(site: Site) -> None:
    recipient = LocalRecipient(ACCOUNT, "user@example.test", "Junk")
    await site.store.deliver(delivery(message("one"), recipient))
    await site.store.copy(ACCOUNT, await site.box("Junk"), [1], "Junk")
    await site.settle()
    assert await site.counts() == (0, 0)


async def test_a_client_that_uploads_and_deletes_moves(site: Site) -> None:
    """mbsync: APPEND with a header more, and EXPUNGE, in this or the other order."""
    mail = message("cheap watches")
    await deliver(site.store, mail)
    marked = b"X-TUID: abc\r\n" + mail
    await site.store.append(ACCOUNT, "Junk", [appended(marked)])
    await site.settle()
    assert await site.counts() == (1, 0)
    box = await site.box("Junk")
    await site.store.store(ACCOUNT, box, [1], FlagChange.ADD, Flags(System.DELETED))
    await site.store.expunge(ACCOUNT, box, [1])
    await site.settle()
    assert await site.counts() == (1, 0)  # expunging says nothing
    await site.store.append(ACCOUNT, "INBOX", [appended(mail)])
    await site.settle()
    assert await site.counts() == (0, 1)


@pytest.mark.parametrize(
    ("junk", "good"), [("$Junk", "$NotJunk"), ("Junk", "NonJunk"), ("junk", "NotJunk")]
)
async def test_marks_train_without_a_move(site: Site, junk: str, good: str) -> None:
    await deliver(site.store, message("cheap watches"))
    await site.flag("INBOX", FlagChange.ADD, junk)
    await site.settle()
    assert await site.counts() == (1, 0)
    await site.move("INBOX", "Junk")
    await site.settle()
    assert await site.counts() == (1, 0)
    await site.flag("Junk", FlagChange.SET, good)
    await site.settle()
    assert await site.counts() == (0, 1)
    await site.move("Junk", "INBOX")
    await site.settle()
    assert await site.counts() == (0, 1)


async def test_a_mark_taken_off_is_taken_back(site: Site) -> None:
    await deliver(site.store, message("cheap watches"))
    await site.flag("INBOX", FlagChange.ADD, "$Junk")
    await site.settle()
    await site.flag("INBOX", FlagChange.REMOVE, "$Junk")
    await site.settle()
    assert await site.counts() == (0, 0)
    assert await site.word("watches") == (0, 0)


async def test_what_is_answered_is_ham(site: Site) -> None:
    await deliver(site.store, message("shall we meet"))
    await site.flag("INBOX", FlagChange.ADD, "\\Answered")
    await site.settle()
    assert await site.counts() == (0, 1)


async def test_each_change_of_a_row_of_them_counts_in_order(site: Site) -> None:
    """All of it before anybody follows: the last word counts."""
    await deliver(site.store, message("first"))
    await deliver(site.store, message("second"))
    await site.move("INBOX", "Junk")
    await site.move("Junk", "INBOX", [1])
    await site.move("INBOX", "Junk")
    await site.move("Junk", "Archive", [2])
    await site.settle()
    assert await site.counts() == (1, 1)
    assert (await site.word("first"), await site.word("second")) == ((1, 0), (0, 1))


async def test_ordinary_work_says_nothing(site: Site) -> None:
    for number in range(5):
        await deliver(site.store, message(f"number {number}"))
    await site.store.append(ACCOUNT, "Sent", [appended(message())])
    await site.flag("INBOX", FlagChange.ADD, "$label1")
    await site.move("INBOX", "Archive", [1, 2])
    await site.move("INBOX", "Trash", [3])
    await site.store.store(ACCOUNT, await site.box("INBOX"), [4], FlagChange.ADD, Flags(System(8)))
    await site.store.expunge(ACCOUNT, await site.box("INBOX"), None)
    await site.settle()
    assert await site.counts() == (0, 0)


async def test_many_at_once_are_learned_in_pieces(site: Site) -> None:
    mails = [appended(message(f"spam number{number}")) for number in range(130)]
    await site.store.append(ACCOUNT, "INBOX", mails)
    await site.move("INBOX", "Junk")
    await site.settle()
    assert await site.counts() == (130, 0)
    assert await site.word("spam") == (130, 0)


async def test_a_mailbox_gets_its_meaning_by_its_use(site: Site) -> None:
    await site.store.set_special_use(ACCOUNT, await site.box("Junk"), "")
    await site.store.create(ACCOUNT, "Werbung", "\\Junk")
    await deliver(site.store, message("cheap watches"))
    await site.move("INBOX", "Junk")  # the name is no use, where another mailbox has it
    await site.settle()
    assert await site.counts() == (0, 0)
    await site.move("Junk", "Werbung")
    await site.settle()
    assert await site.counts() == (1, 0)


async def test_a_stop_at_any_lesson_loses_and_doubles_nothing(site: Site) -> None:
    """The process ends after some lessons, before the watermark: the next one goes on."""
    mails = [appended(message(f"spam number{number}")) for number in range(120)]
    await site.store.append(ACCOUNT, "INBOX", mails)
    await site.move("INBOX", "Junk")
    teach = site.learned.teach
    calls = 0

    async def dies(owner: AccountId, taught: Sequence[Lesson], mark: int | None = None) -> object:
        nonlocal calls
        calls += 1
        if calls > 1:
            raise SystemExit("killed")
        return await teach(owner, taught, mark)

    following = Follower(site.store, site.learned, site.offload, words)
    site.learned.teach = dies  # type: ignore[method-assign, assignment]
    with pytest.raises(SystemExit):
        while await following.follow(ACCOUNT):
            pass
    site.learned.teach = teach  # type: ignore[method-assign]
    assert await site.counts() == (20, 0)
    await site.settle()
    assert await site.counts() == (120, 0)
    assert await site.word("spam") == (120, 0)


async def test_a_journal_that_was_shortened_is_begun_anew(site: Site) -> None:
    await deliver(site.store, message("cheap watches"))
    await site.move("INBOX", "Junk")
    reach = (await site.store.journal(ACCOUNT, 0))[-1].modseq
    await site.store.run_job(PruneJob(ACCOUNT, reach, SystemClock().now() + 60))
    await site.settle()
    assert await site.counts() == (0, 0)  # nobody can tell who put it there
    await site.move("Junk", "INBOX")
    await site.settle()
    assert await site.counts() == (0, 1)


async def test_the_journal_waits_for_training(site: Site) -> None:
    following = Follower(site.store, site.learned, site.offload, words)
    before = await following.followed(ACCOUNT)
    await deliver(site.store, message())
    assert await following.followed(ACCOUNT) == before
    await following.follow(ACCOUNT)
    await following.write_marks()
    assert await following.followed(ACCOUNT) > before


async def test_one_account_follows_behind_the_bus(site: Site) -> None:
    training = site.training()
    await training.start()
    try:
        await deliver(site.store, message("cheap watches"))
        await site.move("INBOX", "Junk")
        async with asyncio.timeout(60):
            while await site.counts() != (1, 0):  # noqa: ASYNC110 - it is seen in SQL only
                await asyncio.sleep(0.05)
    finally:
        await training.stop()
    assert (await site.lessons.totals(OTHER)).own == Counts()


async def test_what_could_not_be_followed_is_tried_again_though_others_are_busy(
    site: Site,
) -> None:
    clock, again = MovedClock(), asyncio.Event()
    asked: list[AccountId] = []
    following = Follower(site.store, site.learned, site.offload, words)

    async def fails(account: AccountId) -> bool:
        asked.append(account)
        again.set()
        if account == ACCOUNT:
            raise Busy("mime")
        return False

    following.follow = fails  # type: ignore[method-assign]
    training = Training(site.store, following, clock, get_logger("spam"))
    await training.start()
    try:
        async with asyncio.timeout(60):
            while set(asked) != {ACCOUNT, OTHER}:
                again.clear()
                await again.wait()
            failed = asked.count(ACCOUNT)
            clock.seconds += RETRY + 1
            for _ in range(2):
                again.clear()
                await deliver(site.store, message(), OTHER)
                await again.wait()
    finally:
        await training.stop()
    assert asked.count(ACCOUNT) > failed


async def test_an_account_is_followed_from_its_first_change_on(site: Site) -> None:
    young = AccountId(77)
    await site.store.add_account(young)
    await Follower(site.store, site.learned, site.offload, words).follow(young)
    assert await site.lessons.watermark(young) is not None  # a kill does not make it an older one
    await site.store.deliver(delivery(message("cheap watches"), young))
    box = await site.box("INBOX", young)
    await site.store.move(young, box, [1], "Junk")
    await site.settle()
    assert await site.counts(young) == (1, 0)
    # of one that is older than the training nobody knows who filed what
    old = AccountId(78)
    await site.store.add_account(old)
    await site.store.deliver(delivery(message("cheap watches"), old))
    await site.store.move(old, await site.box("INBOX", old), [1], "Junk")
    training = site.training()
    await training.start()
    await training.stop()
    await training.settle()
    assert await site.counts(old) == (0, 0)
