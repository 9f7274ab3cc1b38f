"""Mail of our own users before it goes anywhere: may this account send this as this author, does it
lack anything, has it sent too much (RFC 6409 §6, §8).

For SMTP and HTTP alike: values in, a verdict or the finished message out.
"""

import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isinf
from typing import Final, Protocol

from auth.audit import Audit
from auth.login_values import Login
from auth.policy import sending_right
from config.clock import Clock, rfc3339
from config.logging import Logger
from config.settings import Settings
from filters.context import Message
from filters.envelope import make_trace
from filters.rewriting import with_header
from filters.sendlimit import Limits, Reached, SendLimits
from filters.sent import SentCopies
from filters.verdict import ACCEPT, Verdict, defer, reject
from message.authors import Authors, AuthorsError, authors, sender
from message.completion import Facts, Submitter, completed
from storage.audit_values import Kind
from storage.credential_values import Protocol as LoginProtocol
from storage.delegations import Sending, SendingRight
from storage.directory import Directory
from storage.directory_values import NO_CHOICE, Account
from storage.values import AccountId

_FAILED: Final = 451
_LIMITS = tuple(Limits.__slots__)


@dataclass(frozen=True, slots=True)
class Authorship:
    """What From says, what goes into Sender (as message.completion.Facts has it), the account's
    display name, whether it wants a copy in Sent, and for which other accounts it writes.
    """

    authors: Authors | None
    sender: str | None
    display: str
    save_sent: bool = False
    others: tuple["Other", ...] = ()


@dataclass(frozen=True, slots=True)
class Other:
    """Another account, with its address, and how the sender uses what is its."""

    account: AccountId
    address: str
    how: Sending


@dataclass(frozen=True, slots=True)
class Completed:
    """The message as it is sent, and as the sender keeps it, None when nothing is kept."""

    sent: Message
    kept: Message | None


async def _nothing() -> None:
    """There is nothing to forget."""


@dataclass(frozen=True, slots=True)
class Lightened:
    """The message as it goes on. `forget` ends what its links lead to."""

    message: Message
    forget: Callable[[], Awaitable[None]] = _nothing

    async def refused(self, *codes: int) -> None:
        """Nobody gets it, as these replies say; of what failed nobody knows that (451)."""
        if codes and _FAILED not in codes:
            await self.forget()


class LinkMaker(Protocol):
    """Makes links of large attachments (filters/drive/detaching.py)."""

    async def lightened(
        self, login: Login, message: Message, hold_until: float | None
    ) -> Lightened:
        """The message as it goes on, at `hold_until` or at once."""


