"""Who got in, and from where: what counts as known afterwards, and who is told of a new device.

A device is known by the network around its address (IPv4 /24, IPv6 /48), for 90 days. An account's
first login, and those from filters.local_networks, are nothing new.
"""

from collections.abc import Callable
from dataclasses import dataclass

from config.settings import Settings
from storage.known_logins import KnownLogins
from storage.preferences import Key
from storage.values import AccountId


@dataclass(frozen=True, slots=True)
class Arrival:
    """A login from where the account had none; `address` is the peer's, `client` how it called
    itself.
    """

    account: AccountId
    name: str
    address: str
    protocol: str
    client: str


class Arrivals:
    """`on_new` hears of logins from a new device."""

    def __init__(self, known: KnownLogins) -> None:
        self._known = known
        self.on_new: Callable[[Arrival], None] = lambda arrival: None

    def note(self, arrival: Arrival, *, local: bool) -> None:
        """A login that succeeded."""
        account, address = arrival.account, arrival.address
        fresh = self._known.has_any(account) and not self._known.has_network(account, address)
        self._known.note(account, address)
        if fresh and not local:
            self.on_new(arrival)


def notify_new_device(settings: Settings) -> Key[bool]:
    """The account's preference; auth.notify_new_device where it has none."""
    return Key("notify_new_device", default=settings.auth.notify_new_device)
