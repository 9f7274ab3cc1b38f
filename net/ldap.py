"""A client of LDAP directories: connections that stay open for searches, others that users bind on.

Its messages are net/ldap_message.py. Invariants: everything ends within `seconds`, waiting for a
connection included; an answer is bounded in octets and entries; TLS is verified against the host's
name, and nothing that came before STARTTLS is believed; after any fault a connection is closed; no
password is in an error.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, TypeVar, cast

from net.ldap_message import (
    MAX_MESSAGE,
    Answer,
    Code,
    Entry,
    LdapSyntaxError,
    Operation,
    Result,
    Search,
    bind_request,
    read_answer,
    search_request,
    size_of,
    start_tls_request,
    unbind_request,
)

MOST_CONNECTIONS: Final = 8
"""Of each of the two kinds."""
MOST_REFERENCES: Final = 100
MOST_BUFFERED: Final = 4 * MAX_MESSAGE
CLOSE_SECONDS: Final = 2.0
T = TypeVar("T")
_AWAY: Final = frozenset(
    {
        Code.BUSY,
        Code.UNAVAILABLE,
        Code.STRONGER_AUTH_REQUIRED,
        Code.CONFIDENTIALITY_REQUIRED,
    }
)
_WRONG: Final = frozenset(
    {
        Code.NO_SUCH_OBJECT,
        Code.INVALID_DN_SYNTAX,
        Code.INAPPROPRIATE_AUTHENTICATION,
        Code.INVALID_CREDENTIALS,
        Code.INSUFFICIENT_ACCESS_RIGHTS,
        # an account that is locked, by 389 Directory Server
        Code.CONSTRAINT_VIOLATION,
        Code.UNWILLING_TO_PERFORM,
    }
)
"""What says something of the password or the entry; other codes say something of the server."""


class LdapError(Exception):
    """The directory is away, refuses to answer, or talks nonsense; the text is one line."""


class LdapRefused(LdapError):
    """The directory is there, but does not answer this very question."""


@dataclass(frozen=True, slots=True)
class LdapServer:
    """Where a directory is. `context` None is without TLS; `start_tls` begins in the clear."""

    host: str
    port: int
    context: ssl.SSLContext | None
    start_tls: bool = False

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Login:
    """Whom searches are made as; without `dn`, nobody."""

    dn: str = ""
    password: str = field(default="", repr=False)


class LdapConnection(asyncio.Protocol):
    """One request at a time. Everything that waits raises LdapError or OSError."""

    def __init__(self) -> None:
        self.server: LdapServer | None = None
        self._buffer = bytearray()
        self._number = 0
        self._failure = ""
        self.used = False
        self._waiter: asyncio.Future[None] | None = None
        self._transport: asyncio.Transport | None = None
        self._lost = asyncio.Event()

    @classmethod
    async def open(cls, server: LdapServer) -> "LdapConnection":
        """Connects, with TLS where the server has it."""
        loop = asyncio.get_running_loop()
        implicit = None if server.start_tls else server.context
        name = server.host if implicit is not None else None
        _, self = await loop.create_connection(
            cls, server.host, server.port, ssl=implicit, server_hostname=name
        )
        self.server = server
        if server.start_tls and server.context is not None:
            try:
                await self._secure(server.context, server.host)
            except BaseException:
                self.close()
                raise
        return self

    @property
    def alive(self) -> bool:
        return not self._failure

    async def bind(self, dn: str, password: str) -> Result:
        """What the server says to a name and a password, which is not empty where `dn` is not."""
        if dn and not password:
            raise LdapError("no password to bind with")
        self._number += 1
        self._write(bind_request(self._number, dn, password))
        return _result(await self._answer(), Operation.BIND)

    async def search(self, search: Search) -> tuple[list[Entry], Result]:
        """What was found, at most `search.most`; references to other servers are passed over."""
        self._number += 1
        self._write(search_request(self._number, search))
        entries: list[Entry] = []
        for _ in range(search.most + MOST_REFERENCES):
            answer = await self._answer()
            if isinstance(answer.value, Entry):
                entries.append(answer.value)
            elif answer.value is not None:
                return entries, _result(answer, Operation.DONE)
            if len(entries) > search.most:
                break
        raise LdapError("more answers than were asked for")

    def close(self) -> None:
        """Takes its leave; never raises."""
        if self._transport is not None and not self._transport.is_closing():
            if not self._failure:
                self._transport.write(unbind_request(self._number + 1))
            self._transport.close()
        self._fail("closed")

    async def closed(self) -> None:
        """Returns when a connection that was closed is gone, some seconds later at most."""
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._lost.wait()
        except TimeoutError:
            self.abort()

    def abort(self) -> None:
        """Ends the connection at once."""
        self._fail("given up")

    # Called by the loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's has another base

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if len(self._buffer) > MOST_BUFFERED:
            self._fail("an answer that is too long")
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost.set()
        self._fail("the connection broke")

    def _fail(self, text: str) -> None:
        self._failure = self._failure or text
        if self._transport is not None and text != "closed":
            self._transport.abort()
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _write(self, data: bytes) -> None:
        if self._failure or self._transport is None:
            raise LdapError(self._failure or "no connection")
        self._transport.write(data)

    async def _answer(self) -> Answer:
        """The next answer to the last request."""
        try:
            while True:
                size = size_of(self._buffer)
                if size and len(self._buffer) >= size:
                    data = bytes(self._buffer[:size])
                    del self._buffer[:size]
                    answer = read_answer(data)
                    if answer.number != self._number:  # RFC 4511 §4.4.1: it is about to close
                        raise LdapError("the server ended the connection")
                    return answer
                if self._failure:
                    raise LdapError(self._failure)
                self._waiter = asyncio.get_running_loop().create_future()
                await self._waiter
        except LdapSyntaxError as error:
            raise LdapError(str(error)) from None

    async def _secure(self, context: ssl.SSLContext, host: str) -> None:
        """STARTTLS (RFC 4511 §4.14)."""
        self._number += 1
        self._write(start_tls_request(self._number))
        said = _result(await self._answer(), Operation.EXTENDED)
        if said.code != Code.SUCCESS:
            raise LdapError(f"STARTTLS refused: {_printable(said.text) or said.code}")
        if self._buffer or self._transport is None:
            raise LdapError("the server sent more before TLS")
        loop = asyncio.get_running_loop()
        secured = await loop.start_tls(self._transport, self, context, server_hostname=host)
        if secured is None:
            raise LdapError("the connection broke")
        self._transport = secured


class Ldap:
    """A directory with all of its servers, the first that answers is asked; one that kept somebody
    waiting is asked last from then on.
    """

    def __init__(self, servers: list[LdapServer], login: Login, seconds: float) -> None:
        self._servers, self._login, self._seconds = servers, login, seconds
        self._searching = _Kept(lambda: self._first(self._logged_in))
        self._binding = _Kept(lambda: self._first(LdapConnection.open))

    async def search(self, search: Search) -> list[Entry]:
        """At most `search.most` entries, however many there are. Raises LdapError, also where the
        base is not there.
        """
        entries, said = await self._asked(self._searching, lambda one: one.search(search))
        if said.code not in (Code.SUCCESS, Code.SIZE_LIMIT):
            raise _refusal("search refused", said)
        return entries

    async def bind(self, dn: str, password: str) -> bool:
        """Whether the password is that of the entry. Raises LdapError where nothing can be said."""
        if not dn or not password:
            return False
        said = await self._asked(self._binding, lambda one: one.bind(dn, password))
        if said.code != Code.SUCCESS and said.code not in _WRONG:
            raise _refusal("bind not possible", said)
        return said.code == Code.SUCCESS

    async def close(self) -> None:
        """Ends connections that nobody uses; those in use end when they are given back."""
        await asyncio.gather(self._searching.close(), self._binding.close())

    async def _asked(self, kept: "_Kept", ask: Callable[[LdapConnection], Awaitable[T]]) -> T:
        """Once more where a connection that was kept turns out to have ended."""
        placed, asked = False, None
        try:
            async with asyncio.timeout(self._seconds), kept.places:
                placed = True
                while True:
                    async with kept.taken() as connection:
                        asked = connection.server
                        kept_open, connection.used = connection.used, True
                        try:
                            return await ask(connection)
                        except (LdapError, OSError):
                            connection.abort()
                            if not kept_open:
                                raise
        except TimeoutError:
            if not placed:  # which says nothing of the directory
                raise LdapRefused("too many ask at the same time") from None
            self._put_last(asked)
            raise LdapError(f"no answer within {self._seconds:g} s") from None
        except (OSError, ValueError) as error:
            raise LdapError(_reason(error)) from None

    def _put_last(self, server: LdapServer | None) -> None:
        if server in self._servers:
            self._servers = [one for one in self._servers if one is not server] + [server]

    async def _first(
        self, make: Callable[[LdapServer], Awaitable[LdapConnection]]
    ) -> LdapConnection:
        failure: Exception = LdapError("no server")
        for server in tuple(self._servers):
            try:
                async with asyncio.timeout(self._seconds / len(self._servers)):
                    return await make(server)
            except TimeoutError as error:
                self._put_last(server)
                failure = LdapError(f"{server}: {_reason(error)}")
            except (LdapError, OSError, ValueError) as error:
                failure = LdapError(f"{server}: {_reason(error)}")
        raise failure

    async def _logged_in(self, server: LdapServer) -> LdapConnection:
        connection = await LdapConnection.open(server)
        try:
            if self._login.dn:
                said = await connection.bind(self._login.dn, self._login.password)
                if said.code != Code.SUCCESS:
                    raise LdapError(f"bind_dn refused: {_printable(said.text) or said.code}")
        except BaseException:
            connection.abort()
            raise
        return connection


class _Kept:
    """Connections of one kind: at most so many, those that nobody uses kept open."""

    def __init__(self, make: Callable[[], Awaitable[LdapConnection]]) -> None:
        self._make = make
        self._free: list[LdapConnection] = []
        self.places = asyncio.Semaphore(MOST_CONNECTIONS)
        self._closed = False

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[LdapConnection]:
        """For who has one of `places`."""
        connection = await self._usable()
        try:
            yield connection
        except BaseException:
            connection.abort()
            raise
        if self._closed or not connection.alive:
            connection.close()
        else:
            self._free.append(connection)

    async def _usable(self) -> LdapConnection:
        while self._free:
            connection = self._free.pop()
            if connection.alive:
                return connection
        return await self._make()

    async def close(self) -> None:
        self._closed = True
        free, self._free = self._free, []
        for connection in free:
            connection.close()
        await asyncio.gather(*(connection.closed() for connection in free))


def _result(answer: Answer, wanted: Operation) -> Result:
    if answer.operation != wanted or not isinstance(answer.value, Result):
        raise LdapError("an answer to another question")
    return answer.value


def _refusal(what: str, said: Result) -> LdapError:
    kind = LdapError if said.code in _AWAY else LdapRefused
    return kind(f"{what}: {_printable(said.text) or f'code {said.code}'}")


def _printable(text: str) -> str:
    return "".join(letter for letter in text[:120] if letter.isprintable())


def _reason(error: BaseException) -> str:
    """One plain line."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate not trusted ({error.verify_message})"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return _printable(str(error)) or type(error).__name__
