"""The audit log of every login, failure, change of a secret and revocation, in any protocol.

Invariants: no secret and no name that is nobody's gets here (a password is typed as a user name
often enough); equal logins of an hour are one entry with a count, so are equal failures and equal
commands of an agent of a minute; a flood of failures is counted by address, and above that
altogether.
"""

from dataclasses import replace
from typing import Final

from cachetools import TTLCache

from auth.caller import Caller
from config.clock import Clock
from net.limits import Gcra, address_key
from storage.audit_values import NOBODY, Entry, Kind
from storage.directory import Directory
from storage.directory_values import AccountChange, ChangeKind
from storage.values import AccountId

HOUR: Final = 3600.0
MINUTE: Final = 60.0
BY_ADDRESS: Final = 10
"""Entries of failures a minute and address; further ones name no account."""
IN_ALL: Final = 300
"""Entries of failures a minute; further ones name no address either."""
CLIENTS: Final = 20
"""Names of clients an hour and account that logins are counted by; those of further ones are not
written, so that a client with a new name each time does not fill the log.
"""
OTHERS: Final = "(one of many)"
ACCOUNTS: Final = 50_000
FLOOD: Final = "flood of failures"

_CHANGES: Final = {
    ChangeKind.CREATED: Kind.CREATED,
    ChangeKind.PASSWORD: Kind.PASSWORD,
    ChangeKind.DISABLED: Kind.DISABLED,
    ChangeKind.ENABLED: Kind.ENABLED,
    ChangeKind.DELETED: Kind.DELETED,
}


class Audit:
    """Writes into the directory's log, and follows the changes of its accounts by itself."""

    def __init__(self, directory: Directory, clock: Clock) -> None:
        self._log, self._clock = directory.audit, clock
        self._by_address = Gcra(BY_ADDRESS, clock)
        self._in_all = Gcra(IN_ALL, clock)
        self._clients: TTLCache[AccountId, set[str]] = TTLCache(ACCOUNTS, HOUR, clock.monotonic)
        self._number = 0
        self._unsubscribe = directory.on_change(self._changed)

    @property
    def clock(self) -> Clock:
        """That of its entries."""
        return self._clock

    def close(self) -> None:
        self._unsubscribe()

    def record(
        self,
        kind: Kind,
        account: AccountId | None,
        name: str = "",
        *,
        address: str = "",
        protocol: str = "",
        client: str = "",
        credential: str = "",
        detail: str = "",
    ) -> None:
        """`account` with its address `name`, or None and "" where the user name is none of ours;
        `address` the peer's IP address, `client` how the client called itself, `credential` the id
        of an app password, token or session, `detail` a few words. In SQL within a second.
        """
        owner = NOBODY if account is None else account
        entry = Entry(kind, owner, name, address, protocol, client, credential, detail)
        match kind:
            case Kind.LOGIN | Kind.CLIENT:
                self._log.add(self._named(entry), self._clock.now() // HOUR)
            case Kind.ACTED | Kind.SENT_FOR:
                self._log.add(entry, self._clock.now() // MINUTE)
            case Kind.FAILED:
                self._log.add(self._within(entry), self._clock.now() // MINUTE)
            case _:
                self._number += 1
                self._log.add(entry, (self._clock.now(), self._number))

    def client_named(self, account: AccountId, name: str, caller: Caller) -> None:
        """Who is logged in says only now what `caller.client` is."""
        self.record(
            Kind.CLIENT,
            account,
            name,
            address=caller.peer,
            protocol=caller.protocol.value,
            client=caller.client,
        )

    def _named(self, entry: Entry) -> Entry:
        """With a name like any other where an account's clients have too many."""
        names = self._clients.setdefault(entry.account, set())
        if len(names) >= CLIENTS and entry.client not in names:
            return replace(entry, client=OTHERS)
        names.add(entry.client)
        return entry

    def _within(self, entry: Entry) -> Entry:
        """What is recorded of a failure: less when there are many."""
        key = address_key(entry.address)
        if self._in_all.wait("") or self._by_address.wait(key):
            address = "" if self._in_all.wait("") else key
            return Entry(Kind.FAILED, address=address, detail=FLOOD)
        self._in_all.take("")
        self._by_address.take(key)
        return entry

    def _changed(self, change: AccountChange) -> None:
        kind = _CHANGES.get(change.kind)
        if kind is not None and not change.elsewhere:
            self.record(kind, change.account, change.address)
