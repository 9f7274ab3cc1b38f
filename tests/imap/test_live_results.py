"""Results of SORT and live results agree with a fresh look, whatever two clients do."""

import random
import re
from pathlib import Path

import pytest

from imap.context import Bounds
from tests.support.imap_server import Client, Imap, serving

_SORT = "(REVERSE SUBJECT DATE)"
_WORDS = ("alpha", "Beta", "gamma", "BETA", "Re: alpha", "[x] delta")


def mail(chance: random.Random) -> bytes:
    day, hour = chance.randrange(1, 29), chance.randrange(24)
    return (
        f"Subject: {chance.choice(_WORDS)}\r\nDate: {day} Jan 2026 {hour}:00:00 +0000\r\n"
        f"From: p{chance.randrange(5)}@x.test\r\n\r\ntext\r\n"
    ).encode()


def numbers(line: bytes) -> list[int]:
    return [int(word) for word in line.split() if word.isdigit()]


def expanded(text: bytes) -> list[int]:
    """The numbers of a set, in its order."""
    found: list[int] = []
    for part in text.split(b","):
        low, _, high = part.partition(b":")
        found += range(int(low), int(high or low) + 1)
    return found


class Model:
    """What a client knows of its live results, by tag, and applies to them."""

    def __init__(self) -> None:
        self.results: dict[bytes, list[int]] = {}
        self.by_number: set[bytes] = set()

    def read(self, lines: list[bytes]) -> None:
        for line in lines:
            expunged = re.fullmatch(rb"\* (\d+) EXPUNGE", line)
            if expunged:
                self._expunge(int(expunged[1]))
            elif line.startswith(b"* ESEARCH"):
                self._update(line)

    def _expunge(self, number: int) -> None:
        for tag in self.by_number:
            assert number not in self.results[tag], "REMOVEFROM comes first"
            self.results[tag] = [n - (n > number) for n in self.results[tag]]

    def _update(self, line: bytes) -> None:
        tag = re.search(rb'TAG "(\w+)"', line)
        assert tag is not None
        result = self.results[tag[1]]
        for name, pairs in re.findall(rb"(ADDTO|REMOVEFROM) \(([^)]*)\)", line):
            words = pairs.split()
            for at, listed in zip(words[::2], words[1::2], strict=True):
                self._apply(name, result, int(at), expanded(listed))

    @staticmethod
    def _apply(name: bytes, result: list[int], at: int, some: list[int]) -> None:
        if name == b"ADDTO" and at:
            result[at - 1 : at - 1] = some
        elif name == b"ADDTO":
            assert not set(some) & set(result)
            result[:] = sorted([*result, *some])
        elif at:
            assert result[at - 1 : at - 1 + len(some)] == some
            del result[at - 1 : at - 1 + len(some)]
        else:
            assert set(some) <= set(result)
            result[:] = [number for number in result if number not in some]


_LIVE = (
    (b"L1", "UID SEARCH", "", "UNFLAGGED NOT SUBJECT delta"),
    (b"L2", "SEARCH", "", "OR FLAGGED SUBJECT beta"),
    (b"L3", "UID SORT", f"{_SORT} UTF-8 ", "UNFLAGGED"),
    (b"L4", "SORT", "(FROM REVERSE DATE) UTF-8 ", "ALL"),
)


async def begin(client: Client, model: Model) -> None:
    for tag, name, criteria, key in _LIVE:
        await client.send(f"{tag.decode()} {name} RETURN (UPDATE ALL) {criteria}{key}\r\n")
        lines, _ = await client.until(tag)
        found = re.search(rb"ALL (\S+)", lines[-1])
        model.results[tag] = expanded(found[1]) if found else []
        if not name.startswith("UID"):
            model.by_number.add(tag)


