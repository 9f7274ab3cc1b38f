"""aiosasl, as Debian has it, logs in over TLS: run by the system's Python.

Each line on standard input is one login, in JSON; the answer is a line: "in", "refused ...", or
what else went wrong.
"""

import asyncio
import hashlib
import json
import re
import socket
import ssl
import sys
from base64 import b64decode, b64encode
from typing import Any

import aiosasl  # type: ignore[import-not-found]
from aiosasl import channel_binding

PROTOCOLS = {"submission": "smtp", "submissions": "smtp", "managesieve": "sieve"}
AUTH = {"smtp": "AUTH {}", "imap": "a AUTHENTICATE {}", "sieve": 'AUTHENTICATE "{}"'}
NOOP = {"smtp": "NOOP", "imap": "a NOOP", "sieve": "NOOP"}
DONE = {"smtp": re.compile(r"2\d\d "), "imap": re.compile("a OK"), "sieve": re.compile("OK")}
CHALLENGE = {"smtp": re.compile(r"334 (.*)"), "imap": re.compile(r"\+ (.*)"), "sieve": None}


class EndPoint(channel_binding.ChannelBindingProvider):  # type: ignore[misc]
    """tls-server-end-point of a certificate that is signed with SHA-256."""

    cb_name = b"tls-server-end-point"

    def __init__(self, certificate: bytes) -> None:
        super().__init__()
        self._certificate = certificate

    def extract_cb_data(self) -> bytes:
        return hashlib.sha256(self._certificate).digest()


class Wire(aiosasl.SASLInterface):  # type: ignore[misc]
    """The exchange on a socket; `offered` are the server's mechanisms."""

    def __init__(self, listener: str, port: int, authority: str, initial: bool) -> None:
        self._protocol, self._initial = PROTOCOLS.get(listener, "imap"), initial
        self._socket: Any = socket.create_connection(("localhost", port), timeout=20)
        tls = ssl.create_default_context(cafile=authority)
        if listener not in ("imaps", "submissions"):
            self._file = self._socket.makefile("rb")
            self._greeting()
            self._command({"smtp": "STARTTLS", "imap": "a STARTTLS", "sieve": "STARTTLS"})
        self._socket = tls.wrap_socket(self._socket, server_hostname="localhost")
        self._file = self._socket.makefile("rb")
        if listener in ("imaps", "submissions"):
            self._greeting()
        self.offered = self._mechanisms(listener)

    @property
    def certificate(self) -> bytes:
        return self._socket.getpeercert(binary_form=True) or b""

    def works(self) -> bool:
        return bool(self._command(NOOP))

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    async def initiate(
        self, mechanism: str, payload: bytes | None = None
    ) -> tuple[aiosasl.SASLState, bytes | None]:
        line = AUTH[self._protocol].format(mechanism)
        if payload is None or self._initial:
            return self._say(line if payload is None else f"{line} {self._string(payload)}")
        state, challenge = self._say(line)
        assert (state, challenge) == (aiosasl.SASLState.CHALLENGE, b"")
        return self._say(self._string(payload))

    async def respond(self, payload: bytes) -> tuple[aiosasl.SASLState, bytes | None]:
        return self._say(self._string(payload))

    async def abort(self) -> tuple[aiosasl.SASLState, bytes | None]:
        return self._say('"*"' if self._protocol == "sieve" else "*")

    def _string(self, payload: bytes) -> str:
        text = b64encode(payload).decode()
        return f'"{text}"' if self._protocol == "sieve" else text

    def _say(self, line: str) -> tuple[aiosasl.SASLState, bytes | None]:
        self._socket.sendall(line.encode() + b"\r\n")
        answer = self._line()
        if self._protocol == "sieve" and answer.startswith('"'):
            return aiosasl.SASLState.CHALLENGE, b64decode(answer[1:-1])
        if self._protocol == "sieve" and answer.startswith("{"):
            return aiosasl.SASLState.CHALLENGE, b64decode(self._line())
        form = CHALLENGE[self._protocol]
        found = form.match(answer) if form else None
        if found:
            return aiosasl.SASLState.CHALLENGE, b64decode(found[1])
        if DONE[self._protocol].match(answer):
            data = re.search(r'\(SASL "(.*?)"\)', answer)
            return aiosasl.SASLState.SUCCESS, b64decode(data[1]) if data else None
        raise aiosasl.SASLFailure(None, text=answer)

    def _line(self) -> str:
        return self._file.readline().decode().rstrip("\r\n")

    def _command(self, words: dict[str, str]) -> list[str]:
        """The lines up to a success."""
        self._socket.sendall(words[self._protocol].encode() + b"\r\n")
        return self._until(DONE[self._protocol])

    def _until(self, last: re.Pattern[str]) -> list[str]:
        lines = [self._line()]
        while not last.match(lines[-1]):
            assert lines[-1], lines
            lines.append(self._line())
        return lines

    def _greeting(self) -> list[str]:
        first = {"smtp": r"220 ", "imap": r"\* OK", "sieve": "OK"}
        return self._until(re.compile(first[self._protocol]))

    def _mechanisms(self, listener: str) -> list[str]:
        if self._protocol == "smtp":
            lines = self._command({"smtp": "EHLO client.test"})
            found = [line[9:].split() for line in lines if line[4:9] == "AUTH "]
        elif self._protocol == "imap":
            line = " ".join(self._command({"imap": "a CAPABILITY"}))
            found = [re.findall(r"AUTH=(\S+)", line)]
        else:
            found = [
                line.split('"')[3].split() for line in self._greeting() if line[:7] == '"SASL" '
            ]
        return found[0]


async def log_in(login: dict[str, Any]) -> str:
    wire = Wire(login["listener"], login["port"], login["authority"], login["initial"])

    async def credentials(*_: object) -> tuple[str, str]:
        return login["user"], login["password"]

    kinds = {
        "SCRAM-SHA-256-PLUS": lambda: aiosasl.SCRAMPLUS(credentials, EndPoint(wire.certificate)),
        "PLAIN": lambda: aiosasl.PLAIN(credentials),
    }
    mechanism = kinds.get(login["mechanism"], lambda: aiosasl.SCRAM(credentials))()
    token = mechanism.any_supported([one for one in wire.offered if one == login["mechanism"]])
    assert token, wire.offered
    try:
        await mechanism.authenticate(aiosasl.SASLStateMachine(wire), token)
        return "in" if wire.works() else "does nothing afterwards"
    except (aiosasl.SASLFailure, aiosasl.AuthenticationFailure) as refusal:
        return f"refused {refusal}"
    finally:
        wire.close()


for line in sys.stdin:
    try:
        answer = asyncio.run(log_in(json.loads(line)))
    except Exception as error:  # told to who asked
        answer = f"failed: {error!r}"
    print(" ".join(answer.split()), flush=True)
