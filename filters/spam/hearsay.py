"""What users say about their mail, for the standing of its sender and text.

Their word counts for nobody's domain or network, which serve many, and of one account once in
AGAIN for each sender and text, and for so many of them, so that no account makes a standing by
itself.
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
from filters.spam.rules.mail import who_of
from message.address_list import mailboxes
from message.authentication_results import parse_results, same_server
from message.headers import all_values, first, header_block
from storage.reputation import Reputation, Subject
from storage.spam_values import Label
from storage.values import AccountId

AGAIN: Final = 7 * 86_400.0
ACCOUNTS: Final = 1_000
"""In memory; the longest silent goes first."""
EACH: Final = 250
"""Senders and parts of texts that one account may speak of within AGAIN."""
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
    author = who_of("", entries[0].text).address if entries else ""
    reading = read(as_it_came(data, hostname))
    bands = sketch(reading.plain or reading.html)
    return Witness(author, _is_proved(header, hostname, author), bands)


class Hearsay:
    """One for all accounts."""

    def __init__(self, reputation: Reputation, clock: Clock) -> None:
        self._reputation, self._clock = reputation, clock
        self._heard: LRUCache[AccountId, dict[tuple[Subject, Label], float]] = LRUCache(ACCOUNTS)

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
        now = self._clock.now()
        heard = self._heard.get(account)
        if heard is None:
            heard = self._heard[account] = {}
        if len(heard) >= EACH:
            for old in [one for one, at in heard.items() if now - at >= AGAIN]:
                del heard[old]
        before = heard.get((subject, label))
        if before is None and len(heard) >= EACH:
            return False
        if before is not None and now - before < AGAIN:
            return False
        heard[subject, label] = now
        return True


def _is_proved(header: bytes, hostname: str, author: str) -> bool:
    """By our own Authentication-Results, which nobody who sends can have left in; an account can
    upload what it likes, and is heard once.
    """
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
