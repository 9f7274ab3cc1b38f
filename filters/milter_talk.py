"""What one milter hears of one SMTP connection, and what comes of it.

It is reached when the first step comes. Once it failed it is not asked again for this connection.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from enum import Enum
from pathlib import Path

from config.clock import Clock
from config.sections_filters import Milter
from filters.changing import previewed
from filters.context import Context, Message
from filters.milter_answers import changes_of, quarantined, verdict_of
from filters.milter_macros import host_of, macros_of
from filters.verdict import ACCEPT, Action, Scored, Verdict, merge
from message.headers import iter_fields
from net import milter_wire as wire
from net.milter import Ended, MilterConnection, MilterError, Said, Times
from net.milter_wire import Answer, Command, MilterSyntaxError, Wish
from net.threads import Busy, Offload

# After a failure nobody waits for it for so long.
REST_SECONDS = 10.0
# The whole of a message may take so often the time for its end, however slow each answer is.
WHOLE = 4


class MilterService:
    """One configured milter, and whether it has just failed. `most`: octets of a body that it may
    send.
    """

    def __init__(
        self, chosen: Milter, hostname: str, most: int, offload: Offload, clock: Clock
    ) -> None:
        self.times = Times(chosen.connect_timeout, chosen.command_timeout, chosen.content_timeout)
        self.chosen, self.hostname, self.most = chosen, hostname, most
        self.offload, self._clock = offload, clock
        self.symbol = f"MILTER_{chosen.name.upper().replace('-', '_')}"
        self._rests_until = 0.0

    @property
    def rests(self) -> bool:
        return self._clock.monotonic() < self._rests_until

    def failed(self) -> None:
        self._rests_until = self._clock.monotonic() + REST_SECONDS


class Done(Enum):
    """How far the milter wants to hear no more."""

    NOT = 0
    MESSAGE = 1
    CONNECTION = 2


class MilterTalk:
    """One milter and one SMTP connection. `problem`: why it is not asked any more."""

    def __init__(self, service: MilterService) -> None:
        self.service, self.problem = service, ""
        self._connection: MilterConnection | None = None
        self._done = Done.NOT
        self._in_message = self._greeted = self._skipping = False
        self._discard = ACCEPT

    def reset(self) -> None:
        """The transaction is over."""
        if self._in_message and self._connection is not None:
            self._connection.abort()
        self._in_message, self._discard = False, ACCEPT
        if self._done is Done.MESSAGE:
            self._done = Done.NOT

    def end(self) -> None:
        """The connection is over."""
        self.reset()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.quit()

    async def connect(self, context: Context) -> Verdict:
        return await self._asked(self._ready, context)

    async def helo(self, context: Context) -> Verdict:
        return await self._asked(self._helo, context)

    async def mail(self, context: Context) -> Verdict:
        verdict = await self._asked(self._mail, context)
        return self._failure() if self.problem else verdict

    async def rcpt(self, context: Context) -> Verdict:
        verdict = await self._asked(self._rcpt, context)
        return self._failure() if self.problem else verdict

    async def data(self, context: Context, message: Message) -> tuple[Verdict, Message]:
        """What it says of the message, and the message as it made it."""
        changed, seconds = [message], WHOLE * self.service.times.content

        async def ask(context: Context) -> Verdict:
            try:
                async with asyncio.timeout(seconds):
                    return await self._data(context, changed)
            except TimeoutError:
                raise MilterError(f"no end within {seconds:g} s") from None

        verdict = await self._asked(ask, context)
        if self.problem:
            return self._failure(told=True), message
        return merge([verdict, self._discard]), changed[0]

    async def _asked(
        self, ask: Callable[[Context], Awaitable[Verdict]], context: Context
    ) -> Verdict:
        if self._done is not Done.NOT or self.problem:
            return ACCEPT
        try:
            return await ask(context)
        except MilterSyntaxError as error:
            self._fail(f"it sent {error}")
        except (MilterError, OSError, Busy) as error:
            self._fail(str(error))
        return ACCEPT

    def _fail(self, problem: str) -> None:
        self.problem = problem
        self.service.failed()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _failure(self, *, told: bool = False) -> Verdict:
        """What it means that the milter is not there; `told`: with its symbol also where the mail
        goes on.
        """
        mark = _mark(f"{self.service.symbol}_FAIL", self.problem)
        if self.service.chosen.on_error == "accept":
            return mark if told else ACCEPT
        text = "Message filter not available, try again later"
        return replace(mark, action=Action.DEFER, code=451, status="4.7.1", text=text)

    async def _ready(self, context: Context) -> Verdict:
        """Connected, and told who the peer is."""
        if self._connection is not None:
            return ACCEPT
        if self.service.rests:
            raise MilterError("it failed a moment ago")
        chosen = self.service.chosen
        self._connection = await MilterConnection.open(
            chosen.address, self.service.times, self.service.most
        )
        peer = context.peer
        data = wire.connect(host_of(context), peer.address, peer.port)
        return await self._step(context, Command.CONNECT, data)

    async def _helo(self, context: Context) -> Verdict:
        verdict = await self._ready(context)
        if verdict is not ACCEPT or self._done is not Done.NOT:
            return verdict
        self._greeted = True
        return await self._step(context, Command.HELO, wire.texts(context.helo))

    async def _mail(self, context: Context) -> Verdict:
        verdict = ACCEPT if self._greeted else await self._helo(context)
        if verdict is not ACCEPT or self._done is not Done.NOT:
            return verdict
        words = [f"<{context.sender}>"] + [f"SIZE={context.size}"] * bool(context.size)
        self._in_message = True
        return await self._step(context, Command.MAIL, wire.texts(*words))

    async def _rcpt(self, context: Context) -> Verdict:
        if context.rcpt is None or not self._in_message:
            return ACCEPT
        data = wire.texts(f"<{context.rcpt.address}>")
        return await self._step(context, Command.RCPT, data)

    async def _data(self, context: Context, changed: list[Message]) -> Verdict:
        message, connection = changed[0], self._connection
        if connection is None or not self._in_message:
            return ACCEPT
        async with aclosing(self._content(message)) as steps:
            async for command, data in steps:
                verdict = await self._step(context, command, data)
                if verdict is not ACCEPT or self._done is not Done.NOT:
                    return verdict
        ended = await connection.finish(
            macros_of(Command.END_OF_BODY, context, self.service.hostname)
        )
        self._in_message = False
        verdict = verdict_of(ended.said, self.service.symbol)
        if verdict is not ACCEPT:
            return verdict
        return self._changes(ended, changed)

    def _changes(self, ended: Ended, changed: list[Message]) -> Verdict:
        assert self._connection is not None
        spaced = bool(self._connection.options.wishes & Wish.LEADING_SPACE)
        changes, reason = changes_of(ended.changes, leading_space=spaced)
        if not changes and reason is None:
            return ACCEPT
        changed[0] = previewed(changed[0], changes)
        names = ", ".join(dict.fromkeys(one[0].name.lower() for one in ended.changes))
        symbol = self.service.symbol
        told = _mark(symbol, names) if reason is None else quarantined(symbol, reason)
        return merge([told, Verdict(changes=changes)])

    async def _content(self, message: Message) -> AsyncGenerator[tuple[Command, bytes], None]:
        """The steps between the recipients and the end."""
        assert self._connection is not None
        wishes = self._connection.options.wishes
        yield Command.DATA, b""
        for one in iter_fields(message.header):
            value = one.value.replace(b"\r\n", b"\n")
            if not wishes & Wish.LEADING_SPACE:
                value = value.lstrip(b" \t")
            yield Command.HEADER, wire.texts(one.name, value)
        yield Command.END_OF_HEADER, b""
        if wishes & Wish.NO_BODY:
            return
        async with aclosing(self._body(message)) as pieces:
            async for piece in pieces:
                if self._skipping:
                    return
                yield Command.BODY, piece

    async def _body(self, message: Message) -> AsyncGenerator[bytes, None]:
        self._skipping = False
        content, at = message.content, message.body_start
        if content.data is not None:
            for start in range(at, len(content.data), wire.CHUNK):
                yield content.data[start : start + wire.CHUNK]
            return
        assert content.path is not None
        while piece := await self.service.offload.disk(_read, content.path, at, wire.CHUNK):
            yield piece
            at += len(piece)

    async def _step(self, context: Context, command: Command, data: bytes) -> Verdict:
        assert self._connection is not None
        macros = macros_of(command, context, self.service.hostname)
        return self._judged(await self._connection.step(command, data, macros), command)

    def _judged(self, said: Said, command: Command) -> Verdict:
        answer = said[0]
        if answer is Answer.ACCEPT:
            early = command in (Command.CONNECT, Command.HELO)
            self._done = Done.CONNECTION if early else Done.MESSAGE
        elif answer is Answer.SKIP:
            self._skipping = True
        verdict = verdict_of(said, self.service.symbol)
        if answer is Answer.DISCARD:
            self._done, self._discard = Done.MESSAGE, verdict
            return ACCEPT
        return verdict


def _mark(symbol: str, detail: str) -> Verdict:
    return Verdict(scored=(Scored(symbol, 0.0, detail),), symbols=(symbol,))


def _read(path: Path, at: int, size: int) -> bytes:
    with path.open("rb") as file:
        file.seek(at)
        return file.read(size)
