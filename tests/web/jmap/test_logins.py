"""Logins that JMAP remembers end with whatever ends a session, at once."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.http_api import ask
from tests.support.jmap import basic
from tests.support.server import PASSWORD, ServerProcess, until

USER = "ended@example.test"
FROM = {"X-Forwarded-Proto": "https"}
BY_KIND = pytest.mark.parametrize(
    "kind",
    [
        pytest.param("account.app-password.add", id="app-password"),
        pytest.param("token.add", id="token"),
    ],
)


def status(server: ServerProcess, headers: dict[str, str]) -> int:
    return ask(server, "GET", "/jmap/session", None, headers).status


@pytest.fixture
def user(server: ServerProcess) -> Any:
    server.perform("account.add", address=USER, password=PASSWORD)
    yield USER
    if any(account["address"] == USER for account in server.perform("account.list")):
        server.perform("account.delete", address=USER)


@pytest.mark.parametrize(
    ("end", "stays"),
    [
        pytest.param(
            lambda server: server.perform("account.passwd", address=USER, password="quite another"),
            True,
            id="password-changed",
        ),
        pytest.param(
            lambda server: server.perform("account.disable", address=USER), False, id="disabled"
        ),
        pytest.param(
            lambda server: server.perform("account.delete", address=USER), False, id="deleted"
        ),
    ],
)
def test_a_login_ends_with_its_account_or_password(
    server: ServerProcess, user: str, end: Callable[[ServerProcess], object], stays: bool
) -> None:
    made = server.perform("account.app-password.add", address=user, name="Phone")
    by_password, by_app = basic(user), basic(user, made["secret"])
    assert [status(server, one) for one in (by_password, by_app)] == [200, 200]
    end(server)
    assert [status(server, one) for one in (by_password, by_app)] == [401, 200 if stays else 401]


def test_a_login_ends_with_its_app_password(server: ServerProcess, user: str) -> None:
    made = server.perform("account.app-password.add", address=user, name="Phone")
    headers = basic(user, made["secret"])
    assert status(server, headers) == 200
    server.perform("account.app-password.revoke", address=user, id=made["id"])
    assert status(server, headers) == 401


@BY_KIND
def test_a_login_ends_when_its_time_is_over(server: ServerProcess, user: str, kind: str) -> None:
    made = server.perform(kind, address=user, name="Short", expires=time.time() + 4)
    bearer = {"Authorization": f"Bearer {made['secret']}"}
    headers = bearer if kind == "token.add" else basic(user, made["secret"])
    assert status(server, headers) == 200
    until(lambda: status(server, headers) == 401)


@BY_KIND
def test_a_remembered_login_is_good_in_its_networks_alone(
    server: ServerProcess, user: str, kind: str
) -> None:
    made = server.perform(kind, address=user, name="Home", networks=["192.0.2.0/24"])
    bearer = {"Authorization": f"Bearer {made['secret']}"}
    headers = bearer if kind == "token.add" else basic(user, made["secret"])
    assert status(server, {**headers, **FROM, "X-Forwarded-For": "192.0.2.7"}) == 200
    assert status(server, {**headers, **FROM, "X-Forwarded-For": "198.51.100.7"}) == 401
    assert status(server, {**headers, **FROM, "X-Forwarded-For": "192.0.2.7"}) == 200
