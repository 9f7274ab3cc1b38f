"""How many reports of failure, delay and success one address gets in an hour: strangers few, so
that nobody uses us to flood them, our own users many.

What is withheld is told in the log: at the first, and in one line with the number of all when the
address may get one again, or after an hour.
"""

import asyncio
from collections.abc import Hashable
from dataclasses import dataclass

from config.clock import Clock
from config.logging import Logger
from config.settings import Settings
from net.limits import Gcra
from storage.directory_values import Resolution

HOUR = 3600.0


@dataclass(slots=True)
class _Withheld:
    recipient: str
    count: int
    timer: asyncio.TimerHandle


class NoticeLimits:
    """Counts in memory: a restart begins anew."""

    def __init__(self, settings: Settings, clock: Clock, log: Logger) -> None:
        self._log = log
        self._outside = Gcra(settings.forwarding.reports_per_hour, clock, seconds=HOUR)
        self._own = Gcra(settings.submission.reports_per_hour, clock, seconds=HOUR)
        self._withheld: dict[Hashable, _Withheld] = {}

    def reload(self, settings: Settings) -> None:
        """Takes the limits of a changed configuration."""
        self._outside.change(settings.forwarding.reports_per_hour, HOUR)
        self._own.change(settings.submission.reports_per_hour, HOUR)

    def may_tell(self, recipient: str, resolution: Resolution) -> bool:
        """Counts a report to `recipient`, which leads where `resolution` says; False when it had
        enough of them.
        """
        key: Hashable
        if resolution.local:
            limit, key = self._own, min(target.account for target in resolution.local)
        else:
            address = resolution.remote[0] if resolution.remote else recipient
            limit, key = self._outside, address.casefold()
        if limit.take(key):
            self._sum_up(key)
            return True
        self._withhold(key, recipient)
        return False

    def close(self) -> None:
        """Tells what was not told yet."""
        for key in tuple(self._withheld):
            self._sum_up(key)

    def _withhold(self, key: Hashable, recipient: str) -> None:
        if (held := self._withheld.get(key)) is not None:
            held.count += 1
            return
        timer = asyncio.get_running_loop().call_later(HOUR, self._sum_up, key)
        self._withheld[key] = _Withheld(recipient, 1, timer)
        self._log.warning("notice not sent, too many", recipient=recipient)

    def _sum_up(self, key: Hashable) -> None:
        held = self._withheld.pop(key, None)
        if held is not None:
            held.timer.cancel()
            self._log.warning("notices withheld", recipient=held.recipient, count=held.count)
