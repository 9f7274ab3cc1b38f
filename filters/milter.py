"""The filter `milter`: message filters of others, spoken to as sendmail and Postfix do.

Each SMTP connection has a conversation of its own with each milter of its listener, in the order of
the configuration; a milter sees the message as those before it left it.
"""

from config.clock import Clock
from config.logging import Logger
from config.settings import Settings
from filters.context import Context
from filters.filter import Filter
from filters.milter_talk import MilterService, MilterTalk
from filters.verdict import ACCEPT, Verdict, merge
from net.threads import Offload


class Conversations:
    """The milters of one SMTP connection."""

    def __init__(self, talks: list[MilterTalk]) -> None:
        self.talks = talks

    def reset(self) -> None:
        for talk in self.talks:
            talk.reset()

    def end(self) -> None:
        for talk in self.talks:
            talk.end()


class Milters(Filter):
    """Asks at every stage."""

    name = "milter"

    def __init__(self, settings: Settings, offload: Offload, clock: Clock, log: Logger) -> None:
        most, self._log = settings.limits.message_size, log
        self._services = [
            MilterService(one, settings.hostname, most, offload, clock) for one in settings.milter
        ]

    async def connect(self, context: Context) -> Verdict:
        return await self._each("connect", context)

    async def helo(self, context: Context) -> Verdict:
        return await self._each("helo", context)

    async def mail(self, context: Context) -> Verdict:
        return await self._each("mail", context)

    async def rcpt(self, context: Context) -> Verdict:
        return await self._each("rcpt", context)

    async def data(self, context: Context) -> Verdict:
        message = context.message
        if message is None:
            return ACCEPT
        told: list[Verdict] = []
        for talk in self._talks(context):
            before = talk.problem
            verdict, message = await talk.data(context, message)
            self._complain(talk, before, context)
            told.append(verdict)
            if verdict.refused:
                break
        return merge(told)

    async def _each(self, stage: str, context: Context) -> Verdict:
        told: list[Verdict] = []
        for talk in self._talks(context):
            before = talk.problem
            verdict = await getattr(talk, stage)(context)
            self._complain(talk, before, context)
            told.append(verdict)
            if verdict.refused:
                break
        return merge(told)

    def _talks(self, context: Context) -> list[MilterTalk]:
        kept = context.kept.get(self.name)
        if not isinstance(kept, Conversations):
            kind = context.kind.value
            talks = [MilterTalk(one) for one in self._services if kind in one.chosen.listeners]
            kept = context.kept[self.name] = Conversations(talks)
        return kept.talks

    def _complain(self, talk: MilterTalk, before: str, context: Context) -> None:
        if talk.problem and not before:
            self._log.warning(
                "milter failed",
                milter=talk.service.chosen.name,
                connection=context.connection,
                message=context.trace,
                reason=talk.problem,
            )
