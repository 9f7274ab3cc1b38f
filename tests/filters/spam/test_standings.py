"""The filter with real storage: earlier mail counts for later, by sender, network and text."""

import asyncio
from array import array
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest

from config.settings import Settings
from filters.authentication.results import DkimResult, Outcome
from filters.context import Context, Kind, Message, Peer, Recipient
from filters.dnslists import DnsLists
from filters.registry import FACTORIES, Tools
from filters.spam.filter import Learned, Spam
from filters.spam.result import with_probability
from filters.spam.rules.text import GTUBE
from filters.verdict import Action
from net.dns import Resolver
from net.threads import Busy, Offload
from storage.directory import Directory
from storage.directory_values import Resolution, Status
from storage.history_database import HistoryDatabase
from storage.reputation import About, Reputation
from storage.values import AccountId, Content
from tests.support.directories import MovedClock, make_settings
from tests.support.dns_server import dns_server
from tests.support.smtp_receiving import plain_logger
from tests.support.spam_cases import LONG, NOW, message

LETTER = " ".join(
    f"{a} {b} {c}"
    for a in ("good", "tall", "warm")
    for b in ("house", "river", "garden")
    for c in ("stands", "sleeps", "shines")
)


@dataclass
class Site:
    """A spam filter and what it stands on."""

    settings: Settings
    spam: Spam
    reputation: Reputation
    clock: MovedClock

    async def judge(
        self,
        data: bytes,
        address: str = "192.0.2.7",
        sender: str = "ann@sender.test",
        proved: str = "",
    ) -> tuple[Context, Action]:
        context = Context(Kind.MX, Peer(address), sender=sender)
        if proved:
            context.results.append(DkimResult(Outcome.PASS, proved))
        context.recipients = [Recipient("ben@home.test", Resolution(Status.DELIVERABLE))]
        data = data.replace(b"\n", b"\r\n")
        content = Content(len(data), blake2b(data, digest_size=16).digest(), data=data)
        context.message = Message(content, data.partition(b"\r\n\r\n")[0] + b"\r\n")
        return context, (await self.spam.data(context)).action


@asynccontextmanager
async def site(folder: Path, learned: Learned | None = None, **spam: Any) -> AsyncIterator[Site]:
    clock, offload = MovedClock(NOW), Offload()
    async with dns_server() as dns:
        dns.set("sender.test", "A", "192.0.2.4")
        given: dict[str, Any] = {
            "dns": {"nameservers": [str(dns.endpoint)]},
            "filters": {"local_networks": []},
            "spam": spam,
        }
        settings = make_settings(folder, **given)
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        directory = await Directory.open(settings, clock, offload)
        history = await HistoryDatabase.open("sqlite", settings.data_dir, offload)
        reputation = Reputation(history, clock)
        resolver = Resolver(settings.dns.nameservers)
        lists = DnsLists(resolver, clock, plain_logger())
        tools = Tools(
            *(clock, resolver, offload, directory, None),  # type: ignore[arg-type]
            lists=lists,
            reputation=reputation,
            learned=learned,
        )
        made = FACTORIES["spam"](settings, tools)
        assert isinstance(made, Spam)
        yield Site(settings, made, reputation, clock)
        await reputation.close()
        await history.close()
        await directory.close()
        offload.close()


def found(context: Context) -> dict[str, float]:
    assert context.spam is not None
    return {one.name: one.weight for one in context.spam.scored}


