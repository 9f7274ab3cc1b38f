"""How much an account may send within an hour and a day: messages and recipients, each counted.

Kept in memory: a restart forgets it. Time goes in steps, and what was sent counts until its step
is a whole span old, so that never more passes than a limit says. At most ACCOUNTS are remembered,
those that sent last.
"""

import math
from collections import OrderedDict, deque
from dataclasses import dataclass

from config.clock import Clock
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


class SendLimits:
    """The counts of all accounts."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sent: OrderedDict[AccountId, _Sent] = OrderedDict()

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
        sent = self._sent.setdefault(account, _Sent())
        self._sent.move_to_end(account)
        now = self._clock.monotonic()
        for name, window in sent.windows.items():
            window.add(now, 1 if name.startswith("messages") else recipients)
        if len(self._sent) > ACCOUNTS:
            self._sent.popitem(last=False)
