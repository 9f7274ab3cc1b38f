"""How much an account may send within an hour and a day: messages and recipients, each counted.

Time goes in steps, and what was sent counts until its step is a whole span old, so that never more
passes than a limit says. At most ACCOUNTS are in memory, those that sent last; what the others
sent, and what was sent before a restart, is asked of storage/sent_counts.py.
"""

import math
from collections import OrderedDict, deque
from dataclasses import dataclass

from config.clock import Clock
from storage.sent_counts import MINUTE, Sent, SentCounts
from storage.values import AccountId

ACCOUNTS = 100_000
_HOUR, _HOUR_STEP = 3600.0, 60.0
_DAY, _DAY_STEP = 86_400.0, 900.0
_SAID = {
    "messages_per_hour": "messages an hour",
    "messages_per_day": "messages a day",
    "recipients_per_hour": "recipients an hour",
    "recipients_per_day": "recipients a day",
}


@dataclass(frozen=True, slots=True)
class Limits:
    """What an account may; 0 is no limit."""

    messages_per_hour: int = 0
    messages_per_day: int = 0
    recipients_per_hour: int = 0
    recipients_per_day: int = 0


@dataclass(frozen=True, slots=True)
class Reached:
    """A limit that more would go above: `what` such as "500 messages an hour", and the seconds
    until it would not; infinite when it never would.
    """

    what: str
    seconds: float


class Window:
    """A count over the last `span` seconds."""

    __slots__ = ("_span", "_step", "_steps", "_total")

    def __init__(self, span: float, step: float) -> None:
        self._span, self._step = span, step
        self._steps: deque[tuple[float, int]] = deque()
        self._total = 0

    def add(self, now: float, count: int) -> None:
        """Counts."""
        start = now - now % self._step
        if self._steps and self._steps[-1][0] >= start:
            start, before = self._steps.pop()
            self._steps.append((start, before + count))
        else:
            self._steps.append((start, count))
        self._total += count

    def wait(self, now: float, count: int, limit: int) -> float:
        """Seconds until `count` more are within the limit; 0 when they are."""
        self._forget(now)
        over = self._total + count - limit
        if over <= 0:
            return 0.0
        for start, sent in self._steps:
            over -= sent
            if over <= 0:
                return start + self._step + self._span - now
        return math.inf

    def _forget(self, now: float) -> None:
        while self._steps and self._steps[0][0] + self._step + self._span <= now:
            self._total -= self._steps.popleft()[1]


class _Sent:
    """What one account sent."""

    __slots__ = ("windows",)

    def __init__(self) -> None:
        hour, day = (_HOUR, _HOUR_STEP), (_DAY, _DAY_STEP)
        self.windows = {
            "messages_per_hour": Window(*hour),
            "messages_per_day": Window(*day),
            "recipients_per_hour": Window(*hour),
            "recipients_per_day": Window(*day),
        }

    def add(self, now: float, sent: Sent) -> None:
        """Counts; `now` is monotonic."""
        for name, window in self.windows.items():
            window.add(now, sent.messages if name.startswith("messages") else sent.recipients)


class SendLimits:
    """The counts of all accounts. With `kept` those of the time before it was made, too."""

    def __init__(self, clock: Clock, kept: SentCounts | None = None) -> None:
        self._clock, self._kept = clock, kept
        self._sent: OrderedDict[AccountId, _Sent] = OrderedDict()

    async def recall(self, account: AccountId) -> None:
        """To be awaited before `reached`. Raises StoreError."""
        if self._kept is None or account in self._sent:
            return
        sent = _Sent()
        minutes = await self._kept.of(account)
        if account in self._sent:
            return
        now, monotonic = self._clock.now(), self._clock.monotonic()
        for minute in minutes:
            # by the end of its minute, so that it never counts too short
            sent.add(monotonic - max(now - minute.at - MINUTE, 0.0), minute)
        self._put(account, sent)

    def reached(self, account: AccountId, limits: Limits, recipients: int) -> Reached | None:
        """The limit that one message to so many recipients would break, the longest wait first."""
        sent = self._sent.get(account) or _Sent()
        now, worst = self._clock.monotonic(), None
        for name, window in sent.windows.items():
            limit = getattr(limits, name)
            count = 1 if name.startswith("messages") else recipients
            seconds = window.wait(now, count, limit) if limit else 0.0
            if seconds and (worst is None or seconds > worst.seconds):
                worst = Reached(f"{limit} {_SAID[name]}", seconds)
        return worst

    def count(self, account: AccountId, recipients: int) -> None:
        """One message was sent to so many recipients."""
        if self._kept is not None:
            self._kept.add(account, recipients)
        if self._kept is None or account in self._sent:
            sent = self._sent.get(account) or _Sent()
            sent.add(self._clock.monotonic(), Sent(0.0, 1, recipients))
            self._put(account, sent)

    def _put(self, account: AccountId, sent: _Sent) -> None:
        self._sent[account] = sent
        self._sent.move_to_end(account)
        if len(self._sent) > ACCOUNTS:
            self._sent.popitem(last=False)
