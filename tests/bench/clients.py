"""Thin clients for loads: an asyncio SMTP session and a blocking IMAP connection.

They do as little as a client may, so that the servers are measured and not they.
"""

import asyncio
import socket
import ssl
import time
import zlib


def message(size: int, number: int) -> bytes:
    """A plain message of about `size` octets, dot-stuffed where needed, CRLF line ends."""
    head = (
        f"From: Sender <sender@world.test>\r\nTo: User <b0@bench.test>\r\n"
        f"Subject: Load {number}\r\nDate: Tue, 24 Nov 2026 10:00:00 +0000\r\n"
        f"Message-ID: <{number}.{time.monotonic_ns()}@world.test>\r\nMIME-Version: 1.0\r\n"
        f"Content-Type: text/plain; charset=utf-8\r\n\r\n"
    ).encode()
    line = b"The quick brown fox jumps over the lazy dog and goes home again.\r\n"
    return head + line * max(1, (size - len(head)) // len(line))


async def send_session(port: int, recipient: str, messages: list[bytes]) -> None:
    """One SMTP session with PIPELINING; raises when a message is not accepted."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    await expect(reader, b"220")
    writer.write(b"EHLO load.test\r\n")
    await expect(reader, b"250")
    envelope = f"MAIL FROM:<sender@world.test>\r\nRCPT TO:<{recipient}>\r\nDATA\r\n".encode()
    for body in messages:
        writer.write(envelope)
        for code in (b"250", b"250", b"354"):
            await expect(reader, code)
        writer.write(body + b".\r\n")
        await expect(reader, b"250")
    writer.write(b"QUIT\r\n")
    await expect(reader, b"221")
    writer.close()


async def expect(reader: asyncio.StreamReader, code: bytes) -> None:
    """Reads a whole reply; raises when it has another code."""
    while True:
        line = await reader.readline()
        if not line.startswith(code):
            raise RuntimeError(f"expected {code!r}, got {line!r}")
        if line[3:4] != b"-":
            return


def smtp_greeted(port: int, tls: bool) -> socket.socket:
    """A blocking SMTP connection after EHLO, behind STARTTLS when asked for."""
    connection = socket.create_connection(("127.0.0.1", port), 60)
    _take_reply(connection)
    _say(connection, b"EHLO load.test\r\n")
    if tls:
        _say(connection, b"STARTTLS\r\n")
        connection = _UNCHECKED.wrap_socket(connection)
        _say(connection, b"EHLO load.test\r\n")
    return connection


def _say(connection: socket.socket, command: bytes) -> None:
    connection.sendall(command)
    _take_reply(connection)


def _take_reply(connection: socket.socket) -> None:
    reply = b""
    while not reply.endswith(b"\r\n") or reply.rstrip().rpartition(b"\n")[2][3:4] == b"-":
        piece = connection.recv(4096)
        if not piece or len(reply) > 65536:
            raise RuntimeError(f"expected a reply, got {reply!r}")
        reply += piece


def _unchecked() -> ssl.SSLContext:
    """Trusts anybody: certificates are not what is measured."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


_UNCHECKED = _unchecked()


class Imap:
    """A blocking IMAP connection that reads answers without parsing them."""

    def __init__(self, port: int, tls: bool = False) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), 60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self._socket = _UNCHECKED.wrap_socket(self._socket)
        self._number = 0
        self._deflate: zlib._Compress | None = None
        self._inflate: zlib._Decompress | None = None
        self._read_until(b"\r\n")

    def compress(self) -> None:
        """COMPRESS DEFLATE (RFC 4978)."""
        self.command(b"COMPRESS DEFLATE")
        self._deflate, self._inflate = zlib.compressobj(wbits=-15), zlib.decompressobj(-15)

    def login(self, user: str, password: str) -> None:
        self.command(f"LOGIN {user} {password}".encode())

    def command(self, text: bytes) -> bytes:
        """Sends one command and returns everything up to and with its tagged OK."""
        return self.finish(self.send(text))

    def send(self, text: bytes) -> bytes:
        """Sends one command and returns its tag, for pipelining."""
        self._number += 1
        tag = b"zq%d" % self._number
        self.write(tag + b" " + text + b"\r\n")
        return tag

    def send_many(self, texts: list[bytes]) -> bytes:
        """Sends all in one write; returns the last tag."""
        lines = []
        for text in texts:
            self._number += 1
            lines.append(b"zq%d %b\r\n" % (self._number, text))
        self.write(b"".join(lines))
        return b"zq%d" % self._number

    def finish(self, tag: bytes) -> bytes:
        """Reads up to the tagged answer; raises when it is not OK."""
        data = self._read_until(b"\r\n", b"\r\n" + tag + b" ", tag + b" ")
        answer = data[data.rindex(tag + b" ") :]
        if not answer.startswith(tag + b" OK"):
            raise RuntimeError(f"not OK: {answer[:300]!r}")
        return data

    def append(self, mailbox: bytes, body: bytes) -> None:
        """APPEND with a non-synchronising literal (LITERAL+)."""
        head = b"APPEND %b {%d+}\r\n" % (mailbox, len(body))
        self.command(head + body)

    def wait_for(self, text: bytes) -> None:
        """Reads until `text` came."""
        data = bytearray()
        while text not in data:
            data += self._receive()

    def wait_for_bye(self) -> None:
        """Reads until the server has closed; raises when it did so without a word."""
        data = bytearray()
        try:
            while True:
                data += self._receive()
        except ConnectionError:
            if b"* BYE" not in data:
                raise

    def write(self, data: bytes) -> None:
        if self._deflate is not None:
            data = self._deflate.compress(data) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
        self._socket.sendall(data)

    def close(self) -> None:
        self._socket.close()

    def _receive(self) -> bytes:
        data = self._socket.recv(1 << 20)
        if not data:
            raise ConnectionError("server closed the connection")
        return data if self._inflate is None else self._inflate.decompress(data)

    def _read_until(self, end: bytes, mark: bytes = b"", first: bytes = b"") -> bytes:
        chunks: list[bytes] = []
        tail = b""
        while True:
            data = self._receive()
            chunks.append(data)
            tail = (tail + data)[-4096:]
            if tail.endswith(end) and (
                not mark or mark in tail or (first and b"".join(chunks[:1]).startswith(first))
            ):
                return b"".join(chunks)
