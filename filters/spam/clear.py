"""Learns from what rules alone are sure of, where `spam.learn_clear` asks for it.

Guarded: it speaks for itself as one more account (storage/spam_values.py RULES), whose words count
site-wide once a user has taught them too, which teaches hardly more than users do, moves the site
little, and is taken back when a user says otherwise. Never in the way of a message.
"""

import asyncio
from array import array
from typing import Final

from config.logging import Logger
from filters.context import Message
from filters.spam.learned import Learned
from filters.spam.result import BAYES, SpamResult
from net.threads import Busy, Offload
from storage.errors import StoreError
from storage.spam_changes import key_of
from storage.spam_values import NOTHING, RULES, Label, Lesson

SPAM_FROM: Final = 12.0
HAM_TO: Final = -1.0
WAITING: Final = 50
_OPINIONS: Final = frozenset(BAYES)
_PROVED: Final = frozenset({"R_DKIM_ALLOW", "DMARC_POLICY_ALLOW"})


class ClearVerdicts:
    """One for the process. What comes while WAITING messages wait is not learned."""

    def __init__(self, learned: Learned, offload: Offload, log: Logger) -> None:
        self._learned, self._offload, self._log = learned, offload, log
        self._tasks: set[asyncio.Task[None]] = set()

    def note(self, message: Message, features: "array[int]", result: SpamResult) -> None:
        """A message was judged; large ones and those of whom we know are passed over."""
        label = clear(result) if result.stranger else Label.NONE
        data = message.content.data
        if label is Label.NONE or data is None or not features or len(self._tasks) >= WAITING:
            return
        whole = message.content.prefix + data[message.content.start :]
        task = asyncio.create_task(self._learn(whole, features, label))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Ends what is under way."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _learn(self, data: bytes, features: "array[int]", label: Label) -> None:
        try:
            key = await self._offload.process(key_of, data)
            lesson = Lesson(key, NOTHING, label, array("I", sorted(features)))
            await self._learned.teach(RULES, [lesson])
        except (StoreError, Busy, OSError) as error:
            self._log.warning("a clear verdict is not learned", reason=str(error))


def clear(result: SpamResult) -> Label:
    """By rules alone: what the classifier itself thinks does not count, or it would believe
    itself. Ham must prove who wrote it.
    """
    score = sum(one.weight for one in result.scored if one.name not in _OPINIONS)
    if score >= SPAM_FROM:
        return Label.SPAM
    proved = any(one.name in _PROVED for one in result.scored)
    return Label.HAM if proved and score <= HAM_TO else Label.NONE
