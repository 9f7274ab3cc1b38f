"""DNS look-ups within one allowance of time, for whatever is found out about one message.

Time counts only while an answer is awaited, and once for look-ups side by side. When it is used up,
every further question is a failure that may pass, unless the answer is known already.
"""

import asyncio

from net.dns import Questions, Resolver
from net.dns_finder import Convert, Key, Known

SECONDS = 5.0


class Lookups(Questions):
    """A Resolver's questions within `seconds` in all; `asked` counts those that were not known."""

    def __init__(self, resolver: Resolver, *, seconds: float = SECONDS) -> None:
        self._finder = resolver.finder
        self._left = seconds
        self._waiting = 0
        self._since = 0.0
        self.asked = 0

    async def _find(self, key: Key, convert: Convert) -> Known:
        return self._finder.remembered(key) or await self._in_time(key, convert)

    async def _in_time(self, key: Key, convert: Convert) -> Known:
        clock = asyncio.get_running_loop().time
        if not self._waiting:
            self._since = clock()
        self._waiting += 1
        self.asked += 1
        try:
            async with asyncio.timeout_at(self._since + self._left):
                return await self._finder.find(key, convert)
        except TimeoutError:
            return Known(failure="no answer in the time for one message")
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._left = max(self._left - (clock() - self._since), 0.0)
