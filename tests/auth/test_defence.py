"""Guessing, floods, restarts and odd names, against a real directory."""

import asyncio
import json
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import auth.password
import auth.proofs
from auth.admission import Admission, Denied
from auth.arrivals import Arrival
from auth.caller import Caller
from auth.handover import NAME
from auth.login import Authenticator
from auth.login_values import Cause, Login, Refused
from auth.password import check_either, hash_password, verify_password
from config.settings import Settings
from net.threads import Offload
from storage.audit_values import Kind
from storage.blocks import Block
from storage.credential_values import Protocol
from storage.directory import Directory
from tests.support.directories import PASSWORD, MovedClock, make_settings

ADA, BOB = "ada@example.test", "bob@example.test"
STRANGER, HOME = "198.51.100.7", "192.0.2.1"


@dataclass(slots=True)
class Site:
    """A directory with Ada and Bob, an authenticator, and the hashes that it asked for."""

    settings: Settings
    directory: Directory
    auth: Authenticator
    clock: MovedClock
    hashes: list[str]

    async def login(
        self, user: str = ADA, password: str = PASSWORD, peer: str = HOME
    ) -> Login | Refused:
        return await self.auth.login(user, password, peer=peer, protocol=Protocol.IMAP)

    async def fails(self, user: str = ADA, peer: str = STRANGER, *, times: int) -> list[Cause]:
        causes = []
        for number in range(times):
            outcome = await self.login(user, f"wrong {len(self.hashes)} {number}", peer)
            assert isinstance(outcome, Refused)
            causes.append(outcome.cause)
        return causes

    async def sleep(self, seconds: float) -> None:
        self.clock.seconds += seconds

    async def told(self, of: Kind) -> list[str]:
        """Details of the log's entries of one kind, the newest first."""
        await self.auth.settle()
        entries = await self.directory.audit.listed()
        return [f"{entry.address} {entry.detail}" for entry in entries if entry.kind is of]


Open = Callable[..., Awaitable[Site]]


@pytest.fixture
async def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Open]:
    """Opens the site, again after a `stop`; settings as keywords."""
    offload, clock, hashes = Offload(), MovedClock(), list[str]()
    sites: list[Site] = []
    original = auth.password.verify_password

    def counting(password: str, stored: str, rounds: int = 4) -> bool:
        hashes.append(stored)
        return original(password, stored, rounds)

    monkeypatch.setattr(auth.password, "verify_password", counting)

    async def open_(**values: Any) -> Site:
        await close()
        settings = make_settings(tmp_path, **values)
        directory = await Directory.open(settings, clock, offload)
        if not await directory.accounts():
            for address in (ADA, BOB):
                await directory.add_account(address, hash_password(PASSWORD, 4))
        site = Site(
            settings, directory, Authenticator(settings, directory, offload, clock), clock, hashes
        )
        site.auth.throttle.sleep = site.sleep
        sites.append(site)
        return site

    async def close() -> None:
        while sites:
            site = sites.pop()
            await site.auth.close()
            await site.directory.close()

    yield open_
    await close()
    offload.close()


async def test_an_address_that_fails_too_often_is_blocked_for_a_growing_while(opened: Open) -> None:
    site = await opened(auth={"bcrypt_rounds": 4, "block_after": 10, "block_time": "15m"})
    admission = Admission(site.settings, site.clock, site.directory.blocks)
    seen: list[Block] = []
    admission.on_block(seen.append)
    for minutes in (15, 30, 60):
        while admission.enter(STRANGER) is None:
            await site.fails(times=1)
            await site.auth.settle()
        assert admission.enter(STRANGER) is Denied.BLOCKED
        assert admission.enter("198.51.100.8") is None
        until = seen[-1].until
        assert until is not None
        assert round((until - site.clock.now()) / 60) == pytest.approx(minutes, rel=0.1)
        site.clock.seconds = until + 1
    assert [str(block.network) for block in seen] == [f"{STRANGER}/32"] * 3
    told = await site.told(Kind.BLOCKED)
    assert len(told) == 3 and told[-1] == f"{STRANGER} 900 seconds"


async def test_an_ipv6_stranger_is_blocked_with_its_network(opened: Open) -> None:
    site = await opened(auth={"bcrypt_rounds": 4, "block_after": 5})
    await site.fails(peer="2001:db8::7", times=6)
    await site.auth.settle()
    assert [str(block.network) for block in site.directory.blocks.listed()] == ["2001:db8::/64"]


