"""What becomes of an Idempotency-Key whose request does not end well."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import Response

from storage.answers import Answers
from storage.errors import StoreUnavailable
from storage.values import AccountId
from tests.support.directories import MovedClock, make_settings, open_directory
from web.rest.errors import RestError
from web.rest.repeats import Repeats


class Asking:
    """Asks the same again and again, with one key."""

    def __init__(self, repeats: Repeats, account: AccountId) -> None:
        self._repeats, self._account = repeats, account
        self.done = 0

    async def __call__(self, fails: BaseException | None) -> Response:
        async def work() -> Response:
            self.done += 1
            if fails is not None:
                raise fails
            return Response(b"{}", 201)

        scope = {
            "type": "http",
            "method": "POST",
            "raw_path": b"/api/v1/things",
            "query_string": b"",
            "headers": [(b"idempotency-key", b"one")],
        }
        return await self._repeats.once(Request(scope), self._account, b"", work, secret=False)


@pytest.fixture
async def asking(tmp_path: Path) -> AsyncIterator[Asking]:
    async with open_directory(make_settings(tmp_path)) as directory:
        account = await directory.add_account("ada@example.test", "correct horse")
        yield Asking(Repeats(Answers(directory.database, MovedClock())), account.id)


@pytest.mark.parametrize("fails", [asyncio.CancelledError(), RuntimeError()], ids=type)
async def test_what_broke_off_is_not_done_again(asking: Asking, fails: BaseException) -> None:
    with pytest.raises(type(fails)):
        await asking(fails)
    with pytest.raises(RestError) as refused:
        await asking(None)
    assert (refused.value.status, asking.done) == (409, 1)


@pytest.mark.parametrize("fails", [RestError(422), StoreUnavailable("busy")], ids=type)
async def test_what_was_refused_may_come_again(asking: Asking, fails: BaseException) -> None:
    with pytest.raises(type(fails)):
        await asking(fails)
    assert (await asking(None)).status_code == 201
    assert (await asking(None)).headers["idempotency-replayed"] == "true"
    assert asking.done == 2
