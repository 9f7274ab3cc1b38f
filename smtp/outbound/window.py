"""How many sessions a site gets: small at first, more with success, half on failure. Pure.

A site that nobody has reached yet gets one session, then START; each success adds one until the
first failure, afterwards a whole round of successes adds one, as TCP does. Failures
of what was under way together count once.
"""

START = 4


class Window:
    """Of one site, up to `most` sessions. Times are monotonic seconds."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._size = 1.0
        self._calm_above = float(most)
        self._shrunk_at = float("-inf")
        self.proven = False

    @property
    def slots(self) -> int:
        """Sessions that may be open at once."""
        return min(int(self._size), self.most)

    def success(self) -> None:
        """A session took a message, or refused it in good order."""
        if not self.proven:
            self.proven = True
            self._size = max(self._size, float(START))
        elif self._size < self._calm_above:
            self._size += 1
        else:
            self._size += 1 / self._size
        self._size = min(self._size, float(self.most))

    def failure(self, began: float, now: float) -> None:
        """An attempt that began then was turned away or broken off."""
        if began <= self._shrunk_at:
            return
        self._size = self._calm_above = max(1.0, self._size / 2)
        self._shrunk_at = now

    def restart(self) -> None:
        """The site could not be reached: begins anew with one session."""
        self._size, self.proven = 1.0, False
