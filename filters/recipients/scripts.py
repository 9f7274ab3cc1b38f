"""Runs an account's Sieve script over a message, beside the loop, and turns what it wants into a
Disposition.

A script that fails, takes too long or does not compile any more leaves the message where it would
be without it (RFC 5228 §2.10.6).
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from config.clock import Clock
from config.logging import Logger
from filters.forwarding import is_forged
from filters.recipients.answers import Answers
from filters.recipients.compiled import Compiled
from filters.recipients.disposition import Disposition
from filters.recipients.subject import Subject, disposition, mail_of, place_words, virus_level
from filters.sieve.actions import (
    FileInto,
    Outcome,
)
from filters.sieve.environment import Environment
from filters.sieve.errors import CompileError
from filters.sieve.mail import Mail
from filters.sieve.running import run, run_asking
from filters.sieve.script import Script
from filters.verdict import Action as Site
from message.address_list import mailboxes
from message.headers import all_values
from net.threads import Offload, Pool
from storage.directory import Directory
from storage.directory_values import Target
from storage.object_ids import mailbox_number
from storage.script_values import Script as Stored
from storage.store import Store
from storage.values import AccountId

# Addresses of the message looked at to find the account's own (RFC 5230 §4.5).
# Scripts that may ask which addresses are the account's own: what they include may answer too.
_ANSWERING: Final = frozenset({"vacation", "include"})
_NAMED: Final = 50
_MAX_VALUE: Final = 32 * 1024
_TO: Final = (b"to", b"cc", b"bcc", b"resent-to", b"resent-cc", b"resent-bcc")


class Scripting:
    """One for all accounts."""

    def __init__(
        self,
        hostname: str,
        directory: Directory,
        store: Store,
        answers: Answers,
        compiled: Compiled,
        offload: Offload,
        clock: Clock,
        log: Logger,
        scans: Callable[[], bool],
    ) -> None:
        self._hostname, self._scans = hostname, scans
        self._directory, self._store, self._answers = directory, store, answers
        self._compiled, self._offload, self._clock, self._log = compiled, offload, clock, log

    async def run(self, stored: Stored, subject: Subject) -> Disposition:
        """Raises StoreError, Busy."""
        try:
            script = await self.compiled(stored.text)
        except CompileError as error:
            self._failed(subject, stored, str(error))
            return self._as_is(subject, f"the script {stored.name!r} does not compile")
        environment = await self._environment(subject)
        if script.required & _ANSWERING:
            named = (subject.recipient.address, subject.envelope.sender)
            own = await self.own_addresses(subject.target, subject.message.header, named)
            environment = replace(environment, addresses=own)
        account = subject.target.account
        outcome = await self.evaluate(script, mail_of(subject), environment, account)
        if outcome.error:
            place = place_words(outcome.error_place)
            self._failed(subject, stored, f"{place}: {outcome.error}")
            return self._as_is(subject, f"the script {stored.name!r} failed at {place}")
        return disposition(outcome, stored.name, subject)

    async def compiled(self, text: bytes) -> Script:
        """Raises CompileError, Busy."""
        return await self._compiled.get(text)

    async def evaluate(
        self, script: Script, mail: Mail, environment: Environment, account: AccountId
    ) -> Outcome:
        """What the script says, with what it asks of the account answered. Raises StoreError,
        Busy.
        """

        async def evaluate(environment: Environment) -> Outcome:
            return await self._offload.run(Pool.MIME, run, script, mail, environment)

        return await run_asking(evaluate, partial(self._answers.answer, account), environment)

    async def surroundings(self, account: AccountId) -> Environment:
        """What holds for every message of an account."""
        boxes = [box for box in await self._store.mailboxes(account) if box.selectable]
        return Environment(
            now=self._clock.now(),
            mailboxes={box.name: frozenset({box.special_use} - {""}) for box in boxes},
            mailbox_ids={mailbox_number(box.account, box.id): box.name for box in boxes},
            items={
                "domain": self._hostname.partition(".")[2],
                "host": self._hostname,
                "location": "MDA",
                "name": "mailserver",
                # RFC 6785 §4.2, §4.5: empty where nobody did anything by IMAP
                **dict.fromkeys(("imap.user", "imap.email", "imap.changedflags"), ""),
            },
        )

    async def _environment(self, subject: Subject) -> Environment:
        envelope, source = subject.envelope, subject.envelope.source
        base = await self.surroundings(subject.target.account)
        login = None
        if envelope.account is not None:
            login = await self._directory.account_by_id(envelope.account)
        return replace(
            base,
            sender=envelope.sender,
            recipient=subject.recipient.address,
            login=login.address if login is not None else "",
            items={
                **base.items,
                "phase": "during",
                "remote-host": source.reverse,
                "remote-ip": source.address,
            },
            spam=subject.judged.percent,
            virus=virus_level(envelope) if self._scans() else None,
            forged=is_forged(envelope.results),
            suspicious=subject.verdict.action >= Site.JUNK,
        )

    async def own_addresses(
        self, target: Target, header: bytes, named: Sequence[str]
    ) -> frozenset[str]:
        """Those of `named` and of the header's that are the account's, and its first; `named`
        begins with the one that the message came for.
        """
        found = dict.fromkeys(named)
        for name in _TO:
            for value in all_values(header, name):
                found.update(dict.fromkeys(one.text for one in mailboxes(value[:_MAX_VALUE])))
        own = {target.address.lower(), named[0].lower()}
        for address in list(found)[:_NAMED]:
            if await self._directory.is_own(target.account, address):
                own.add(address.lower())
        return frozenset(own)

    def _as_is(self, subject: Subject, why: str) -> Disposition:
        return Disposition((FileInto(subject.default),), told=(why,))

    def _failed(self, subject: Subject, stored: Stored, reason: str) -> None:
        self._log.warning(
            "script failed",
            message=subject.envelope.trace,
            account=subject.target.address,
            script=stored.name,
            reason=reason,
        )