class Submitting:
    """One for all protocols, since limits count what an account sends by any of them."""

    def __init__(
        self,
        settings: Settings,
        directory: Directory,
        clock: Clock,
        log: Logger,
        *,
        sent: SentCopies | None = None,
        audit: Audit | None = None,
        links: LinkMaker | None = None,
    ) -> None:
        self._settings, self._directory, self._clock, self._log = settings, directory, clock, log
        self._sent = SendLimits(clock, directory.sent_counts)
        self._ours = secrets.token_hex(6)
        self.sent, self._audit, self._links = sent, audit, links

    def reload(self, settings: Settings) -> None:
        """Takes [submission] of a changed configuration."""
        self._settings = settings

    async def within_limits(self, login: Login, recipients: int) -> Verdict:
        """ACCEPT, or a refusal for now that says when one message to so many may go. Raises
        StoreError.
        """
        limits = await self._limits(login)
        await self._sent.recall(login.account)
        reached = self._sent.reached(login.account, limits, recipients)
        if reached is None:
            return ACCEPT
        self._log.warning(
            "send limit reached", account=login.address, limit=reached.what, recipients=recipients
        )
        return self._too_much(reached)

    def count(self, login: Login, recipients: int) -> None:
        """A message was taken."""
        self._sent.count(login.account, recipients)

    async def authorship(
        self, login: Login, header: bytes, envelope_sender: str
    ) -> Authorship | Verdict:
        """Who wrote it, or the refusal of somebody else's address. Raises StoreError."""
        try:
            found = authors(header)
        except AuthorsError as error:
            return reject(f"Bad message header: {error}", status="5.6.0", symbol="FROM_SYNTAX")
        addresses = found.addresses if found is not None else ()
        rights = [await sending_right(self._directory, login, one) for one in addresses]
        used = [right.sending for right in rights]
        foreign = [one for one, how in zip(addresses, used, strict=True) if how is Sending.NO]
        if foreign and (login.grant.senders or await self._from_header(login) == "own"):
            text = f"The address in From is not one of yours: {_printable(foreign[0])}"
            return reject(text, symbol="FROM_NOT_OWN")
        account = await self._account(login)
        needed = set(used) - {Sending.AS} or len(addresses) > 1
        wish = account.submission.save_sent if account is not None else None
        return Authorship(
            found,
            await self._sender(login, header, bool(needed)),
            account.name if account is not None else "",
            self._settings.submission.save_sent if wish is None else wish,
            await self._others(login, rights, envelope_sender),
        )

    async def _others(
        self, login: Login, rights: Sequence[SendingRight], envelope_sender: str
    ) -> tuple[Other, ...]:
        """Those of From, else that of the envelope: reports go there."""
        used = {right.owner: right.sending for right in rights}
        if envelope_sender:
            right = await sending_right(self._directory, login, envelope_sender)
            used.setdefault(right.owner, right.sending)
        found = []
        for number, how in used.items():
            owner = None if number is None else await self._directory.account_by_id(number)
            if owner is not None:
                found.append(Other(owner.id, owner.address, how))
        return tuple(found)

    def tell_owners(
        self, login: Login, authorship: Authorship, peer: str, protocol: LoginProtocol
    ) -> None:
        """A message was taken: the audit log of each account for which it is sent has by whom."""
        if self._audit is None:
            return
        for other in authorship.others:
            self._audit.record(
                Kind.SENT_FOR,
                other.account,
                other.address,
                address=peer,
                protocol=protocol.value,
                detail=f"by {login.address} ({other.how.value})",
            )

    async def lightened(
        self, login: Login, message: Message, hold_until: float | None
    ) -> Lightened:
        """The message with links for large attachments, where that is wanted; it goes at
        `hold_until`, in seconds since 1970, or at once.
        """
        if self._links is None:
            return Lightened(message)
        return await self._links.lightened(login, message, hold_until)

    def complete(
        self, login: Login, message: Message, authorship: Authorship, envelope_sender: str
    ) -> Completed:
        """The message with what it lacks and without what is nobody's business."""
        facts = Facts(
            Submitter(envelope_sender or login.address, authorship.display),
            datetime.fromtimestamp(self._clock.now(), UTC),
            f"{make_trace()}.{self._ours}@{self._settings.hostname}",
            _charset(message),
            authorship.sender,
        )
        header, authors = message.header, authorship.authors
        kept = None
        if authorship.save_sent and self.sent is not None:
            kept = with_header(message, completed(header, authors, facts, private=True))
        return Completed(with_header(message, completed(header, authors, facts)), kept)

    async def _sender(self, login: Login, header: bytes, needed: bool) -> str | None:
        """Sender tells who sent it when From alone does not (RFC 6409 §8.1): `needed`."""
        named = sender(header)
        true = len(named) <= 1 and all([await self._own(login, one) for one in named])
        if needed:
            return None if named and true else login.address
        return None if true else ""

    async def _own(self, login: Login, address: str) -> bool:
        """Not that of an owner: Sender says who it was."""
        right = await sending_right(self._directory, login, address)
        return right.sending is Sending.AS and right.owner is None

    async def _account(self, login: Login) -> Account | None:
        return await self._directory.account_by_id(login.account)

    async def _from_header(self, login: Login) -> str:
        account = await self._account(login)
        chosen = account.submission.from_header if account is not None else None
        return chosen or self._settings.submission.from_header

    async def _limits(self, login: Login) -> Limits:
        account, default = await self._account(login), self._settings.submission
        own = account.submission if account is not None else NO_CHOICE
        chosen = ((getattr(own, name), getattr(default, name)) for name in _LIMITS)
        return Limits(*[other if value is None else value for value, other in chosen])

    def _too_much(self, reached: Reached) -> Verdict:
        text = f"You may send {reached.what}"
        if not isinf(reached.seconds):
            text += f"; try again after {rfc3339(self._clock.now() + reached.seconds + 1)}"
        return defer(text, symbol="SEND_LIMIT")


def _charset(message: Message) -> str:
    """That of a body which does not name it; what is no UTF-8 is unknown (RFC 1428 §3)."""
    if not message.eightbit:
        return "us-ascii"
    data = message.content.data
    if data is None:
        return "utf-8"
    body = data[len(message.header) :]
    if body.isascii():
        return "us-ascii"
    try:
        body.decode()
    except UnicodeDecodeError:
        return "unknown-8bit"
    return "utf-8"


def _printable(address: str) -> str:
    """Fit for a reply: ASCII without control characters."""
    clean = "".join(char if " " <= char <= "~" else "?" for char in address)
    return clean[:100]
