"""When a recipient is tried again. Pure: time and chance come from outside.

One, five and fifteen minutes, one, two and then every four hours, each shifted by up to a fifth, so
that what failed together does not come again together. The last attempt is at the end of life.
"""

DELAYS = (60.0, 300.0, 900.0, 3600.0, 7200.0, 14400.0)
JITTER = 0.2


def next_attempt(attempts: int, now: float, expires: float, chance: float) -> float | None:
    """Unix seconds of the next attempt after `attempts` (1 or more); None when life is over.

    `chance` is a random number from 0 up to 1.
    """
    if now >= expires:
        return None
    delay = DELAYS[min(max(attempts, 1), len(DELAYS)) - 1]
    return min(now + delay * (1 + JITTER * (2 * chance - 1)), expires)