async def test_many_addresses_of_one_network_block_it_whole(opened: Open) -> None:
    site = await opened(auth={"bcrypt_rounds": 4, "block_after": 5})
    for number in range(60):
        await site.fails(f"user{number}@example.test", f"198.51.100.{number}", times=1)
    await site.auth.settle()
    assert [str(block.network) for block in site.directory.blocks.listed()] == ["198.51.100.0/24"]


@pytest.mark.parametrize(
    ("values", "peer"),
    [
        ({"filters": {"local_networks": ["198.51.100.0/24"]}}, STRANGER),
        ({"http": {"trusted_proxies": [STRANGER]}}, STRANGER),
        ({"auth": {"bcrypt_rounds": 4, "block_after": 0}}, STRANGER),
        ({}, HOME),
    ],
    ids=["local", "proxy", "off", "where an account logged in"],
)
async def test_who_is_not_blocked(opened: Open, values: dict[str, Any], peer: str) -> None:
    site = await opened(**({"auth": {"bcrypt_rounds": 4, "block_after": 5}} | values))
    await site.login(peer=HOME)
    await site.fails(BOB, peer, times=20)
    await site.auth.settle()
    assert site.directory.blocks.listed() == []


async def test_strangers_lock_nobody_out(opened: Open) -> None:
    site = await opened(auth={"bcrypt_rounds": 4, "block_after": 0})
    await site.login()
    await site.directory.set_password(ADA, hash_password(PASSWORD, 4))  # nothing is remembered
    for number in range(120):
        await site.fails(peer=f"203.0.{number}.1", times=1)
    before = site.clock.seconds
    assert isinstance(await site.login(), Login)
    assert site.clock.seconds == before, "from where Ada logged in before there is no delay"
    await site.directory.set_password(ADA, hash_password(PASSWORD, 4))
    assert isinstance(await site.login(peer="203.0.200.1"), Login)
    assert 0 < site.clock.seconds - before < 30


async def test_known_addresses_are_known_after_a_restart(opened: Open) -> None:
    site = await opened()
    await site.login()
    site = await opened()
    account = await site.directory.account(ADA)
    assert account is not None
    known = site.directory.known_logins
    assert known.has(account.id, HOME) and not known.has(account.id, STRANGER)
    assert known.has_network(account.id, "192.0.2.99") and known.is_used(HOME)
    site.clock.seconds += 91 * 86_400
    assert not known.has(account.id, HOME)
    await known.prune()
    assert not (await opened()).directory.known_logins.is_used(HOME)


async def test_a_device_with_an_old_password_blocks_and_delays_nobody(opened: Open) -> None:
    site = await opened(auth={"bcrypt_rounds": 4, "block_after": 5})
    for _ in range(100):
        assert isinstance(await site.login(password="the old one", peer=STRANGER), Refused)
    assert len(site.hashes) == 1
    assert isinstance(await site.login(peer=STRANGER), Login)
    assert site.directory.blocks.listed() == []


