"""What the logs, the audit log and the known devices hear of a login's outcome."""

from typing import Final

from auth.arrivals import Arrival, Arrivals
from auth.audit import Audit
from auth.caller import Caller
from auth.login_values import Login, Refused
from auth.networks import in_networks
from auth.throttle import Throttle
from config.clock import Clock
from config.logging import get_logger
from net.limits import Gcra, address_key
from storage.audit_values import Kind
from storage.directory_values import Account

LOGGED: Final = 30
"""Refused logins a minute and address that the log has a line for; the audit log counts all."""


class Outcomes:
    """Belongs to the authenticator."""

    def __init__(self, audit: Audit, arrivals: Arrivals, throttle: Throttle, clock: Clock) -> None:
        self._audit, self._arrivals, self._throttle = audit, arrivals, throttle
        self._log, self._logged = get_logger("auth"), Gcra(LOGGED, clock)

    def told(
        self, account: Account | None, outcome: Login | Refused, caller: Caller
    ) -> Login | Refused:
        """The outcome, when they know of it; `account` is whom it was about, if anybody."""
        peer, detail = caller.peer, ""
        if isinstance(outcome, Login):
            arrival = Arrival(
                outcome.account, outcome.address, peer, caller.protocol.value, caller.client
            )
            self._arrivals.note(arrival, local=in_networks(peer, self._throttle.unlimited))
        else:
            detail = outcome.cause.value
            if self._logged.take(address_key(peer)):
                self._log.info(
                    "login refused",
                    connection=caller.connection,
                    account=account.address if account else "(unknown)",
                    peer=peer,
                    protocol=caller.protocol.value,
                    cause=detail,
                )
        self._audit.record(
            Kind.FAILED if detail else Kind.LOGIN,
            account.id if account else None,
            account.address if account else "",
            address=peer,
            protocol=caller.protocol.value,
            client=caller.client,
            credential=_credential_of(outcome),
            detail=detail,
        )
        return outcome


def _credential_of(outcome: Login | Refused) -> str:
    number = outcome.grant.credential if isinstance(outcome, Login) else None
    return "" if number is None or number < 0 else str(number)
