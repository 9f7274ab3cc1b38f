"""How strangers are made to wait, before the greeting and after errors, and who guesses addresses.

Whoever speaks before its turn is a program that reads no replies. Waiting costs one connection,
which its address's limit counts, and holds neither message data nor anything of the store.
"""

from collections import OrderedDict

from config.clock import Clock
from config.settings import Settings
from net.limits import Gcra, address_key

FREE_STRIKES = 3
FIRST_WAIT = 0.25
# All waits of one connection together, as a multiple of the longest.
TOTAL = 5.0
KNOWN_SECONDS = 7 * 86_400.0
KNOWN_PEERS = 50_000
HOUR = 3600.0


class Tarpit:
    """The waits of one connection; `longest` seconds each, 0 for none."""

    __slots__ = ("_longest", "_strikes", "_waited")

    def __init__(self, longest: float) -> None:
        self._longest, self._strikes, self._waited = longest, 0, 0.0

    def wait(self, strikes: int) -> float:
        """Seconds to wait when so many errors and refusals have come; 0 when none is new."""
        if strikes <= self._strikes:
            return 0.0
        self._strikes = strikes
        beyond = strikes - FREE_STRIKES
        if beyond <= 0:
            return 0.0
        wanted = min(self._longest, FIRST_WAIT * 2.0 ** min(beyond - 1, 10))
        wanted = max(0.0, min(wanted, TOTAL * self._longest - self._waited))
        self._waited += wanted
        return wanted


class KnownPeers:
    """Addresses whose mail was taken in the last week; bounded, forgotten at a restart."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen: OrderedDict[str, float] = OrderedDict()

    def add(self, address: str) -> None:
        """Mail from the address was taken."""
        key = address_key(address)
        self._seen[key] = self._clock.monotonic()
        self._seen.move_to_end(key)
        if len(self._seen) > KNOWN_PEERS:
            self._seen.popitem(last=False)

    def __contains__(self, address: str) -> bool:
        seen = self._seen.get(address_key(address))
        return seen is not None and self._clock.monotonic() - seen < KNOWN_SECONDS


class Manners:
    """What the server remembers of strangers: known peers, and who guesses addresses."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.known = KnownPeers(clock)
        self._guesses = Gcra(0, clock, seconds=HOUR)
        self.reload(settings)

    def reload(self, settings: Settings) -> None:
        """Takes limits of a changed configuration; what was counted stays counted."""
        rate = settings.limits.unknown_recipients_per_hour_per_address
        self._guesses.change(rate, HOUR)

    def guessed(self, address: str) -> None:
        """A recipient that nobody has was named."""
        self._guesses.take(address_key(address))

    def guesses_too_much(self, address: str) -> bool:
        """Whether the address has named too many of them in the last hour."""
        return self._guesses.wait(address_key(address)) > 0
