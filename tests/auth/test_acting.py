"""What is looked up of a user for whom somebody asks to act."""

from pathlib import Path

import pytest

from auth.acting import Acting
from auth.audit import Audit
from auth.caller import Caller
from auth.login_values import Cause, Login, Refused
from message.address import Mailbox
from storage.credential_values import Protocol
from storage.directory_values import Account
from tests.support.directories import MovedClock, make_settings, open_directory

ADA, BOB, ROOT = "ada@example.test", "bob@example.test", "root@example.test"


async def test_of_whom_nobody_may_act_for_nothing_is_looked_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_directory(make_settings(tmp_path)) as directory:
        for address in (ADA, BOB):
            await directory.add_account(address, "hash")
        await directory.add_account(ROOT, "hash", admin=True)
        asked: list[str] = []
        look_up = directory.account

        async def account(address: Mailbox | str, *, login: bool = False) -> Account | None:
            asked.append(str(address))
            return await look_up(address, login=login)

        monkeypatch.setattr(directory, "account", account)
        audit = Audit(directory, MovedClock())
        acting = Acting(directory, audit)
        acting.allowed = True

        async def as_bob(own: str) -> Login | Refused:
            found = await look_up(own)
            assert found is not None

            async def verify() -> Login:
                return Login(found.id, found.address, found.admin)

            return await acting.login("bob", Caller("192.0.2.1", Protocol.IMAP), verify)

        assert await as_bob(ADA) == Refused(Cause.ACTING)
        assert isinstance(await as_bob(BOB), Login)
        assert asked == []
        done = await as_bob(ROOT)
        assert isinstance(done, Login)
        assert (done.address, done.admin) == (BOB, False)
        assert asked == [BOB]
        audit.close()
