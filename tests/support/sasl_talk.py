"""A raw SASL client for SMTP, IMAP and ManageSieve on real sockets, alike for all three."""

import hmac
import re
import socket
import ssl
from base64 import b64decode, b64encode
from dataclasses import dataclass
from enum import Enum
from hashlib import pbkdf2_hmac, sha256
from types import TracebackType
from typing import Self

LISTENERS = {"smtp": "submissions", "imap": "imaps", "sieve": "managesieve"}


class Kind(Enum):
    """What the server said."""

    ASKS = "a challenge"
    OK = "success"
    NO = "a refusal"
    BAD = "a protocol error"
    GONE = "the connection is closed"


@dataclass(frozen=True, slots=True)
class Said:
    """`data` is the challenge, or what came with the success; `line` what stood on the wire."""

    kind: Kind
    line: str
    data: bytes = b""


class Talk:
    """One connection over TLS, behind the greeting. Lines go out as they are given."""

    def __init__(self, protocol: str, port: int, context: ssl.SSLContext) -> None:
        self.protocol = protocol
        plain = socket.create_connection(("localhost", port), timeout=30)
        if protocol == "sieve":
            self._file = plain.makefile("rb")
            self._until_ok()
            plain.sendall(b"STARTTLS\r\n")
            assert self._file.readline().startswith(b"OK")
        self.socket = context.wrap_socket(plain, server_hostname="localhost")
        self._file = self.socket.makefile("rb")
        try:
            self.mechanisms = self._greet()
        except BaseException:
            self.__exit__(None, None, None)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
        self.socket.close()

    @property
    def end_point(self) -> bytes:
        """tls-server-end-point of the certificate, whose signature is by SHA-256."""
        shown = self.socket.getpeercert(binary_form=True)
        assert shown is not None
        return sha256(shown).digest()

    def auth(self, mechanism: str, initial: bytes | None = None) -> Said:
        """Begins an exchange; `initial` is sent as it is, in quotes where they belong."""
        begin = {"smtp": "AUTH ", "imap": "a AUTHENTICATE ", "sieve": "AUTHENTICATE "}
        words = f'"{mechanism}"' if self.protocol == "sieve" else mechanism
        line = (begin[self.protocol] + words).encode()
        if initial is not None:
            line += b" " + (b'"%s"' % initial if self.protocol == "sieve" else initial)
        return self.line(line)

    def answer(self, wire: bytes) -> Said:
        """Answers a challenge, in base64 already."""
        return self.line(b'"%s"' % wire if self.protocol == "sieve" else wire)

    def line(self, octets: bytes) -> Said:
        """Sends a line, and reads what the server says to it."""
        try:
            self.socket.sendall(octets + b"\r\n")
            return self._read()
        except (ConnectionError, ssl.SSLError):
            return Said(Kind.GONE, "")

    def works(self) -> bool:
        """Whether the connection lives on: it takes a command."""
        noop = {"smtp": b"NOOP", "imap": b"a NOOP", "sieve": b"NOOP"}
        return self.line(noop[self.protocol]).kind is Kind.OK

    def scram(self, user: str, password: str, *, plus: bool = False) -> Said:
        """A whole exchange of SCRAM-SHA-256; the server's proof is checked."""
        header = "p=tls-server-end-point,," if plus else "n,,"
        bare = f"n={user},r={b64encode(self.end_point).decode()[:20]}"
        name = "SCRAM-SHA-256-PLUS" if plus else "SCRAM-SHA-256"
        said = self.auth(name, b64encode(f"{header}{bare}".encode()))
        assert said.kind is Kind.ASKS, said.line
        final, signature = scram_final(
            header, bare, said.data.decode(), password, self.end_point if plus else b""
        )
        said = self.answer(final)
        if said.kind not in (Kind.ASKS, Kind.OK):
            return said
        assert said.data == b"v=" + b64encode(signature)
        return self.answer(b"") if said.kind is Kind.ASKS else said

    def _greet(self) -> tuple[str, ...]:
        if self.protocol == "sieve":
            lines = self._until_ok()
            found = next(line for line in lines if line.startswith('"SASL"'))
            return tuple(found.split('"')[3].split())
        if self.protocol == "imap":
            return tuple(re.findall(r"AUTH=(\S+)", self._file.readline().decode()))
        self._file.readline()
        self.socket.sendall(b"EHLO client.test\r\n")
        offered: tuple[str, ...] = ()
        while line := self._file.readline().decode().rstrip():
            if line[4:].startswith("AUTH "):
                offered = tuple(line[4:].split()[1:])
            if line[3:4] == " ":
                break
        return offered

    def _until_ok(self) -> list[str]:
        lines: list[str] = []
        while not lines or not lines[-1].startswith("OK"):
            lines.append(self._file.readline().decode().rstrip())
        return lines

    def _read(self) -> Said:
        while line := self._file.readline().decode("utf-8", "replace").rstrip("\r\n"):
            if self.protocol == "imap" and line.startswith("* "):
                if line.startswith("* BYE"):
                    break
                continue
            if self.protocol == "sieve" and re.fullmatch(r"\{\d+\}", line):
                return Said(Kind.ASKS, line, b64decode(self._file.readline()))
            return self._said(line)
        return Said(Kind.GONE, line)

    def _said(self, line: str) -> Said:
        if self.protocol == "smtp":
            if line.startswith("334"):
                return Said(Kind.ASKS, line, b64decode(line[4:]))
            kinds = {"2": Kind.OK, "4": Kind.NO}
            bad = Kind.NO if line.startswith("535") else Kind.BAD
            return Said(kinds.get(line[0], bad), line)
        if self.protocol == "imap":
            if line.startswith("+"):
                return Said(Kind.ASKS, line, b64decode(line[2:]))
            word = line.split(" ")[1]
            return Said({"OK": Kind.OK, "NO": Kind.NO}.get(word, Kind.BAD), line)
        if line.startswith('"'):
            return Said(Kind.ASKS, line, b64decode(line[1:-1]))
        if line.startswith("OK"):
            found = re.search(r'SASL "([^"]+)"', line)
            return Said(Kind.OK, line, b64decode(found[1]) if found else b"")
        return Said(Kind.NO if line.startswith("NO") else Kind.GONE, line)


def scram_final(
    header: str, bare: str, server_first: str, password: str, binding: bytes = b""
) -> tuple[bytes, bytes]:
    """The client's final message in base64, and the signature that the server must give (RFC 5802
    §3).
    """
    parts = dict(part.split("=", 1) for part in server_first.split(","))
    salted = pbkdf2_hmac("sha256", password.encode(), b64decode(parts["s"]), int(parts["i"]))
    channel = b64encode(header.encode() + binding).decode()
    unsigned = f"c={channel},r={parts['r']}"
    said = f"{bare},{server_first},{unsigned}".encode()
    key = hmac.digest(salted, b"Client Key", "sha256")
    signature = hmac.digest(sha256(key).digest(), said, "sha256")
    proof = bytes(a ^ b for a, b in zip(key, signature, strict=True))
    final = b64encode(f"{unsigned},p={b64encode(proof).decode()}".encode())
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    return final, hmac.digest(server_key, said, "sha256")
