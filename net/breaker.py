"""A circuit breaker: who fails again and again is left alone for a while, then tried once.

Invariants: pure arithmetic on a clock; in the half-open state one attempt is under way at a time.
"""

from enum import Enum
from typing import Final

from config.clock import Clock

FAILURES: Final = 3
FIRST: Final = 1.0
LONGEST: Final = 15.0


class State(Enum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class Breaker:
    """Opens at FAILURES in a row, for FIRST seconds, each time twice as long up to LONGEST."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures = 0
        self._pause = FIRST
        self._until: float | None = None
        self._trying = False

    @property
    def state(self) -> State:
        if self._until is None:
            return State.CLOSED
        return State.OPEN if self.wait() else State.HALF_OPEN

    def wait(self) -> float:
        """Seconds until an attempt may be made again; 0 unless open."""
        return 0.0 if self._until is None else max(0.0, self._until - self._clock.monotonic())

    def take(self) -> bool:
        """Whether an attempt may be made; `right` or `wrong` is called once at its end."""
        state = self.state
        if state is State.CLOSED:
            return True
        if state is State.OPEN or self._trying:
            return False
        self._trying = True
        return True

    def right(self) -> None:
        """An attempt went well."""
        self._failures, self._pause, self._until, self._trying = 0, FIRST, None, False

    def wrong(self) -> None:
        """It did not."""
        self._failures += 1
        half_open, self._trying = self._trying, False
        if half_open or (self._until is None and self._failures >= FAILURES):
            self._until = self._clock.monotonic() + self._pause
            self._pause = min(LONGEST, self._pause * 2)

    def void(self) -> None:
        """It was broken off, and says nothing."""
        self._trying = False
