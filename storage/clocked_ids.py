"""Ids that grow: max(last, Unix microseconds) + 1, unique in a store, durable by writer_state."""

import threading

from config.clock import Clock


class IdClock:
    """Blob and queue ids; any thread."""

    def __init__(self, clock: Clock, last: int = 0) -> None:
        self._clock = clock
        self.last = last
        self._lock = threading.Lock()

    def next(self) -> int:
        with self._lock:
            self.last = max(self.last, int(self._clock.now() * 1_000_000)) + 1
            return self.last
