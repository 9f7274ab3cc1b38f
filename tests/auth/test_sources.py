"""Accounts of sources outside: what a wrong password costs whoever it is for, what is remembered
and for how long, and what becomes of accounts made after a source.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import auth.password
from auth.checking import EVEN
from auth.login import Authenticator
from auth.login_values import Cause, Login, Refused
from auth.names import OUTSIDE
from auth.password import hash_password, verify_password
from auth.source_rounds import SourceRounds
from auth.source_values import Record, SourceError
from auth.sources import Source, Sources
from message.address import Mailbox
from net.threads import Offload
from storage.credential_values import Protocol
from storage.directory import Directory
from storage.directory_values import ChangeKind, NotAllowed, Status
from storage.outside import SourceUnavailable
from storage.store import Store
from storage.values import AccountId
from tests.support.directories import PASSWORD, MovedClock, make_settings

SOURCE = {"kind": "sql", "name": "portal", "domains": ["example.test"], "cache": 120.0}
QUERY = "SELECT 'x' AS hash WHERE :address = ''"


@dataclass
class Outside:
    """A source that answers as a test says, in the time that it says."""

    clock: MovedClock
    records: dict[str, Record] = field(default_factory=dict)
    passwords: dict[str, str] = field(default_factory=dict)
    failure: SourceError | None = None
    takes: float = 0.0
    asked: list[str] = field(default_factory=list)
    hangs: asyncio.Event | None = None
    busy: asyncio.Event = field(default_factory=asyncio.Event)

    async def find(self, address: Mailbox, *, login: bool) -> Record | None:
        self.asked.append(str(address))
        if self.hangs is not None and not str(address).startswith("ada@"):
            if len(self.asked) >= OUTSIDE:
                self.busy.set()
            await self.hangs.wait()
        self.clock.seconds += self.takes
        if self.failure is not None:
            raise self.failure
        return self.records.get(str(address))

    async def bind(self, record: Record, password: str) -> bool:
        self.clock.seconds += self.takes
        return self.passwords.get(record.address) == password

    async def close(self) -> None:
        return None

    def add(self, address: str, password: str = PASSWORD, **values: Any) -> None:
        self.records[address] = Record(address, dn=f"cn={address}", **values)
        self.passwords[address] = password


@dataclass
class Bench:
    directory: Directory
    sources: Sources
    auth: Authenticator
    clock: MovedClock
    outside: Outside
    slept: list[float] = field(default_factory=list)
    hashes: list[str] = field(default_factory=list)

    @property
    def source(self) -> Source:
        return self.sources.all[0]

    async def login(
        self, user: str, password: str = PASSWORD, peer: str = "192.0.2.1"
    ) -> Login | Refused:
        return await self.auth.login(user, password, peer=peer, protocol=Protocol.IMAP)

    async def cause(self, user: str, password: str = "wrong") -> Cause | None:
        outcome = await self.login(user, password)
        return outcome.cause if isinstance(outcome, Refused) else None


@pytest.fixture
async def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    source = SOURCE | {"database": f"sqlite:{tmp_path / 'none.db'}", "query": QUERY}
    settings = make_settings(
        tmp_path,
        domains=["example.test", "other.test"],
        auth={"bcrypt_rounds": 4, "source": [source]},
        filters={"local_networks": ["0.0.0.0/0"]},
    )
    settings.data_dir.mkdir()
    clock, offload = MovedClock(), Offload(processes=1)
    mail = settings.data_dir / "mail"
    store = await Store.open(settings.data_dir, mail, "sqlite", offload, clock, "mx.example.test")
    directory = await Directory.open(settings, clock, offload)
    sources = Sources(settings, directory, store, offload, clock)
    outside = Outside(clock)
    sources.all[0].accounts = outside
    authenticator = Authenticator(settings, directory, offload, clock, sources)
    made = Bench(directory, sources, authenticator, clock, outside)

    async def sleep(seconds: float) -> None:
        made.slept.append(seconds)
        clock.seconds += seconds

    def counting(password: str, stored: str, rounds: int = 4) -> bool:
        made.hashes.append(stored[:7])
        return verify_password(password, stored, rounds)

    authenticator.throttle.sleep = sleep
    monkeypatch.setattr(authenticator._checks, "sleep", sleep)
    monkeypatch.setattr(auth.password, "verify_password", counting)
    yield made
    await authenticator.close()
    await sources.close()
    await directory.close()
    await store.close()
    offload.close()


async def test_every_wrong_password_costs_a_hash_and_the_same_time(bench: Bench) -> None:
    bench.outside.add("ada@example.test")
    await bench.directory.add_account("own@example.test", hash_password(PASSWORD, 4))
    bench.outside.takes = 0.013
    for user in ("ada@example.test", "nobody@example.test", "own@example.test"):
        begun = bench.clock.seconds
        bench.hashes.clear()
        assert await bench.cause(user) is Cause.CREDENTIALS
        assert len(bench.hashes) == 1, user
        assert bench.clock.seconds - begun == pytest.approx(EVEN, abs=1e-5), user
    slow = 0.3
    bench.outside.takes = slow
    begun = bench.clock.seconds
    assert await bench.cause("ada@example.test", "another") is Cause.CREDENTIALS
    assert bench.clock.seconds - begun == pytest.approx(2 * EVEN, abs=1e-5)


async def test_other_domains_know_nothing_of_it(bench: Bench) -> None:
    assert await bench.cause("nobody@other.test") is Cause.CREDENTIALS
    assert bench.slept == []
    assert bench.outside.asked == []


async def test_a_right_password_costs_no_hash_here_and_is_remembered(bench: Bench) -> None:
    bench.outside.add("ada@example.test")
    first = await bench.login("ada@example.test")
    assert isinstance(first, Login)
    bench.outside.failure = SourceError("away", away=True)
    assert await bench.login("ada@example.test") == first
    assert bench.hashes == []
    bench.clock.seconds += 121
    with pytest.raises(SourceUnavailable):
        await bench.login("ada@example.test")


async def test_a_wrong_password_may_be_right_a_minute_later(bench: Bench) -> None:
    bench.outside.add("ada@example.test")
    assert await bench.cause("ada@example.test", "new one") is Cause.CREDENTIALS
    bench.outside.passwords["ada@example.test"] = "new one"
    assert await bench.cause("ada@example.test", "new one") is Cause.CREDENTIALS
    bench.clock.seconds += 61
    assert isinstance(await bench.login("ada@example.test", "new one"), Login)


async def test_a_source_that_is_away_is_left_alone_for_a_moment(bench: Bench) -> None:
    bench.outside.add("ada@example.test")
    bench.outside.failure = SourceError("no connection", away=True)
    for user in ("ada@example.test", "nobody@example.test", "bob@example.test"):
        with pytest.raises(SourceUnavailable):
            await bench.login(user)
    assert bench.outside.asked == ["ada@example.test"]
    bench.outside.failure = None
    bench.clock.seconds += 2
    assert isinstance(await bench.login("ada@example.test"), Login)


async def test_a_name_that_confuses_the_source_is_no_outage(bench: Bench) -> None:
    bench.outside.failure = SourceError("several entries")
    with pytest.raises(SourceUnavailable):
        await bench.login("shared@example.test")
    bench.outside.failure = None
    bench.outside.add("ada@example.test")
    assert isinstance(await bench.login("ada@example.test"), Login)


async def test_strangers_leave_the_source_to_who_is_known(bench: Bench) -> None:
    bench.outside.add("ada@example.test")
    bench.directory.known_logins.note(AccountId(7), "192.0.2.7")
    bench.outside.hangs = asyncio.Event()
    names = [f"x{number}@example.test" for number in range(3 * OUTSIDE)]
    flood = [asyncio.create_task(bench.login(name)) for name in names]
    await bench.outside.busy.wait()
    assert isinstance(await bench.login("ada@example.test", peer="192.0.2.7"), Login)
    assert len(set(bench.outside.asked) - {"ada@example.test"}) == OUTSIDE
    bench.outside.hangs.set()
    await asyncio.gather(*flood)
    assert set(names) <= set(bench.outside.asked)


async def test_nobody_is_asked_for_twice(bench: Bench) -> None:
    found = await asyncio.gather(*(bench.directory.resolve("x@example.test") for _ in range(9)))
    assert {one.status for one in found} == {Status.UNKNOWN}
    assert bench.outside.asked == ["x@example.test"]
    bench.outside.add("x@example.test")
    bench.clock.seconds += 61
    assert (await bench.directory.resolve("x@example.test")).status is Status.DELIVERABLE


async def test_one_account_is_made_however_many_come(bench: Bench) -> None:
    bench.outside.add("ada@example.test", name="Ada", quota_bytes=1000)
    found = await asyncio.gather(
        *(bench.directory.resolve("ada+x@example.test") for _ in range(5)),
        *(bench.directory.resolve("ADA@example.test") for _ in range(5)),
    )
    assert {one.local[0].account for one in found} == {1}
    (account,) = await bench.directory.accounts()
    assert (account.source, account.name, account.quota_bytes) == ("portal", "Ada", 1000)
    assert account.password_hash == ""


@pytest.mark.parametrize(
    "address", ["ada@elsewhere.test", "ada@other.test", "no address", "a+b@example.test"]
)
async def test_a_source_cannot_speak_for_others(bench: Bench, address: str) -> None:
    bench.outside.records["ada@example.test"] = Record(address, dn="cn=ada")
    assert (await bench.directory.resolve("ada@example.test")).status is Status.UNKNOWN
    assert await bench.cause("ada@example.test") is Cause.CREDENTIALS
    assert await bench.directory.accounts() == []


async def test_a_login_is_for_the_account_that_was_found(bench: Bench) -> None:
    """Between two questions the name became somebody else's."""
    bench.outside.add("ada@example.test")
    bench.outside.add("eve@example.test", "eves")
    assert isinstance(await bench.login("ada@example.test"), Login)
    bench.outside.records["ada@example.test"] = bench.outside.records["eve@example.test"]
    assert await bench.cause("ada@example.test", "eves") is Cause.CREDENTIALS


