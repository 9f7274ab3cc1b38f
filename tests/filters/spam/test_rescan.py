"""Recent mail looked at again: by rules that changed, never against a user, within its bounds."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from config.logging import get_logger
from config.sections_filters import Spam, Tagging, TaggingRule
from config.settings import Settings
from filters.autotags.auto_tags import Given
from filters.autotags.choosing import BY_ITSELF
from filters.spam.rescan import Rescanned, Rescanner, RescanTask
from filters.spam.result import reweighed
from mailserver.services import Services
from storage.contact_values import Relation
from storage.new_account import make_account
from storage.values import AccountId, FlagChange, Flags, System
from tests.support.services import open_test_services
from tests.support.stores import delivery, flag_texts, message

ADDRESS = "ada@example.test"
TOLD = (
    b"X-Spam-Status: No, score=4 required=5\r\nX-Spam-Result: MISSING_DATE=1 (x), OTHERS_WORD=3\r\n"
)
HEAVY = {"MISSING_DATE": 4.0}
JUNKED, NOTHING = Rescanned(1, 1, 0), Rescanned(1, 0, 0)


class Tags:
    """Stands for what the account's models say."""

    def __init__(self) -> None:
        self.given = Given()

    async def tags(self, account: AccountId, features: object) -> Given:
        return self.given


class Book:
    """Stands for address books with one author in them, or none."""

    author = ""

    async def relation(self, account: AccountId, address: str) -> Relation:
        return Relation(contact=address == self.author)


class Site:
    """An account and what looks at its mail."""

    def __init__(self, services: Services, account: AccountId) -> None:
        self.services, self.store, self.account = services, services.store, account
        self.settings: Settings = services.settings
        self.tags, self.book = Tags(), Book()
        self.rescanner = Rescanner(
            lambda: self.settings,
            self.store,
            None,
            *(self.tags, self.book),  # type: ignore[arg-type]
            *(services.offload, services.clock),
        )

    def change(self, *rules: tuple[str, str, str], **spam: Any) -> Settings:
        made = [TaggingRule(header=a, contains=b, tag=c) for a, b, c in rules]
        sections = {"spam": Spam(**spam), "tagging": Tagging(rule=made)}
        self.settings = self.settings.model_copy(update=sections)
        return self.settings

    async def arrive(self, subject: str = "A test", *, days: float = 0.0) -> None:
        at = self.services.clock.now() - days * 86400
        data = TOLD + message(subject=subject)
        await self.store.deliver(delivery(data, self.account, received_at=at))

    async def look(self) -> Rescanned:
        return await self.rescanner.account(self.account)

    async def flags(self, name: str = "INBOX") -> list[set[str]]:
        found = await flag_texts(self.store, name, self.account)
        return [set(text.split()) - {"\\Recent"} for text in found.values()]


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with open_test_services(tmp_path) as services:
        made = await make_account(services.directory, services.store, ADDRESS, "")
        yield Site(services, made.id)


async def test_rules_that_weigh_more_since_make_junk(site: Site) -> None:
    await site.arrive()
    assert await site.look() == NOTHING
    site.change(weights=HEAVY)
    assert await site.look() == JUNKED
    assert (await site.flags(), len(await site.flags("Junk"))) == ([], 1)
    assert await site.look() == Rescanned()


async def test_a_threshold_that_is_lower_since_makes_junk_and_none_makes_none(site: Site) -> None:
    await site.arrive()
    site.change(tag_at=0.0, weights=HEAVY)
    assert await site.look() == NOTHING
    site.change(tag_at=3.0)
    assert await site.look() == JUNKED


async def test_whom_the_account_knows_stays(site: Site) -> None:
    await site.arrive()
    site.change(weights=HEAVY)
    site.book.author = "ada@example.org"
    assert await site.look() == NOTHING
    site.book.author = ""
    assert await site.look() == JUNKED


async def test_rules_of_tags_reach_back_and_never_against_the_user(site: Site) -> None:
    await site.arrive("the invoice")
    await site.arrive("other")
    site.change(("Subject", "INVOICE", "Bills"))
    assert await site.look() == Rescanned(2, 0, 1)
    assert await site.flags() == [{"Bills"}, set()]
    box = await site.store.mailbox(site.account, "INBOX")
    taken = Flags(System(0), frozenset({"Bills"}))
    await site.store.store(site.account, box.id, [1], FlagChange.REMOVE, taken)
    assert await site.look() == NOTHING
    assert await site.flags() == [set(), set()]


async def test_tags_of_the_models_are_added_once(site: Site) -> None:
    await site.arrive()
    site.tags.given = Given(frozenset({BY_ITSELF}))
    assert await site.look() == NOTHING
    site.tags.given = Given(frozenset({BY_ITSELF, "Garden"}))
    assert await site.look() == Rescanned(1, 0, 1)
    assert await site.flags() == [{BY_ITSELF, "Garden"}]
    assert await site.look() == Rescanned()


async def test_it_looks_so_far_back_and_at_so_many(site: Site) -> None:
    await site.arrive(days=4)
    for number in range(3):
        await site.arrive(f"mail {number}")
    assert (await site.look()).looked == 3
    assert (await site.rescanner.account(site.account, 5 * 86400.0)).looked == 4
    site.change(rescan_messages=2, rescan_reach=5 * 86400.0)
    assert (await site.look()).looked == 2


async def test_changed_rules_run_over_recent_mail_at_once(site: Site) -> None:
    await site.arrive()
    task = RescanTask(site.rescanner, site.settings, site.store, get_logger("rescan"))
    await task.start()
    try:
        task.reload(site.change(weights=HEAVY))
        await _until_junk(site)
    finally:
        await task.stop()


async def test_it_looks_by_itself_at_who_got_mail(site: Site) -> None:
    settings = site.change(rescan_every=0.05)
    task = RescanTask(site.rescanner, settings, site.store, get_logger("rescan"))
    await task.start()
    try:
        await site.arrive()
        site.change(rescan_every=0.05, weights=HEAVY)
        await _until_junk(site)
    finally:
        await task.stop()


async def _until_junk(site: Site) -> None:
    came = asyncio.Event()
    unsubscribe = site.store.bus.subscribe(None, lambda _: came.set())
    try:
        async with asyncio.timeout(20):
            while await site.flags():
                await came.wait()
                came.clear()
    finally:
        unsubscribe()


@pytest.mark.parametrize(
    ("told", "weights", "counts"),
    [
        pytest.param(1.0, {}, 1.0, id="as-it-was"),
        pytest.param(1.0, {"MISSING_DATE": 4.0}, 4.0, id="more"),
        pytest.param(1.0, {"MISSING_DATE": 0.0}, 0.0, id="nothing"),
        pytest.param(0.5, {"MISSING_DATE": 4.0}, 2.0, id="part"),
        pytest.param(0.5, {"MISSING_DATE": 0.5}, 0.5, id="less-since-before"),
        pytest.param(3.0, {}, 1.0, id="more-before"),
    ],
)
def test_a_symbol_counts_by_the_weights_of_today(
    told: float, weights: dict[str, float], counts: float
) -> None:
    assert reweighed("MISSING_DATE", told, weights) == counts
    assert reweighed("OTHERS_WORD", told, {}) == told