async def check(client: Client, model: Model) -> None:
    model.read(await client.ok("NOOP"))
    for tag, name, criteria, key in _LIVE:
        lines = await client.ok(f"{name} {criteria}{key}")
        model.read(lines)
        (fresh,) = [line for line in lines if line.startswith((b"* SEARCH", b"* SORT"))]
        assert model.results[tag] == numbers(fresh), (tag, fresh)


async def change(imap: Imap, other: Client, chance: random.Random) -> None:
    """The other client does something."""
    (status,) = [line for line in await other.ok("UID SEARCH ALL") if line.startswith(b"* SEARCH")]
    uids = numbers(status)
    some = ",".join(str(uid) for uid in chance.sample(uids, min(len(uids), chance.randint(1, 4))))
    what = chance.random()
    if what < 0.4 or not uids:
        for _ in range(chance.randint(1, 3)):
            await imap.deliver(mail(chance))
    elif what < 0.7:
        sign = chance.choice("+-")
        await other.ok(f"UID STORE {some} {sign}FLAGS.SILENT (\\Flagged)")
    else:
        await other.ok(f"UID STORE {some} +FLAGS.SILENT (\\Deleted)")
        await other.ok("EXPUNGE")


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_live_results_are_those_of_a_fresh_search(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    async with serving(tmp_path) as imap:
        for _ in range(20):
            await imap.deliver(mail(chance))
        client = await imap.session(mailbox="INBOX")
        other = await imap.session(mailbox="INBOX")
        model = Model()
        await begin(client, model)
        for _ in range(25):
            for _ in range(chance.randint(1, 3)):
                await change(imap, other, chance)
            if chance.random() < 0.3:  # by number: EXPUNGE waits
                model.read((await client.command("STORE 1 +FLAGS.SILENT (\\Answered)"))[0])
            await check(client, model)


@pytest.mark.parametrize("seed", [1, 2])
async def test_an_order_that_grows_and_shrinks_is_that_of_a_new_sort(
    seed: int, tmp_path: Path
) -> None:
    chance = random.Random(seed)
    async with serving(tmp_path) as imap:
        client = await imap.session(mailbox="INBOX")
        for step in range(20):
            for _ in range(chance.randint(0, 4)):
                await imap.deliver(mail(chance))
            await client.ok("NOOP")
            for criteria in (_SORT, "(SUBJECT FROM)", "(REVERSE ARRIVAL)"):
                kept = (await client.ok(f"UID SORT {criteria} UTF-8 ALL"))[-1]
                # a program that does not match everything for certain is sorted from the start
                fresh = (await client.ok(f"UID SORT {criteria} UTF-8 NOT UID 999999"))[-1]
                assert numbers(kept) == numbers(fresh)
            if step % 3 == 2:
                await client.ok(f"UID STORE {chance.randint(1, 30)} +FLAGS.SILENT (\\Deleted)")
                await client.ok("EXPUNGE")


async def test_results_beyond_the_bounds_are_refused(tmp_path: Path) -> None:
    bounds = Bounds(contexts=1, context_members=2, saved=2)
    async with serving(tmp_path, bounds=bounds) as imap:
        client = await imap.session(mailbox="INBOX")
        chance = random.Random(5)
        for _ in range(3):
            await imap.deliver(mail(chance))
        await client.ok("NOOP")
        lines = await client.ok("SEARCH RETURN (UPDATE COUNT) ALL")
        assert re.fullmatch(rb'\* NO \[NOUPDATE "t\d+"\] Too many messages .*', lines[0])
        assert lines[1].endswith(b"COUNT 3")
        assert not [line for line in await client.ok("SEARCH RETURN (UPDATE) 1:2") if b"NO" in line]
        assert b"Too many contexts" in (await client.ok("SEARCH RETURN (UPDATE) 1"))[0]
        await client.ok("SEARCH RETURN (SAVE) 1:2")
        _, tagged = await client.command("SEARCH RETURN (SAVE) ALL")
        assert tagged.startswith(b"NO [NOTSAVED]")
        assert await client.ok("SEARCH $") == [b"* SEARCH"]