async def test_a_device_with_an_old_password_by_scram_is_slow_but_never_blocked(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At home, every ten seconds for half a day; others there wait for nothing."""
    monkeypatch.setattr(auth.proofs, "EVEN", 0.0)
    site = await opened(auth={"bcrypt_rounds": 4})
    await site.login()
    await site.login(BOB)
    begun, caller = site.clock.seconds, Caller(HOME, Protocol.IMAP)
    for _ in range(2000):
        await site.auth.login_scram(ADA, None, "SCRAM-SHA-256", caller)
        site.clock.seconds += 10
    await site.auth.settle()
    assert site.directory.blocks.listed() == []
    assert site.clock.seconds - begun > 2000 * 15
    await site.directory.set_password(BOB, hash_password(PASSWORD, 4))
    before = site.clock.seconds
    assert isinstance(await site.login(BOB), Login)
    assert site.clock.seconds == before


async def test_a_flood_takes_bounded_memory_and_leaves_others_first_in_line(opened: Open) -> None:
    site = await opened(auth={"bcrypt_rounds": 4, "block_after": 0})
    await site.login(BOB)
    await site.directory.set_password(BOB, hash_password(PASSWORD, 4))
    asleep = asyncio.Event()

    async def sleep(_seconds: float) -> None:
        await asleep.wait()

    site.auth.throttle.sleep = sleep
    flood = [
        asyncio.create_task(
            site.login(f"user{number % 100}@example.test", f"w{number}", f"10.0.{number % 100}.1")
        )
        for number in range(1000)
    ]
    await asyncio.sleep(0)
    before = len(site.hashes)
    assert isinstance(await site.login(BOB), Login)
    assert len(site.hashes) - before < 50, "known ones do not wait behind the flood"
    asleep.set()
    outcomes = await asyncio.gather(*flood)
    assert Refused(Cause.CREDENTIALS) in outcomes
    assert site.auth.throttle.counters < 10_000


async def test_new_devices_are_told_and_known_ones_are_not(opened: Open) -> None:
    site = await opened(filters={"local_networks": ["10.0.0.0/8"]})
    told: list[Arrival] = []
    site.auth.arrivals.on_new = told.append
    for peer in (HOME, HOME, "192.0.2.77", "10.0.0.1", STRANGER, STRANGER):
        assert isinstance(await site.login(peer=peer), Login)
    assert [(one.name, one.address, one.protocol) for one in told] == [(ADA, STRANGER, "imap")]


async def test_a_clean_restart_hands_logins_over_without_a_password(opened: Open) -> None:
    site = await opened(auth={"bcrypt_rounds": 6})
    folder = site.settings.data_dir
    await site.directory.set_password(ADA, hash_password(PASSWORD, 6))
    await site.login()
    await site.auth.hand_over(folder)
    file = folder / NAME
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    text = file.read_text()
    account = await site.directory.account(ADA)
    assert account is not None
    assert PASSWORD not in text and account.password_hash not in text
    site = await opened(auth={"bcrypt_rounds": 6})
    await site.auth.take_over(folder)
    assert not file.exists()
    site.hashes.clear()
    assert isinstance(await site.login(), Login)
    assert site.hashes == [], "the quick hash was enough"
    assert isinstance(await site.login(password="wrong"), Refused)
    assert isinstance(await site.login(BOB), Login)


@pytest.mark.parametrize("what", ["late", "early", "changed", "garbage", "mode", "link", "large"])
async def test_what_was_handed_over_is_worthless(opened: Open, what: str) -> None:
    site = await opened()
    folder = site.settings.data_dir
    await site.login()
    await site.auth.hand_over(folder)
    file = folder / NAME
    match what:
        case "late":
            site.clock.seconds += 601
        case "early":
            site.clock.seconds -= 1
        case "changed":
            await site.directory.set_password(ADA, hash_password("another", 4))
        case "garbage":
            file.write_text('{"written": "x", "logins": {}')
        case "mode":
            file.chmod(0o644)
        case "link":
            file.rename(folder / "elsewhere")
            file.symlink_to(folder / "elsewhere")
        case "large":
            file.write_text(json.dumps({"written": [], "logins": "x" * 17 * 1024**2}))
    site = await opened()
    await site.auth.take_over(folder)
    site.hashes.clear()
    password = "another" if what == "changed" else PASSWORD
    assert isinstance(await site.login(password=password), Login)
    assert len(site.hashes) == 1
    if what == "changed":
        assert isinstance(await site.login(), Refused)


async def test_during_a_handover_wrong_passwords_cost_the_same_for_all() -> None:
    stored, quick = hash_password(PASSWORD, 4), auth.password.quick_hash(PASSWORD, "x")
    assert check_either(PASSWORD, "", quick, try_quick=True)
    assert not check_either(PASSWORD, "", quick, try_quick=False)
    assert not check_either("wrong", stored, quick, try_quick=True)
    assert check_either(PASSWORD, stored, "garbage", try_quick=True)
    assert verify_password(PASSWORD, stored)


@pytest.mark.parametrize(
    "user",
    [
        "аda@example.test",  # Cyrillic a
        "ａｄａ@example.test",  # full width
        "ada@ехample.test",
        "ada@example.test.",
        "ada @example.test",
        "a\u200bda@example.test",
        "a\u0308da@example.test",
        "ad\u0131a@example.test",
        '"ada"@example.test\0',
        "x" * 1_000_000,
        "@",
        "ada@",
    ],
    ids=[
        *("cyrillic", "wide", "domain", "dot", "space", "zero-width", "combining", "dotless"),
        *("nul", "megabyte", "at", "no-domain"),
    ],
)
async def test_names_that_only_look_alike_are_nobody(opened: Open, user: str) -> None:
    site = await opened()
    outcome = await site.login(user)
    assert outcome == Refused(Cause.CREDENTIALS)
    assert len(site.hashes) == 1
    entries = await site.directory.audit.listed()
    assert entries[0].name == ""


@pytest.mark.parametrize("user", ["ADA@EXAMPLE.TEST", "aDa@eXample.Test", '"ada"@example.test'])
async def test_odd_case_is_the_same_account_and_counted_as_one(opened: Open, user: str) -> None:
    site = await opened(auth={"bcrypt_rounds": 4, "block_after": 0})
    assert isinstance(await site.login(user), Login)
    before = site.clock.seconds
    for number in range(12):
        await site.fails(user if number % 2 else ADA, times=1)
    assert site.clock.seconds > before
