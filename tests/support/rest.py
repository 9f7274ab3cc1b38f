"""A client of REST, for tests over real connections."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from tests.support.http_api import Answer, ask, post
from tests.support.server import PASSWORD, ServerProcess
from web.rest.endpoint import Endpoint
from web.rest.resources.endpoints import Parts, endpoints

API = "/api/v1"
ADA, BOB, ROOT = "ada@example.test", "bob@example.test", "root@example.test"


class Rest:
    """A client of one account, with a session's access token."""

    def __init__(self, server: ServerProcess, user: str, password: str = PASSWORD) -> None:
        self.server = server
        found = post(server, f"{API}/login", {"username": user, "password": password})
        assert found.status == 200, found.body
        self.token = found.body["access_token"]

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        """`headers` with "_" for "-"."""
        return asked(self.server, method, path, body, self.token, headers)

    def get(self, path: str, status: int = 200) -> Any:
        found = self.ask("GET", path)
        assert found.status == status, found.body
        return found.body


def asked(
    server: ServerProcess,
    method: str,
    path: str,
    body: object = None,
    token: str = "",
    headers: Mapping[str, str] | None = None,
) -> Answer:
    fields = {name.replace("_", "-"): value for name, value in (headers or {}).items()}
    if token:
        fields["Authorization"] = f"Bearer {token}"
    return ask(server, method, f"{API}{path}", body, fields)


def declared() -> Sequence[Endpoint]:
    """All endpoints, over nothing."""
    nothing: list[Any] = [None for _ in fields(Parts)]
    return endpoints(Parts(*nothing))
