"""DNS look-ups within one allowance of time, for whatever is found out about one message.

Time counts only while an answer is awaited, and once for look-ups side by side. When it is used up,
every further question is a failure that may pass, unless the answer is known already.
"""

import asyncio

from net.dns import Questions
from net.dns_finder import Key, Known

SECONDS = 5.0


class Lookups(Questions):
    """A Resolver's questions within `seconds` in all; `asked` counts those that were not known.

    Made of Lookups, it is a share of theirs: names that a stranger chose can't use up all the time.
    """

    def __init__(self, source: Questions, *, seconds: float = SECONDS) -> None:
        self._source = source
        self._left = seconds
        self._waiting = 0
        self._since = 0.0
        self.asked = 0

    def remembered(self, key: Key) -> Known | None:
        return self._source.remembered(key)

    async def find(self, key: Key) -> Known:
        clock = asyncio.get_running_loop().time
        if not self._waiting:
            self._since = clock()
        self._waiting += 1
        self.asked += 1
        try:
            async with asyncio.timeout_at(self._since + self._left):
                return await self._source.find(key)
        except TimeoutError:
            return Known(failure="no answer in the time for one message")
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._left = max(self._left - (clock() - self._since), 0.0)
