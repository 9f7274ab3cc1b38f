"""Logins against a real config.db: who gets in, how many hashes it costs, what is forgotten."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

import auth.password
from auth.login import Authenticator
from auth.login_values import Cause, Login, Refused
from auth.password import PasswordError, dummy_hash, hash_password, verify_password
from auth.policy import plaintext_allowed, sending_right
from auth.sasl.keys import unpack
from net.threads import Offload
from storage.credential_values import Protocol
from storage.delegations import Sending
from storage.directory import Directory
from storage.directory_values import AccountChange, ChangeKind
from tests.support.directories import PASSWORD, MovedClock, make_settings

ADA = "ada@example.test"


@dataclass(slots=True)
class Bench:
    """An authenticator with its parts, and the hashes it asked for: (password, stored)."""

    directory: Directory
    auth: Authenticator
    clock: MovedClock
    hashes: list[tuple[str, str]] = field(default_factory=list)
    hashing: asyncio.Event = field(default_factory=asyncio.Event)
    gate: threading.Event = field(default_factory=threading.Event)
    slept: list[float] = field(default_factory=list)

    async def sleep(self, seconds: float) -> None:
        """Instead of asyncio.sleep: the clock moves, the test does not wait."""
        self.slept.append(seconds)
        self.clock.seconds += seconds

    async def login(
        self, user: str = ADA, password: str = PASSWORD, peer: str = "192.0.2.1"
    ) -> Login | Refused:
        return await self.auth.login(user, password, peer=peer, protocol=Protocol.IMAP)

    async def cause(
        self, user: str = ADA, password: str = "wrong", peer: str = "192.0.2.1"
    ) -> Cause:
        outcome = await self.login(user, password, peer)
        assert isinstance(outcome, Refused)
        return outcome.cause


Make = Callable[..., Any]


@pytest.fixture
async def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Make]:
    """Makes a Bench with an account of Ada's; settings and Authenticator options as keywords."""
    offload, loop = Offload(), asyncio.get_running_loop()
    benches: list[Bench] = []

    async def build(**values: Any) -> Bench:
        settings = make_settings(tmp_path, **values)
        clock = MovedClock()
        directory = await Directory.open(settings, clock, offload)
        bench = Bench(directory, Authenticator(settings, directory, offload, clock), clock)
        bench.auth.throttle.sleep = bench.sleep
        bench.gate.set()
        benches.append(bench)

        def counting(password: str, stored: str, rounds: int = 4) -> bool:
            bench.hashes.append((password, stored))
            loop.call_soon_threadsafe(bench.hashing.set)
            bench.gate.wait(10)
            return verify_password(password, stored, rounds)

        monkeypatch.setattr(auth.password, "verify_password", counting)
        await directory.add_account("Ada@example.test", hash_password(PASSWORD, 4), admin=True)
        return bench

    yield build
    for bench in benches:
        await bench.auth.close()
        await bench.directory.close()
    offload.close()


async def test_the_right_password(make: Make) -> None:
    bench = await make()
    outcome = await bench.login()
    account = await bench.directory.account(ADA)
    assert outcome == Login(account.id, "Ada@example.test", True)


@pytest.mark.parametrize("user", ["ADA@Example.TEST", "ada", "Ada"])
async def test_user_names_in_any_case_and_without_the_only_domain(make: Make, user: str) -> None:
    bench = await make()
    assert isinstance(await bench.login(user), Login)


async def test_no_local_part_alone_when_several_domains_are_served(make: Make) -> None:
    bench = await make(domains=["example.test", "example.org"])
    assert await bench.cause("ada", PASSWORD) is Cause.CREDENTIALS
    assert isinstance(await bench.login(), Login)


@pytest.mark.parametrize("password", ["", "Correct horse", "correct horse ", "x" * 100, "a\0b"])
async def test_wrong_passwords(make: Make, password: str) -> None:
    bench = await make()
    outcome = await bench.login(password=password)
    assert outcome == Refused(Cause.CREDENTIALS)
    assert not outcome.temporary


