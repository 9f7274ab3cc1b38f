"""aiosasl, as Debian has it, logs in to IMAP by SCRAM-SHA-256-PLUS: run by the system's Python.

aiosasl_peer.py PORT CA USER PASSWORD: exit status 0 when each knows the other.
"""

import asyncio
import hashlib
import socket
import ssl
import sys
from base64 import b64decode, b64encode

import aiosasl  # type: ignore[import-not-found]
from aiosasl import channel_binding


class EndPoint(channel_binding.ChannelBindingProvider):  # type: ignore[misc]
    """tls-server-end-point of a certificate that is signed with SHA-256."""

    cb_name = b"tls-server-end-point"

    def __init__(self, certificate: bytes) -> None:
        super().__init__()
        self._certificate = certificate

    def extract_cb_data(self) -> bytes:
        return hashlib.sha256(self._certificate).digest()


class Imap(aiosasl.SASLInterface):  # type: ignore[misc]
    """AUTHENTICATE on a socket."""

    def __init__(self, stream: ssl.SSLSocket) -> None:
        self._stream, self._file = stream, stream.makefile("rb")
        self.greeting = self._file.readline().decode()

    async def initiate(
        self, mechanism: str, payload: bytes | None = None
    ) -> tuple[aiosasl.SASLState, bytes | None]:
        return self._say(b"a AUTHENTICATE " + mechanism.encode() + b" " + b64encode(payload or b""))

    async def respond(self, payload: bytes) -> tuple[aiosasl.SASLState, bytes | None]:
        return self._say(b64encode(payload))

    async def abort(self) -> tuple[aiosasl.SASLState, bytes | None]:
        return self._say(b"*")

    def _say(self, line: bytes) -> tuple[aiosasl.SASLState, bytes | None]:
        self._stream.sendall(line + b"\r\n")
        answer = self._file.readline()
        if answer.startswith(b"+ "):
            return aiosasl.SASLState.CHALLENGE, b64decode(answer[2:])
        if answer.startswith(b"a OK"):
            return aiosasl.SASLState.SUCCESS, None
        raise aiosasl.SASLFailure(None, text=answer.decode())


async def main(port: str, ca: str, user: str, password: str) -> None:
    plain = socket.create_connection(("localhost", int(port)), timeout=20)
    stream = ssl.create_default_context(cafile=ca).wrap_socket(plain, server_hostname="localhost")

    async def credentials() -> tuple[str, str]:
        return user, password

    imap = Imap(stream)
    scram = aiosasl.SCRAMPLUS(credentials, EndPoint(stream.getpeercert(binary_form=True) or b""))
    offered = [
        word.removeprefix("AUTH=") for word in imap.greeting.split() if word.startswith("AUTH=")
    ]
    token = scram.any_supported(offered)
    assert token and token[0] == "SCRAM-SHA-256-PLUS", offered
    await scram.authenticate(aiosasl.SASLStateMachine(imap), token)


asyncio.run(main(*sys.argv[1:]))
