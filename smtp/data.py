"""DATA (RFC 5321 §4.1.1.4) and BDAT (RFC 3030): message bytes from the connection's buffer.

Invariants: after any fault the message is read to its end, so that the connection stays in step;
the answer is sent after the delivery; what is not delivered leaves no file.
"""

import ssl

from filters.context import Message
from smtp.conversation import Conversation
from smtp.engine import Gone
from smtp.grammar import replies
from smtp.grammar.bdat import parse_bdat
from smtp.grammar.reply import Reply
from smtp.grammar.stuffing import cut_of, find_end
from smtp.intake import Intake

PIECE = 128 * 1024
# How much of a refused message is read to stay in step, as a multiple of the size limit.
PATIENCE = 4


class DataVerbs(Conversation):
    """The verbs that carry content."""

    _chunks: Intake | None = None
    _skipped = 0

    async def smtp_DATA(self, arg: str | None) -> None:
        refused = self.policy.ready_for_data(chunked=self.chunks_begun)
        if arg or refused is not None:
            self.send(refused or replies.NO_ARGUMENT)
            return
        self.send(replies.START_DATA)
        await self._take(self._make_intake())

    async def _take(self, intake: Intake) -> None:
        try:
            await self._collect(intake)
        except BaseException:
            await intake.discard()
            raise
        self.stop_clock()
        await self._finish(intake)

    async def smtp_BDAT(self, arg: str) -> None:
        bdat = parse_bdat(arg)
        if bdat is None:
            # how much follows is unknown: nothing that comes could be trusted
            self.send(replies.BAD_BDAT)
            self.close_after_reply()
            raise Gone
        refused = None if self.chunks_begun else self.policy.ready_for_data(bdat=True)
        if refused is not None:
            await self._skip_chunk(bdat.size, refused)
            return
        intake = self._chunks = self._chunks or self._make_intake()
        if intake.received + bdat.size > self.wiring.limits.size and intake.fault is None:
            intake.fault = replies.TOO_BIG
        await self._collect_chunk(intake, bdat.size)
        if bdat.last:
            self._chunks = None
            await self._finish(intake)
        else:
            self.send(intake.fault or replies.chunk_taken(bdat.size))

    @property
    def chunks_begun(self) -> bool:
        """True between the first BDAT of a message and its last."""
        return self._chunks is not None

    async def _handshake(self, context: ssl.SSLContext) -> None:
        """What came in the clear begins no message under TLS (RFC 3207 §4.2)."""
        await self.drop_chunks()
        await super()._handshake(context)

    async def _skip_chunk(self, size: int, refused: Reply) -> None:
        """Reads a chunk that nobody wants, so that the next command is found."""
        self._skipped += size
        if self._skipped > PATIENCE * self.wiring.limits.size:
            self.send(replies.TOO_MUCH_REFUSED)
            self.close_after_reply()
            raise Gone
        await self._read_chunk(size, None)
        self.send(refused)

    async def drop_chunks(self) -> None:
        """Forgets a message begun with BDAT: RSET, EHLO, QUIT, the end of the connection."""
        intake, self._chunks = self._chunks, None
        if intake is not None:
            await intake.discard()

    async def wind_up(self) -> None:
        await self.drop_chunks()

    def _make_intake(self) -> Intake:
        context = self.policy.context
        return Intake(self.wiring.limits, context.size, binary=context.binary)

    async def _collect(self, intake: Intake) -> None:
        """Reads up to and with the dot that ends the data."""
        buffer, line_start, searched = self.buffer, True, 0
        timeouts = self.wiring.timeouts
        latest = self.loop.time() + timeouts.data
        while True:
            end = find_end(buffer, searched, line_start)
            if end >= 0:
                data = bytes(buffer[:end])
                del buffer[: end + 3]
                self.taken()
                await intake.add(data, stuffed=True, line_start=line_start)
                return
            searched = max(0, len(buffer) - 4)
            if len(buffer) >= PIECE:
                cut, next_start = cut_of(buffer)
                data = bytes(buffer[:cut])
                del buffer[:cut]
                self.taken()
                await self._add(intake, data, line_start)
                line_start, searched = next_start, 0
                continue
            self._allow_block(latest)
            await self.more()

    async def _add(self, intake: Intake, data: bytes, line_start: bool) -> None:
        self.stop_clock()
        await intake.add(data, stuffed=True, line_start=line_start)
        if intake.received > PATIENCE * self.wiring.limits.size + PIECE * 64:
            self.send(intake.fault or replies.TOO_BIG)
            self.close_after_reply()
            raise Gone

    async def _collect_chunk(self, intake: Intake, size: int) -> None:
        """Reads exactly `size` octets; ends the connection of who goes on far beyond the limit."""
        if intake.received + size > PATIENCE * self.wiring.limits.size:
            self.send(intake.fault or replies.TOO_BIG)
            self.close_after_reply()
            raise Gone
        await self._read_chunk(size, intake)

    async def _read_chunk(self, size: int, intake: Intake | None) -> None:
        buffer = self.buffer
        latest = self.loop.time() + self.wiring.timeouts.data
        while size:
            take = min(size, len(buffer), PIECE)
            if take:
                data = bytes(buffer[:take])
                del buffer[:take]
                self.taken()
                size -= take
                self.stop_clock()
                if intake is not None:
                    await intake.add(data, stuffed=False, line_start=False)
                continue
            self._allow_block(latest)
            await self.more()
        self.stop_clock()

    def _allow_block(self, latest: float) -> None:
        timeouts = self.wiring.timeouts
        left = latest - self.loop.time()
        if left < timeouts.block:
            self.allow(max(left, 0.0), "message data not complete")
        else:
            self.allow(timeouts.block, "no message data")

    async def _finish(self, intake: Intake) -> None:
        """Delivers the message and sends the answers."""
        delivered = False
        try:
            message = await intake.finish()
            answers = await self._answers(intake, message)
            delivered = any(answer.ok for answer in answers)
            self._skipped = 0 if delivered else self._skipped
            for answer in answers:
                self.send(answer)
        finally:
            if delivered:
                intake.release()
            else:
                await intake.discard()

    async def _answers(self, intake: Intake, message: Message | None) -> list[Reply]:
        if message is None:
            return self.policy.refuse_content(intake.fault or replies.LOCAL_ERROR)
        return await self.policy.accept(message)