@pytest.mark.parametrize(
    "user", ["bob@example.test", "ada+tag@example.test", "ada@elsewhere.test", "", "\udc80", "a b"]
)
async def test_an_unknown_name_costs_the_same_hash_and_says_the_same(make: Make, user: str) -> None:
    bench = await make()
    known = await bench.login(password="wrong")
    assert await bench.login(user) == known
    assert [stored[:7] for _, stored in bench.hashes] == ["$2b$04$", "$2b$04$"]


async def test_a_disabled_account_says_nothing_else(make: Make) -> None:
    bench = await make()
    await bench.login()
    await bench.directory.set_enabled(ADA, False)
    assert await bench.login() == Refused(Cause.CREDENTIALS)
    assert len(bench.hashes) == 2
    await bench.directory.set_enabled(ADA, True)
    assert isinstance(await bench.login(), Login)


async def test_verified_logins_are_remembered_for_ten_minutes(make: Make) -> None:
    bench = await make()
    for _ in range(5):
        assert isinstance(await bench.login(), Login)
    assert len(bench.hashes) == 1
    assert await bench.cause() is Cause.CREDENTIALS
    assert len(bench.hashes) == 2
    bench.clock.seconds += 601
    assert isinstance(await bench.login(), Login)
    assert len(bench.hashes) == 3


async def test_a_changed_password_ends_the_old_one_at_once(make: Make) -> None:
    bench = await make()
    await bench.login()
    await bench.directory.set_password(ADA, await bench.auth.hash_password("another"))
    assert await bench.cause(password=PASSWORD) is Cause.CREDENTIALS
    assert isinstance(await bench.login(password="another"), Login)


async def test_an_account_disabled_during_the_hash_does_not_get_in(make: Make) -> None:
    bench = await make()
    bench.gate.clear()
    waiting = asyncio.create_task(bench.login())
    await bench.hashing.wait()
    await bench.directory.set_enabled(ADA, False)
    bench.gate.set()
    assert await waiting == Refused(Cause.CREDENTIALS)


async def test_a_password_changed_during_the_hash_does_not_get_in(make: Make) -> None:
    bench = await make()
    bench.gate.clear()
    waiting = asyncio.create_task(bench.login())
    await bench.hashing.wait()
    await bench.directory.set_password(ADA, hash_password("another", 4))
    bench.gate.set()
    assert await waiting == Refused(Cause.CREDENTIALS)


async def test_equal_attempts_at_once_share_one_hash(make: Make) -> None:
    bench = await make()
    outcomes = await asyncio.gather(*(bench.login() for _ in range(50)))
    assert all(isinstance(outcome, Login) for outcome in outcomes)
    assert len(bench.hashes) == 1


async def test_a_client_that_hangs_up_takes_nothing_from_the_others(make: Make) -> None:
    bench = await make()
    bench.gate.clear()
    first = asyncio.create_task(bench.login())
    await bench.hashing.wait()
    second = asyncio.create_task(bench.login())
    await asyncio.sleep(0)
    first.cancel()
    bench.gate.set()
    assert isinstance(await second, Login)
    assert len(bench.hashes) == 1


async def test_right_passwords_are_never_limited(make: Make) -> None:
    bench = await make()
    for number in range(15):
        await bench.directory.set_password(ADA, hash_password(PASSWORD, 4))  # nothing remembered
        assert isinstance(await bench.login(), Login)
        assert len(bench.hashes) == number + 1


async def test_revocation_is_told(make: Make) -> None:
    bench = await make()
    revoked: list[AccountChange] = []
    bench.auth.on_revoke(revoked.append)
    account = await bench.directory.account(ADA)
    await bench.directory.set_quota(ADA, 1, 1)
    assert revoked == []
    await bench.directory.set_enabled(ADA, False)
    assert revoked == [AccountChange(account.id, ChangeKind.DISABLED, account.address)]


