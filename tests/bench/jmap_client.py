"""A client of JMAP that costs little: one connection that stays, a request in flight."""

import base64
import json
import socket
from typing import Any

from tests.bench.sides import PASSWORD, Side, user

_MAIL = "urn:ietf:params:jmap:mail"


class Client:
    """One connection that stays, with a request in flight."""

    def __init__(self, side: Side, number: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", side.http_port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        secret = base64.b64encode(f"{user(number)}:{PASSWORD}".encode()).decode()
        self._head = (
            "POST /jmap/api HTTP/1.1\r\nHost: bench.test\r\nContent-Type: application/json\r\n"
            f"Authorization: Basic {secret}\r\nContent-Length: %d\r\n\r\n"
        )
        self.account = self._session(secret)

    def _session(self, secret: str) -> str:
        head = (
            "GET /jmap/session HTTP/1.1\r\nHost: bench.test\r\n"
            f"Authorization: Basic {secret}\r\n\r\n"
        )
        found = json.loads(self.exchange(head.encode()))
        return str(found["primaryAccounts"][_MAIL])

    def request(self, method: str, **arguments: Any) -> bytes:
        """The octets of a request with one call."""
        call = [method, {"accountId": self.account, **arguments}, "c"]
        using = ["urn:ietf:params:jmap:core", _MAIL]
        body = json.dumps({"using": using, "methodCalls": [call]}).encode()
        return (self._head % len(body)).encode() + body

    def call(self, method: str, **arguments: Any) -> dict[str, Any]:
        """The arguments of the response."""
        answer = json.loads(self.exchange(self.request(method, **arguments)))
        name, found, _ = answer["methodResponses"][0]
        assert name == method, found
        return dict(found)

    def exchange(self, request: bytes) -> bytes:
        """The body of the answer."""
        self._socket.sendall(request)
        data = b""
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self._received()
        head = data[:end].lower()
        assert head.startswith(b"http/1.1 200"), head
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        while len(data) < end + 4 + length:
            data += self._received()
        return data[end + 4 :]

    def _received(self) -> bytes:
        found = self._socket.recv(262_144)
        assert found, "the server closed the connection"
        return found

    def close(self) -> None:
        self._socket.close()
