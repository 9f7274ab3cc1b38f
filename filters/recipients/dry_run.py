"""A script over messages that were delivered long since: what it would do, and nothing is done.

A run knows of a message what its header tells: sender, recipient and when it came. The spam score
of its day, and who was connected, are not known any more.
"""

from dataclasses import dataclass, replace

from filters.own.past import past_context
from filters.recipients.flag_words import words_of
from filters.recipients.scripts import Scripting
from filters.sieve.describing import describe
from filters.sieve.environment import Environment
from filters.sieve.mail import mail_of
from filters.sieve.rehearsing import Standing, rehearsal_of
from filters.sieve.script import Script
from storage.directory_values import Target
from storage.values import Mailbox, MessageRow


@dataclass(frozen=True, slots=True)
class Would:
    """What a script would do. `actions`: each in words with its line; `matched`: the lines whose
    tests held; `effects`: what would be otherwise, none where nothing would; `error` where it
    failed.
    """

    actions: tuple[tuple[str, int], ...]
    matched: tuple[int, ...]
    effects: tuple[str, ...]
    error: str = ""
    line: int = 0


class DryRun:
    """One script over messages of one mailbox of an account."""

    def __init__(
        self, scripting: Scripting, script: Script, target: Target, mailbox: Mailbox
    ) -> None:
        self._scripting, self._script = scripting, script
        self._target, self._mailbox = target, mailbox
        self._base: Environment | None = None

    async def over(self, row: MessageRow, data: bytes) -> Would:
        """`data` is the message, a long body cut. Raises StoreError, Busy."""
        if self._base is None:
            self._base = await self._scripting.surroundings(self._target.account)
        past = past_context(data, (self._target.address,))
        mail = mail_of(data)
        named = (self._target.address, past.sender)
        environment = replace(
            self._base,
            sender=past.sender,
            recipient=self._target.address,
            addresses=await self._scripting.own_addresses(self._target, mail.header, named),
            now=row.internaldate,
            items={
                **self._base.items,
                "phase": "during",
                "remote-host": past.reverse,
                "remote-ip": past.peer,
            },
        )
        mail = replace(mail, size=row.size)
        account = self._target.account
        outcome = await self._scripting.evaluate(self._script, mail, environment, account)
        standing = Standing(self._mailbox.name, frozenset(words_of(row.flags)))
        return Would(
            tuple((describe(one), one.place.line) for one in outcome.actions),
            tuple(dict.fromkeys(one.line for one in outcome.matched if not one.script)),
            rehearsal_of(outcome, environment, standing).effects,
            outcome.error,
            outcome.error_place.line,
        )
