"""The time of a sign-up and of a forgotten password, which tells nobody whether the
name is taken.
"""

import asyncio
from collections.abc import Iterator
from functools import partial

import pytest

from tests.support.http_api import code_of, post, texts
from tests.support.server import PASSWORD, ServerProcess, configuration
from tests.support.timing import measured, told_apart

EXTRA = '[filters]\nlocal_networks = ["127.0.0.0/8"]\n'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    config = configuration(extra=EXTRA).replace("[auth]", '[auth]\nsignup = "open"')
    with ServerProcess(tmp_path_factory.mktemp("timing"), config) as running:
        running.add_account("ada@example.test")
        target = ["ada@example.test"]
        running.perform("alias.add", alias="crew@example.test", targets=target)
        yield running


async def test_a_taken_name_takes_the_time_of_a_free_one(server: ServerProcess) -> None:
    def register(kind: str, number: int = 0) -> None:
        name = f"free{number}" if kind in ("free", "mail") else kind
        place = {"phone": f"+43123{len(kind)}{number:04}"}
        if kind == "mail":
            place = {"email": f"somebody{number}@elsewhere.test"}
        asked = {"username": f"{name}{'m' if kind == 'mail' else ''}", "password": PASSWORD}
        assert post(server, "/register", asked | place).status == 202

    kinds = ("free", "ada", "crew", "mail")
    tries = {kind: partial(asyncio.to_thread, register, kind) for kind in kinds}
    assert told_apart(await measured(tries, 12), "free") == {}


async def test_a_wrong_code_for_nobody_takes_the_time_of_another(server: ServerProcess) -> None:
    asked = {"username": "late", "password": PASSWORD, "phone": "+43999999"}
    assert post(server, "/register", asked).status == 202

    def verify(name: str, number: int = 0) -> None:
        body = {"username": name, "code": f"{number:06}"}
        assert post(server, "/verify", body).status in (400, 410)

    tries = {name: partial(asyncio.to_thread, verify, name) for name in ("late", "ada", "nobody")}
    assert told_apart(await measured(tries, 30), "nobody") == {}


async def test_a_forgotten_password_of_nobody_takes_the_time_of_another(
    server: ServerProcess,
) -> None:
    """One code for each name: more than that are refused."""

    def sign_up(number: int) -> None:
        asked = {"username": f"ben{number}", "password": PASSWORD}
        phone = f"+4477000{number:04}"
        assert post(server, "/register", asked | {"phone": phone}).status == 202
        body = {"username": f"ben{number}", "code": code_of(server, phone)}
        assert post(server, "/verify", body).status == 200
        server.add_account(f"unreached{number}@example.test")

    def reset(kind: str, number: int = 0) -> None:
        assert post(server, "/reset", {"username": f"{kind}{number}"}).status == 202

    rounds = 12
    for number in range(rounds + 1):
        await asyncio.to_thread(sign_up, number)
    tries = {
        kind: partial(asyncio.to_thread, reset, kind) for kind in ("nobody", "ben", "unreached")
    }
    assert told_apart(await measured(tries, rounds), "nobody") == {}
    texts_of = [texts(server, f"+4477000{number:04}") for number in range(rounds + 1)]
    assert all(len(found) >= 1 for found in texts_of)
