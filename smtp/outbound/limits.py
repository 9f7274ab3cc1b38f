"""What a peer announces as its limits (RFC 9422 §4), and transactions that keep to them. Pure."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from storage.queue_values import ClaimedRecipient

_LIMIT = re.compile(r"([A-Z][A-Z0-9-]*)=([1-9][0-9]{0,5})")


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one session: recipients and their domains of a transaction, transactions; 0: none."""

    recipients: int = 0
    domains: int = 0
    messages: int = 0

    def portions(
        self, recipients: Sequence[ClaimedRecipient]
    ) -> Iterator[Sequence[ClaimedRecipient]]:
        """The recipients in their order, in as many transactions as they need."""
        some: list[ClaimedRecipient] = []
        domains: set[str] = set()
        for recipient in recipients:
            full = self.recipients and len(some) >= self.recipients
            foreign = recipient.domain not in domains
            if full or (self.domains and foreign and len(domains) >= self.domains):
                yield some
                some, domains = [], set()
            some.append(recipient)
            domains.add(recipient.domain)
        if some:
            yield some


def parse_limits(announced: str) -> Limits:
    """What stands behind LIMITS; unknown and broken words are passed over."""
    words = [_LIMIT.fullmatch(word.upper()) for word in announced.split()]
    found = {word[1]: int(word[2]) for word in words if word is not None}
    return Limits(found.get("RCPTMAX", 0), found.get("RCPTDOMAINMAX", 0), found.get("MAILMAX", 0))