async def test_rounds_put_out_who_is_gone_and_let_in_who_is_back(bench: Bench) -> None:
    for name in ("ada", "bob", "cyd"):
        bench.outside.add(f"{name}@example.test")
        assert isinstance(await bench.login(f"{name}@example.test"), Login)
    told: list[tuple[str, ChangeKind]] = []
    bench.directory.on_change(lambda change: told.append((change.address, change.kind)))
    rounds = SourceRounds(bench.sources, bench.directory, bench.clock)
    gone = bench.outside.records.pop("bob@example.test")
    bench.outside.records["cyd@example.test"] = Record("cyd@example.test", enabled=False, dn="x")
    await rounds.round(bench.source)
    disabled = [
        ("bob@example.test", ChangeKind.DISABLED),
        ("cyd@example.test", ChangeKind.DISABLED),
    ]
    assert told == disabled
    assert await bench.cause("bob@example.test", PASSWORD) is Cause.CREDENTIALS
    assert (await bench.directory.resolve("bob@example.test")).status is Status.DISABLED
    bench.outside.failure = SourceError("away", away=True)
    with pytest.raises(SourceUnavailable):
        await rounds.round(bench.source)
    assert told == disabled
    bench.outside.failure, bench.outside.records["bob@example.test"] = None, gone
    bench.clock.seconds += 2
    await rounds.round(bench.source)
    assert told == [*disabled, ("bob@example.test", ChangeKind.ENABLED)]
    assert isinstance(await bench.login("bob@example.test"), Login)


