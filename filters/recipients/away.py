"""Answers for users who are away (RFC 8621 §8), beside what their scripts do, by the rules of whom
to answer and how often that vacation of Sieve has (RFC 5230 §4).
"""

from typing import Final

from config.clock import Clock
from filters.forwarding import is_forged
from filters.recipients.disposition import Later
from filters.recipients.scripts import Scripting
from filters.recipients.subject import Subject
from filters.sieve.actions import Vacation
from filters.sieve.vacation import DAY, DEFAULT_DAYS
from filters.verdict import Action
from message.automatic import Incoming, refusal
from message.compose import compose, simple_tree
from message.html_text import html_text
from storage.directory import Directory
from storage.vacations import VacationResponse
from storage.values import AccountId

_REASON: Final = "I am away, and will read your message when I am back.\n"


class Away:
    """One for all accounts."""

    def __init__(self, directory: Directory, scripting: Scripting, clock: Clock) -> None:
        self._directory, self._scripting, self._clock = directory, scripting, clock

    async def is_on(self, account: AccountId) -> bool:
        """Whether the account answers now. A look into memory once that is known."""
        found = await self._directory.vacations.get(account)
        return found.answers_at(self._clock.now())

    async def later(self, subject: Subject) -> Later | None:
        """What follows for a message that the account takes."""
        found = await self._directory.vacations.get(subject.target.account)
        if not found.answers_at(self._clock.now()):
            return None
        envelope, header = subject.envelope, subject.message.header
        named = (subject.recipient.address, envelope.sender)
        own = await self._scripting.own_addresses(subject.target, header, named)
        suspicious = subject.verdict.action >= Action.JUNK
        incoming = Incoming(envelope.sender, header, own, is_forged(envelope.results), suspicious)
        vacation = Vacation(
            _reason(found),
            envelope.sender,
            DEFAULT_DAYS * DAY,
            f":vacation-response {found.changed}",
            found.subject or "",
            mime=found.html_body is not None,
            refused=refusal(incoming),
        )
        return Later(subject.target.account, subject.target.address, (vacation,), (), ())


def _reason(found: VacationResponse) -> str:
    """The text, or a MIME entity of text and HTML."""
    text, html = found.text_body, found.html_body
    if html is None:
        return _REASON if text is None else text
    tree = simple_tree(html_text(html) if text is None else text, html, ())
    return compose((), tree, f"{found.changed}").data.decode("ascii", "replace")
