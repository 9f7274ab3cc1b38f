"""The command loop and STARTTLS.

Replies are gathered while commands are buffered and written before the connection waits for input
(PIPELINING); a flood of commands yields to other connections every TURNS commands.
Invariant: after STARTTLS nothing that came in the clear is obeyed (RFC 3207 §4.2).
"""

import asyncio
import ssl

from smtp.engine import Engine, Gone, Phase
from smtp.grammar import replies
from smtp.grammar.command import MAX_AUTH_LINE, MAX_LINE, LineError, parse_command
from smtp.grammar.reply import Reply

GATHER = 32 * 1024
TURNS = 64
MAX_ERRORS = 30


class Conversation(Engine):
    """Takes commands one by one and calls their verbs."""

    async def _handle_client(self) -> None:
        try:
            await self._converse()
        except Gone:
            pass
        except Exception:
            self.policy.log.exception("connection failed")
        finally:
            self._close()
            self.policy.end()
            await self.wind_up()
            self._on_end(self)
            self.let_go()

    async def wind_up(self) -> None:
        """What is left to do when the conversation is over."""

    async def _converse(self) -> None:
        greeting, parting = await self._greeting(), self._parting
        self.send(parting or greeting)
        if parting is not None or self.policy.refused:
            return
        turns = 0
        while self.phase is not Phase.ENDED:
            if b"\n" in self.buffer:
                turns += 1
                if turns % TURNS == 0:
                    await asyncio.sleep(0)
            else:
                turns = 0
                self.phase = Phase.WAITING
                self.allow(self.wiring.timeouts.command, "no complete command")
            line = await self.line(MAX_AUTH_LINE)
            self.phase = Phase.BUSY
            self.stop_clock()
            await self._obey(line)
            if self._parting is not None:
                self.send(self._parting)
                return
            if self._errors > MAX_ERRORS or self.policy.expelled:
                self.send(replies.TOO_MANY_ERRORS)
                return
            wait = self.policy.wait_after(self._errors)
            if wait and not self.chunks_begun:
                await self.flush()
                await self.pause(wait)
            if self._gathered > GATHER:
                await self.flush()

    async def _greeting(self) -> Reply:
        """The greeting behind the time in which the peer has to be silent (RFC 5321 §3.1, §4.3.1);
        what is asked about the peer is asked meanwhile.
        """
        begin = self.loop.time()
        greeting = await self.policy.connect()
        if self.policy.refused or self._parting is not None:
            return greeting
        delay = self.policy.greet_delay() - (self.loop.time() - begin)
        if self.buffer or (delay > 0 and await self.speaks_within(delay)):
            return self.policy.spoke_early() or greeting
        return greeting

    @property
    def chunks_begun(self) -> bool:
        """True while parts of a message wait in memory for the rest."""
        return False

    async def _obey(self, line: bytes | None) -> None:
        if line is None or (len(line) > MAX_LINE and line[:4].upper() != b"AUTH"):
            self.send(replies.LINE_TOO_LONG)
            return
        try:
            verb, argument = parse_command(line)
        except LineError:
            self.send(replies.BAD_LINE)
            return
        method = getattr(self, f"smtp_{verb}", None)
        if method is None:
            self.send(replies.UNKNOWN_COMMAND)
            return
        try:
            await method(argument)
        except (Gone, asyncio.CancelledError):
            raise
        except Exception:
            self.policy.log.exception("command failed", verb=verb)
            self.send(replies.LOCAL_ERROR)

    async def smtp_STARTTLS(self, arg: str) -> None:
        refused = self.policy.starttls(offered=self.wiring.tls is not None, active=self.over_tls)
        if arg:
            refused = replies.NO_ARGUMENT
        if refused is not None or self.wiring.tls is None:
            self.send(refused or replies.TLS_UNAVAILABLE)
            return
        self.send(replies.READY_FOR_TLS)
        # Input pipelined behind STARTTLS came in the clear: never to be obeyed (RFC 3207 §4.2).
        self.buffer.clear()
        self._write()
        await self._handshake(self.wiring.tls())

    async def _handshake(self, context: ssl.SSLContext) -> None:
        try:
            transport = await self.loop.start_tls(
                self._transport_now(),
                self,
                context,
                server_side=True,
                ssl_handshake_timeout=self.wiring.timeouts.handshake,
            )
        except (OSError, TimeoutError) as error:  # ssl.SSLError is an OSError
            self.policy.log.info("TLS handshake failed", reason=str(error))
            self.abort_quietly()
            raise Gone from None
        if transport is None:
            raise Gone
        self._replace_writer(asyncio.StreamWriter(transport, self, self._reader, self.loop))  # type: ignore[attr-defined]
        self._reader._transport = transport  # type: ignore[attr-defined]
        self.transport = transport
        self.secured(transport)
        self.policy.forget_peer()
