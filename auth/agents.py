"""How many commands a minute a credential with a rate has, over all of its connections; what agents
do is in the audit log, equal commands of a minute as one entry.
"""

from auth.audit import Audit
from auth.grant import Grant
from config.clock import Clock
from net.limits import Gcra
from storage.audit_values import Kind
from storage.credential_values import CredentialKind, Protocol
from storage.values import AccountId


class Agents:
    """One for all protocols."""

    def __init__(self, audit: Audit, clock: Clock) -> None:
        self._audit = audit
        self._minutes = Gcra(1, clock)

    def take(
        self,
        grant: Grant,
        account: AccountId,
        name: str,
        *,
        what: str,
        address: str,
        protocol: Protocol,
    ) -> bool:
        """Counts a command, `what`, of the account with the address `name`; False when it comes too
        early.
        """
        if grant.rate and not self._minutes.take(grant.credential, 1 / grant.rate):
            return False
        if grant.kind is CredentialKind.AGENT:
            self._audit.record(
                Kind.ACTED,
                account,
                name,
                address=address,
                protocol=protocol.value,
                credential=str(grant.credential),
                detail=what,
            )
        return True
