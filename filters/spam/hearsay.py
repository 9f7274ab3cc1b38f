"""What users say about their mail, for the standing of its sender and text.

Their word counts for nobody's domain or network, which serve many, and of one account once in
AGAIN for each sender and text, so that no account makes a standing by itself.
"""

from dataclasses import dataclass
from typing import Final

from cachetools import LRUCache

from config.clock import Clock
from filters.authentication.statements import PROVING
from filters.spam.domains import registered
from filters.spam.extract import as_it_came
from filters.spam.fuzzy import sketch
from filters.spam.reading import read
from filters.spam.reputation import subjects
from message.address_list import mailboxes
from message.authentication_results import parse_results, same_server
from message.headers import all_values, first, header_block
from storage.reputation import Reputation, Subject
from storage.spam_values import Label
from storage.values import AccountId

AGAIN: Final = 7 * 86_400.0
IN_MEMORY: Final = 20_000
_FROM: Final = 4 * 1024
_FIELDS: Final = 20


@dataclass(frozen=True, slots=True)
class Witness:
    """What a stored message has a standing by; `proved` as this server found when it came."""

    author: str
    proved: bool
    bands: tuple[str, ...]


def witness(data: bytes, hostname: str) -> Witness:
    """Pure, for a worker."""
    header = header_block(data)
    entries = mailboxes((first(header, b"from") or b"")[:_FROM])
    author = entries[0].text.lower() if entries else ""
    reading = read(as_it_came(data, hostname))
    bands = sketch(reading.plain or reading.html)
    return Witness(author, _is_proved(header, hostname, author), bands)


class Hearsay:
    """One for all accounts."""

    def __init__(self, reputation: Reputation, clock: Clock) -> None:
        self._reputation, self._clock = reputation, clock
        self._heard: LRUCache[tuple[AccountId, Subject, Label], float] = LRUCache(IN_MEMORY)

    def say(self, account: AccountId, label: Label, about: Witness) -> None:
        """An account calls a message spam or ham."""
        if label not in (Label.SPAM, Label.HAM):
            return
        found = [
            one
            for one in subjects(about.author, about.proved, "", about.bands, domain=False)
            if self._is_new(account, one, label)
        ]
        bad = 1.0 if label is Label.SPAM else 0.0
        self._reputation.add(found, good=1.0 - bad, bad=bad)

    def _is_new(self, account: AccountId, subject: Subject, label: Label) -> bool:
        key, now = (account, subject, label), self._clock.now()
        before = self._heard.get(key)
        if before is not None and now - before < AGAIN:
            return False
        self._heard[key] = now
        return True


def _is_proved(header: bytes, hostname: str, author: str) -> bool:
    """By our own Authentication-Results, which nobody else can have left in."""
    owner = registered(author.rpartition("@")[2])
    for value in all_values(header, b"authentication-results")[:_FIELDS]:
        found = parse_results(value)
        if not same_server(found.authserv_id, hostname):
            continue
        for one in found.statements:
            name = PROVING.get(one.method)
            said = one.value(*name).rpartition("@")[2].lower() if name else ""
            if said and one.result == "pass" and registered(said) == owner:
                return True
    return False
