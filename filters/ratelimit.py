"""Messages and recipients a minute: by peer address and network, or by account after a login.

Peers in filters.local_networks are exempt. The rates are arithmetic of net/limits.py.
"""

from config.clock import Clock
from config.sections_server import Limits
from filters.context import Context, Kind
from filters.filter import Filter
from filters.verdict import ACCEPT, Verdict, defer
from net.limits import AddressRate, Gcra, address_key

_MESSAGES = defer("Too many messages, slow down", symbol="RATELIMIT")
_RECIPIENTS = defer("Too many recipients, slow down", symbol="RATELIMIT_RCPT")


class Rates:
    """What was counted of messages and recipients; it outlives a reload. No limits before the
    first `reload`.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._policies: dict[int, Gcra] = {}
        self._messages = AddressRate(0, 0, clock)
        self._recipients = AddressRate(0, 0, clock)
        self._account_messages = Gcra(0, clock)
        self._account_recipients = Gcra(0, clock)

    def reload(self, limits: Limits) -> None:
        """Takes changed rates; what was counted stays counted."""
        factor = limits.network_factor
        self._messages.change(limits.messages_per_minute_per_address, factor)
        self._recipients.change(limits.recipients_per_minute_per_address, factor)
        self._account_messages.change(limits.messages_per_minute_per_account)
        self._account_recipients.change(limits.recipients_per_minute_per_account)

    def message(self, context: Context) -> bool:
        """Counts a message; False when it comes too early."""
        policy = context.policy
        if policy.messages_per_minute is not None:
            return self._by_policy(policy.rule, policy.messages_per_minute).take(_who(context))
        if context.login is not None:
            return self._account_messages.take(context.login.account)
        return self._messages.take(context.peer.address)

    def _by_policy(self, rule: int, rate: int) -> Gcra:
        """The count of one rule, whose rate may be another after a reload."""
        found = self._policies.get(rule)
        if found is None:
            found = self._policies[rule] = Gcra(rate, self._clock)
        found.change(rate)
        return found

    def recipient(self, context: Context) -> bool:
        """Counts a recipient; False when it comes too early."""
        if context.login is not None:
            return self._account_recipients.take(context.login.account)
        return self._recipients.take(context.peer.address)


class RateLimit(Filter):
    """Refuses MAIL and RCPT with 450 4.7.1 when a peer or an account is too fast."""

    name = "ratelimit"

    def __init__(self, rates: Rates) -> None:
        self._rates = rates

    async def mail(self, context: Context) -> Verdict:
        if _exempt(context) or self._rates.message(context):
            return ACCEPT
        return _MESSAGES

    async def rcpt(self, context: Context) -> Verdict:
        if _exempt(context) or self._rates.recipient(context):
            return ACCEPT
        return _RECIPIENTS


def _who(context: Context) -> object:
    login = context.login
    return login.account if login is not None else address_key(context.peer.address)


def _exempt(context: Context) -> bool:
    """Local peers and LMTP are, unless a policy gives them a rate of their own."""
    if context.policy.messages_per_minute is not None:
        return False
    return context.peer.local or context.kind is Kind.LMTP
