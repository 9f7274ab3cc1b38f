"""Which pool of addresses mail leaves by: the rules of `[[outbound.route]]`, asked of a lane.

A lane and a domain say all that a rule may ask for but the address of an account, which is looked
up once and kept.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence

from cachetools import LRUCache

from config.sections_sending import PoolRoute
from storage.queue_scan import DueLane
from storage.queue_values import lane_parts
from storage.values import AccountId

REMEMBERED = 50_000
AddressOf = Callable[[AccountId], Awaitable[str]]
"""The address of an account, "" when there is none."""


async def nobody(_account: AccountId) -> str:
    """Where no account is known."""
    return ""


class Routing:
    """Of one configuration."""

    def __init__(self, rules: Sequence[PoolRoute] = (), address_of: AddressOf = nobody) -> None:
        self.rules, self._address_of = tuple(rules), address_of
        self._by_account = any(rule.account for rule in rules)
        self._addresses: LRUCache[AccountId, str] = LRUCache(REMEMBERED)
        self.by_recipient = any(rule.recipient_domain for rule in rules)
        """Recipients of one message may go by different pools."""

    def knows(self, due: DueLane) -> bool:
        """Whether `pool_of` may be asked; else it has to `learn` first."""
        if not self._by_account:
            return True
        account = lane_parts(due.lane)[1]
        return account is None or account in self._addresses

    async def learn(self, lanes: Iterable[DueLane]) -> None:
        """Looks up what `pool_of` needs."""
        if not self._by_account:
            return
        for due in lanes:
            account = lane_parts(due.lane)[1]
            if account is not None and account not in self._addresses:
                self._addresses[account] = await self._address_of(account)

    def pool_of(self, due: DueLane) -> str:
        """The pool's name, "" for none: the first rule of which all holds."""
        if not self.rules:
            return ""
        sender, account, priority = lane_parts(due.lane)
        if account is None:
            address, sender = "", sender or "<>"
        else:
            address = self._addresses.get(account, "").casefold()
        for rule in self.rules:
            lowest, highest = rule.priority
            if (
                lowest <= priority <= highest
                and _holds(rule.account, address, _is_account)
                and _holds(rule.sender_domain, sender, _is_domain)
                and _holds(rule.recipient_domain, due.domain, _is_domain)
            ):
                return rule.pool
        return ""


def _holds(wanted: Sequence[str], value: str, fits: Callable[[str, str], bool]) -> bool:
    return not wanted or any(fits(one, value) for one in wanted)


def _is_account(wanted: str, address: str) -> bool:
    if wanted.startswith("@"):
        return address.endswith(wanted.casefold())
    return address == wanted.casefold()


def _is_domain(wanted: str, domain: str) -> bool:
    return domain.endswith(wanted[1:]) if wanted.startswith("*.") else domain == wanted
