"""The suppression list at work: who on it is refused at once, and who comes onto it by what mail
hosts say.

Invariant: nothing is learnt from mail of the null sender, whose recipients others may have made up.
"""

import re
from collections.abc import Mapping

from config.clock import Clock, rfc3339
from config.logging import Logger
from config.settings import Settings
from smtp.outbound.results import Kind, Outcome, permanent
from storage.failures import Terms
from storage.queue_values import Claim
from storage.suppressions import Origin, Suppression, Suppressions

_EXPLICIT = re.compile(r"55[0-9][ -]5\.1\.(?:1|10)\b")


class Suppressing:
    """For one configuration; without a list nobody is on it."""

    def __init__(
        self, suppressions: Suppressions | None, settings: Settings, clock: Clock, log: Logger
    ) -> None:
        self._list, self._clock, self._log = suppressions, clock, log
        chosen = settings.suppression
        self._terms = Terms(chosen.after, chosen.within, chosen.apart, chosen.keep)
        self._smarthost = bool(settings.outbound.smarthost.get_secret_value())

    def refused(self, claim: Claim) -> dict[int, Outcome]:
        """Outcomes by position of the recipients that are on the list."""
        if self._list is None:
            return {}
        found = {one.position: self._list.covering(one.address) for one in claim.recipients}
        return {at: _outcome(entry) for at, entry in found.items() if entry is not None}

    def touches(self, domain: str) -> bool:
        """Whether mail to a domain has to be looked at one by one."""
        return self._list is not None and self._list.touches(domain)

    async def learn(self, claim: Claim, outcomes: Mapping[int, Outcome]) -> None:
        """After an attempt, whose results wait for this: never raises. What can't be kept is learnt
        the next time.
        """
        if self._list is None or not self._terms.after or not claim.sender:
            return
        tried = [(one.address, outcomes.get(one.position)) for one in claim.recipients]
        failed = [(a, o.line) for a, o in tried if o is not None and self._is_nobody(o)]
        worked = [a for a, o in tried if o is not None and o.kind is Kind.DELIVERED]
        try:
            made = await self._list.learn(failed, worked, self._terms)
        except Exception as error:
            self._log.warning("failures not counted", message=claim.trace, error=repr(error))
            return
        for entry in made:
            until = None if entry.until is None else rfc3339(entry.until)
            self._log.warning(
                "recipient suppressed", recipient=entry.address, reason=entry.reason, until=until
            )

    def _is_nobody(self, outcome: Outcome) -> bool:
        """A plain 550 of a smarthost may mean that it does not relay for us."""
        if not outcome.nobody:
            return False
        return not self._smarthost or _EXPLICIT.match(outcome.text) is not None


def _outcome(entry: Suppression) -> Outcome:
    """RFC 3463 X.1.1 where the peer had said so, X.7.1 where it is our own rule."""
    status = "5.1.1" if entry.origin is Origin.AUTOMATIC else "5.7.1"
    why = f": {entry.reason.rstrip('.')}" if entry.reason else ""
    lift = f"an administrator lifts that with: mailserver queue suppress delete {entry.address}"
    return permanent(status, f"on the suppression list of this server{why}; {lift}")
