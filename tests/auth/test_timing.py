"""The time of a refused login, which tells nobody whether there is such an account."""

import hashlib
from base64 import b32decode, b64decode, b64encode
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from auth.caller import Caller
from auth.exchanging import run_exchange
from auth.login import Authenticator
from auth.login_values import Cause, Refused
from auth.password import hash_password, imported_hash
from auth.sasl.channel import Channel
from auth.totp import code_of, step_of
from net.threads import Offload
from storage.credential_values import NO_BOUNDS, CredentialKind, Protocol
from storage.directory import Directory
from tests.support.directories import PASSWORD, MovedClock, make_settings
from tests.support.timing import Attempt, measured, told_apart

ROUNDS = 8
PEER = "192.0.2.1"
NOBODY = "nobody"


@dataclass
class Site:
    directory: Directory
    auth: Authenticator
    clock: MovedClock

    def plain(self, name: str) -> Attempt:
        async def attempt(number: int) -> None:
            self.clock.seconds += 3600  # failures before have faded
            user, password = f"{name}@example.test", f"wrong {number}"
            found = await self.auth.login(user, password, peer=PEER, protocol=Protocol.IMAP)
            assert found == Refused(Cause.CREDENTIALS)

        return attempt

    def scram(self, name: str) -> Attempt:
        """With a proof of nothing."""

        async def attempt(_number: int) -> None:
            self.clock.seconds += 3600
            first = f"n,,n={name}@example.test,r=abc".encode()
            proof = b64encode(bytes(32)).decode()

            async def ask(wire: bytes) -> bytes:
                nonce = _decoded(wire).partition(",")[0]
                return b64encode(f"c=biws,{nonce},p={proof}".encode())

            exchange = self.auth.exchange("SCRAM-SHA-256", Channel(safe=True))
            caller = Caller(PEER, Protocol.IMAP)
            found = await run_exchange(self.auth, exchange, b64encode(first), ask, caller)
            assert found == Refused(Cause.CREDENTIALS)

        return attempt


def _decoded(wire: bytes) -> str:
    return b64decode(wire).decode()


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """An account of each kind, named after it; `nobody` is none."""
    offload, clock = Offload(), MovedClock()
    settings = make_settings(
        tmp_path,
        auth={"bcrypt_rounds": ROUNDS, "block_after": 0},
        filters={"local_networks": ["192.0.2.0/24"]},
    )
    directory = await Directory.open(settings, clock, offload)
    auth = Authenticator(settings, directory, offload, clock)
    argon2 = Argon2id(salt=b"0123456789abcdef", length=32, iterations=1, lanes=1, memory_cost=64)
    digest = hashlib.sha256(PASSWORD.encode() + b"salt").digest()
    hashes = {
        "usual": hash_password(PASSWORD, ROUNDS),
        "cheaper": hash_password(PASSWORD, 4),
        "argon2": argon2.derive_phc_encoded(PASSWORD.encode()),
        "salted": "{SSHA256}" + b64encode(digest + b"salt").decode(),
        "disabled": hash_password(PASSWORD, ROUNDS),
        "factor": hash_password(PASSWORD, ROUNDS),
        "phones": hash_password(PASSWORD, ROUNDS),
    }
    for name, stored in hashes.items():
        address = f"{name}@example.test"
        scram = await auth.scram_for(address, PASSWORD)
        made = await directory.add_account(address, imported_hash(stored), scram=scram)
        if name == "disabled":
            await directory.set_enabled(address, False)
        if name == "factor":
            begun = await auth.second_factor.begin(made, "mx.example.test")
            code = code_of(b32decode(begun.key), step_of(clock.now()))
            await auth.second_factor.confirm(made, code)
        if name == "phones":
            kind, add = CredentialKind.APP_PASSWORD, directory.credentials.add
            for number in range(100):
                await add(made.id, kind, "", NO_BOUNDS, number.to_bytes(32), scram=scram)
    yield Site(directory, auth, clock)
    await auth.close()
    await directory.close()
    offload.close()


KINDS = ("usual", "cheaper", "argon2", "salted", "disabled", "factor", "phones")


async def test_a_wrong_password_takes_the_time_of_an_unknown_name(site: Site) -> None:
    tries = {name: site.plain(name) for name in (NOBODY, *KINDS)}
    tries["no domain"] = site.plain("nobody@elsewhere.test,")
    taken = await measured(tries, 25)
    assert told_apart(taken, NOBODY) == {}


async def test_scram_takes_the_time_of_an_unknown_name(site: Site) -> None:
    taken = await measured({name: site.scram(name) for name in (NOBODY, *KINDS)}, 20)
    assert told_apart(taken, NOBODY) == {}
