"""Streams and WebSockets over TLS, and behind a header of PROXY."""

import base64
import imaplib
import json
import socket
import ssl
from typing import Any

from websockets.sync.client import connect

from tests.support.jmap import ADA, CORE, append, basic, letter
from tests.support.server import PASSWORD, ServerProcess


def unchecked() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def test_a_stream_over_tls_is_told_and_ends_with_its_login(
    server: ServerProcess, imap: imaplib.IMAP4
) -> None:
    made = server.perform("account.app-password.add", address=ADA, name="TLS")
    login = base64.b64encode(f"{ADA}:{made['secret']}".encode()).decode()
    plain = socket.create_connection(("127.0.0.1", server.port("https")), timeout=20)
    with unchecked().wrap_socket(plain, server_hostname="mx.example.test") as client:
        path = "/jmap/events?types=*&closeafter=no&ping=0"
        head = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {login}\r\n\r\n"
        client.sendall(head.encode())
        seen = _read(client, b"id: ")
        assert b"200 OK" in seen
        append(imap, letter("Over TLS"))
        assert b'"StateChange"' in _read(client, b"event: state")
        server.perform("account.app-password.revoke", address=ADA, id=made["id"])
        assert _read(client, None).endswith(b"0\r\n\r\n")


def _read(client: ssl.SSLSocket, until: bytes | None) -> bytes:
    """Up to these octets and what came with them; None: to the end."""
    seen = b""
    while until is None or until not in seen:
        data = client.recv(4096)
        if not data:
            assert until is None, seen
            break
        seen += data
    return seen


def test_a_web_socket_over_tls_answers(server: ServerProcess) -> None:
    url = f"wss://127.0.0.1:{server.port('https')}/jmap/ws"
    protocols: Any = ["jmap"]
    origin: Any = f"https://127.0.0.1:{server.port('https')}"
    with connect(
        url,
        subprotocols=protocols,
        additional_headers=basic(),
        ssl=unchecked(),
        origin=origin,
    ) as ws:
        asked = {"@type": "Request", "id": "1", "using": [CORE], "methodCalls": []}
        ws.send(json.dumps(asked))
        assert json.loads(ws.recv(20))["requestId"] == "1"


def test_a_client_that_sends_more_is_let_go(server: ServerProcess) -> None:
    """Its stream was the last answer on the connection."""
    login = basic(ADA, PASSWORD)["Authorization"]
    path = "/jmap/events?types=*&closeafter=no&ping=0"
    head = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {login}\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", server.port("http")), timeout=20) as client:
        client.sendall(head)
        seen = b""
        while b"id: " not in seen:
            seen += client.recv(4096)
        client.sendall(head)
        while data := client.recv(4096):
            seen += data
        assert seen.count(b"HTTP/1.1") == 1 and seen.endswith(b"0\r\n\r\n")
