"""A crowd of random clients in shared mailboxes, held against the server when all are at rest.

At a checkpoint every client ends what it does, hears the rest by NOOP or IDLE, and must then know
exactly what a connection made at that moment is told. The clients may lose the server meanwhile:
they come back with what they had kept.
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.imap_server import Client
from tests.support.server import PASSWORD, ServerProcess, configuration
from tests.system.consistency_client import BOXES, Gone, Wanderer
from tests.system.consistency_model import Model
from tests.system.consistency_truth import Truth

ACCOUNT = "shared@example.test"
RESTART_SECONDS = 30


@dataclass(slots=True)
class Crowd:
    """`paused` holds the clients at the checkpoint's barriers."""

    server: ServerProcess
    seed: int
    clients: int = 20
    pause: float = 0.08
    truth: Truth = field(default_factory=Truth)
    checkpoints: int = 0
    kills: int = 0

    async def run(self, seconds: float, *, every: float = 8, kills: int = 0) -> str:
        """Works for so long, with checkpoints; `kills` of the server between them. Its counts."""
        await self._prepare()
        crowd = [Wanderer(number, self.seed, self.truth, ACCOUNT) for number in range(self.clients)]
        end = time.monotonic() + seconds
        rounds = max(1, round(seconds / every))
        for number in range(rounds):
            left = (end - time.monotonic()) / (rounds - number)
            victim = number < kills and number < rounds - 1
            await self._round(crowd, max(1.0, left), kill=victim)
        for one in crowd:
            await one.drop()
        steps = sum(one.steps for one in crowd)
        return (
            f"{steps:,} steps of random clients, {self.checkpoints} checkpoints,"
            f" {self.kills} kills, {len(self.truth.acknowledged):,} messages acknowledged"
        )

    @property
    def port(self) -> int:
        return self.server.port("imap")

    async def _prepare(self) -> None:
        client = await self._visitor()
        for box in BOXES[1:]:
            await client.ok(f"CREATE {box}")
        await client.close()

    async def _visitor(self) -> Client:
        """A fresh connection, logged in."""
        client = await Client.connect(self.port)
        await client.line()
        await client.ok(f'LOGIN {ACCOUNT} "{PASSWORD}"')
        return client

    async def _round(self, crowd: list[Wanderer], seconds: float, *, kill: bool) -> None:
        """All work, all rest, all is compared."""
        end = time.monotonic() + seconds
        async with asyncio.TaskGroup() as group:
            for one in crowd:
                group.create_task(self._work(one, end))
            if kill:
                group.create_task(self._kill(seconds / 2))
        async with asyncio.TaskGroup() as group:
            for one in crowd:
                group.create_task(self._rest(one))
        await self._compare(crowd)
        self.checkpoints += 1

    async def _work(self, one: Wanderer, end: float) -> None:
        while time.monotonic() < end:
            await self._try(one, one.step)
            if one.chance.random() < 0.02:
                await self._try(one, one.leave)
            await asyncio.sleep(one.chance.uniform(0, 2 * self.pause))

    async def _try(self, one: Wanderer, what: Callable[[], Awaitable[None]]) -> None:
        """Does it with a connection; the server may go away at any time, and come back."""
        try:
            if one.client is None:
                await one.open(self.port)
            await what()
        except Gone:
            assert self.kills, "the connection ended, and nobody ended it"
            await one.drop()
            await asyncio.sleep(0.1)

    async def _kill(self, after: float) -> None:
        await asyncio.sleep(after)
        self.kills += 1
        await asyncio.to_thread(self.server.kill)
        await asyncio.to_thread(self.server.start, RESTART_SECONDS)

    async def _rest(self, one: Wanderer) -> None:
        """Until it knows everything: all others rest as well."""
        end = time.monotonic() + RESTART_SECONDS
        known = False

        async def hear() -> None:
            nonlocal known
            if one.chance.random() < 0.5:
                await one.ok("NOOP")
            else:
                await one.idle()
            await one.learn()
            known = True

        while not known:
            assert time.monotonic() < end, "the server does not come back"
            await self._try(one, hear)

    async def _compare(self, crowd: list[Wanderer]) -> None:
        client = await self._visitor()
        for box in BOXES:
            truth = await self._look(client, box)
            self.truth.all_present(box, set(truth.uids))
            for one in crowd:
                if one.model.name == box:
                    await self._same(one, truth)
        await client.close()
        self.truth.flags.clear()  # they take the most room

    async def _look(self, client: Client, box: str) -> Model:
        """A mailbox as a client sees it that knew nothing; the bytes of every message."""
        model = Model(self.truth, box, opening=True, condstore=True)
        for line in await client.ok(f"EXAMINE {box} (CONDSTORE)"):
            model.response(line + b"\r\n")
        model.opening = False
        if model.numbers:
            for line in await client.ok("FETCH 1:* (UID FLAGS MODSEQ)"):
                model.response(line + b"\r\n")
            for line in await client.ok("UID FETCH 1:* (BODY.PEEK[])"):
                model.response(line + b"\r\n")
        assert model.bodies == len(model.numbers) and model.complete
        unseen = sum("\\seen" not in flags for flags in model.flags.values())
        (status,) = await client.ok(f"STATUS {box} (MESSAGES UNSEEN UIDNEXT)")
        told = [int(found) for found in re.findall(rb" (\d+)", status)]
        assert told[:2] == [len(model.numbers), unseen], (status, len(model.numbers), unseen)
        assert told[2] > max(model.uids, default=0), status
        return model

    async def _same(self, one: Wanderer, truth: Model) -> None:
        """Its model is that of the visitor, and so is what SEARCH finds."""
        mine, who = one.model, f"client {one.number} in {truth.name}"
        assert mine.numbers == truth.numbers, (
            f"{who}: {sorted(set(mine.numbers) ^ set(truth.numbers))} differ"
        )
        wrong = {
            uid: (sorted(flags), sorted(truth.flags[uid]))
            for uid, flags in mine.flags.items()
            if flags != truth.flags[uid]
        }
        assert not wrong, f"{who}: {wrong}"
        late = {uid: at for uid, at in mine.modseqs.items() if at != truth.modseqs[uid]}
        assert not late or not one.condstore, f"{who}: modseqs {late}"
        for key, flag in (("SEEN", "\\seen"), ("KEYWORD blue", "blue"), ("DELETED", "\\deleted")):
            mine.found = []
            await one.ok(f"SEARCH {key}")
            wanted = [n for n, uid in enumerate(mine.numbers, 1) if flag in truth.flags[uid]]
            assert mine.found == wanted, f"{who}: SEARCH {key} finds {mine.found}, not {wanted}"


def consistent(
    folder: Path,
    seconds: float,
    seed: int,
    *,
    database: str = "sqlite",
    kills: int = 0,
    every: float = 8,
) -> str:
    """One run on a server of its own, whose log must hold no error. Its counts."""
    config = configuration(database=database, extra='[filters]\nlocal_networks = ["127.0.0.0/8"]\n')
    with ServerProcess(folder, config) as server:
        server.add_account(ACCOUNT)
        told = asyncio.run(Crowd(server, seed).run(seconds, every=every, kills=kills))
        wrong = ('"level":"error"', '"level":"critical"', "Traceback")
        complaints = [line for line in server.log if any(word in line for word in wrong)]
        assert not complaints, "\n".join(complaints[:3])
    return told
