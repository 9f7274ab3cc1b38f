"""Quotas at RCPT: use, plus what transactions under way have announced, against the limits.

At the commit a quota refuses nobody any more, so this is the one place that decides.
"""

from collections import defaultdict
from collections.abc import Sequence

from storage.directory_values import Target
from storage.errors import NoSuchAccount
from storage.store import Store
from storage.values import AccountId


class Quotas:
    """Shared by all sessions of a server."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._bytes: defaultdict[AccountId, int] = defaultdict(int)
        self._messages: defaultdict[AccountId, int] = defaultdict(int)

    async def admit(self, targets: Sequence[Target], size: int) -> "Reservation | None":
        """Room for one message in the targets' accounts; None when all of them are full.

        A group is refused only when no member has room: one full mailbox does not silence a list.
        """
        limited: list[AccountId] = []
        full = 0
        for target in targets:
            try:
                usage = await self._store.usage(target.account)
            except NoSuchAccount:
                continue
            if not usage.limit_bytes and not usage.limit_messages:
                continue
            limited.append(target.account)
            octets = usage.bytes + self._bytes[target.account] + max(size, 1)
            messages = usage.messages + self._messages[target.account] + 1
            full += bool(
                (usage.limit_bytes and octets > usage.limit_bytes)
                or (usage.limit_messages and messages > usage.limit_messages)
            )
        if targets and full == len(targets):
            return None
        return Reservation(self, limited, size) if limited else NOTHING

    def hold(self, accounts: Sequence[AccountId], size: int, sign: int) -> None:
        """Adds or takes away what one transaction has announced."""
        for account in accounts:
            self._bytes[account] += sign * size
            self._messages[account] += sign
            if not self._messages[account]:
                del self._bytes[account], self._messages[account]


class Reservation:
    """What one recipient of a transaction holds; give it back when the transaction ends."""

    def __init__(self, quotas: Quotas | None, accounts: Sequence[AccountId], size: int) -> None:
        self._quotas, self._accounts, self._size = quotas, accounts, size
        if quotas is not None:
            quotas.hold(accounts, size, 1)

    def give_back(self) -> None:
        """Safe to call twice."""
        quotas, self._quotas = self._quotas, None
        if quotas is not None:
            quotas.hold(self._accounts, self._size, -1)


NOTHING = Reservation(None, (), 0)
