"""DATA (RFC 5321 §4.1.1.4) and BDAT (RFC 3030): message bytes from the connection's buffer.

Invariants: after any fault the message is read to its end, so that the connection stays in step;
the answer is sent after the delivery; what is not delivered leaves no file.
"""

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

    async def smtp_DATA(self, arg: str | None) -> None:
        refused = self.policy.ready_for_data(chunked=self._chunks is not None)
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
        intake, refused = self._chunks, None
        if intake is None:
            refused = self.policy.ready_for_data(chunked=False)
            intake = self._make_intake()
        if refused is not None:
            intake.fault = refused
        elif bdat.size > self.wiring.limits.size:
            intake.fault = intake.fault or replies.TOO_BIG
        self._chunks = intake if refused is None else None
        await self._collect_chunk(intake, bdat.size)
        self.stop_clock()
        if refused is not None:
            self.send(refused)
        elif bdat.last:
            self._chunks = None
            await self._finish(intake)
        elif intake.fault is not None:
            self.send(intake.fault)
        else:
            self.send(replies.OK)

    async def drop_chunks(self) -> None:
        """Forgets a message begun with BDAT: RSET, EHLO, QUIT, the end of the connection."""
        intake, self._chunks = self._chunks, None
        if intake is not None:
            await intake.discard()

    async def wind_up(self) -> None:
        await self.drop_chunks()

    def _make_intake(self) -> Intake:
        return Intake(self.wiring.limits, self.policy.context.size)

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
        """Reads exactly `size` octets."""
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
                await intake.add(data, stuffed=False, line_start=False)
                if intake.fault is not None and size > PATIENCE * self.wiring.limits.size:
                    self.send(intake.fault)
                    self.close_after_reply()
                    raise Gone
                continue
            self._allow_block(latest)
            await self.more()

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