async def test_no_password_in_the_log(make: Make) -> None:
    bench = await make()
    with capture_logs() as lines:
        await bench.login(password="my secret word")
        await bench.login(user="my secret word")
    assert len(lines) == 2
    assert "secret" not in repr(lines)
    assert lines[0]["account"] == "Ada@example.test"


async def test_hashing_runs_in_the_hashing_thread(make: Make, monkeypatch: Any) -> None:
    bench = await make()
    threads: list[str] = []

    def noting(_password: str, _stored: str, _rounds: int) -> bool:
        threads.append(threading.current_thread().name)
        return True

    monkeypatch.setattr(auth.password, "verify_password", noting)
    assert isinstance(await bench.login(), Login)
    assert [name.split("_")[0] for name in threads] == ["hash"]


async def test_sending_right(make: Make) -> None:
    bench = await make()
    login = await bench.login()
    own = await sending_right(bench.directory, login, "ada+x@example.test")
    other = await sending_right(bench.directory, login, "bob@example.test")
    assert (own.sending, other.sending) == (Sending.AS, Sending.NO)


@pytest.mark.parametrize(
    ("peer", "tls", "allowed"),
    [
        ("203.0.113.5", True, True),
        ("203.0.113.5", False, False),
        ("127.0.0.1", False, True),
        ("::ffff:127.0.0.1", False, True),
        ("::1", False, True),
        ("fe80::1%eth0", False, False),
        ("", False, False),
    ],
)
def test_plaintext_allowed(tmp_path: Path, peer: str, tls: bool, allowed: bool) -> None:
    settings = make_settings(tmp_path, auth={"plaintext_from": ["127.0.0.0/8", "::1/128"]})
    assert plaintext_allowed(peer, tls, settings) is allowed
    assert not plaintext_allowed("127.0.0.1", False, make_settings(tmp_path))


@pytest.mark.parametrize("password", ["a" * 73, "é" * 37, "", "a\0b"])
def test_passwords_that_bcrypt_cannot_take_are_refused_not_cut(password: str) -> None:
    with pytest.raises(PasswordError):
        hash_password(password, 4)
    assert not verify_password(password, hash_password("a" * 72, 4))


def test_hashes() -> None:
    hashed = hash_password("e\u0301" * 36, 4)
    assert verify_password("é" * 36, hashed), "composed and decomposed letters are the same"
    assert not verify_password("é" * 35, hashed)
    hashed = hash_password("two words", 4)
    assert verify_password("two\xa0words", hashed) and verify_password("two\u3000words", hashed)
    assert not verify_password("twowords", hashed) and not verify_password("two\twords", hashed)
    for stored in ("", "garbage", dummy_hash(4), hashed[:-1], hashed + "x"):
        assert not verify_password("é" * 36, stored)


async def test_a_hash_of_fewer_rounds_is_made_anew_behind_the_login(make: Make) -> None:
    bench = await make(auth={"bcrypt_rounds": 5})
    before = await bench.directory.account(ADA)
    assert before.password_hash.startswith("$2b$04$")
    assert before.scram == ""
    closing: list[AccountChange] = []
    bench.auth.on_revoke(closing.append)
    assert isinstance(await bench.login(), Login)
    await bench.auth.close()
    after = await bench.directory.account(ADA)
    assert after.password_hash.startswith("$2b$05$")
    assert unpack(after.scram, "SCRAM-SHA-256") is not None
    assert isinstance(await bench.login(), Login)
    assert not closing


async def test_a_wrong_password_improves_nothing(make: Make) -> None:
    bench = await make(auth={"bcrypt_rounds": 5})
    assert isinstance(await bench.login(password="wrong"), Refused)
    await bench.auth.close()
    account = await bench.directory.account(ADA)
    assert account.password_hash.startswith("$2b$04$")
    assert account.scram == ""
