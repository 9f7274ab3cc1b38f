"""Whether a message is junk for one account: what the spam filter found for the site, with what the
account has taught the classifier and whom it has in its address book.
"""

from array import array
from dataclasses import dataclass, replace
from typing import Final, Protocol

from config.settings import Settings
from config.symbols import SYMBOLS
from filters.context import Message
from filters.envelope import Envelope
from filters.spam.questions import is_proved
from filters.spam.result import SpamResult, with_probability
from filters.verdict import Action, Scored, Verdict
from message.address_list import mailboxes
from message.headers import all_values
from storage.directory import Directory
from storage.values import AccountId

KEYWORD: Final = "$Junk"
CONTACT: Final = "KNOWN_CONTACT"
KNOWN: Final = "KNOWN_CORRESPONDENT"
_MAX_FROM: Final = 32 * 1024


@dataclass(frozen=True, slots=True)
class Judged:
    """`verdict` is the account's: JUNK or not, with or without the keyword; `result` is None where
    the spam filter was not asked.
    """

    verdict: Verdict
    result: SpamResult | None = None

    def tagged(self, keywords: frozenset[str]) -> "Judged":
        """With more keywords."""
        if not keywords:
            return self
        verdict = replace(self.verdict, keywords=self.verdict.keywords | keywords)
        return replace(self, verdict=verdict)

    def told(self, site: Verdict) -> tuple[str, ...]:
        """In a few words what is different from the verdict for the site."""
        if self.result is None or self.verdict is site:
            return ()
        score, limit = self.result.score, self.result.junk_at
        which = "junk" if self.result.is_junk else "no junk"
        return (f"{which} for this account: score {score:g} of {limit:g}",)

    @property
    def percent(self) -> float | None:
        """As the test spamtest has it: 50 is where junk begins (RFC 5235 §3.2)."""
        if self.result is None or self.result.junk_at <= 0:
            return None
        return min(100.0, max(0.0, 50.0 * self.result.score / self.result.junk_at))


class Classifier(Protocol):
    """What accounts have taught: filters/spam/learned.py."""

    async def has_taught(self, account: AccountId) -> bool: ...

    async def probability(
        self, features: "array[int]", account: AccountId | None = None
    ) -> float | None: ...


class PersonalJunk:
    """One for all deliveries. `reload` with a changed configuration."""

    def __init__(
        self, settings: Settings, directory: Directory, classifier: Classifier | None
    ) -> None:
        self._weights = dict(settings.spam.weights)
        self._directory, self._classifier = directory, classifier

    def reload(self, settings: Settings) -> None:
        """Takes the weights of a changed configuration."""
        self._weights = dict(settings.spam.weights)

    async def judge(
        self, envelope: Envelope, message: Message, verdict: Verdict, account: AccountId
    ) -> Judged:
        """Raises StoreError, Busy. Mail that our users send, and what other filters call junk,
        stays what it is.
        """
        result = envelope.spam
        if result is None or result.junk_at <= 0 or verdict.action > Action.JUNK:
            return Judged(verdict, result)
        own = await self._with_contact(envelope, message, result, account)
        if self._classifier is not None and await self._classifier.has_taught(account):
            probability = await self._classifier.probability(result.features, account)
            own = with_probability(own, probability, self._weights)
        if own is result or own.is_junk == result.is_junk:
            return Judged(verdict, own)
        return Judged(_as_judged(verdict, own, _by_others(envelope)), own)

    async def _with_contact(
        self, envelope: Envelope, message: Message, result: SpamResult, account: AccountId
    ) -> SpamResult:
        """Whom the account has in its address book is known to it, if the author is proved."""
        if any(one.name == KNOWN for one in result.scored):
            return result
        weight = self._weights.get(CONTACT, SYMBOLS[CONTACT].weight)
        author = author_address(message.header)
        if not weight or not author or not is_proved(author, envelope.results):
            return result
        if not (await self._directory.contacts.relation(account, author)).contact:
            return result
        return replace(result, scored=(*result.scored, Scored(CONTACT, weight, author)))


def _by_others(envelope: Envelope) -> bool:
    """Whether a filter other than that of spam wants the message in Junk."""
    return any(
        one.verdict.action is Action.JUNK and one.filter != "spam"
        for stage in envelope.asked
        for one in stage
    )


def _as_judged(verdict: Verdict, own: SpamResult, by_others: bool) -> Verdict:
    if own.is_junk:
        keywords = verdict.keywords | {KEYWORD}
        return replace(verdict, action=Action.JUNK, keywords=keywords)
    action = Action.JUNK if by_others else Action.ACCEPT
    return replace(verdict, action=action, keywords=verdict.keywords - {KEYWORD})


def author_address(header: bytes) -> str:
    """The one address of From, in lower case; "" when there are several or none."""
    found = [one for value in all_values(header, b"from") for one in mailboxes(value[:_MAX_FROM])]
    return found[0].text.lower() if len(found) == 1 else ""
