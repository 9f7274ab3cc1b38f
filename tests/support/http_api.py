"""Requests to the HTTP API of a server in tests, over real connections."""

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.support.server import ServerProcess, until


@dataclass(frozen=True)
class Answer:
    """Status, media type, Retry-After (0 without), the JSON body (None without), and all
    fields by their names in lower case.
    """

    status: int
    kind: str
    wait: int
    body: Any
    fields: Mapping[str, str]


def answer_of(response: http.client.HTTPResponse) -> Answer:
    data = response.read()
    kind = response.headers.get("Content-Type", "")
    body = json.loads(data) if "json" in kind else None
    wait = int(response.headers.get("Retry-After", "0"))
    fields = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status, kind, wait, body, fields)


def ask(
    server: ServerProcess,
    method: str,
    path: str,
    body: object,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Sends JSON over plain HTTP; bytes and None are sent as they are."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port("http"), timeout=20)
    try:
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        fields = {"Content-Type": "application/json", **(headers or {})}
        connection.request(method, path, data, fields)
        return answer_of(connection.getresponse())
    finally:
        connection.close()


def post(
    server: ServerProcess,
    path: str,
    body: object,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """As ask."""
    return ask(server, "POST", path, body, headers)


def texts(server: ServerProcess, to: str) -> list[dict[str, str]]:
    """What the outbox has for a phone number, in order."""
    files = sorted((server.data / "outbox").glob("*.json"))
    found = [json.loads(file.read_bytes()) for file in files]
    return [one for one in found if one["to"] == to]


def code_of(server: ServerProcess, to: str, count: int = 1) -> str:
    """The code of the `count`-th text for a phone number."""
    found = until(lambda: len(sent := texts(server, to)) >= count and sent)
    return str(found[count - 1]["code"])
