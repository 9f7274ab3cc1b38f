"""Events inside the process: a dictionary of callbacks, called in the loop in commit order.

A lost event is harmless by design (modseq is compared), so a callback that raises is logged and the
others still run. Nothing here waits.
"""

import logging
from collections.abc import Callable

from storage.values import AccountId, Event, QueueChanged

Callback = Callable[[Event], None]
_log = logging.getLogger(__name__)


class Bus:
    """Subscriptions by account. Used from the loop's thread only."""

    def __init__(self) -> None:
        self._by_account: dict[AccountId | None, dict[int, Callback]] = {}
        self._last = 0

    def subscribe(self, account: AccountId | None, callback: Callback) -> Callable[[], None]:
        """Calls back for each event of `account` (None: every event). Returns the unsubscribe."""
        self._last += 1
        key = self._last
        self._by_account.setdefault(account, {})[key] = callback

        def unsubscribe() -> None:
            listeners = self._by_account.get(account)
            if listeners is None or key not in listeners:
                return
            del listeners[key]
            if not listeners:
                del self._by_account[account]

        return unsubscribe

    def publish(self, event: Event) -> None:
        """Calls the account's listeners, then those of every event."""
        if not isinstance(event, QueueChanged):
            self._call(event, self._by_account.get(event.account))
        self._call(event, self._by_account.get(None))

    def _call(self, event: Event, listeners: dict[int, Callback] | None) -> None:
        for callback in tuple(listeners.values()) if listeners else ():
            try:
                callback(event)
            except Exception:
                _log.exception("event listener failed")
