"""Runs an account's Sieve script over a message, beside the loop, and turns what it wants into a
Disposition.

A script that fails, takes too long or does not compile any more leaves the message where it would
be without it (RFC 5228 §2.10.6).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from config.clock import Clock
from config.logging import Logger
from filters.context import Message, Recipient
from filters.envelope import Envelope
from filters.forwarding import is_forged
from filters.recipients.answers import Answers
from filters.recipients.compiled import Compiled
from filters.recipients.disposition import Disposition, Version
from filters.recipients.junk import Judged
from filters.sieve.actions import (
    Action,
    Discard,
    FileInto,
    Keep,
    Notify,
    Outcome,
    Place,
    Redirect,
    Reject,
    Vacation,
)
from filters.sieve.describing import describe
from filters.sieve.environment import Environment
from filters.sieve.errors import CompileError
from filters.sieve.limits import LIMITS
from filters.sieve.mail import Mail
from filters.sieve.running import run, run_asking
from filters.sieve.script import Script
from filters.verdict import Action as Site
from filters.verdict import Verdict
from message.address_list import mailboxes
from message.edits import Edit, apply_edits
from message.headers import all_values, header_block, without_blank_line
from net.threads import Offload, Pool
from storage.directory import Directory
from storage.directory_values import Target
from storage.mailbox_ids import mailbox_number
from storage.names import INBOX
from storage.script_values import Script as Stored
from storage.store import Store
from storage.values import AccountId, Content

JUNK: Final = "Junk"
# Addresses of the message looked at to find the account's own (RFC 5230 §4.5).
_NAMED: Final = 50
_MAX_VALUE: Final = 32 * 1024
_TO: Final = (b"to", b"cc", b"bcc", b"resent-to", b"resent-cc", b"resent-bcc")


@dataclass(frozen=True, slots=True)
class Subject:
    """One message on its way to one account. `trace` are the fields that will stand above it."""

    envelope: Envelope
    message: Message
    trace: bytes
    target: Target
    recipient: Recipient
    judged: Judged

    @property
    def verdict(self) -> Verdict:
        """The account's."""
        return self.judged.verdict

    @property
    def header(self) -> bytes:
        """As it will be stored, without its blank line."""
        return self.trace + self.message.header

    @property
    def default(self) -> str:
        """Where it goes by itself."""
        return JUNK if self.verdict.action is Site.JUNK else INBOX


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
        account = subject.target.account
        outcome = await self.evaluate(script, mail_of(subject), environment, account)
        if outcome.error:
            place = _place(outcome.error_place)
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
                "location": "MS",
                "name": "mailserver",
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
            addresses=await self.own_addresses(
                subject.target,
                subject.message.header,
                (subject.recipient.address, envelope.sender),
            ),
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
        found = set(named)
        for name in _TO:
            for value in all_values(header, name):
                found.update(one.text for one in mailboxes(value[:_MAX_VALUE]))
        own = {target.address.lower(), named[0].lower()}
        for address in list(found)[:_NAMED]:
            if await self._directory.may_send_as(target.account, address):
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


def virus_level(envelope: Envelope) -> int | None:
    """RFC 5235 §3.3: 1 is clean, 5 infected; None where nobody looked."""
    for stage in envelope.asked:
        for one in stage:
            if one.filter == "virus" and not one.error and not one.skipped:
                symbols = one.verdict.symbols
                return None if "CLAM_VIRUS_FAIL" in symbols else 5 if "CLAM_VIRUS" in symbols else 1
    return None


def mail_of(subject: Subject) -> Mail:
    """The message as a script sees it: with our fields above it, its body read when needed."""
    header, message = subject.header, subject.message
    size = message.content.size + len(subject.trace)
    if message.headless:
        size += len(b"\r\n")
    return Mail(header, size, partial(_read, header, message.content, message.body_start))


def _read(header: bytes, content: Content, body_start: int) -> bytes:
    """Header and body, a long body to what scripts look at. Blocks for a spooled message."""
    if content.path is None:
        body = (content.data or b"")[body_start:]
    else:
        with content.path.open("rb") as file:
            file.seek(body_start)
            body = file.read(LIMITS.body_size)
    return header + b"\r\n" + body


def disposition(outcome: Outcome, script: str, subject: Subject) -> Disposition:
    """What an outcome means for the store and the queue."""
    filed: list[FileInto] = []
    redirects: list[Redirect] = []
    vacations: list[Vacation] = []
    notifications: list[Notify] = []
    refusal, told = "", []
    for action in outcome.actions:
        told.append(_told(action, script, subject))
        match action:
            case Keep():
                filed.append(
                    FileInto(
                        subject.default, action.flags, place=action.place, version=action.version
                    )
                )
            case FileInto():
                filed.append(action)
            case Redirect():
                redirects.append(action)
            case Reject():
                refusal = action.reason or "Not wanted"
            case Vacation():
                vacations.append(action)
            case Notify():
                notifications.append(action)
            case Discard():
                pass
    return Disposition(
        tuple(filed),
        tuple(redirects),
        refusal,
        versions_of(outcome, subject),
        tuple(vacations),
        tuple(notifications),
        outcome.tracks,
        (*told, *outcome.warnings),
    )


def versions_of(outcome: Outcome, subject: Subject) -> tuple[Version | None, ...]:
    """The message as it was at each version. A long message that is spooled keeps its body."""
    return tuple(_version(edits, subject) for edits in outcome.versions)


def _version(edits: Sequence[Edit], subject: Subject) -> Version | None:
    if not edits:
        return None
    header = subject.header
    if all(end <= len(header) for _, end, _ in edits):
        return Version(apply_edits(header, edits))
    if subject.message.content.size > LIMITS.body_size:
        return Version(apply_edits(header, [one for one in edits if one[1] <= len(header)]))
    data = apply_edits(mail_of(subject).read(), edits)
    block = header_block(data)
    return Version(without_blank_line(block), data[len(block) :])


def _told(action: Action, script: str, subject: Subject) -> str:
    """What is done, where, and which line says so."""
    if isinstance(action, Keep) and action.implicit:
        return f"kept in {subject.default}: {script!r} says nothing else"
    done = describe(action)
    if isinstance(action, Keep):
        done += f" in {subject.default}"
    return f"{done} ({_place(action.place)} of {(action.place.script or script)!r})"


def _place(place: Place) -> str:
    return f"line {place.line}"