async def test_an_operator_disables_whatever_the_source_says(bench: Bench) -> None:
    bench.outside.add("ada@example.test")
    assert isinstance(await bench.login("ada@example.test"), Login)
    await bench.directory.set_enabled("ada@example.test", False)
    await SourceRounds(bench.sources, bench.directory, bench.clock).round(bench.source)
    assert await bench.cause("ada@example.test", PASSWORD) is Cause.CREDENTIALS


async def test_no_hash_of_a_source_is_kept(bench: Bench) -> None:
    bench.outside.add("ada@example.test", hash=hash_password(PASSWORD, 4))
    for login in (True, False):
        box = Mailbox("ada", "example.test")
        assert await bench.sources.find(box, login=login) is not None
    assert isinstance(await bench.login("ada@example.test"), Login)
    assert [one.hash for one in bench.source.found.values()] == ["", ""]


async def test_no_password_is_kept_of_an_account_with_a_source(bench: Bench) -> None:
    bench.outside.records["ada@example.test"] = Record(
        "ada@example.test", hash=hash_password(PASSWORD, 5)
    )
    assert isinstance(await bench.login("ada@example.test"), Login)
    await bench.auth.close()
    (account,) = await bench.directory.accounts()
    assert (account.password_hash, account.scram) == ("", "")
    with pytest.raises(NotAllowed, match="account source 'portal'"):
        await bench.directory.set_password("ada@example.test", "hash")
    with sqlite3.connect(bench.directory.database.engine.url.database or "") as config:
        rows = config.execute("SELECT * FROM config_account").fetchall()
    config.close()
    assert "$2b$" not in str(rows)
