"""The policy of a connection as it becomes known: at connect, with the sender, each recipient, the
message. What the rules say is filters/policy.py's; here they become limits and replies.
"""

from dataclasses import replace
from typing import Protocol

from config.settings import Settings
from filters.context import Context, Kind, Message
from filters.policy import NO_POLICY, NULL_SENDER, Policy, Ruling, Subject, resolve, together
from smtp.grammar import replies
from smtp.grammar.mail import Mail
from smtp.grammar.reply import Reply, reply

_USERS = (Kind.SUBMISSION,)
_REFUSED = "Not accepted here by policy"
_DEFERRED = "Not accepted at the moment by policy, try again later"


class HasSettings(Protocol):
    """The settings in force, which a reload replaces."""

    settings: Settings


class Rules:
    """Of one connection. Without a rule in the configuration everything here is the settings'."""

    __slots__ = (
        "_connected",
        "_context",
        "_listener",
        "_of_recipients",
        "_recipients",
        "_sender",
        "_shared",
    )

    def __init__(self, shared: HasSettings, context: Context, listener: str) -> None:
        self._shared, self._context, self._listener = shared, context, listener
        self._connected = NO_POLICY
        self._recipients: int | None = None
        self._sender: str | None = None
        self._of_recipients: list[Policy] = []

    def at_connect(self) -> Reply | None:
        """Why the peer is not greeted, or None."""
        policy = self._connected = self._context.policy = self._resolve()
        self._recipients = policy.recipients
        if policy.ruling is Ruling.REFUSE:
            return reply(554, "5.7.1", policy.text or _REFUSED)
        if policy.ruling is Ruling.DEFER:
            return reply(421, "4.7.0", policy.text or _DEFERRED)
        return None

    def at_mail(self, mail: Mail) -> Reply | None:
        """Why the sender is refused, or None."""
        if not self._shared.settings.policy:
            return None
        mailbox = mail.sender.mailbox
        self._sender = mailbox.domain.lower() if mailbox is not None else NULL_SENDER
        policy = self._context.policy = self._resolve()
        self._recipients = policy.recipients
        if policy.require_tls and not self._context.tls:
            return replies.TLS_NEEDED
        return _refusal(policy, mail.size)

    def at_rcpt(self, address: str) -> Reply | None:
        """Why the recipient is refused, or None."""
        if not self._shared.settings.policy:
            return None
        policy = self._context.policy = self._resolve(address.rpartition("@")[2].lower())
        if policy.require_tls and not self._context.tls:
            return replies.NEEDS_ENCRYPTION
        return _refusal(policy, self._context.size)

    def taken(self) -> None:
        """The recipient was accepted: its policy counts for the message."""
        if self._shared.settings.policy:
            self._of_recipients.append(self._context.policy)

    def at_data(self, message: Message) -> Reply | None:
        """Why the message is refused, or None."""
        if not self._of_recipients:
            return None
        size, skip = together(self._of_recipients)
        self._context.policy = replace(self._context.policy, message_size=size, skip=skip)
        too_big = size is not None and message.content.size > size
        return replies.TOO_BIG if too_big else None

    def reset(self) -> None:
        """The transaction is over."""
        self._sender = None
        self._of_recipients = []
        self._context.policy = self._connected
        self._recipients = self._connected.recipients

    def message_size(self) -> int:
        """What SIZE announces: a policy can only make it smaller."""
        general, own = self._shared.settings.limits.message_size, self._context.policy.message_size
        return general if own is None else min(general, own)

    def recipients(self) -> int:
        """How many recipients one message may have."""
        own = self._recipients
        return self._shared.settings.limits.recipients if own is None else own

    def _resolve(self, recipient: str | None = None) -> Policy:
        context, rules = self._context, self._shared.settings.policy
        if not rules:
            return NO_POLICY
        account: str | None = context.login.address if context.login is not None else None
        if account is None and context.kind not in _USERS:
            account = ""
        address = context.peer.address
        subject = Subject(self._listener, address, account, self._sender, recipient)
        return resolve(rules, subject)


def _refusal(policy: Policy, size: int) -> Reply | None:
    if policy.ruling is Ruling.REFUSE:
        return reply(550, "5.7.1", policy.text or _REFUSED)
    if policy.ruling is Ruling.DEFER:
        return reply(450, "4.7.1", policy.text or _DEFERRED)
    if policy.message_size is not None and size > policy.message_size:
        return replies.TOO_BIG
    return None