async def test_who_sent_spam_is_remembered_and_fades(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        bad = message(f"{GTUBE}\n{LETTER}\n")
        for _ in range(6):
            context, action = await here.judge(bad)
            assert action is Action.REJECT
        context, _ = await here.judge(message(LONG))
        names = found(context)
        assert names["IP_REPUTATION_SPAM"] > 0.5 and names["SENDER_REPUTATION_SPAM"] > 0.5
        # the very sender, proved, has nothing to do with who only claimed to be it
        context, _ = await here.judge(message(LONG), "198.51.100.7", proved="sender.test")
        assert not {"IP_REPUTATION_SPAM", "SENDER_REPUTATION_SPAM"} & set(found(context))
        # the text is known whoever sends it
        near = message(f"Dear Ben,\n{LETTER}\nhttps://x.test/77\n", From="other@else.test")
        context, _ = await here.judge(near, "203.0.113.5", "other@sender.test")
        assert found(context)["FUZZY_SPAM"] > 2
        here.clock.seconds += 90 * 86_400
        context, _ = await here.judge(message(LONG))
        assert not {"IP_REPUTATION_SPAM", "FUZZY_SPAM"} & set(found(context))


async def test_what_standings_add_does_not_count_for_standings(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        sender = [
            (About.SENDER, "claimed:ann@sender.test"),
            (About.DOMAIN, "claimed:sender.test"),
            (About.NETWORK, "192.0.2.0/24"),
        ]
        here.reputation.add(sender, bad=30)
        before = await here.reputation.of(sender)
        for _ in range(5):
            letter = message(LONG, Subject="MAKE MONEY WITH US", Message_ID=None)
            context, action = await here.judge(letter)
            assert found(context)["SENDER_REPUTATION_SPAM"] > 2 and action is Action.JUNK
        after = await here.reputation.of(sender)
        assert [one.bad for one in after] == [one.bad for one in before]


async def test_good_mail_of_a_proved_sender_helps_it(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        for _ in range(20):
            await here.judge(message(LONG), proved="sender.test")
        context, _ = await here.judge(message(LONG), "198.51.100.9", proved="sender.test")
        assert found(context)["SENDER_REPUTATION_HAM"] < 0
        context, _ = await here.judge(message(LONG), "198.51.100.9")
        assert "SENDER_REPUTATION_HAM" not in found(context)


async def test_the_same_text_from_many_networks_is_bulk(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        for number in range(8):
            text = f"Dear number {number},\n{LETTER}\nhttps://s{number}.test/\n"
            context, _ = await here.judge(message(text), f"198.51.{number}.7")
        assert found(context)["FUZZY_BULK"] > 0
        # one proved domain is one, however many servers it sends by
        for number in range(8):
            letter = message(LETTER[::-1])
            context, _ = await here.judge(letter, f"203.0.{number}.7", proved="sender.test")
        assert "FUZZY_BULK" not in found(context)


@dataclass
class Oracle:
    """Has learned one thing."""

    says: float | None
    asked: int = 0

    async def probability(
        self, features: "array[int]", account: AccountId | None = None
    ) -> float | None:
        self.asked = len(features)
        return self.says


async def test_what_was_learned_counts_with_its_certainty(tmp_path: Path) -> None:
    for says, name in ((0.9999, "BAYES_SPAM"), (0.0001, "BAYES_HAM"), (0.5, ""), (None, "")):
        oracle = Oracle(says)
        async with site(tmp_path, oracle) as here:
            context, _ = await here.judge(message(LONG))
            assert oracle.asked > 50
            learned = {key: one for key, one in found(context).items() if "BAYES" in key}
            assert set(learned) == ({name} if name else set())
            weight = learned.get(name, 0.0)
            assert abs(weight) > 2 if name else not weight
            assert context.spam is not None and context.spam.probability == says
            again = with_probability(context.spam, 0.9999, {"BAYES_SPAM": 2.0})
            assert again.score == round(context.spam.score - weight + 2.0, 2)


async def test_rspamd_is_not_left_asked_where_judging_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.set()
        with suppress(ConnectionError):
            while await reader.read(1000):
                pass
        writer.close()

    async def busy(*_: object) -> object:
        await connected.wait()
        raise Busy("mime")

    peer = await asyncio.start_unix_server(silent, tmp_path / "rspamd")
    async with site(tmp_path, rspamd={"url": f"unix:{tmp_path}/rspamd"}) as here:
        monkeypatch.setattr(here.spam, "_judge", busy)
        with pytest.raises(Busy):
            await here.judge(message(LONG))
        asking = [one for one in asyncio.all_tasks() if "check" in repr(one.get_coro())]
        _, late = await asyncio.wait(asking, timeout=3) if asking else ((), ())
        assert not late
    peer.close()
    await peer.wait_closed()


async def test_many_at_once_are_judged_alike(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        seen: list[set[str]] = []
        letters = [here.judge(message(f"{LONG} {n}")) for n in range(12)]
        for context, _ in await asyncio.gather(*letters):
            names = {
                one
                for one in found(context)
                if not one.startswith(("IP_", "FUZZY_", "SENDER_", "DOMAIN_"))
            }
            seen.append(names)
        assert all(one == seen[0] for one in seen)


async def test_the_strictest_limit_that_is_reached_counts(tmp_path: Path) -> None:
    tested = message(f"{GTUBE}\n")
    for number, (limits, action) in enumerate(
        (
            ({"quarantine_at": 20.0, "reject_at": 200.0, "greylist_at": 5.0}, Action.QUARANTINE),
            ({"quarantine_at": 200.0, "reject_at": 40.0}, Action.REJECT),
            ({"quarantine_at": 200.0, "reject_at": 200.0, "greylist_at": 20.0}, Action.DEFER),
            ({"reject_at": 0.0}, Action.JUNK),
            ({"reject_at": 0.0, "tag_at": 0.0}, Action.ACCEPT),
        )
    ):
        async with site(tmp_path / str(number), None, **limits) as here:
            assert (await here.judge(tested))[1] is action
