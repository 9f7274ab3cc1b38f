"""A session with an SMS centre over SMPP 3.4, bound as transmitter, over TCP or TLS.

Invariants: every answer has a time bound, and one that does not come ends the session, since
nothing is known of what was sent; each request is answered by its sequence number, in any order.
"""

import asyncio
import contextlib
import os
import ssl
from collections.abc import Callable
from typing import Final, Self

from net.dns import DnsError, Resolver
from net.happy_eyeballs import connect_first
from net.smpp_wire import (
    HEAD,
    LAST_SEQUENCE,
    RESPONSE,
    Command,
    Pdu,
    ShortMessage,
    Status,
    WireError,
    bind_transmitter,
    parse_head,
    status_name,
    submit_sm,
)

CONNECT: Final = 15.0
ANSWER: Final = 15.0
QUIET: Final = 30.0
"""Seconds without a word after which the centre is asked whether it is there (§7.2)."""
MAX_ADDRESSES: Final = 4


class SmppError(Exception):
    """No session, or no more; the text is one line without secrets."""


class BindRefused(SmppError):
    """The centre does not let us in."""


class SmppSession:
    """Made by `connect`, then `bind`; `close` ends it."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, quiet: float = QUIET
    ) -> None:
        self._reader, self._writer, self._quiet = reader, writer, quiet
        self.answer_seconds = ANSWER
        self._sequence = 0
        self._asked: dict[int, asyncio.Future[Pdu]] = {}
        self._heard = asyncio.Event()
        self._failure = ""
        self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._watch())]

    @classmethod
    async def connect(
        cls, resolver: Resolver, host: str, port: int, tls: ssl.SSLContext | None
    ) -> Self:
        """`tls` is None for plain TCP. Raises SmppError."""
        try:
            async with asyncio.timeout(CONNECT):
                addresses = list(await resolver.addresses(host))[:MAX_ADDRESSES]
                _, made = await connect_first(addresses, port, CONNECT)
                streams = await asyncio.open_connection(
                    sock=made, ssl=tls, server_hostname=host if tls else None
                )
        except DnsError as error:
            raise SmppError(str(error)) from None
        except ssl.SSLCertVerificationError as error:
            raise SmppError(f"certificate not trusted ({error.verify_message})") from None
        except ssl.SSLError:
            raise SmppError("no connection (TLS failed)") from None
        except TimeoutError:
            raise SmppError(f"no connection within {CONNECT:g} s") from None
        except OSError as error:
            why = os.strerror(error.errno) if error.errno else type(error).__name__
            raise SmppError(f"no connection ({why})") from None
        return cls(*streams)

    @property
    def is_over(self) -> bool:
        return bool(self._failure)

    async def bind(self, system_id: str, password: str, system_type: str) -> None:
        """Raises BindRefused, SmppError."""
        body = _body(lambda: bind_transmitter(system_id, password, system_type))
        answer = await self._ask(Command.BIND_TRANSMITTER, body)
        if answer.status != Status.ESME_ROK:
            raise BindRefused(f"the SMS centre refuses us: {status_name(answer.status)}")

    async def submit(self, message: ShortMessage) -> int:
        """The command_status. Raises SmppError when nothing is known of the message."""
        body = _body(lambda: submit_sm(message))
        return (await self._ask(Command.SUBMIT_SM, body)).status

    async def close(self) -> None:
        """Unbinds (§4.2) where there is somebody to tell."""
        with contextlib.suppress(SmppError):
            await self._ask(Command.UNBIND)
        self._end("closed")
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(self.answer_seconds):
                await self._writer.wait_closed()

    async def _ask(self, command: Command, body: bytes = b"") -> Pdu:
        if self._failure:
            raise SmppError(self._failure)
        self._sequence = self._sequence % LAST_SEQUENCE + 1
        number = self._sequence
        answer: asyncio.Future[Pdu] = asyncio.get_running_loop().create_future()
        self._asked[number] = answer
        try:
            self._say(Pdu(command, 0, number, body))
            async with asyncio.timeout(self.answer_seconds):
                found = await answer
        except TimeoutError:
            self._end(f"no answer within {self.answer_seconds:g} s")
            raise SmppError(self._failure) from None
        finally:
            del self._asked[number]
        if found.command not in (command | RESPONSE, Command.GENERIC_NACK):
            self._end("an answer to another question")
            raise SmppError(self._failure)
        return found

    def _say(self, pdu: Pdu) -> None:
        self._writer.write(pdu.encode())

    async def _listen(self) -> None:
        why = "the SMS centre closed the connection"
        try:
            while True:
                head = parse_head(await self._reader.readexactly(HEAD))
                async with asyncio.timeout(self.answer_seconds):
                    body = await self._reader.readexactly(head.rest)
                self._heard.set()
                self._take(Pdu(head.command, head.status, head.sequence, body))
        except WireError as error:
            why = str(error)
        except TimeoutError:
            why = "half an answer"
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._end(why)

    def _take(self, pdu: Pdu) -> None:
        if pdu.is_response:
            answer = self._asked.get(pdu.sequence)
            if answer is not None and not answer.done():
                answer.set_result(pdu)
        elif pdu.command in (Command.ENQUIRE_LINK, Command.UNBIND):
            self._say(Pdu(pdu.command | RESPONSE, 0, pdu.sequence))
            if pdu.command == Command.UNBIND:
                self._end("the SMS centre ended the session")
        else:
            self._say(Pdu(Command.GENERIC_NACK, Status.ESME_RINVCMDID, pdu.sequence))

    async def _watch(self) -> None:
        """Asks after a silence; no answer ends the session."""
        while not self._failure:
            self._heard.clear()
            try:
                async with asyncio.timeout(self._quiet):
                    await self._heard.wait()
            except TimeoutError:
                with contextlib.suppress(SmppError):
                    await self._ask(Command.ENQUIRE_LINK)

    def _end(self, why: str) -> None:
        if self._failure:
            return
        self._failure = why
        self._writer.close()
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(SmppError(why))
        here = asyncio.current_task()
        for task in self._tasks:
            if task is not here:
                task.cancel()


def _body(make: Callable[[], bytes]) -> bytes:
    try:
        return make()
    except WireError as error:
        raise SmppError(str(error)) from None
